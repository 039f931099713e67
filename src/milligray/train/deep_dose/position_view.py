"""What a deep-dose network sees of stored positions: a cylinder's dose, or the traced beam."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from milligray.dataset.folder import SetFolder
from milligray.dataset.kinds import Sample
from milligray.dataset.recompute import spec_of
from milligray.dataset.scan_case import open_scan
from milligray.errors import InputError
from milligray.learn.inputs.basis_materials import basis_densities
from milligray.learn.inputs.position_channels import (
    CHANNELS,
    first_guess,
    isocenter_dose,
    position_channels,
)
from milligray.learn.inputs.slab import rotated_patient, slab_grid, tracing_shape
from milligray.learn.inputs.traced_position import (
    TRACED_CHANNELS,
    TracedPosition,
    traced_position,
)
from milligray.learn.turned_scan import MARGIN, body_box
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

Box = tuple[slice, slice, slice]
Seen = tuple[FloatArray, FloatArray]
"""channels, shape (n_channels, z, depth, lateral), and terms, shape (3, z, depth, lateral)"""
Traced = tuple[Grid, FloatArray, FloatArray, FloatArray, TracedPosition | None]
PositionView = Callable[[Path, Sample], Callable[[int, Box], Seen | None]]
"""sample -> number and box of a position -> what is seen; None where the beam meets nothing"""


def cylinder_view(_path: Path, sample: Sample) -> Callable[[int, Box], Seen | None]:
    """As published: density, dose in the water cylinder, correction factor.

    The terms are ``0, cylinder dose x CF, 0``.
    """
    arrays = {name: one.values for name, one in sample.arrays.items()}
    share = arrays["cylinder_dose"] / isocenter_dose(arrays["cylinder_dose"])

    def see(n: int, box: Box) -> Seen:
        factor = arrays["correction_factor"][n][box]
        channels = position_channels(arrays["electron_density"][n][box], share[box], factor)
        terms = np.zeros((3, *factor.shape), dtype=np.float32)
        terms[1] = first_guess(share[box], factor)
        return channels, terms

    return see


def traced_view(path: Path, sample: Sample) -> Callable[[int, Box], Seen | None]:
    """Primary beam of the patient, and smeared scatter.

    The terms are the collision kerma of the primary beam in the tissue of the voxel, and the
    guesses of what scattered photons give to its share of water and of bone.
    """
    look = open_positions(path, sample)
    about = sample.attributes
    per_photon = float(about["ctdi_w_of_scan_mgy"]) / float(about["photons"])
    reference = isocenter_dose(sample.arrays["cylinder_dose"].values) * per_photon

    def see(n: int, box: Box) -> Seen | None:
        _, _, absorbing, density, traced = look(n, box)
        if traced is None:
            return None
        per_mass = absorbing / np.maximum(density, 1e-6) / reference
        terms = np.stack([
            (per_mass * traced.primary_mgy).sum(axis=0), per_mass[0] * traced.guess_mgy,
            per_mass[1] * traced.guess_mgy * traced.bone_ratio,
        ])  # fmt: skip
        return traced.channels, terms.astype(np.float32)

    return see


def open_positions(path: Path, sample: Sample) -> Callable[[int, Box], Traced]:
    """Patient of a stored sample, to be traced at its positions.

    Returns
    -------
    callable
        Number and box of a position -> grid, densities that attenuate and that absorb (shape
        (2, z, depth, lateral) [g/cm3]), mass density, traced position.
    """
    root = path.parent.parent
    about = sample.attributes
    scan = open_scan(
        spec_of(SetFolder(root).need_manifest(), path.stem, root), is_regridded=False,
        photons=float(about["photons"]),
    )  # fmt: skip
    iso, field = scan.source.isocenter_lps_mm, scan.source.field
    arrays = {name: sample.arrays[name].values for name in ("position_z", "position_angle", "body")}
    size = float(about["spacing_zyx_mm"][0])
    stored = arrays["body"].shape[1:]
    wide = tracing_shape(scan.patient, stored, size, iso)
    first = [(w - n) // 2 for w, n in zip(wide, stored, strict=True)]

    def look(n: int, box: Box) -> Traced:
        z = float(arrays["position_z"][n])
        whole = slab_grid(wide, size, iso, z)
        patient = rotated_patient(
            scan.patient, whole, isocenter_mm=iso, angle_rad=float(arrays["position_angle"][n])
        )
        attenuating, absorbing = basis_densities(patient)
        traced = traced_position(field, whole, attenuating, patient.body, isocenter_mm=iso, z_mm=z)
        z_part, rows, columns = (
            slice(part.start + n, part.stop + n) for part, n in zip(box, first, strict=True)
        )
        place = (z_part, rows, columns)
        cut = (slice(None), *place)
        return (
            _grid_of(whole, place), attenuating[cut], absorbing[cut],
            patient.density_g_cm3[place], None if traced is None else traced.part(place),
        )  # fmt: skip

    return look


VIEWS: dict[str, tuple[PositionView, tuple[str, ...]]] = {
    "cylinder": (cylinder_view, CHANNELS),
    "traced": (traced_view, TRACED_CHANNELS),
}
"""name -> view, names of its channels"""


def view_of(options: Any) -> tuple[str, PositionView, tuple[str, ...]]:  # noqa: ANN401
    """View by the option ``inputs``."""
    name = str(options.get("inputs", "traced"))
    if name not in VIEWS:
        raise InputError(f"option inputs must be one of {', '.join(VIEWS)}, got {name!r}")
    return (name, *VIEWS[name])


def even_box(body: BoolArray) -> Box:
    """Box of the body with a margin, its sides along depth and lateral even where possible."""
    planes, *sides = body_box(body, MARGIN)
    even = [
        side if (side.stop - side.start) % 2 == 0
        else slice(side.start - 1, side.stop) if side.start > 0
        else slice(side.start, min(side.stop + 1, n))
        for side, n in zip(sides, body.shape[1:], strict=True)
    ]  # fmt: skip
    return planes, even[0], even[1]


def _grid_of(whole: Grid, box: Box) -> Grid:
    x, y, z = (float(v) for v in whole.to_lps_mm([part.start for part in box]))
    shape = [part.stop - part.start for part in box]
    return Grid.from_spacing(shape, whole.spacing_mm, origin_lps_mm=(x, y, z))

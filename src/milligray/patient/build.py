"""A CT series becomes a patient: couch off, densities and tissues on the transport grid."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from milligray.constants import CM3_PER_MM3
from milligray.errors import GeometryError, InputError
from milligray.materials.hu_calibration import HuCalibration, load_hu_calibration
from milligray.patient.blocks import block_tissues
from milligray.patient.body import BODY_THRESHOLD_HU, find_body
from milligray.patient.layout import body_box, lay_out
from milligray.patient.patient import Patient
from milligray.patient.voxel_loop import voxel_loop
from milligray.read.series import CtSeries
from milligray.typing import BoolArray
from milligray.volume import Grid, Volume

AIR_HU = -1000
_METAL_HU = 3000


def build_patient(
    ct: CtSeries,
    *,
    calibration: str | HuCalibration,
    voxel_size_mm: float | None = None,
    couch: Literal["remove", "keep"] = "remove",
    extend_mm: float = 0.0,
) -> Patient:
    """Density and tissue on the transport grid, from a CT series.

    Parameters
    ----------
    ct : CtSeries
    calibration : str or HuCalibration
        ``"schneider2000"``, or one from ``read_hu_calibration``.
    voxel_size_mm : float, optional [mm]
        Wanted edge of a transport voxel; along each axis it becomes the nearest whole number
        (>= 1) of CT voxels. Default: the CT's own grid.
    couch : {"remove", "keep"}
        "remove" sets all outside the body outline to air and crops the grid to the patient.
    extend_mm : float [mm]
        Repeat the first and the last slice by this length beyond the CT, where they hold
        patient: scatter from tissue that was not imaged. It is no part of `body`.

    Returns
    -------
    Patient

    Notes
    -----
    Mass is conserved: the mass of a block is the sum over its CT voxels; where the grid reaches
    beyond the CT, that part holds dry air. Partial-volume skin (below -350 HU and next to the
    outline) is kept when the couch is removed.
    """
    volume = ct.volume
    if not volume.grid.is_axis_aligned:
        raise GeometryError("build_patient needs an axis-aligned CT (k superior, j posterior)")
    if voxel_size_mm is not None and not voxel_size_mm > 0:
        raise InputError(f"voxel_size_mm must be > 0, got {voxel_size_mm}")
    if not 0 <= extend_mm <= 1000:
        raise InputError(f"extend_mm must be between 0 and 1000, got {extend_mm}")
    if couch not in ("remove", "keep"):
        raise InputError(f"couch must be 'remove' or 'keep', got {couch!r}")
    if volume.values.dtype.kind == "f" and not all(np.isfinite(p).all() for p in volume.values):
        raise InputError("the CT holds values that are no numbers (NaN or infinite)")
    curve = load_hu_calibration(calibration) if isinstance(calibration, str) else calibration
    body = find_body(volume)
    if not body.any():
        raise InputError(
            f"no patient in this CT: nothing large is denser than {BODY_THRESHOLD_HU:g} HU;"
            " check that the values are Hounsfield units"
        )
    notes: list[str] = []
    if couch == "remove":
        values, removed = _without_surroundings(volume.values, body)
        volume = Volume(grid=volume.grid, values=values)
        notes.append(_removed_note(removed, volume.grid))
    slices = _extension(body, extend_mm, volume.grid.spacing_mm[0])
    box = body_box(body) if couch == "remove" else None
    layout = lay_out(volume.grid, box, voxel_size_mm, extension=slices)
    density, index, inside = block_tissues(
        volume.values,
        body,
        curve,
        shape=layout.grid.shape,
        block=layout.block,
        ct_offset=layout.ct_offset,
        extend_slices=slices,
    )
    notes += _notes(volume, body, slices, extend_mm)
    return Patient(
        grid=layout.grid,
        density_g_cm3=density,
        material_index=index,
        materials=curve.materials,
        body=inside,
        ct=volume,
        block=layout.block,
        ct_offset=layout.ct_offset,
        calibration=curve.name,
        hu_calibration=curve,
        notes=tuple(notes),
    )


def _extension(body: BoolArray, extend_mm: float, spacing_z_mm: float) -> tuple[int, int]:
    n = int(np.ceil(extend_mm / spacing_z_mm - 1e-9))
    return (n if body[0].any() else 0, n if body[-1].any() else 0)


def _without_surroundings(
    values: npt.NDArray[Any], body: BoolArray
) -> tuple[npt.NDArray[Any], int]:
    """Copy of the CT with air outside the body, and the number of dense voxels blanked."""
    out = np.array(values)
    return out, int(_blank_kernel(values, body, BODY_THRESHOLD_HU, AIR_HU, out))


@voxel_loop
def _blank_kernel(values, body, threshold, air, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    nz, ny, nx = values.shape
    removed = 0
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                if body[k, j, i]:
                    continue
                skin = values[k, j, i] <= threshold and (
                    (i > 0 and body[k, j, i - 1])
                    or (i < nx - 1 and body[k, j, i + 1])
                    or (j > 0 and body[k, j - 1, i])
                    or (j < ny - 1 and body[k, j + 1, i])
                )
                if not skin:
                    if values[k, j, i] > threshold:
                        removed += 1
                    out[k, j, i] = air
    return removed


def _removed_note(removed: int, grid: Grid) -> str:
    return (
        f"couch and surroundings set to air: {removed * grid.voxel_volume_cm3:.0f} mL"
        f" above {BODY_THRESHOLD_HU:g} HU outside the body outline"
    )


def _notes(volume: Volume, body: BoolArray, slices: tuple[int, int], extend_mm: float) -> list[str]:
    notes = []
    metal = sum(int(np.count_nonzero(plane >= _METAL_HU)) for plane in volume.values)
    if metal:
        notes.append(
            f"{metal * volume.grid.voxel_volume_cm3:.2g} mL at or above {_METAL_HU} HU taken as"
            " metal by the calibration"
        )
    spacing = volume.grid.spacing_mm
    edge = sum(
        int(np.count_nonzero(side))
        for side in (body[:, 0], body[:, -1], body[:, :, 0], body[:, :, -1])
    )
    if edge * spacing[0] * min(spacing[1:]) * CM3_PER_MM3 > 1.0:
        notes.append(
            "the body touches the side of the image: tissue outside the field of view is missing"
        )
    if extend_mm > 0:
        n = ", ".join(
            f"{s} slices {where}" for s, where in zip(slices, ("below", "above"), strict=True)
        )
        notes.append(f"end slices repeated to give scatter from beyond the scan: {n} the CT")
    return notes

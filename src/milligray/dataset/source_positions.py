"""Kind ``source-positions``: density slab and water-cylinder dose to the dose of one position."""

import math

import numpy as np

from milligray.dataset.kinds import Sample, SampleArray, per_value, register
from milligray.dataset.patients import SampleSpec
from milligray.dataset.scan_case import ScanCase, open_case
from milligray.dataset.uncertainty import FLOOR_OF_REFERENCE
from milligray.dataset.voxel_precision import transport_to_voxel_precision, voxel_statistics
from milligray.draws import fraction
from milligray.errors import InputError
from milligray.learn.inputs.cylinder_dose import (
    CYLINDER_DIAMETER_MM,
    SCATTER_MM,
    cylinder_dose,
)
from milligray.learn.inputs.electron_density import relative_electron_density
from milligray.learn.inputs.slab import (
    correction_factor,
    path_from_tube_mm,
    rotated_patient,
    slab_grid,
    water_cylinder_on,
)
from milligray.patient.patient import Patient
from milligray.score.dose import DoseMap
from milligray.score.dose_scoring import score_dose
from milligray.source.position_source import make_position_source
from milligray.source.spectrum import effective_water_mu_per_mm
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid


@register(
    "source-positions",
    title="density slab + water-cylinder dose -> dose of one position of the tube",
    voxel_size_mm=5.0,
)
def build_source_positions(spec: SampleSpec, threads: int) -> Sample:
    """Some positions of the tube along one scan."""
    case = open_case(spec, is_regridded=False, threads=threads)
    size = spec.exam.settings.voxel_size_mm
    if size is None:
        raise InputError("samples of this kind need a voxel size")
    iso = case.source.isocenter_lps_mm
    wide = _transport_shape(case, spec.settings.slab_shape, size)
    cut = _cut(wide, spec.settings.slab_shape)
    bins = case.source.z_bins_mm
    z = [
        float(bins[0, 0] + fraction(*spec.key, "position", n) * (bins[-1, 1] - bins[0, 0]))
        for n in range(spec.settings.positions)
    ]
    angle = [2.0 * math.pi * fraction(*spec.key, "angle", n) for n in range(len(z))]

    depth, lateral, n_z = spec.settings.slab_shape
    water = cylinder_dose(
        case.source, (n_z, depth, lateral), size, threads=threads,
        device=spec.exam.settings.device,
    )  # fmt: skip
    cylinder = water_cylinder_on(slab_grid(wide, size, iso, 0.0), iso, CYLINDER_DIAMETER_MM)
    water_path = _path(cylinder, case, 0.0)
    in_beam = (cylinder.density_g_cm3 > 0.5) & beam_region(cylinder.grid, case, 0.0)
    mu = effective_water_mu_per_mm(case.source.field.spectrum)
    found: dict[str, list[FloatArray]] = {
        name: [] for name in ("density", "correction_factor", "dose", "uncertainty", "body")
    }
    statistics = []
    for number, (place, turn) in enumerate(zip(z, angle, strict=True)):
        grid = slab_grid(wide, size, iso, place)
        patient = rotated_patient(case.patient, grid, isocenter_mm=iso, angle_rad=turn)
        dose, reached = _dose(case, patient, place, spec, number, threads, patient.body)
        factor = correction_factor(mu, water_path, _path(patient, case, place))
        found["density"].append(relative_electron_density(patient)[cut])
        found["correction_factor"].append(factor[cut])
        found["dose"].append(dose.dose_mgy[cut])
        found["uncertainty"].append(dose.relative_uncertainty[cut])
        found["body"].append(patient.body[cut].astype(np.float32))
        statistics.append(reached)
    current = np.interp(z, case.protocol.slice_position_mm, case.protocol.relative_current)
    per = "mGy per mGy CTDI_w of a rotation"
    arrays: dict[str, SampleArray] = {
        "electron_density": per_value(found["density"], "1", "over water's; the tube before row 0"),
        "correction_factor": per_value(
            found["correction_factor"], "1", "exp(mu (path in water cylinder - path in patient))"
        ),
        "dose": per_value(found["dose"], per, "of the photons of one rotation from here"),
        "relative_uncertainty": per_value(found["uncertainty"], "1", "of the dose, k = 1"),
        "body": per_value(found["body"], "", "1 in the patient", np.uint8),
        "cylinder_dose": per_value(
            water.dose_mgy / case.ctdi.weighted_mgy, per, "the same in the water cylinder"
        ),
        "cylinder_relative_uncertainty": per_value(
            water.relative_uncertainty, "1", "of the cylinder's dose, k = 1"
        ),
        "position_z": per_value(z, "mm", "of the tube", np.float64),
        "position_angle": per_value(angle, "rad", "0 front, pi/2 right", np.float64),
        "position_current": per_value(current, "1", "tube current over its mean", np.float64),
    }
    pitch = case.source.feed_mm / case.source.collimation_mm
    return Sample(
        arrays=arrays,
        attributes=case.attributes | {
            "spacing_zyx_mm": [size] * 3,
            "axes": "position, z to the head, depth from the tube on, lateral; the middle is the"
            " isocenter in the plane of the tube",
            "ctdi_w_of_scan_mgy": (case.protocol.ctdi_vol_mgy or 0.0) * pitch
            * case.source.rotations,
            "effective_water_mu_per_mm": mu,
            "cylinder_diameter_mm": CYLINDER_DIAMETER_MM,
            "reference_dose": float(np.mean([s["mean_dose"] for s in statistics])),
            "sigma_floor_fraction": FLOOR_OF_REFERENCE,
        },
        statistics={
            "mean_relative_uncertainty": float(
                np.mean([s["mean_relative_uncertainty"] for s in statistics])
            ),
            "p95_relative_uncertainty": float(
                np.mean([s["p95_relative_uncertainty"] for s in statistics])
            ),
            "cylinder_mean_relative_uncertainty": float(
                water.relative_uncertainty[in_beam[cut]].mean()
            ),
            "histories": sum(int(s["histories"]) for s in statistics),
        },
    )  # fmt: skip


def beam_region(grid: Grid, case: ScanCase, z_mm: float) -> BoolArray:
    """Voxels whose center the tube at angle 0 irradiates directly, shape ``grid.shape``."""
    field = case.source.field
    z, y, x = (grid.axis_centers_mm(axis) for axis in range(3))
    iso = case.source.isocenter_lps_mm
    scale = field.focal_radius_mm / (field.focal_radius_mm + y - iso[1])
    is_high = np.abs(z - z_mm)[:, None] * scale[None] <= 0.5 * field.height_mm
    is_wide = np.abs(x - iso[0])[None] * scale[:, None] <= 0.5 * field.width_mm
    return np.asarray(is_high[:, :, None] & is_wide[None])


def _dose(
    case: ScanCase,
    patient: Patient,
    z_mm: float,
    spec: SampleSpec,
    number: object,
    threads: int,
    matter: BoolArray,
) -> tuple[DoseMap, dict[str, float]]:
    """Dose of the photons of a rotation of CTDI_w 1 mGy, all from one position."""
    source = make_position_source(case.source, angle_rad=0.0, z_mm=z_mm)
    region = matter & beam_region(patient.grid, case, z_mm)
    if not region.any():  # beyond the image: scatter only
        region = matter if matter.any() else np.ones_like(matter)
    deposit = transport_to_voxel_precision(
        patient, source, precision=spec.settings.voxel_precision, region=region,
        seed=int(fraction(spec.seed, "position", number) * 2**48), threads=threads,
        device=spec.exam.settings.device, histories=spec.exam.settings.histories,
    )  # fmt: skip
    dose = score_dose(deposit, patient, photons=1.0 / case.ctdi.weighted_mgy)
    statistics = voxel_statistics(deposit, region)
    return dose, statistics | {"mean_dose": float(dose.dose_mgy[region].mean(dtype=np.float64))}


def _path(patient: Patient, case: ScanCase, z_mm: float) -> FloatArray:
    return path_from_tube_mm(
        relative_electron_density(patient), patient.grid,
        focal_radius_mm=case.source.field.focal_radius_mm,
        isocenter_mm=case.source.isocenter_lps_mm, z_mm=z_mm,
    )  # fmt: skip


def _transport_shape(
    case: ScanCase, slab: tuple[int, int, int], size_mm: float
) -> tuple[int, int, int]:
    """Slab and what scatters into it, (z, depth, lateral), of the same parity as the slab."""
    depth, lateral, n_z = slab
    iso = case.source.isocenter_lps_mm
    _, rows, columns = np.nonzero(case.patient.body.any(axis=0, keepdims=True))
    x = case.patient.grid.axis_centers_mm(2)[columns] - iso[0]
    y = case.patient.grid.axis_centers_mm(1)[rows] - iso[1]
    reach = 2.0 * (float(np.hypot(x, y).max()) + size_mm)
    reach = max(reach, CYLINDER_DIAMETER_MM + 2.0 * size_mm)
    # the tube must stay outside
    reach = min(reach, 1.9 * case.source.field.focal_radius_mm)

    def at_least(n: int, length_mm: float) -> int:
        return n + 2 * max(0, math.ceil((length_mm / size_mm - n) / 2))

    return (
        at_least(n_z, n_z * size_mm + 2.0 * SCATTER_MM),
        at_least(depth, reach),
        at_least(lateral, reach),
    )


def _cut(wide: tuple[int, int, int], slab: tuple[int, int, int]) -> tuple[slice, slice, slice]:
    wanted = (slab[2], slab[0], slab[1])
    first = [(w - n) // 2 for w, n in zip(wide, wanted, strict=True)]
    cut = [slice(f, f + n) for f, n in zip(first, wanted, strict=True)]
    return cut[0], cut[1], cut[2]

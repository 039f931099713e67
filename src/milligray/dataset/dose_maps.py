"""Kind ``dose-maps``: electron density and air-kerma attenuation map to the dose map."""

from typing import Any

import numpy as np

from milligray.dataset.kinds import Sample, SampleArray, per_value, register
from milligray.dataset.patients import SampleSpec
from milligray.dataset.scan_case import ScanCase, open_case
from milligray.dataset.uncertainty import FLOOR_OF_REFERENCE
from milligray.dataset.voxel_precision import transport_to_voxel_precision, voxel_statistics
from milligray.learn.inputs.attenuation_map import CYLINDER_DIAMETER_MM, attenuation_map_mgy
from milligray.learn.inputs.electron_density import relative_electron_density
from milligray.learn.inputs.fitted_attenuation_map import fitted_attenuation_map_mgy
from milligray.patient.patient import Patient
from milligray.score.dose import OrganStatistics
from milligray.score.dose_scoring import organ_doses, score_dose
from milligray.segment.mass_weights import OrganMassWeights
from milligray.typing import LabelArray
from milligray.volume import Grid


@register(
    "dose-maps",
    title="electron density + air-kerma attenuation map -> dose map",
    voxel_size_mm=4.0,
)
def build_dose_maps(spec: SampleSpec, threads: int) -> Sample:
    """One scan of a patient on a grid of cubes."""
    case = open_case(spec, is_regridded=True, threads=threads)
    patient = case.patient
    z = patient.grid.axis_centers_mm(0)
    low, high = case.range_mm
    region = patient.body & ((z >= low) & (z <= high))[:, None, None]
    deposit = transport_to_voxel_precision(
        patient, case.source, precision=spec.settings.voxel_precision, region=region,
        organs=case.weights, seed=spec.seed, threads=threads, device=spec.exam.settings.device,
        histories=spec.exam.settings.histories,
    )  # fmt: skip
    dose = score_dose(deposit, patient, photons=case.photons)
    beam_low, beam_high = case.source.irradiated_z_mm
    margin = spec.settings.margin_mm
    kept = np.flatnonzero((z >= beam_low - margin) & (z <= beam_high + margin))
    part = slice(int(kept[0]), int(kept[-1]) + 1)
    grid = crop_grid(patient.grid, part)
    reference = float(dose.dose_mgy[region].mean(dtype=np.float64))
    labels = labels_on_transport_grid(patient, case.weights)
    density = relative_electron_density(patient)[part]
    fitted = fitted_attenuation_map_mgy(
        case.source, grid, density, patient.body[part], photons=case.photons
    )
    arrays = {
        "electron_density": per_value(density, "1", "electrons per volume over water's"),
        "fitted_attenuation_map": per_value(
            fitted, "mGy", "the same kerma in water ellipses that fit the body's slices"
        ),
        "attenuation_map": per_value(
            attenuation_map_mgy(case.source, grid, photons=case.photons), "mGy",
            f"air kerma of the primary beam in a water cylinder of {CYLINDER_DIAMETER_MM:g} mm",
        ),
        "dose": per_value(dose.dose_mgy[part], "mGy", "absorbed dose of the scan, in the body"),
        "relative_uncertainty": per_value(
            dose.relative_uncertainty[part], "1", "standard deviation of the dose over the dose"
        ),
        "body": per_value(patient.body[part], "", "1 in the patient", np.uint8),
        "labels": per_value(
            labels[part], "", "organ with most mass; row of organ_names plus 1, 0: none", np.uint16
        ),
        **organ_arrays(case, dose.organs),
        **current_arrays(case),
    }  # fmt: skip
    return Sample(
        arrays=arrays,
        attributes=case.attributes | grid_attributes(grid) | {
            "reference_dose_mgy": reference,
            "sigma_floor_fraction": FLOOR_OF_REFERENCE,
            "converged": deposit.converged, "device": deposit.device,
            "cylinder_diameter_mm": CYLINDER_DIAMETER_MM,
        },
        statistics=voxel_statistics(deposit, region),
    )  # fmt: skip


def crop_grid(grid: Grid, part: slice) -> Grid:
    """Slices of a grid."""
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_lps_mm([part.start, 0, 0])
    return Grid(shape=(part.stop - part.start, *grid.shape[1:]), affine=affine)


def grid_attributes(grid: Grid) -> dict[str, Any]:
    """Place of an array ``[z, y, x]`` in the patient."""
    return {
        "spacing_zyx_mm": list(grid.spacing_mm),
        "first_voxel_lps_mm": [float(v) for v in grid.to_lps_mm([0, 0, 0])],
        "axes": "z to the head, y to the back, x to the left; centers of voxels, LPS",
    }


def labels_on_transport_grid(patient: Patient, weights: OrganMassWeights) -> LabelArray:
    """Organ with most mass in every voxel that organs fill by half: its row plus 1, else 0."""
    matrix = weights.weights_g.tocsc()
    size = patient.density_g_cm3.size
    best = np.zeros(size)
    total = np.zeros(size)
    label = np.zeros(size, dtype=np.uint16)
    for row in range(len(weights.names)):
        mass = matrix[row].toarray().ravel()
        total += mass
        is_more = mass > best
        label[is_more] = row + 1
        best[is_more] = mass[is_more]
    label[total < 0.5 * patient.mass_g.ravel()] = 0
    return label.reshape(patient.grid.shape)


def organ_arrays(case: ScanCase, scored: OrganStatistics | None) -> dict[str, SampleArray]:
    """Organ doses of a sample with their statistics."""
    if scored is None:
        return {}
    rows = organ_doses(scored, case.organs, method="monte-carlo", unit="mGy").rows

    def column(name: str) -> list[float]:
        return [getattr(row, name) for row in rows]

    return {
        "organ_names": per_value([row.organ for row in rows], "", "organs", "S64"),
        "organ_dose": per_value(column("mean_dose_mgy"), "mGy", "mean absorbed dose", np.float64),
        "organ_relative_uncertainty": per_value(
            column("relative_uncertainty"), "1", "k = 1, from batches of the organ", np.float64
        ),
        "organ_volume": per_value(column("volume_ml"), "mL", "inside the image", np.float64),
        "organ_mass": per_value(column("mass_g"), "g", "inside the image", np.float64),
        "organ_fraction_in_image": per_value(
            column("fraction_in_image"), "1", "NaN: cut by the image, size unknown", np.float64
        ),
    }


def current_arrays(case: ScanCase) -> dict[str, SampleArray]:
    """Tube current along the scan."""
    return {
        "current_position": per_value(
            case.protocol.slice_position_mm, "mm", "z of the slices", np.float64
        ),
        "relative_current": per_value(
            case.protocol.relative_current, "1", "tube current over its mean", np.float64
        ),
    }

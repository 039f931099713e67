"""Kind ``organ-features``: radiomics and geometry of organs to organ doses."""

import numpy as np

from milligray.dataset.dose_maps import current_arrays, organ_arrays
from milligray.dataset.extras import require_radiomics
from milligray.dataset.kinds import Sample, per_value, register
from milligray.dataset.organ_transport import score_regions
from milligray.dataset.patients import SampleSpec
from milligray.dataset.radiomics_features import radiomics_features
from milligray.dataset.scan_case import ScanCase, open_case
from milligray.dataset.uncertainty import FLOOR_OF_REFERENCE
from milligray.errors import InputError
from milligray.source.scanner_library import list_scanners
from milligray.typing import FloatArray


@register(
    "organ-features",
    title="radiomics and geometry of organs -> organ doses",
    voxel_size_mm=4.0,
    require=require_radiomics,
)
def build_organ_features(spec: SampleSpec, threads: int) -> Sample:
    """Organs of one scan."""
    case = open_case(spec, is_regridded=False, threads=threads)
    if case.patient.ct is None:
        raise InputError("features need a CT")
    deposit, scored, judged = score_regions(case, spec, case.weights, threads=threads)
    radiomics_names, radiomics = radiomics_features(
        case.patient.ct, case.organs, case.weights.names
    )
    geometry_names, geometry = organ_geometry(case)
    ctdi = case.protocol.ctdi_vol_mgy or float("nan")
    return Sample(
        arrays={
            "features": per_value(
                np.concatenate([radiomics, geometry], axis=1), "see docs/methods/training-sets.md",
                "one row an organ; NaN where a feature does not exist", np.float64,
            ),
            "feature_names": per_value([*radiomics_names, *geometry_names], "", "columns", "S64"),
            **organ_arrays(case, scored),
            "organ_dose_per_ctdi": per_value(
                scored.mean_dose_mgy / ctdi, "mGy/mGy", "organ dose over CTDIvol", np.float64
            ),
            **current_arrays(case),
        },
        attributes=case.attributes | {
            "converged": deposit.converged, "radiomics_features": len(radiomics_names),
            "scanner_codes": list(list_scanners()),
            "reference_dose_mgy": float(scored.mean_dose_mgy.max()),
            "sigma_floor_fraction": FLOOR_OF_REFERENCE,
        },
        statistics={
            "worst_organ_relative_uncertainty": float(scored.relative_uncertainty[judged].max()),
            "mean_organ_relative_uncertainty": float(scored.relative_uncertainty[judged].mean()),
            "organs": len(scored.names),
            "histories": deposit.histories,
        },
    )  # fmt: skip


def organ_geometry(case: ScanCase) -> tuple[tuple[str, ...], FloatArray]:
    """Place and size of the organs in the scan, and the scan's own figures.

    Returns
    -------
    names : tuple of str
    values : ndarray, shape (n_organs, n_names)
    """
    patient, weights = case.patient, case.weights.weights_g
    mass = np.asarray(weights.sum(axis=1)).ravel()
    z, y, x = np.meshgrid(*(patient.grid.axis_centers_mm(a) for a in range(3)), indexing="ij")

    def mean(of: FloatArray) -> FloatArray:
        return np.asarray(np.asarray(weights @ of.ravel()) / mass)

    low, high = case.range_mm
    iso = case.source.isocenter_lps_mm
    slices = patient.grid.axis_centers_mm(0)
    if patient.ct is None:
        raise InputError("features need a CT")
    diameter = np.interp(slices, patient.ct.grid.axis_centers_mm(0), case.diameter_mm)
    current = np.interp(slices, case.protocol.slice_position_mm, case.protocol.relative_current)
    inside = ((slices >= low) & (slices <= high)).astype(np.float64)
    shape = patient.grid.shape

    def along_z(profile: FloatArray) -> FloatArray:
        return mean(np.broadcast_to(profile[:, None, None], shape))

    middle_z = mean(z)
    protocol, field = case.protocol, case.source.field
    columns = {
        "volume_ml": case.weights.volume_ml,
        "mass_g": mass,
        "middle_relative_z": (middle_z - low) / (high - low),
        "middle_x_mm": mean(x) - iso[0],
        "middle_y_mm": mean(y) - iso[1],
        "extent_z_mm": np.sqrt(np.maximum(mean(z**2) - middle_z**2, 0.0)),
        "share_in_range": along_z(inside),
        "water_equivalent_diameter_mm": along_z(diameter),
        "relative_current": along_z(current * inside),
        "scan_length_mm": high - low,
        "tube_voltage_kv": protocol.tube_voltage_kv,
        "half_value_layer_mm_al": field.spectrum.half_value_layer_mm_al or np.nan,
        "ctdi_vol_mgy": protocol.ctdi_vol_mgy or np.nan,
        "phantom_diameter_mm": protocol.phantom_diameter_mm or np.nan,
        "pitch": protocol.pitch,
        "collimation_mm": protocol.collimation_mm,
        "scanner_code": list_scanners().index(case.scanner.name)
        if case.scanner.name in list_scanners() else np.nan,
        "is_head_bowtie": float(case.bowtie == "head"),
    }  # fmt: skip
    ones = np.ones(mass.size)
    return tuple(columns), np.stack([np.asarray(v) * ones for v in columns.values()], axis=1)

"""Kind ``slice-features``: what a slice shows of an organ to the organ's dose in that slice."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from milligray.dataset.dose_maps import current_arrays, organ_arrays
from milligray.dataset.kinds import Sample, per_value, register
from milligray.dataset.organ_transport import score_regions
from milligray.dataset.patients import SampleSpec
from milligray.dataset.scan_case import ScanCase, open_case
from milligray.dataset.uncertainty import FLOOR_OF_REFERENCE
from milligray.errors import InputError
from milligray.score.dose import OrganStatistics
from milligray.segment.mass_weights import OrganMassWeights
from milligray.typing import FloatArray, LabelArray

FEATURES = (
    ("mean_hu", "HU"), ("sd_hu", "HU"), ("relative_current", "1"),
    ("water_equivalent_diameter_mm", "mm"), ("z_mm", "mm"), ("area_mm2", "mm2"),
    ("relative_z", "1"), ("tube_voltage_kv", "kV"), ("ctdi_vol_mgy", "mGy"),
)  # fmt: skip
"""Columns of ``features``; the first five are those of Tzanis and Damilakis (2024)."""


@register(
    "slice-features", title="features of organs in slices -> doses of organs in slices",
    voxel_size_mm=4.0,
)  # fmt: skip
def build_slice_features(spec: SampleSpec, threads: int) -> Sample:
    """Organs of a scan, slice by slice of the transport grid."""
    case = open_case(spec, is_regridded=False, threads=threads)
    rows = organ_slices(case)
    deposit, scored, judged = score_regions(case, spec, _with_slices(case, rows), threads=threads)
    n = len(case.weights.names)
    organs = OrganStatistics(
        names=scored.names[:n], mean_dose_mgy=scored.mean_dose_mgy[:n],
        relative_uncertainty=scored.relative_uncertainty[:n], mass_g=scored.mass_g[:n],
        volume_ml=scored.volume_ml[:n],
    )  # fmt: skip
    slice_relative = scored.relative_uncertainty[n:]
    in_range = np.abs(rows.features[:, 6] - 0.5) <= 0.5
    seen = slice_relative[in_range & (scored.mean_dose_mgy[n:] > 0)]
    return Sample(
        arrays={
            "features": per_value(rows.features, "see feature_units", "one row an organ and slice"),
            "feature_names": per_value([name for name, _ in FEATURES], "", "columns", "S64"),
            "feature_units": per_value([unit for _, unit in FEATURES], "", "columns", "S16"),
            "organ_index": per_value(rows.organ, "", "row of organ_names", np.int32),
            "slice_index": per_value(rows.slice_, "", "slice of the transport grid", np.int32),
            "slice_dose": per_value(
                scored.mean_dose_mgy[n:], "mGy", "mean dose of the organ in the slice", np.float64
            ),
            "slice_relative_uncertainty": per_value(
                slice_relative, "1", "k = 1, from batches of the organ in the slice", np.float64
            ),
            "slice_mass": per_value(scored.mass_g[n:], "g", "of the organ", np.float64),
            **organ_arrays(case, organs),
            **current_arrays(case),
        },
        attributes=case.attributes | {
            "slice_thickness_mm": case.patient.grid.spacing_mm[0],
            "converged": deposit.converged,
            "reference_dose_mgy": float(organs.mean_dose_mgy.max()),
            "sigma_floor_fraction": FLOOR_OF_REFERENCE,
        },
        statistics={
            "worst_organ_relative_uncertainty": float(scored.relative_uncertainty[judged].max()),
            "mean_slice_relative_uncertainty": float(seen.mean()) if seen.size else 1.0,
            "rows": int(rows.organ.size),
            "histories": deposit.histories,
        },
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganSlices:
    """Rows of the table: organs in slices of the transport grid."""

    organ: LabelArray
    slice_: LabelArray
    mass_g: FloatArray
    volume_ml: FloatArray
    features: FloatArray
    weights_g: scipy.sparse.csr_matrix


def organ_slices(case: ScanCase) -> OrganSlices:
    """Features of every organ in every slice that holds some of it.

    Notes
    -----
    Mean and standard deviation of HU over the organ's CT voxels in the slice; current over its
    mean at the slice, 0 outside the range; water-equivalent diameter of the whole slice;
    ``relative_z`` is 0 at the lower and 1 at the upper end of the scanned range.
    """
    patient, weights = case.patient, case.weights
    if patient.ct is None:
        raise InputError("slices need a CT")
    _, ny, nx = patient.grid.shape
    matrix = weights.weights_g.tocoo()
    key = matrix.row.astype(np.int64) * patient.grid.shape[0] + matrix.col // (ny * nx)
    pairs, index = np.unique(key, return_inverse=True)
    organ, slice_ = pairs // patient.grid.shape[0], pairs % patient.grid.shape[0]
    by_slice = scipy.sparse.csr_matrix(
        (matrix.data, (index, matrix.col)), shape=(pairs.size, matrix.shape[1])
    )
    hu, spread, count, diameter = _slice_images(case)
    z = patient.grid.axis_centers_mm(0)[slice_]
    low, high = case.range_mm
    current = np.interp(z, case.protocol.slice_position_mm, case.protocol.relative_current)
    current[(z < low) | (z > high)] = 0.0
    volume = count[slice_, organ] * patient.ct.grid.voxel_volume_cm3
    columns = [
        hu[slice_, organ], spread[slice_, organ], current, diameter[slice_], z,
        volume * 1e3 / patient.grid.spacing_mm[0], (z - low) / (high - low),
        np.full(z.size, case.protocol.tube_voltage_kv),
        np.full(z.size, case.protocol.ctdi_vol_mgy),
    ]  # fmt: skip
    return OrganSlices(
        organ=organ, slice_=slice_, mass_g=np.asarray(by_slice.sum(axis=1)).ravel(),
        volume_ml=volume, features=np.stack(columns, axis=1), weights_g=by_slice,
    )  # fmt: skip


def _slice_images(case: ScanCase) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """HU mean, deviation and count by (transport slice, organ); diameter by transport slice."""
    patient, ct = case.patient, case.patient.ct
    if ct is None:
        raise InputError("slices need a CT")
    label_of = {name: label for label, name in case.organs.names.items()}
    row_of = np.full(65536, len(case.weights.names))
    for row, name in enumerate(case.weights.names):
        row_of[label_of[name]] = row
    n = len(case.weights.names)
    nz = patient.grid.shape[0]
    count, total, squared = (np.zeros((nz, n + 1)) for _ in range(3))
    diameter, planes = np.zeros(nz), np.zeros(nz)
    for c in range(ct.grid.shape[0]):
        k = (c + patient.ct_offset[0]) // patient.block[0]
        if not 0 <= k < nz:
            continue
        rows = row_of[case.organs.labels[c].ravel()]
        values = ct.values[c].ravel().astype(np.float64)
        count[k] += np.bincount(rows, minlength=n + 1)
        total[k] += np.bincount(rows, values, minlength=n + 1)
        squared[k] += np.bincount(rows, values**2, minlength=n + 1)
        diameter[k] += case.diameter_mm[c]
        planes[k] += 1
    filled = np.maximum(count, 1)
    mean = total / filled
    spread = np.sqrt(np.maximum(squared / filled - mean**2, 0.0))
    return mean, spread, count, diameter / np.maximum(planes, 1)


def _with_slices(case: ScanCase, rows: OrganSlices) -> OrganMassWeights:
    """Organs, and behind them their slices."""
    organs = case.weights
    names = (f"{organs.names[o]} @ {k}" for o, k in zip(rows.organ, rows.slice_, strict=True))
    return OrganMassWeights(
        names=(*organs.names, *names),
        weights_g=scipy.sparse.vstack([organs.weights_g, rows.weights_g]).tocsr(),
        mass_g=np.concatenate([organs.mass_g, rows.mass_g]),
        volume_ml=np.concatenate([organs.volume_ml, rows.volume_ml]),
    )

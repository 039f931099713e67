"""What the slices of a scan show of its organs."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from milligray.errors import InputError
from milligray.learn.scan import Scan
from milligray.typing import FloatArray, LabelArray

FEATURES = (
    ("mean_hu", "HU"), ("sd_hu", "HU"), ("relative_current", "1"),
    ("water_equivalent_diameter_mm", "mm"), ("z_mm", "mm"), ("area_mm2", "mm2"),
    ("relative_z", "1"), ("tube_voltage_kv", "kV"), ("ctdi_vol_mgy", "mGy"),
)  # fmt: skip
"""Columns of ``features``; the first five are those of Tzanis and Damilakis (2024)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganSlices:
    """Rows of the table: organs in slices of the transport grid."""

    organ: LabelArray
    slice_: LabelArray
    mass_g: FloatArray
    volume_ml: FloatArray
    features: FloatArray
    weights_g: scipy.sparse.csr_matrix


def organ_slices(scan: Scan) -> OrganSlices:
    """Features of every organ in every slice that holds some of it.

    Notes
    -----
    Mean and standard deviation of HU over the organ's CT voxels in the slice; current over its
    mean at the slice, 0 outside the range; water-equivalent diameter of the whole slice;
    ``relative_z`` is 0 at the lower and 1 at the upper end of the scanned range.
    """
    patient, weights = scan.patient, scan.weights
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
    hu, spread, count, diameter = _slice_images(scan)
    z = patient.grid.axis_centers_mm(0)[slice_]
    low, high = scan.range_mm
    current = np.interp(z, scan.protocol.slice_position_mm, scan.protocol.relative_current)
    current[(z < low) | (z > high)] = 0.0
    volume = count[slice_, organ] * patient.ct.grid.voxel_volume_cm3
    columns = [
        hu[slice_, organ], spread[slice_, organ], current, diameter[slice_], z,
        volume * 1e3 / patient.grid.spacing_mm[0], (z - low) / (high - low),
        np.full(z.size, scan.protocol.tube_voltage_kv),
        np.full(z.size, scan.protocol.ctdi_vol_mgy),
    ]  # fmt: skip
    return OrganSlices(
        organ=organ, slice_=slice_, mass_g=np.asarray(by_slice.sum(axis=1)).ravel(),
        volume_ml=volume, features=np.stack(columns, axis=1), weights_g=by_slice,
    )  # fmt: skip


def _slice_images(scan: Scan) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """HU mean, deviation and count by (transport slice, organ); diameter by transport slice."""
    patient, ct = scan.patient, scan.patient.ct
    if ct is None:
        raise InputError("slices need a CT")
    label_of = {name: label for label, name in scan.organs.names.items()}
    row_of = np.full(65536, len(scan.weights.names))
    for row, name in enumerate(scan.weights.names):
        row_of[label_of[name]] = row
    n = len(scan.weights.names)
    nz = patient.grid.shape[0]
    count, total, squared = (np.zeros((nz, n + 1)) for _ in range(3))
    diameter, planes = np.zeros(nz), np.zeros(nz)
    for c in range(ct.grid.shape[0]):
        k = (c + patient.ct_offset[0]) // patient.block[0]
        if not 0 <= k < nz:
            continue
        rows = row_of[scan.organs.labels[c].ravel()]
        values = ct.values[c].ravel().astype(np.float64)
        count[k] += np.bincount(rows, minlength=n + 1)
        total[k] += np.bincount(rows, values, minlength=n + 1)
        squared[k] += np.bincount(rows, values**2, minlength=n + 1)
        diameter[k] += scan.diameter_mm[c]
        planes[k] += 1
    filled = np.maximum(count, 1)
    mean = total / filled
    spread = np.sqrt(np.maximum(squared / filled - mean**2, 0.0))
    return mean, spread, count, diameter / np.maximum(planes, 1)

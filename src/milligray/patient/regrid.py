"""Bring a CT to voxels of one size, so that a network sees the same scale in every patient."""

from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.read.series import CtSeries
from milligray.typing import FloatArray
from milligray.volume import Grid, Volume

_SAME = 1e-4


def regrid_ct(ct: CtSeries, voxel_size_mm: float) -> CtSeries:
    """Interpolate a CT so that a whole number of its voxels makes a cube of a given edge.

    Parameters
    ----------
    ct : CtSeries
    voxel_size_mm : float [mm]

    Returns
    -------
    CtSeries
        Along each axis with the spacing ``voxel_size_mm / n``, n the nearest whole number to
        ``voxel_size_mm / spacing`` (at least 1); the image's middle stays where it is and
        its ends move by half a voxel at most.

    Notes
    -----
    Linear interpolation of HU between slices, rows and columns; the outermost voxels reach to
    the image's faces. `build_patient` with the same voxel size then takes blocks of n voxels,
    whose mass is that of the interpolated CT.
    """
    if not voxel_size_mm > 0:
        raise InputError(f"voxel_size_mm must be > 0, got {voxel_size_mm}")
    grid = ct.volume.grid
    values: npt.NDArray[np.float32] = np.asarray(ct.volume.values, dtype=np.float32)
    spacing, shape, origin = list(grid.spacing_mm), list(grid.shape), []
    for axis in range(3):
        centers = grid.axis_centers_mm(axis)
        wanted = voxel_size_mm / max(1, round(voxel_size_mm / spacing[axis]))
        if abs(wanted - spacing[axis]) > _SAME * wanted:
            length = spacing[axis] * shape[axis]
            n = max(1, round(length / wanted))
            middle = 0.5 * (centers[0] + centers[-1])
            places = middle + wanted * (np.arange(n) - 0.5 * (n - 1))
            values = _along(values, axis, (places - centers[0]) / spacing[axis])
            spacing[axis], shape[axis], centers = wanted, n, places
        origin.append(float(centers[0]))
    new = Grid.from_spacing(shape, spacing, origin_lps_mm=(origin[2], origin[1], origin[0]))
    return CtSeries(
        volume=Volume(grid=new, values=values), slice_thickness_mm=ct.slice_thickness_mm,
        input_sha256=ct.input_sha256, notes=ct.notes,
    )  # fmt: skip


def _along(values: npt.NDArray[np.float32], axis: int, index: FloatArray) -> npt.NDArray[Any]:
    """Linear interpolation along one axis; elementwise, so the same bits for any threads."""
    last = values.shape[axis] - 1
    index = np.clip(index, 0.0, last)
    low = np.minimum(np.floor(index).astype(np.int64), max(last - 1, 0))
    high = np.minimum(low + 1, last)
    part = (index - low).astype(np.float32)
    shape = list(values.shape)
    shape[axis] = index.size
    out = np.empty(shape, dtype=np.float32)
    one = np.float32(1.0)
    for k, plane in enumerate(out):  # slice by slice: a large image is never held thrice
        if axis == 0:
            plane[:] = values[low[k]] * (one - part[k]) + values[high[k]] * part[k]
            continue
        weight = part[:, np.newaxis] if axis == 1 else part
        before, after = (np.take(values[k], at, axis=axis - 1) for at in (low, high))
        plane[:] = before * (one - weight) + after * weight
    return out

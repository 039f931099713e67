"""From the patient's grid to cubes of one size, conserving what is in them, and back."""

import math
from collections.abc import Sequence

import numpy as np

from milligray.errors import GeometryError
from milligray.typing import FloatArray
from milligray.volume import Grid


def coarse_grid(grid: Grid, voxel_size_mm: float) -> Grid:
    """Cubes that cover a grid, from its outer corner on.

    Parameters
    ----------
    grid : Grid
        Axis-aligned.
    voxel_size_mm : float [mm]
    """
    if not grid.is_axis_aligned:
        raise GeometryError("coarse_grid needs an axis-aligned grid")
    shape = [
        max(1, math.ceil(n * s / voxel_size_mm - 1e-3))
        for n, s in zip(grid.shape, grid.spacing_mm, strict=True)
    ]
    origin = [float(v) + 0.5 * voxel_size_mm for v in grid.corner_lps_mm]
    return Grid.from_spacing(shape, (voxel_size_mm,) * 3, origin_lps_mm=origin)


def averaged(values: FloatArray, grid: Grid, onto: Grid) -> FloatArray:
    """Means over the voxels of another grid, what lies outside the first one counting as zero.

    Parameters
    ----------
    values : ndarray, shape (..., *grid.shape)
    grid, onto : Grid
        Axis-aligned.

    Returns
    -------
    ndarray, shape (..., *onto.shape), float32
        ``sum_v overlap(v, w) values_v / volume_w``: integrals are conserved.
    """
    return _separable(values, [_overlap(grid, onto, axis) for axis in range(3)])


def interpolated(values: FloatArray, grid: Grid, onto: Grid) -> FloatArray:
    """Linear interpolation at the centers of another grid; beyond the outermost, their values.

    Parameters
    ----------
    values : ndarray, shape (..., *grid.shape)
    grid, onto : Grid
        Axis-aligned.

    Returns
    -------
    ndarray, shape (..., *onto.shape), float32
    """
    return _separable(values, [_linear(grid, onto, axis) for axis in range(3)])


def blurred(values: FloatArray, grid: Grid, sigma_mm: float) -> FloatArray:
    """Convolution with a Gaussian that integrates to one, zero beyond the grid, float32.

    Parameters
    ----------
    values : ndarray, shape (..., *grid.shape)
    grid : Grid
    sigma_mm : float [mm]
    """
    matrices = []
    for axis, spacing in enumerate(grid.spacing_mm):
        place = np.arange(grid.shape[axis]) * spacing
        half = 0.5 * spacing / (math.sqrt(2.0) * sigma_mm)
        away = (place[:, None] - place[None, :]) / (math.sqrt(2.0) * sigma_mm)
        # the Gaussian's integral over each voxel, not its value in the middle
        matrices.append(0.5 * (_erf(away + half) - _erf(away - half)))
    return _separable(values, matrices)


def _erf(x: FloatArray) -> FloatArray:
    from scipy.special import erf  # noqa: PLC0415 - slow to import

    return np.asarray(erf(x))


def _separable(values: FloatArray, matrices: Sequence[FloatArray]) -> FloatArray:
    along_z, along_y, along_x = (matrix.astype(np.float32) for matrix in matrices)
    found = np.ascontiguousarray(values, dtype=np.float32)
    outer, (_, ny, nx) = found.shape[:-3], found.shape[-3:]
    found = along_z @ found.reshape(*outer, -1, ny * nx)
    found = along_y @ found.reshape(*outer, -1, ny, nx)
    return np.ascontiguousarray(found @ along_x.T)


def _overlap(grid: Grid, onto: Grid, axis: int) -> FloatArray:
    edges, wanted = (
        g.axis_centers_mm(axis)[0] + g.spacing_mm[axis] * (np.arange(g.shape[axis] + 1) - 0.5)
        for g in (grid, onto)
    )
    low = np.maximum(edges[None, :-1], wanted[:-1, None])
    high = np.minimum(edges[None, 1:], wanted[1:, None])
    return np.asarray(np.maximum(high - low, 0.0) / onto.spacing_mm[axis])


def _linear(grid: Grid, onto: Grid, axis: int) -> FloatArray:
    n = grid.shape[axis]
    place = (onto.axis_centers_mm(axis) - grid.axis_centers_mm(axis)[0]) / grid.spacing_mm[axis]
    place = np.clip(place, 0.0, n - 1.0)
    low = np.minimum(place.astype(np.int64), max(n - 2, 0))
    rows = np.arange(place.size)
    matrix = np.zeros((place.size, n))
    matrix[rows, low] = 1.0 - (place - low)
    matrix[rows, np.minimum(low + 1, n - 1)] += place - low
    return matrix

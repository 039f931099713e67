"""Given labels onto the CT's grid: nearest neighbor, and the share that lies inside."""

import numpy as np
import numpy.typing as npt

from milligray.errors import GeometryError
from milligray.typing import LabelArray
from milligray.volume import Grid, Volume


def resample_labels(labels: Volume, grid: Grid) -> LabelArray:
    """Labels at the voxel centers of another grid, nearest neighbor, 0 outside.

    Parameters
    ----------
    labels : Volume
    grid : Grid

    Returns
    -------
    ndarray, shape ``grid.shape``, uint16

    Raises
    ------
    GeometryError
        If the grids do not overlap; the message has both extents.
    """
    if labels.grid.is_same_as(grid):
        return np.asarray(labels.values, dtype=np.uint16)
    picks = [_nearest(labels.grid, grid, axis) for axis in range(3)]
    if any(not valid.any() for _, valid in picks):
        raise GeometryError(
            "the labels do not overlap the CT: labels cover"
            f" {_extent(labels.grid)}, the CT {_extent(grid)}; check that both belong to the same"
            " examination and frame of reference"
        )
    out = np.zeros(grid.shape, dtype=np.uint16)
    (z, z_valid), (y, y_valid), (x, x_valid) = picks
    columns = np.ix_(np.flatnonzero(y_valid), np.flatnonzero(x_valid))
    source = np.ix_(y[y_valid], x[x_valid])
    for k in np.flatnonzero(z_valid):
        out[k][columns] = labels.values[z[k]][source]
    return out


def shares_inside(labels: Volume, grid: Grid) -> dict[int, float]:
    """Share of each label's volume that lies within the outer faces of a grid.

    Parameters
    ----------
    labels : Volume
    grid : Grid

    Returns
    -------
    dict of int to float
        For every label that occurs, 0 excluded.
    """
    inside = []
    for axis in range(3):
        centers = labels.grid.axis_centers_mm(axis)
        low, high = _faces_mm(grid, axis)
        inside.append(np.flatnonzero((centers >= low) & (centers <= high)))
    total = _counts(labels.values)
    if any(hit.size == 0 for hit in inside):
        part = np.zeros_like(total)
    else:
        window = tuple(slice(int(hit[0]), int(hit[-1]) + 1) for hit in inside)
        part = _counts(labels.values[window])
    return {int(v): float(part[v] / total[v]) for v in np.flatnonzero(total) if v > 0}


def _counts(values: LabelArray) -> npt.NDArray[np.int64]:
    counts = np.zeros(65536, dtype=np.int64)
    for plane in values:
        counts += np.bincount(plane.ravel(), minlength=65536)
    return counts


def _nearest(
    source: Grid, target: Grid, axis: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    for grid, what in ((source, "labels"), (target, "CT")):
        if not grid.is_axis_aligned:
            raise GeometryError(f"the {what} are on a tilted grid; read them with milligray.read")
    first = source.axis_centers_mm(axis)[0]
    index = (target.axis_centers_mm(axis) - first) / source.spacing_mm[axis]
    # a hair below one half: centers between two voxels must not depend on rounding noise
    nearest = np.floor(index + 0.5 - 1e-6).astype(np.int64)
    return nearest, (nearest >= 0) & (nearest < source.shape[axis])


def _faces_mm(grid: Grid, axis: int) -> tuple[float, float]:
    centers, half = grid.axis_centers_mm(axis), 0.5 * grid.spacing_mm[axis]
    return float(centers[0] - half), float(centers[-1] + half)


def _extent(grid: Grid) -> str:
    parts = []
    for name, axis in (("x", 2), ("y", 1), ("z", 0)):
        low, high = _faces_mm(grid, axis)
        parts.append(f"{name} {low:.0f} to {high:.0f}")
    return ", ".join(parts) + " mm (LPS)"

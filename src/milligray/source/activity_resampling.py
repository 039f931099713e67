"""Bring activity from one grid to another so that none is gained or lost."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from milligray.errors import GeometryError
from milligray.typing import FloatArray
from milligray.volume import Grid

_SUBSAMPLES = 2
_PARALLEL = 0.02
"""Axes count as parallel if they drift apart by less than this part of a voxel."""

MAX_CORRECTION = 0.02
"""Sampled totals are corrected by at most this; more is refused."""


def resample_activity(
    activity_mbq: FloatArray, source: Grid, target: Grid, matrix: FloatArray
) -> tuple[FloatArray, float]:
    """Activity of the voxels of another grid.

    Parameters
    ----------
    activity_mbq : ndarray, shape ``source.shape`` [MBq]
        PER VOXEL.
    source, target : Grid
        The target is axis-aligned.
    matrix : ndarray, shape (4, 4) [mm]
        From LPS points of the target to those of the source.

    Returns
    -------
    activity_mbq : ndarray, shape ``target.shape``, float64 [MBq]
    correction : float
        Factor with which sampled values were multiplied to conserve activity; 1 for the exact way.

    Raises
    ------
    GeometryError
        If sampling misses the total by more than 2 %: the grids are too different.

    Notes
    -----
    Parallel grids, no rotation: the activity of a voxel, uniform within it, is shared out by the
    volumes of overlap along each axis; exact. Otherwise the concentration is interpolated
    linearly at 2 x 2 x 2 points or more (one a source voxel) in every target voxel, and the
    sum is corrected to the activity of the source that lies in the target's box, itself counted at
    eight points a voxel.
    """
    index_matrix, start, is_parallel = _index_map(source, target, matrix)
    if is_parallel:
        return _shared_out(activity_mbq, target.shape, np.diag(index_matrix), start), 1.0
    return _sampled(activity_mbq, source, target, matrix, index_matrix, start)


def _index_map(
    source: Grid, target: Grid, matrix: FloatArray
) -> tuple[FloatArray, FloatArray, bool]:
    """Matrix and offset from target to source index, and whether the axes are parallel."""
    whole = matrix @ np.vstack([target.affine[:3], [0.0, 0.0, 0.0, 1.0]])
    index_matrix = np.linalg.inv(source.affine[:3, :3]) @ whole[:3, :3]
    start = source.to_index_kji(whole[:3, 3])
    off = np.abs(index_matrix - np.diag(np.diag(index_matrix)))
    drift = float((off @ np.array(target.shape, dtype=np.float64)).max())
    return index_matrix, start, drift < _PARALLEL and float(np.diag(index_matrix).min()) > 0


def share_inside(activity_mbq: FloatArray, source: Grid, box: Grid, matrix: FloatArray) -> float:
    """Fraction of the activity that lies in the box of another grid.

    Exact for parallel axes, else by eight points a voxel.
    """
    total = float(activity_mbq.sum(dtype=np.float64))
    index_matrix, start, is_parallel = _index_map(source, box, matrix)
    if is_parallel:
        shape, step = np.array(box.shape), np.diag(index_matrix)
        middle = start + 0.5 * (shape - 1) * step
        return float(_shared_out(activity_mbq, (1, 1, 1), shape * step, middle)[0, 0, 0]) / total
    to_box = np.linalg.inv(index_matrix)
    offset = -to_box @ start
    half = 0.5 * np.abs(to_box).sum(axis=1)
    n = np.array(box.shape, dtype=np.float64)
    rows, columns = np.indices(source.shape[1:])
    inside = 0.0
    for k, plane in enumerate(activity_mbq):
        filled = plane > 0
        if not filled.any():
            continue
        amounts = plane[filled].astype(np.float64)
        index = (
            (to_box[:, 0] * k + offset)[:, np.newaxis]
            + to_box[:, 1:2] * rows[filled]
            + to_box[:, 2:3] * columns[filled]
        )
        depth = 0.5 * n[:, np.newaxis] - np.abs(index - 0.5 * (n[:, np.newaxis] - 1.0))
        clear = (depth >= half[:, np.newaxis]).all(axis=0)
        out = (depth <= -half[:, np.newaxis]).any(axis=0)
        inside += float(amounts[clear].sum())
        cut = ~clear & ~out
        for corner in np.ndindex(2, 2, 2):
            moved = index[:, cut] + (to_box @ (0.5 * np.array(corner) - 0.25))[:, np.newaxis]
            hit = np.all((moved >= -0.5) & (moved <= n[:, np.newaxis] - 0.5), axis=0)
            inside += 0.125 * float(amounts[cut][hit].sum())
    return inside / total


def _shared_out(
    activity: FloatArray, shape: tuple[int, int, int], step: FloatArray, start: FloatArray
) -> FloatArray:
    """Overlap along each axis; `step` and `start` in source voxels."""
    needed = []
    for axis in range(3):
        low = start[axis] - 0.5 * step[axis] + 0.5
        high = low + step[axis] * shape[axis]
        first = int(np.clip(np.floor(low), 0, activity.shape[axis] - 1))
        last = int(np.clip(np.ceil(high), first + 1, activity.shape[axis]))
        needed.append(slice(first, last))
    values: npt.NDArray[Any] = np.asarray(activity[tuple(needed)], dtype=np.float64)
    for axis in range(3):
        origin = float(start[axis]) - needed[axis].start
        overlap = _overlap(values.shape[axis], shape[axis], float(step[axis]), origin)
        moved = np.moveaxis(values, axis, 0)
        flat = np.ascontiguousarray(moved).reshape(moved.shape[0], -1)
        mixed = (overlap @ flat).reshape(shape[axis], *moved.shape[1:])
        values = np.moveaxis(mixed, 0, axis)
    return np.ascontiguousarray(values)


def _overlap(n_source: int, n_target: int, step: float, start: float) -> sparse.csr_matrix:
    """Fraction of each source voxel (column) that lies in each target voxel (row)."""
    low = start + step * (np.arange(n_target) - 0.5) + 0.5
    high = low + step
    rows, columns, weights = [], [], []
    faces = np.clip(low, 0.0, None), np.clip(high, None, float(n_source))
    for row, (a, b) in enumerate(zip(*faces, strict=True)):
        if b - a <= 1e-9:
            continue
        first, last = int(np.floor(a + 1e-9)), int(np.ceil(b - 1e-9))
        for column in range(first, last):
            weight = min(b, column + 1.0) - max(a, float(column))
            if weight > 1e-9:
                rows.append(row)
                columns.append(column)
                weights.append(weight)
    return sparse.csr_matrix((weights, (rows, columns)), shape=(n_target, n_source))


def _sampled(
    activity: FloatArray,
    source: Grid,
    target: Grid,
    matrix: FloatArray,
    index_matrix: FloatArray,
    start: FloatArray,
) -> tuple[FloatArray, float]:
    density = np.asarray(activity / source.voxel_volume_cm3, dtype=np.float32)
    n = [max(_SUBSAMPLES, int(np.ceil(np.linalg.norm(index_matrix[:, axis])))) for axis in range(3)]
    out = np.zeros(target.shape, dtype=np.float64)
    for offset in np.ndindex(*n):
        shift = (np.array(offset) + 0.5) / n - 0.5
        out += ndimage.affine_transform(
            density, index_matrix, start + index_matrix @ shift, output_shape=target.shape,
            order=1, mode="grid-constant", cval=0.0,
        )  # fmt: skip
    out *= target.voxel_volume_cm3 / float(np.prod(n))
    wanted = float(activity.sum(dtype=np.float64)) * share_inside(activity, source, target, matrix)
    total = float(out.sum())
    if not total > 0 or not wanted > 0:
        raise GeometryError("no activity lies where the patient is: check the registration")
    correction = wanted / total
    if abs(correction - 1.0) > MAX_CORRECTION:
        raise GeometryError(
            f"resampling would change the activity by {100 * (correction - 1.0):+.1f} % (limit"
            f" {100 * MAX_CORRECTION:g} %): the activity lies at the edge of the patient's grid or"
            " its voxels are much larger; give an image and a CT of the same part of the body"
        )
    return out * correction, correction

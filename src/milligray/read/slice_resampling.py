"""Bring uneven or sheared stacks of slices onto an upright regular grid, linearly along z."""

import numpy as np
import numpy.typing as npt

from milligray.typing import FloatArray
from milligray.volume import Grid


def even_out(
    values: npt.NDArray[np.generic], z_mm: FloatArray, grid: Grid
) -> npt.NDArray[np.generic]:
    """Interpolate slices at uneven positions to the even slices of a grid.

    Parameters
    ----------
    values : ndarray, shape (n, y, x) [HU]
    z_mm : ndarray, shape (n,) [mm]
        Ascending positions of the slices.
    grid : Grid
        Axis-aligned, within the range of ``z_mm``.

    Returns
    -------
    ndarray, shape ``grid.shape``, same dtype
    """
    wanted = grid.axis_centers_mm(0)
    lower = np.clip(np.searchsorted(z_mm, wanted, side="right") - 1, 0, len(z_mm) - 2)
    weight = np.clip((wanted - z_mm[lower]) / (z_mm[lower + 1] - z_mm[lower]), 0.0, 1.0)
    evened = np.empty(grid.shape, dtype=values.dtype)
    for k, (index, w) in enumerate(zip(lower, weight, strict=True)):
        evened[k] = _as(_between(values[index], values[index + 1], w), values.dtype)
    return evened


def untilt(
    values: npt.NDArray[np.generic],
    grid: Grid,
    z_step_per_row_mm: float,
    z_step_per_column_mm: float,
    fill_hu: float,
) -> tuple[npt.NDArray[np.generic], Grid]:
    """Take the shear of a tilted gantry out of a stack.

    Parameters
    ----------
    values : ndarray, shape ``grid.shape`` [HU]
    grid : Grid
        Of the stack as if it were upright: z holds for row 0 and column 0.
    z_step_per_row_mm, z_step_per_column_mm : float [mm]
        How far z rises from one row (column) to the next. One of them is near zero.
    fill_hu : float
        For voxels that no slice reaches.

    Returns
    -------
    values : ndarray, shape of the new grid, same dtype
    grid : Grid
        Higher by the shear.
    """
    along_rows = abs(z_step_per_row_mm) >= abs(z_step_per_column_mm)
    sheared = values if along_rows else values.swapaxes(1, 2)
    step = z_step_per_row_mm if along_rows else z_step_per_column_mm
    dz, dy, dx = grid.spacing_mm
    shift = step / dz * np.arange(sheared.shape[1])
    below = int(np.ceil(max(0.0, -float(shift.min())) - 1e-6))
    above = int(np.ceil(max(0.0, float(shift.max())) - 1e-6))
    n = sheared.shape[0]
    upright = np.full((n + below + above, *grid.shape[1:]), fill_hu, dtype=values.dtype)
    target = upright if along_rows else upright.swapaxes(1, 2)
    for row, offset in enumerate(shift + below):
        whole = int(np.floor(offset + 1e-9))
        weight = max(0.0, float(offset - whole))
        if weight < 1e-6:
            target[whole : whole + n, row] = sheared[:, row]
            continue
        mixed = _between(sheared[1:, row], sheared[:-1, row], weight)
        target[whole + 1 : whole + n, row] = _as(mixed, values.dtype)
        target[whole, row] = sheared[0, row] if weight <= 0.5 else fill_hu
        target[whole + n, row] = sheared[-1, row] if weight > 0.5 else fill_hu
    x, y, z = grid.affine[:3, 3]
    shape = (upright.shape[0], upright.shape[1], upright.shape[2])
    return upright, Grid.from_spacing(shape, (dz, dy, dx), origin_lps_mm=(x, y, z - below * dz))


def _between(
    first: npt.NDArray[np.generic], second: npt.NDArray[np.generic], weight_of_second: float
) -> npt.NDArray[np.float32]:
    w = np.float32(weight_of_second)
    return np.asarray(
        first.astype(np.float32) * (np.float32(1.0) - w) + second.astype(np.float32) * w
    )


def _as(values: npt.NDArray[np.float32], dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    return np.rint(values).astype(dtype) if dtype.kind == "i" else values.astype(dtype)

"""The CT table beneath a synthetic body."""

from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.anatomy.ct_options import Couch
from milligray.errors import InputError
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

AIR_HU = -1000.0


def add_couch(hu: FloatArray, outside: BoolArray, grid: Grid, couch: Couch) -> None:
    """Draw a couch below the body, in place.

    Parameters
    ----------
    hu : ndarray, shape ``grid.shape``, float32 [HU]
        Changed where `outside` is True.
    outside : ndarray of bool, shape ``grid.shape``
        Air around the body (and in it, which the couch never reaches).
    grid : Grid
        Axis-aligned.
    couch : Couch

    Raises
    ------
    InputError
        If the image ends above the couch's upper face; see `with_posterior_margin`. Where it ends
        within the couch, the rest is cut off, as it is by the field of view of many real scans.

    Notes
    -----
    The upper face is ``y(x) = y0 - (R - sqrt(R^2 - (x - x0)^2))``, x0 the body's middle and y0
    such that the smallest distance to the body along y, over all slices, is the mattress. Faces
    are drawn with the share of every voxel that they fill along y.
    """
    body_back = _lowest_row(~outside)
    columns = np.flatnonzero(body_back >= 0)
    if columns.size == 0:
        raise InputError("there is no body to put on the couch")
    _, dy, _ = grid.spacing_mm
    x_mm = grid.axis_centers_mm(2)
    y_mm = grid.axis_centers_mm(1)
    x0 = 0.5 * (x_mm[columns[0]] + x_mm[columns[-1]])
    off = x_mm - x0
    wide = np.abs(off) <= 0.5 * couch.width_mm
    sag = couch.radius_mm - np.sqrt(np.maximum(couch.radius_mm**2 - off**2, 0.0))
    carried = wide & (body_back >= 0)
    if not carried.any():
        raise InputError("no part of the body is above the couch")
    back_mm = y_mm[body_back] + 0.5 * dy
    y0 = float((back_mm + sag)[carried].max()) + couch.mattress_mm
    missing = y0 + couch.shell_mm - (y_mm[-1] + 0.5 * dy)
    if missing > 0:
        raise InputError(
            f"the upper face of the couch is {missing:.0f} mm below the image; enlarge the grid"
            " to posterior (with_posterior_margin) or leave the table away"
        )
    top = (y0 - sag)[np.newaxis]
    bottom = top + couch.thickness_mm
    shell_1, shell_2 = top + couch.shell_mm, bottom - couch.shell_mm
    plane = np.full(grid.shape[1:], AIR_HU)
    for start, end, layer_hu in (
        (top - couch.mattress_mm, top, couch.mattress_hu),
        (top, shell_1, couch.shell_hu),
        (shell_1, shell_2, couch.core_hu),
        (shell_2, bottom, couch.shell_hu),
    ):
        plane += _overlap(y_mm[:, np.newaxis], dy, start, end) * (layer_hu - AIR_HU)
    drawn = (plane > AIR_HU + 0.5) & wide[np.newaxis]
    rows, cols = np.nonzero(drawn)
    values = plane[rows, cols].astype(np.float32)
    for k in range(grid.shape[0]):
        free = outside[k, rows, cols]
        hu[k, rows[free], cols[free]] = values[free]


def with_posterior_margin(
    values: npt.NDArray[Any], grid: Grid, margin_mm: float, fill: float = 0
) -> tuple[npt.NDArray[Any], Grid]:
    """Array and grid with room added behind the body, for a couch.

    Parameters
    ----------
    values : ndarray, shape ``grid.shape``
    grid : Grid
    margin_mm : float [mm]
    fill : float

    Returns
    -------
    values : ndarray, shape of the new grid
    grid : Grid
    """
    n = int(np.ceil(margin_mm / grid.spacing_mm[1]))
    nz, ny, nx = grid.shape
    padded = np.pad(values, ((0, 0), (0, n), (0, 0)), constant_values=fill)
    return padded, Grid(shape=(nz, ny + n, nx), affine=grid.affine)


def _overlap(
    y_mm: FloatArray, dy_mm: float, start_mm: FloatArray, end_mm: FloatArray
) -> FloatArray:
    """Share of the voxels' edge along y that lies between two faces."""
    low = np.maximum(y_mm - 0.5 * dy_mm, start_mm)
    high = np.minimum(y_mm + 0.5 * dy_mm, end_mm)
    return np.asarray(np.clip(high - low, 0.0, None) / dy_mm)


def _lowest_row(body: BoolArray) -> npt.NDArray[np.intp]:
    """Most posterior row of the body in every column, over all slices; -1 where there is none."""
    seen = np.asarray(body.any(axis=0))
    last = seen.shape[0] - 1 - np.argmax(seen[::-1], axis=0)
    return np.where(seen.any(axis=0), last, -1)

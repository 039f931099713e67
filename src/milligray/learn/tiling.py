"""Run a fully convolutional network over a volume, whole or in overlapping tiles."""

from collections.abc import Callable
from itertools import product

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray

RunTile = Callable[[FloatArray], FloatArray]
"""(channels, z, y, x) -> (outputs, z, y, x)"""


def padded_shape(shape: tuple[int, ...], multiple: int) -> tuple[int, ...]:
    """Next sizes that are multiples."""
    return tuple(-(-n // multiple) * multiple for n in shape)


def run_whole(volume: FloatArray, run: RunTile, *, multiple: int = 8) -> FloatArray:
    """Run on the whole volume, with zeros behind its ends up to multiples of a size.

    Parameters
    ----------
    volume : ndarray, shape (n_channels, nz, ny, nx)
    run : callable
    multiple : int
        Of the network's image sizes.

    Returns
    -------
    ndarray, shape (n_outputs, nz, ny, nx)
    """
    shape = volume.shape[1:]
    wide = [(0, m - n) for n, m in zip(shape, padded_shape(shape, multiple), strict=True)]
    out = run(np.pad(volume, [(0, 0), *wide]))
    return out[:, : shape[0], : shape[1], : shape[2]]


def run_tiles(
    volume: FloatArray,
    run: RunTile,
    *,
    tile: int = 32,
    overlap: int = 16,
    multiple: int = 8,
    wanted: FloatArray | None = None,
) -> FloatArray:
    """Run on overlapping cubes and blend them.

    Parameters
    ----------
    volume : ndarray, shape (n_channels, nz, ny, nx)
    run : callable
    tile, overlap : int
        Edge of a cube, and what neighbors share; multiples of `multiple`, so that all cubes see
        the grid of the coarser levels alike.
    multiple : int
    wanted : ndarray, shape (nz, ny, nx), optional
        Cubes where it is 0 throughout are left out; their outputs are 0.

    Returns
    -------
    ndarray, shape (n_outputs, nz, ny, nx)

    Notes
    -----
    Weights fall linearly from the middle of a cube to its faces along every axis, and are
    normalized: where all cubes agree, the blend is what they agree on.
    """
    if tile % multiple or overlap % multiple or not 0 <= overlap < tile:
        raise InputError(f"tile {tile} and overlap {overlap} must be multiples of {multiple}")
    shape = volume.shape[1:]
    step = tile - overlap
    starts = [range(0, max(1, -(-(n - overlap) // step)) * step, step) for n in shape]
    wide = [(0, places[-1] + tile - n) for n, places in zip(shape, starts, strict=True)]
    padded = np.pad(volume, [(0, 0), *wide])
    mask = None if wanted is None else np.pad(wanted != 0, wide)
    edge = np.minimum(np.arange(tile) + 0.5, tile - 0.5 - np.arange(tile)) / tile
    weight = (edge[:, None, None] * edge[:, None] * edge).astype(np.float32)
    total: FloatArray | None = None
    norm = np.zeros(padded.shape[1:], dtype=np.float32)
    for start in product(*starts):
        place = tuple(slice(s, s + tile) for s in start)
        if mask is not None and not mask[place].any():
            continue
        out = run(padded[(slice(None), *place)])
        if total is None:
            total = np.zeros((out.shape[0], *padded.shape[1:]), dtype=np.float32)
        total[(slice(None), *place)] += out * weight
        norm[place] += weight
    if total is None:
        raise InputError("nothing of the volume was wanted")
    total /= np.where(norm > 0, norm, 1.0)
    return total[:, : shape[0], : shape[1], : shape[2]]

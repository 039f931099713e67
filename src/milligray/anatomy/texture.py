"""Biological texture: periodic tiles of random fields, one look per kind of tissue."""

from functools import lru_cache

import numpy as np
from scipy import fft

from milligray.anatomy.tissue_appearance import TextureKind
from milligray.errors import InputError
from milligray.typing import FloatArray

TILE_SHAPE = (90, 96, 108)
"""Voxels (z, y, x) after which a texture repeats."""
_FIBER_STRETCH = 3.0
_VESSEL_WIDTH = 0.35
_SHEET_WIDTH = 0.45
_BUBBLE_START = 0.6


@lru_cache(maxsize=64)
def texture_tile(
    kind: TextureKind, texture_mm: float, spacing_mm: tuple[float, float, float], seed: int
) -> FloatArray:
    """Periodic random field of mean 0 and standard deviation 1.

    Parameters
    ----------
    kind : {"smooth", "septa", "plates", "fibers", "vessels", "bubbles"}
    texture_mm : float [mm]
        Length at which the autocorrelation of the Gaussian fields beneath falls to 1/e.
    spacing_mm : (z, y, x) [mm]
    seed : int

    Returns
    -------
    ndarray, shape `TILE_SHAPE`, float32
        Read-only.

    Notes
    -----
    With Gaussian fields ``g, h`` of ``autocorrelation = exp(-(r / texture_mm)^2)``:

    ``smooth = g``
    ``septa = exp(-(g / 0.45)^2)``: thin bright sheets where g crosses 0
    ``plates = septa + 0.3 h``, h of three times the length: trabeculae and denser regions
    ``fibers = -exp(-(g / 0.45)^2)``, g three times longer along z: dark sheets (fat in muscle)
    ``vessels = 1 / (1 + (g^2 + h^2) / 0.35^2)``: bright curves where both cross 0, plus a second
    set of 0.5 times the length
    ``bubbles = g - 4 max(g - 0.6, 0)``: dark round places
    """
    field: FloatArray
    if kind == "vessels":
        field = _curves(texture_mm, spacing_mm, seed, 0) + _curves(
            0.5 * texture_mm, spacing_mm, seed, 2
        )
    else:
        stretch = _FIBER_STRETCH if kind == "fibers" else 1.0
        g = _gaussian_field(texture_mm, spacing_mm, seed, 0, stretch)
        if kind == "smooth":
            field = g
        elif kind in ("septa", "fibers"):
            field = np.exp(-((g / _SHEET_WIDTH) ** 2)) * (-1.0 if kind == "fibers" else 1.0)
        elif kind == "plates":
            coarse = _gaussian_field(3.0 * texture_mm, spacing_mm, seed, 1, 1.0)
            field = np.exp(-((g / _SHEET_WIDTH) ** 2)) + 0.3 * coarse
        elif kind == "bubbles":
            field = g - 4.0 * np.maximum(g - _BUBBLE_START, 0.0)
        else:
            raise InputError(f"no texture kind named {kind!r}")
    field = field - field.mean()
    tile = np.asarray(field / field.std(), dtype=np.float32)
    tile.setflags(write=False)
    return tile


def voxel_share(texture_mm: float, spacing_mm: tuple[float, float, float]) -> float:
    """Share of the texture's standard deviation that is left in voxels of this size.

    Notes
    -----
    ``share = product over axes of (s2 / (s2 + spacing^2 / 12))^(1/4)`` with
    ``s2 = texture_mm^2 / 4``: a field of autocorrelation ``exp(-(r / texture_mm)^2)`` seen through
    a Gaussian with the variance of a voxel's edge.

    Examples
    --------
    >>> round(voxel_share(3.0, (2.0, 2.0, 2.0)), 2)
    0.9
    """
    s2 = 0.25 * texture_mm**2
    share = 1.0
    for spacing in spacing_mm:
        share *= (s2 / (s2 + spacing**2 / 12.0)) ** 0.25
    return share


def _curves(
    texture_mm: float, spacing_mm: tuple[float, float, float], seed: int, stream: int
) -> FloatArray:
    g = _gaussian_field(texture_mm, spacing_mm, seed, stream, 1.0)
    h = _gaussian_field(texture_mm, spacing_mm, seed, stream + 1, 1.0)
    return np.asarray(1.0 / (1.0 + (g * g + h * h) / _VESSEL_WIDTH**2))


def _gaussian_field(
    texture_mm: float,
    spacing_mm: tuple[float, float, float],
    seed: int,
    stream: int,
    stretch_z: float,
) -> FloatArray:
    """White noise through a Gaussian of sigma = texture_mm / 2, standard deviation 1."""
    rng = np.random.default_rng([seed, stream, round(texture_mm * 1000)])
    white = rng.standard_normal(TILE_SHAPE, dtype=np.float32)
    spectrum = fft.rfftn(white)
    for axis, (n, spacing) in enumerate(zip(TILE_SHAPE, spacing_mm, strict=True)):
        f = fft.rfftfreq(n, spacing) if axis == 2 else fft.fftfreq(n, spacing)
        sigma_mm = 0.5 * texture_mm * (stretch_z if axis == 0 else 1.0)
        gain = np.exp(-2.0 * (np.pi * sigma_mm * f) ** 2).astype(np.float32)
        spectrum *= gain.reshape([-1 if a == axis else 1 for a in range(3)])
    spectrum[0, 0, 0] = 0.0
    field = fft.irfftn(spectrum, s=TILE_SHAPE)
    return np.asarray(field / field.std(), dtype=np.float32)

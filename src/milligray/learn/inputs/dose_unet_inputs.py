"""What the dose U-Net is given: electron density, air-kerma map, and a first guess of the dose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from milligray.errors import InputError
from milligray.learn.inputs.attenuation_map import attenuation_map_mgy
from milligray.learn.inputs.coarse_grid import blurred
from milligray.learn.inputs.fitted_attenuation_map import (
    fitted_attenuation_map_mgy,
    traced_ratio,
)
from milligray.source.ct_source import CtSource
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

MapName = Literal["traced", "fitted", "cylinder32"]
MAPS: tuple[MapName, ...] = ("traced", "fitted", "cylinder32")
BLUR_MM = (15.0, 60.0)
"""Widths of the blurred maps in the first guess: scattered photons stay near, or go far."""
CHANNELS = ("electron_density", "attenuation_map", "log_guess", "half_value_layer")
TISSUE_KNOTS = (
    0.0, 0.2, 0.5, 0.75, 0.86, 0.885, 0.905, 0.93, 0.96, 1.0, 1.015, 1.025, 1.05, 1.065, 1.075,
    1.085, 1.095, 1.105, 1.115, 1.15, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0,
)  # fmt: skip
"""Electron densities at which the tissue factor of the guess is given; dense at the borders of fat
and bone, where tissues change from one voxel to the next."""
REFERENCE_HVL_MM_AL = 7.0
LEAST_GUESS = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessOptions:
    """Numbers of the first guess, fitted to training samples.

    Parameters
    ----------
    weights : tuple of float
        Of `blurred_maps`.
    log_tissue : tuple of float
        Logarithm of dose over guess at `TISSUE_KNOTS`; linear between, constant beyond.
    """

    weights: tuple[float, ...] = (0.556, 1.179, 2.402)
    log_tissue: tuple[float, ...] = (0.0,) * len(TISSUE_KNOTS)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(float(w) for w in self.weights))
        object.__setattr__(self, "log_tissue", tuple(float(w) for w in self.log_tissue))
        if len(self.weights) != 1 + len(BLUR_MM) or min(self.weights) < 0:
            raise InputError(f"a guess needs {1 + len(BLUR_MM)} weights >= 0, got {self.weights}")
        if len(self.log_tissue) != len(TISSUE_KNOTS):
            raise InputError(f"a guess needs {len(TISSUE_KNOTS)} tissue factors")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseUnetInputs:
    """Fields of a scan for the network.

    Parameters
    ----------
    channels : ndarray, shape (len(CHANNELS), nz, ny, nx), float32
        All without unit, all 0 outside the body.
    guess : ndarray, shape (nz, ny, nx), float32
        First guess of the dose over `scale_mgy`, > 0.
    scale_mgy : float [mGy]
        Mean of the map over the body in the scanned range.
    """

    channels: FloatArray
    guess: FloatArray
    scale_mgy: float


def air_kerma_map_mgy(
    which: MapName,
    source: CtSource,
    grid: Grid,
    electron_density: FloatArray,
    body: BoolArray,
    *,
    photons: float,
) -> FloatArray:
    """Air-kerma attenuation map of a scan, of one of `MAPS` [mGy], shape ``grid.shape``."""
    if which in ("fitted", "traced"):
        found = fitted_attenuation_map_mgy(source, grid, electron_density, body, photons=photons)
        if which == "traced":
            found = found * traced_ratio(source, grid, electron_density, body)
        return found
    if which != "cylinder32":
        raise InputError(f"no air-kerma map {which!r}; there are {', '.join(MAPS)}")
    return attenuation_map_mgy(source, grid, photons=photons)


def blurred_maps(
    electron_density: FloatArray, kerma_map: FloatArray, body: BoolArray, voxel_mm: float
) -> FloatArray:
    """Map and its blurs, whose weighted sum is the first guess; shape (1 + len(BLUR_MM), ...).

    Notes
    -----
    Photons scatter in proportion to map times electrons, and are absorbed around:
    ``blur_i = G(sigma_i) * (n_e map)`` with Gaussians G, where the map is 0 outside the body.
    """
    scattered = np.where(body, electron_density * kerma_map, 0.0).astype(np.float32)
    grid = Grid.from_spacing(body.shape, (voxel_mm,) * 3)
    return np.stack([
        np.where(body, kerma_map, 0.0).astype(np.float32),
        *(blurred(scattered, grid, sigma) for sigma in BLUR_MM),
    ])  # fmt: skip


def dose_unet_inputs(
    electron_density: FloatArray,
    kerma_map_mgy: FloatArray,
    body: BoolArray,
    is_scanned: BoolArray,
    *,
    voxel_mm: float,
    half_value_layer_mm_al: float,
    guess: GuessOptions,
) -> DoseUnetInputs:
    """Inputs of the network, for training sets and for prediction alike.

    Parameters
    ----------
    electron_density : ndarray, shape (nz, ny, nx)
        Over that of water.
    kerma_map_mgy : ndarray, same shape [mGy]
    body : ndarray of bool, same shape
    is_scanned : ndarray of bool, shape (nz,)
        Slices in the nominal range.
    voxel_mm : float [mm]
        Edge of the cubes.
    half_value_layer_mm_al : float [mm Al]
        Of the beam, behind the bowtie's middle.
    guess : GuessOptions

    Notes
    -----
    ``scale = mean of the map over the body in the range``: twice the photons give twice map,
    scale and dose, and the very same inputs. So the network is homogeneous in CTDIvol by
    construction, however it is trained.
    """
    region = body & is_scanned[:, None, None]
    scale = float(kerma_map_mgy[region].mean(dtype=np.float64)) if region.any() else 0.0
    if not (np.isfinite(scale) and scale > 0):
        raise InputError("no primary beam reaches the body in the scanned range")
    relative = np.asarray(kerma_map_mgy / scale, dtype=np.float32)
    parts = blurred_maps(electron_density, relative, body, voxel_mm)
    first = first_guess(electron_density, parts, guess)
    hardness = half_value_layer_mm_al / REFERENCE_HVL_MM_AL - 1.0
    channels = np.stack([electron_density, relative, np.log(first), np.full_like(first, hardness)])
    return DoseUnetInputs(
        channels=np.where(body, channels, 0.0).astype(np.float32), guess=first, scale_mgy=scale
    )


def first_guess(
    electron_density: FloatArray, parts: FloatArray, options: GuessOptions
) -> FloatArray:
    """First guess of the dose, float32, at least `LEAST_GUESS`.

    Parameters
    ----------
    electron_density : ndarray, shape (...)
    parts : ndarray, shape (1 + len(BLUR_MM), ...)
        `blurred_maps` of a map over its scale.
    options : GuessOptions

    Notes
    -----
    ``guess = exp(t(n_e)) sum_i w_i part_i``: primary and scattered photons around, times what
    the tissue takes of them (bone, by its calcium, four times as much as water).
    """
    weights = np.asarray(options.weights, dtype=np.float32)
    tissue = np.interp(electron_density, TISSUE_KNOTS, options.log_tissue)
    found = np.tensordot(weights, parts, axes=1) * np.exp(tissue)
    return np.asarray(np.maximum(found, LEAST_GUESS), dtype=np.float32)


def guess_options(normalization: Mapping[str, Any]) -> tuple[MapName, GuessOptions]:
    """Map and numbers of the guess that a network's card asks for."""
    which = normalization.get("map")
    if which not in MAPS:
        raise InputError(f"the card asks for a map {which!r}; there are {', '.join(MAPS)}")
    return which, GuessOptions(
        weights=tuple(normalization["guess_weights"]),
        log_tissue=tuple(normalization["log_tissue"]),
    )


def domain_features(
    electron_density: FloatArray,
    body: BoolArray,
    is_scanned: BoolArray,
    *,
    voxel_mm: float,
    half_value_layer_mm_al: float,
    map_per_ctdi: float,
) -> tuple[tuple[str, ...], FloatArray]:
    """What stands for the inputs of a scan when it is judged whether the network knows such ones.

    Parameters
    ----------
    electron_density, body : ndarray, shape (nz, ny, nx)
    is_scanned : ndarray of bool, shape (nz,)
    voxel_mm, half_value_layer_mm_al : float
    map_per_ctdi : float
        Scale over CTDIvol.

    Returns
    -------
    names : tuple of str
    values : ndarray
    """
    inside = body[is_scanned]
    density = electron_density[is_scanned]
    area = np.maximum(inside.sum(axis=(1, 2)), 1) * voxel_mm**2
    within = density[inside]
    found = {
        "half_value_layer_mm_al": half_value_layer_mm_al,
        "log_map_per_ctdi": float(np.log(map_per_ctdi)),
        "effective_diameter_mm": float(2.0 * np.sqrt(area.mean() / np.pi)),
        "largest_effective_diameter_mm": float(2.0 * np.sqrt(area.max() / np.pi)),
        "scan_length_mm": float(is_scanned.sum() * voxel_mm),
        "mean_electron_density": float(within.mean()),
        "bone_share": float((within > 1.15).mean()),
        "gas_share": float((within < 0.5).mean()),
    }
    return tuple(found), np.array(list(found.values()))

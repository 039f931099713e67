"""What a network sees of one position of the tube once its primary beam has been traced."""

from dataclasses import dataclass, replace

import numpy as np

from milligray.errors import InputError
from milligray.learn.inputs.coarse_grid import blurred
from milligray.learn.inputs.position_primary import position_primary_mgy
from milligray.source.ct_source import FanField
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

SMEARED_MM = (8.0, 16.0, 32.0, 64.0, 128.0)
SECOND_MM = (16.0, 64.0)
FREE_PATH_MM = 32.0
"""Blur that stands for the way of a scattered photon to where it scatters again."""
TRACED_CHANNELS = (
    "attenuating_water", "attenuating_bone", "body", "log_primary_over_guess", "log_guess",
    "hardness", "bone_ratio", *(f"log_first_{s:g}_mm_over_guess" for s in SMEARED_MM),
    *(f"log_second_{s:g}_mm_over_guess" for s in SECOND_MM),
)  # fmt: skip
GUESS_WEIGHTS = (0.377, 0.155, 0.613, 0.27, 2.298)
"""Of the smeared fields in the guess: `tools/fit_position_guess.py`. They only set where the
network starts from."""
_LEAST_GUESS = 1e-6
_TINY = 1e-30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TracedPosition:
    """Primary beam of a position, and the first guess of its scatter.

    Parameters
    ----------
    channels : ndarray, shape (len(TRACED_CHANNELS), z, depth, lateral), float32
        None changes with the number of photons.
    primary_mgy : ndarray, shape (2, z, depth, lateral), float32 [mGy per photon]
        Collision kerma in water and in cortical bone.
    guess_mgy : ndarray, shape (z, depth, lateral), float32 [mGy per photon]
        Of the collision kerma of scattered photons in water.
    bone_ratio : float
        Kerma in cortical bone over that in water, of the whole primary beam.
    """

    channels: FloatArray
    primary_mgy: FloatArray
    guess_mgy: FloatArray
    bone_ratio: float

    def part(self, place: tuple[slice, slice, slice]) -> "TracedPosition":
        """Some of the voxels."""
        cut = (slice(None), *place)
        return replace(
            self, channels=self.channels[cut], primary_mgy=self.primary_mgy[cut],
            guess_mgy=self.guess_mgy[place],
        )  # fmt: skip


def traced_position(
    field: FanField,
    grid: Grid,
    attenuating: FloatArray,
    body: BoolArray,
    *,
    isocenter_mm: tuple[float, float],
    z_mm: float,
) -> TracedPosition | None:
    """Trace one position; None where the beam meets nothing.

    Parameters
    ----------
    field : FanField
    grid : Grid
        In the frame of the tube, see `milligray.learn.inputs.slab.slab_grid`.
    attenuating : ndarray, shape (2, *grid.shape) [g/cm3]
    body : ndarray of bool, shape ``grid.shape``
    isocenter_mm : (x, y) [mm]
    z_mm : float [mm]
        Of the tube.

    Notes
    -----
    ``guess = sum_i w_i blur_i(T)`` with ``T = sum_b attenuating_b primary_b``, what the beam gives
    to electrons per volume, smeared by Gaussians; ``second = blur(m blur_32(T))`` with the matter
    ``m = water + 2 bone`` is where photons go that scatter twice.
    """
    primary = position_primary_mgy(field, grid, attenuating, isocenter_mm=isocenter_mm, z_mm=z_mm)
    given = np.maximum((attenuating * primary).sum(axis=0), 0.0)
    whole = (primary * body).sum(axis=(1, 2, 3), dtype=np.float64)
    if not (whole[0] > 0.0 and given.max() > 0.0):
        return None
    first = [blurred(given, grid, sigma) for sigma in SMEARED_MM]
    guess = np.tensordot(np.array(GUESS_WEIGHTS, dtype=np.float32), np.stack(first), axes=1)
    matter = np.maximum(attenuating[0] + 2.0 * attenuating[1], 0.0)
    twice = matter * first[SMEARED_MM.index(FREE_PATH_MM)]
    second = [blurred(twice, grid, sigma) for sigma in SECOND_MM]
    mean = float((guess.astype(np.float64) ** 2).sum() / guess.sum(dtype=np.float64))
    guess = np.maximum(guess, np.float32(_LEAST_GUESS * mean))
    ratio = float(whole[1] / whole[0])
    lit = primary[0] > 0.0
    hardness = np.divide(primary[1], primary[0], out=np.full_like(guess, ratio), where=lit) / ratio
    channels = np.stack([
        np.clip(attenuating[0], -1.0, 3.0), np.clip(attenuating[1], -0.5, 4.0), body,
        _log_over(primary[0], guess), np.log(guess / mean) / 4.0, 4.0 * (hardness - 1.0),
        np.full(grid.shape, ratio / 4.0), *(_log_over(one, guess) for one in (*first, *second)),
    ])  # fmt: skip
    return TracedPosition(
        channels=channels.astype(np.float32), primary_mgy=primary,
        guess_mgy=guess.astype(np.float32), bone_ratio=ratio,
    )  # fmt: skip


def _log_over(values: FloatArray, guess: FloatArray) -> FloatArray:
    return np.asarray(np.clip(np.log(np.maximum(values, _TINY) / guess), -4.0, 4.0) / 2.0)


def scatter_mgy(traced: TracedPosition, correction: FloatArray) -> FloatArray:
    """Collision kerma of scattered photons in water and bone, shape (2, z, depth, lateral).

    Parameters
    ----------
    traced : TracedPosition
    correction : ndarray, shape (2, z, depth, lateral)
        Logarithms of scatter over guess, and of its bone ratio over the primary's.
    """
    if correction.shape[1:] != traced.guess_mgy.shape:
        raise InputError("correction and position differ in shape")
    water = traced.guess_mgy * np.exp(correction[0])
    return np.stack([water, water * (traced.bone_ratio * np.exp(correction[1]))])

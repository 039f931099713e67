"""What every cube shows of the photons around it: the primary beam, its scatter smeared, matter."""

import numpy as np

from milligray.learn.inputs.coarse_grid import blurred
from milligray.typing import FloatArray
from milligray.volume import Grid

FIRST_MM = (8.0, 16.0, 32.0, 64.0, 128.0)
SECOND_MM = (16.0, 32.0, 64.0)
THIRD_MM = (32.0, 64.0)
FREE_PATH_MM = 32.0
"""Blur that stands for the way of a scattered photon to where it scatters again."""
TISSUE_MM = (8.0, 16.0, 32.0, 64.0)
WIDE_BODY_MM, WIDE_MATTER_MM = 128.0, 96.0
LIGHT_MM = (8.0, 24.0)
GUESS_WEIGHTS = (0.075, 0.302, 0.982, 0.027, 1.924)
"""Of the first blurs in the guess, from ``tools/fit_scatter_guess.py --samples 24`` on learning
head-and-neck patients. They only set where the networks start from, and these were trained with
these very numbers."""
CHANNELS = (
    "attenuating_water", "attenuating_bone", "body", "primary_over_guess", "hardness",
    *(f"first_{s:g}_mm_over_guess" for s in FIRST_MM),
    *(f"second_{s:g}_mm_over_guess" for s in SECOND_MM),
    *(f"{what}_{s:g}_mm" for what in ("water", "bone", "body") for s in TISSUE_MM),
    *(f"third_{s:g}_mm_over_guess" for s in THIRD_MM),
    f"body_{WIDE_BODY_MM:g}_mm", f"matter_{WIDE_MATTER_MM:g}_mm",
    *(f"light_{s:g}_mm_over_guess" for s in LIGHT_MM),
    "log_first_8_mm_over_guess", "log_primary_over_guess", "bone_ratio", "mean_energy",
)  # fmt: skip
HARDNESS_LIMITS = (0.5, 2.0)
_LEAST_GUESS = 1e-6
_TINY = 1e-30


def first_scatter(grid: Grid, given: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smeared energy of the primary beam, and the guess of the scatter made of it.

    Parameters
    ----------
    grid : Grid
    given : ndarray, shape grid.shape [mGy g/cm3]
        ``T = sum_b attenuating_b primary_b``, what the beam gives to electrons per volume.

    Returns
    -------
    blurs : ndarray, shape (len(FIRST_MM), *grid.shape)
        Of T.
    guess_mgy : ndarray, shape grid.shape
        ``sum_i GUESS_WEIGHTS_i blur_i``, at least 1e-6 of its own mean.
    """
    blurs = np.stack([blurred(given, grid, sigma) for sigma in FIRST_MM])
    guess = np.tensordot(np.array(GUESS_WEIGHTS, dtype=np.float32), blurs, axes=1)
    total = float(guess.sum(dtype=np.float64))
    mean = float((guess.astype(np.float64) ** 2).sum()) / total if total > 0.0 else 0.0
    return blurs, np.maximum(guess, np.float32(_LEAST_GUESS * mean))


def scatter_channels(
    grid: Grid,
    attenuating: FloatArray,
    body: FloatArray,
    primary: FloatArray,
    first: FloatArray,
    guess: FloatArray,
    *,
    bone_ratio: float,
    mean_energy_kev: float,
) -> FloatArray:
    """All channels, in the order of `CHANNELS`.

    Parameters
    ----------
    grid : Grid
    attenuating, primary : ndarray, shape (2, *grid.shape)
    body : ndarray, shape grid.shape
    first, guess : ndarray
        From `first_scatter`.
    bone_ratio, mean_energy_kev : float

    Returns
    -------
    ndarray, shape (len(CHANNELS), *grid.shape), float32
        None changes with the number of photons.

    Notes
    -----
    ``second = blur(m blur(T))`` and ``third = blur(m blur(m blur(T)))`` with the matter
    ``m = max(water + 2 bone, 0)`` are where photons go that scatter twice and three times.
    """
    water = np.clip(attenuating[0], -1.0, 3.0)
    bone = np.clip(attenuating[1], -0.5, 4.0)
    matter = np.maximum(water + 2.0 * bone, 0.0)

    def spread(values: FloatArray, sigma_mm: float) -> FloatArray:
        return blurred(values, grid, sigma_mm)

    twice = matter * first[FIRST_MM.index(FREE_PATH_MM)]
    second = [spread(twice, s) for s in SECOND_MM]
    thrice = matter * second[SECOND_MM.index(FREE_PATH_MM)]
    lit = primary[0] > 0.0
    hardness = np.divide(primary[1], primary[0], out=np.full_like(guess, bone_ratio), where=lit)
    hardness = np.clip(hardness / bone_ratio, *HARDNESS_LIMITS)  # far from the beam it is rounding
    ones = np.ones_like(guess)
    planes = [
        water, bone, body, primary[0] / guess, hardness,
        *(one / guess for one in first), *(one / guess for one in second),
        *(spread(what, s) for what in (water, bone, body) for s in TISSUE_MM),
        *(spread(thrice, s) / guess for s in THIRD_MM),
        spread(body, WIDE_BODY_MM), spread(matter, WIDE_MATTER_MM),
        *(spread(primary[0] * body, s) / guess for s in LIGHT_MM),
        np.clip(np.log(np.maximum(first[0], _TINY) / guess), -12.0, 5.0),
        np.clip(np.log(np.maximum(primary[0], _TINY) / guess), -8.0, 5.0),
        ones * (bone_ratio / 4.0), ones * (mean_energy_kev / 60.0),
    ]  # fmt: skip
    return np.stack(planes).astype(np.float32)

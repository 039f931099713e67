"""Tube current along the patient, as automatic exposure control would set it."""

import numpy as np

from milligray.typing import FloatArray

_ROUNDS = 50


def modulated_current(
    position_mm: FloatArray,
    diameter_mm: FloatArray,
    *,
    mu_per_mm: float,
    strength: float,
    window_mm: float,
    limits: tuple[float, float],
) -> FloatArray:
    """Relative tube current at every slice.

    Parameters
    ----------
    position_mm : ndarray, shape (n,) [mm]
        Ascending, evenly spaced.
    diameter_mm : ndarray, shape (n,) [mm]
        Water-equivalent diameter.
    mu_per_mm : float [1/mm]
        Attenuation coefficient of water for the beam.
    strength : float
        0: fixed current; 1/2: the least dose for a given noise; 1: the same noise everywhere.
    window_mm : float [mm]
        Width of the running mean: the tube cannot follow faster than the beam's own width.
    limits : (low, high)
        Of the current over its mean.

    Returns
    -------
    ndarray, shape (n,)
        Mean 1.

    Notes
    -----
    ``I(z) = exp(strength * mu * d_w(z))``, the law of the attenuation: noise of a slice goes with
    ``exp(mu d / 2) / sqrt(I)``, so ``strength = 1`` keeps it constant, and ``1/2`` (current with
    the square root of the attenuation) gives the least total current for the noise of the whole.

    References
    ----------
    Gies M, Kalender WA, Wolf H, Suess C, Madsen MT. Dose reduction in CT by anatomically adapted
    tube current modulation. I. Simulation studies. Med Phys 26 (1999) 2235-2247.
    Kalender WA, Wolf H, Suess C. Dose reduction in CT by anatomically adapted tube current
    modulation. II. Phantom measurements. Med Phys 26 (1999) 2248-2253.
    """
    exponent = strength * mu_per_mm * (diameter_mm - float(np.mean(diameter_mm)))
    spacing = float(position_mm[1] - position_mm[0]) if position_mm.size > 1 else 1.0
    half = int(0.5 * window_mm / spacing)
    smooth = np.array(
        [exponent[max(0, i - half) : i + half + 1].mean() for i in range(exponent.size)]
    )
    return _within_limits(np.exp(smooth), limits)


def _within_limits(current: FloatArray, limits: tuple[float, float]) -> FloatArray:
    """Clip and bring the mean to 1, again until both hold."""
    for _ in range(_ROUNDS):
        current = current / current.mean()
        clipped = np.clip(current, *limits)
        if np.array_equal(clipped, current):
            break
        current = clipped
    return np.asarray(current / current.mean())

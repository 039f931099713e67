"""What a fit cannot know of the time after the last image."""

import numpy as np

from milligray.typing import FloatArray

TRUSTED_SHARE = 0.2
"""Share of the decays after the last point up to which the fitted washout is trusted."""
UNTRUSTED_SHARE = 0.4
"""Share from which it is not trusted at all."""


def extrapolation_uncertainty(
    after_share: FloatArray | float,
    last_rate_per_s: FloatArray | float,
    decay_constant_per_s: float,
) -> FloatArray:
    """Relative standard uncertainty of an integral from a slower phase that was not seen.

    Parameters
    ----------
    after_share : ndarray or float
        Share of the integral after the last point, by the fit.
    last_rate_per_s : ndarray or float [1/s]
        Effective rate of its slowest phase.
    decay_constant_per_s : float [1/s]

    Returns
    -------
    ndarray

    Notes
    -----
    A phase slower than the time of observation does not show, and the model of fewest parameters
    fits without it. The tail then lies between the fitted one and physical decay, which is larger
    by ``rate / lambda``: ``u = after (rate / lambda - 1) / sqrt(3)``, in full from 40 % of the
    integral after the last point, not at all up to 20 %, linear between. A judgement: the limit of
    20 % is the usual advice for the timing of images.

    Examples
    --------
    >>> from milligray.source.kinetics.extrapolation import extrapolation_uncertainty
    >>> float(extrapolation_uncertainty(0.1, 2e-5, 1e-5))
    0.0
    >>> round(float(extrapolation_uncertainty(0.4, 2e-5, 1e-5)), 3)
    0.231
    """
    share = np.asarray(after_share, dtype=np.float64)
    ramp = np.clip((share - TRUSTED_SHARE) / (UNTRUSTED_SHARE - TRUSTED_SHARE), 0.0, 1.0)
    excess = np.maximum(np.asarray(last_rate_per_s) / decay_constant_per_s - 1.0, 0.0)
    spread: FloatArray = ramp * share * excess / np.sqrt(3.0)
    return spread

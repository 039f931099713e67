"""What the statistical noise of a Monte Carlo reference adds to the errors."""

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.typing import FloatArray


def noise_corrected_rmse(
    predicted: npt.ArrayLike, reference: npt.ArrayLike, reference_sigma: npt.ArrayLike
) -> float:
    """RMSE against the noise-free reference.

    Parameters
    ----------
    predicted, reference : array_like, shape (n,)
    reference_sigma : array_like, shape (n,)
        Standard uncertainty (k = 1) of the reference, unit of the values.

    Returns
    -------
    float
        0 where the noise alone explains the differences; NaN without any complete triple.

    Notes
    -----
    ``sqrt(max(0, mean(d^2) - mean(reference_sigma^2)))``. Holds if the noise of the reference is
    independent of the prediction: true for a network that was not trained on these very values.
    """
    d, sigma = _triples(predicted, reference, reference_sigma)
    if not d.size:
        return float("nan")
    return float(np.sqrt(max(0.0, float(np.mean(d**2) - np.mean(sigma**2)))))


def noise_floor_rmse(
    predicted: npt.ArrayLike, reference: npt.ArrayLike, reference_sigma: npt.ArrayLike
) -> float:
    """RMSE that a perfect prediction would show: ``sqrt(mean(reference_sigma^2))``."""
    d, sigma = _triples(predicted, reference, reference_sigma)
    return float(np.sqrt(np.mean(sigma**2))) if d.size else float("nan")


def noise_floor_relative_absolute_error(
    reference: npt.ArrayLike, reference_sigma: npt.ArrayLike
) -> float:
    """Mean relative absolute error that a perfect prediction would show.

    Notes
    -----
    ``sqrt(2 / pi) mean(reference_sigma / reference)``: the mean of ``|x|`` of a normal deviate;
    pairs with ``reference <= 0`` are left out.
    """
    r = np.asarray(reference, dtype=np.float64).ravel()
    sigma = np.asarray(reference_sigma, dtype=np.float64).ravel()
    if r.shape != sigma.shape:
        raise InputError(f"reference has {r.size} values, reference_sigma {sigma.size}")
    use = (r > 0) & np.isfinite(sigma)
    if not np.any(use):
        return float("nan")
    return float(np.sqrt(2.0 / np.pi) * np.mean(sigma[use] / r[use]))


def _triples(
    predicted: npt.ArrayLike, reference: npt.ArrayLike, reference_sigma: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    p = np.asarray(predicted, dtype=np.float64).ravel()
    r = np.asarray(reference, dtype=np.float64).ravel()
    sigma = np.asarray(reference_sigma, dtype=np.float64).ravel()
    if not p.shape == r.shape == sigma.shape:
        raise InputError(
            f"predicted, reference and reference_sigma have {p.size}, {r.size} and {sigma.size}"
            " values; they must be paired"
        )
    use = np.isfinite(p) & np.isfinite(r) & np.isfinite(sigma)
    return p[use] - r[use], sigma[use]

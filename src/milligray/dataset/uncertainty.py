"""The floor that a loss must not go below: the reference dose is itself uncertain."""

import numpy as np

from milligray.typing import FloatArray

FLOOR_OF_REFERENCE = 1e-3


def sigma_floor_mgy(
    dose_mgy: FloatArray, relative_uncertainty: FloatArray, reference_mgy: float
) -> FloatArray:
    """Standard deviation of a Monte Carlo reference dose, never zero [mGy].

    Parameters
    ----------
    dose_mgy : ndarray [mGy]
    relative_uncertainty : ndarray, same shape
        k = 1, as stored.
    reference_mgy : float [mGy]
        Mean dose of the body in the scanned range, stored as ``reference_dose_mgy``.

    Returns
    -------
    ndarray, same shape [mGy]

    Notes
    -----
    ``sigma = max(relative_uncertainty * dose, 0.001 * reference)``. A heteroscedastic loss uses
    it as the least variance, ``(dose - d)^2 / (s^2 + sigma^2) + log(s^2 + sigma^2)`` with the
    network's d and s^2: no network can, or should, be better than the truth it is taught. The
    second term of the maximum is for voxels that no photon hit, whose own estimate would be 0.
    """
    return np.maximum(relative_uncertainty * dose_mgy, FLOOR_OF_REFERENCE * reference_mgy)

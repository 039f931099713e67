"""Doses and uncertainties of an ensemble, in voxels and in organs."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnsembleDose:
    """What the members of an ensemble say together.

    Parameters
    ----------
    dose : ndarray
        Mean of the members.
    aleatoric, epistemic, total : ndarray, same shape
        Standard deviations (k = 1) in the unit of the dose.
    """

    dose: FloatArray
    aleatoric: FloatArray
    epistemic: FloatArray
    total: FloatArray


def combine_members(dose: FloatArray, variance: FloatArray) -> EnsembleDose:
    """Split the uncertainty of an ensemble.

    Parameters
    ----------
    dose, variance : ndarray, shape (n_members, ...)
        Of every member.

    Notes
    -----
    ``dose = mean dose_m``, ``aleatoric^2 = mean variance_m``,
    ``epistemic^2 = sum (dose_m - dose)^2 / (n - 1)`` (0 for one member),
    ``total^2 = aleatoric^2 + epistemic^2``.

    References
    ----------
    Lakshminarayanan et al., NeurIPS 30 (2017) 6402; Kendall and Gal, NeurIPS 30 (2017) 5574.

    Examples
    --------
    >>> from milligray.learn.ensemble import combine_members
    >>> found = combine_members(np.array([[1.0], [3.0]]), np.array([[0.5], [1.5]]))
    >>> found.dose, found.aleatoric, found.epistemic**2, found.total**2
    (array([2.]), array([1.]), array([2.]), array([3.]))
    """
    if dose.shape != variance.shape or len(dose) < 1:
        raise InputError(f"doses {dose.shape} and variances {variance.shape} of members differ")
    mean = dose.mean(axis=0)
    aleatoric2 = variance.mean(axis=0)
    n = len(dose)
    epistemic2 = ((dose - mean) ** 2).sum(axis=0) / (n - 1) if n > 1 else np.zeros_like(mean)
    return EnsembleDose(
        dose=mean, aleatoric=np.sqrt(aleatoric2), epistemic=np.sqrt(epistemic2),
        total=np.sqrt(aleatoric2 + epistemic2),
    )  # fmt: skip


def correlated_mean(weights: FloatArray, sigma: FloatArray) -> float:
    """Standard deviation of a weighted mean whose terms err together.

    Parameters
    ----------
    weights, sigma : ndarray, shape (n,)

    Notes
    -----
    ``sigma = sum w_i sigma_i / sum w_i``: all correlations 1. No other correlation gives more, so
    it is the bound; errors of a network are of long range, and nearly reach it.

    Examples
    --------
    >>> from milligray.learn.ensemble import correlated_mean
    >>> correlated_mean(np.array([3.0, 1.0]), np.array([1.0, 2.0]))
    1.25
    """
    return float(np.sum(weights * sigma, dtype=np.float64) / np.sum(weights, dtype=np.float64))

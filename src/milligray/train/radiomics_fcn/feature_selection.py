"""Which features a network is given: those that go with the target one by one."""

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray


def f_regression(features: FloatArray, target: FloatArray) -> FloatArray:
    """F statistic of the straight line from each feature to the target.

    Parameters
    ----------
    features : ndarray, shape (n, p)
    target : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (p,)
        ``F = r^2 / (1 - r^2) (n - 2)`` with Pearson's r; 0 for a feature that does not vary,
        infinite for one that is the target.

    Notes
    -----
    The same numbers as ``sklearn.feature_selection.f_regression``.

    Examples
    --------
    >>> from milligray.train.radiomics_fcn.feature_selection import f_regression
    >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])
    >>> [float(round(f, 3)) for f in f_regression(x, np.array([0.0, 1.0, 1.0, 2.0]))]
    [18.0, 0.0]
    """
    if features.ndim != 2 or len(features) != len(target) or len(target) < 3:
        raise InputError(f"features {features.shape} and target {target.shape} do not fit")
    centered = features - features.mean(axis=0)
    off = target - target.mean()
    norm = np.sqrt((centered**2).sum(axis=0)) * np.sqrt((off**2).sum())
    varies = norm > 1e-12 * np.maximum(np.abs(features).max(axis=0), 1e-300)
    r = np.zeros(features.shape[1])
    r[varies] = (centered[:, varies].T @ off) / norm[varies]
    r2 = np.minimum(r**2, 1.0)
    with np.errstate(divide="ignore"):
        return np.asarray(r2 / (1.0 - r2) * (len(target) - 2))


def select_best(
    features: FloatArray, target: FloatArray, names: tuple[str, ...], n_best: int
) -> tuple[str, ...]:
    """Names of the features of largest `f_regression`, best first; at most `n_best`.

    Only rows of training patients belong in here: a feature chosen with the help of test patients
    has seen their doses.
    """
    statistic = f_regression(features, target)
    order = np.argsort(-statistic, kind="stable")[:n_best]
    return tuple(names[i] for i in order if statistic[i] > 0)

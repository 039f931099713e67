"""Where the inputs of a network lie: its domain, from the patients that it is made with."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.learn.input_domain import FAR, InputDomain, Verdict, slack, statistics_of
from milligray.typing import FloatArray

__all__ = ["FAR", "NOMINAL", "InputDomain", "Verdict", "fit_domain"]
NOMINAL = 0.99
_QUANTILES = (0.005, 0.995)
_LEVELS = (0.5, 0.9, 0.95, 0.99, 1.0)
_LEAST_ROWS = 10


def fit_domain(
    features: FloatArray,
    names: Sequence[str],
    *,
    groups: Sequence[object] | None = None,
    folds: int = 5,
) -> InputDomain:
    """Domain of the inputs that a network is made with.

    Parameters
    ----------
    features : ndarray, shape (n, p)
        Inputs of the training (and validation) patients; never of test patients.
    names : sequence of str
    groups : sequence, length n
        Patients: rows of one patient are held out together (default: every row is its own).
    folds : int

    Returns
    -------
    InputDomain

    Raises
    ------
    InputError
        For fewer than ten rows, values that are not finite, or features none of which varies.
    """
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(names) or len(rows) < _LEAST_ROWS:
        raise InputError(
            f"a domain needs at least {_LEAST_ROWS} rows of {len(names)} features, got {rows.shape}"
        )
    if not np.isfinite(rows).all():
        raise InputError("features of a domain must be finite")
    fold = _folds(groups if groups is not None else range(len(rows)), len(rows), folds)
    statistics = np.empty((2, len(rows)))
    for k in np.unique(fold):
        kept = _described(rows[fold != k], tuple(names))
        statistics[:, fold == k] = statistics_of(kept, rows[fold == k])
    limits = [max(_quantile(one, NOMINAL), 1e-12) for one in statistics]
    joint = np.maximum(statistics[0] / limits[0], statistics[1] / limits[1])
    factor = _quantile(joint, NOMINAL)
    joint /= factor
    whole = _described(rows, tuple(names))
    return InputDomain(
        names=whole.names, low=whole.low, median=whole.median, high=whole.high,
        mean=whole.mean, scale=whole.scale, inverse=whole.inverse,
        limits=(limits[0] * factor, limits[1] * factor),
        quantiles=tuple((level, _quantile(joint, level)) for level in _LEVELS),
        n_held_out=len(rows),
    )  # fmt: skip


def _described(rows: FloatArray, names: tuple[str, ...]) -> InputDomain:
    """Ranges and shrunk correlation of some rows, without limits."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale <= slack(mean)] = 0.0
    varied = scale > 0
    if not varied.any():
        raise InputError("none of the features varies")
    z = (rows[:, varied] - mean[varied]) / scale[varied]
    inverse = np.zeros((len(names), len(names)))
    inverse[np.ix_(varied, varied)] = np.linalg.inv(_shrunk(z))
    low, high = np.quantile(rows, _QUANTILES, axis=0)
    return InputDomain(
        names=names, low=low, median=np.median(rows, axis=0), high=high, mean=mean, scale=scale,
        inverse=inverse, limits=(1.0, 1.0), quantiles=((1.0, 1.0),), n_held_out=0,
    )  # fmt: skip


def _shrunk(z: FloatArray) -> FloatArray:
    """Shrink the correlation matrix of standardized rows toward 1 (Ledoit and Wolf 2004)."""
    n, p = z.shape
    sample = z.T @ z / n
    spread = float(((sample - np.eye(p)) ** 2).sum())
    noise = float(((z**2).sum(axis=1) ** 2).sum() / n - (sample**2).sum()) / n
    share = 1.0 if spread <= noise else max(noise / spread, 1e-6)
    return np.asarray(share * np.eye(p) + (1.0 - share) * sample)


def _folds(groups: Sequence[object], n: int, folds: int) -> npt.NDArray[np.int64]:
    """Fold of every row; groups stay together, folds are as even as can be."""
    if len(groups) != n:
        raise InputError(f"{len(groups)} groups for {n} rows")
    _, index = np.unique(np.array([str(g) for g in groups]), return_inverse=True)
    count = int(index.max()) + 1
    if folds < 2 or count < 2:
        raise InputError("a domain needs at least two folds and two groups")
    order = np.random.default_rng(0).permutation(count)  # only spreads groups over folds
    return np.asarray(order[index] % min(folds, count), dtype=np.int64)


def _quantile(values: FloatArray, level: float) -> float:
    """The value that a further one exceeds with a chance of at most 1 - level, if n allows."""
    rank = min(len(values), math.ceil((len(values) + 1) * level))
    return float(np.sort(values)[rank - 1])

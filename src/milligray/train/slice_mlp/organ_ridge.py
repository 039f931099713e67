"""Ridge regression of log doses: coefficients that organs share, robust to odd patients."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.typing import BoolArray, FloatArray

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgeSettings:
    """How to fit.

    Parameters
    ----------
    shared_penalty, organ_penalty : float
        Of the coefficients common to all organs (away from the prior), and of the organs' own
        deviations, for features of unit variance; in units of patients with an error of one.
    slice_share : float
        Weight of the single slices; the rest is on means over an organ.
    robust_scale : float
        Errors of log organ doses beyond it count linearly, not squared (Huber).
    rounds : int
        Of reweighting.
    """

    shared_penalty: float = 3.0
    organ_penalty: float = 30.0
    slice_share: float = 0.3
    robust_scale: float = 0.08
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganRidge:
    """Log dose of organs, linear in features.

    Parameters
    ----------
    intercept : ndarray, shape (n_organs,)
    slope : ndarray, shape (n_organs, p)
        For features as they are.
    """

    intercept: FloatArray
    slope: FloatArray

    def log_dose(self, features: FloatArray, organ: Index) -> FloatArray:
        """Natural logarithm of the dose, of rows."""
        linear = np.einsum("ij,ij->i", features, self.slope[organ])
        return np.asarray(self.intercept[organ] + linear)


def fit_organ_ridge(
    features: FloatArray, organ: Index, patient: Index, dose: FloatArray, prior: FloatArray,
    settings: RidgeSettings, *, n_organs: int, least_dose: float = 0.0,
) -> OrganRidge:  # fmt: skip
    """Fit log doses of slices and of organs.

    Parameters
    ----------
    features : ndarray, shape (n, p)
    organ, patient : ndarray of int, shape (n,)
    dose : ndarray, shape (n,)
        Any unit.
    prior : ndarray, shape (p,)
        Slopes that the shared coefficients are drawn to: what physics says.
    settings : RidgeSettings
    n_organs : int
    least_dose : float
        Rows at or below are left out: their logarithm says nothing.

    Notes
    -----
    Minimizes, with shared slopes ``c``, deviations ``d_o`` and standardized features ``x``,

    ``sum_(p,o) h_po [ s mean_z (log D - x.(c + d_o))^2 + (1 - s) (log mean_z D - mean_z ...)^2 ]``
    ``+ shared_penalty |c - prior|^2 + organ_penalty sum_o |d_o|^2``

    over patients p and organs o; every organ of every patient has the weight one whatever the
    number of its slices, times Huber's weight ``h`` of its log organ dose. Intercepts are free.
    """
    used = dose > max(least_dose, 0.0)
    if not used.any():
        raise InputError("no slices with a dose to fit")
    mean, scale = features[used].mean(axis=0), features[used].std(axis=0) + 1e-9
    x, o = (features[used] - mean) / scale, organ[used]
    start = prior * scale
    y = np.log(dose[used]) - x @ start
    pairs, owner = np.unique(patient[used] * n_organs + o, return_inverse=True)
    count = np.bincount(owner)
    o_pair = pairs % n_organs
    p = x.shape[1]
    a = np.column_stack([np.ones(len(x)), x])
    a_pair = np.stack([np.bincount(owner, a[:, j]) / count for j in range(p + 1)], axis=1)
    baseline = np.bincount(owner, np.exp(x @ start)) / count
    y_pair = np.log(np.bincount(owner, dose[used]) / count) - np.log(baseline)
    own = np.diag(np.r_[1e-3, np.full(p, settings.organ_penalty)])
    shared = np.diag(np.r_[1e-6, np.full(p, settings.shared_penalty)])
    weight = np.ones(len(pairs))
    found = np.zeros((n_organs, p + 1))
    for _ in range(settings.rounds):
        rows = (settings.slice_share * weight / count)[owner]
        wholes = (1.0 - settings.slice_share) * weight
        left, right = np.zeros((n_organs, p + 1, p + 1)), np.zeros((n_organs, p + 1))
        for j in range(n_organs):
            mine, pair = o == j, o_pair == j
            weighted = a[mine] * rows[mine, None]
            whole = a_pair[pair] * wholes[pair, None]
            left[j] = weighted.T @ a[mine] + whole.T @ a_pair[pair]
            right[j] = weighted.T @ y[mine] + whole.T @ y_pair[pair]
        found = _solve(left, right, shared, own)
        error = y_pair - np.einsum("ij,ij->i", a_pair, found[o_pair])
        weight = 1.0 / np.maximum(1.0, np.abs(error) / settings.robust_scale)
    slope = (found[:, 1:] + start) / scale
    return OrganRidge(intercept=found[:, 0] - slope @ mean, slope=slope)


def _solve(left: FloatArray, right: FloatArray, shared: FloatArray, own: FloatArray) -> FloatArray:
    """Shared and own coefficients together, own ones eliminated: shape (n_organs, p + 1)."""
    total, pull, inverses = shared.copy(), np.zeros(len(shared)), []
    for one, other in zip(left, right, strict=True):
        inverse = np.linalg.inv(one + own)
        inverses.append(inverse)
        total += one - one @ inverse @ one
        pull += other - one @ inverse @ other
    common = np.linalg.solve(total, pull)
    return np.stack(
        [
            common + inverse @ (other - one @ common)
            for one, other, inverse in zip(left, right, inverses, strict=True)
        ]
    )


def even_rows(owner: Index, most: int) -> BoolArray:
    """At most so many rows of each owner, evenly spread over its rows in their order."""
    chosen = np.zeros(len(owner), dtype=bool)
    order = np.argsort(owner, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(owner[order])) + 1):
        places = np.linspace(0, len(rows) - 1, min(most, len(rows)))
        chosen[rows[np.unique(places.astype(np.int64))]] = True
    return chosen

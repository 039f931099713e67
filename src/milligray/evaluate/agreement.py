"""Do predicted and reference values agree: Bland-Altman, tests of equal distribution."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from milligray.errors import InputError
from milligray.evaluate.bootstrap import RESAMPLES, patient_bootstrap
from milligray.evaluate.pairs import ValuePairs
from milligray.typing import FloatArray

LIMIT_FACTOR = 1.959963984540054
"""97.5 % quantile of the normal distribution: 95 % of the differences lie between the limits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlandAltman:
    """Differences predicted - reference of pairs (Bland & Altman 1986, 1999).

    Parameters
    ----------
    n, n_patients : int
    is_relative : bool
        Differences are fractions of `location`, else in the unit of the values.
    location, difference : ndarray, shape (n,)
        Abscissa (mean of both, or the reference; unit of the values) and difference.
    bias, standard_deviation : float
        Of the differences.
    lower_limit, upper_limit : float
        ``bias -+ 1.96 standard_deviation``.
    bias_interval, lower_interval, upper_interval : (float, float)
        95 % confidence intervals, by bootstrap of patients when a patient has several values, else
        Bland & Altman's ``bias -+ t s / sqrt(n)`` and
        ``limit -+ t s sqrt(1 / n + 1.96^2 / (2 (n - 1)))``.
    slope, slope_p_value : float
        Proportional bias: slope of difference over location by least squares and the p value of
        the slope 0, which takes the values for independent.
    """

    n: int
    n_patients: int
    is_relative: bool
    location: FloatArray
    difference: FloatArray
    bias: float
    standard_deviation: float
    lower_limit: float
    upper_limit: float
    bias_interval: tuple[float, float]
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]
    slope: float
    slope_p_value: float


def bland_altman(
    pairs: ValuePairs,
    *,
    is_relative: bool = False,
    against: Literal["mean", "reference"] = "mean",
    resamples: int = RESAMPLES,
    seed: int = 1,
) -> BlandAltman:
    """Bias and limits of agreement.

    Parameters
    ----------
    pairs : ValuePairs
        At least three complete pairs.
    is_relative : bool
        Divide each difference by its location; pairs with a location <= 0 are left out. Doses of
        different organs and patients differ in size, and so do their errors: relative limits
        describe them better.
    against : {"mean", "reference"}
        ``mean`` of both, as Bland & Altman. ``reference`` is right where its own noise is small
        beside the prediction's (Krouwer 2008): the mean then feigns a slope.
    resamples, seed : int
        Of the bootstrap by patient.

    Returns
    -------
    BlandAltman
    """
    pairs = pairs.complete()
    p, r = pairs.predicted, pairs.reference
    location = 0.5 * (p + r) if against == "mean" else r.copy()
    difference, patients = p - r, pairs.patients
    if is_relative:
        use = location > 0
        location, patients = location[use], patients[use]
        difference = difference[use] / location
    n = int(difference.size)
    if n < 3:
        raise InputError(f"limits of agreement need three pairs or more, there are {n}")

    def limits(rows: npt.NDArray[np.intp]) -> FloatArray:
        some = difference[rows]
        bias, spread = some.mean(), LIMIT_FACTOR * some.std(ddof=1)
        return np.array([bias, bias - spread, bias + spread])

    found = limits(np.arange(n))
    deviation = float(difference.std(ddof=1))
    n_patients = int(np.unique(patients).size)
    if n_patients < n:
        low, high = patient_bootstrap(limits, patients, resamples=resamples, seed=seed)
    else:
        t = float(stats.t.ppf(0.975, n - 1))
        wide = deviation * np.sqrt(1.0 / n + LIMIT_FACTOR**2 / (2.0 * (n - 1)))
        half = t * np.array([deviation / np.sqrt(n), wide, wide])
        low, high = found - half, found + half
    slope, p_value = float("nan"), float("nan")
    if np.ptp(location) > 0:
        line = stats.linregress(location, difference)
        slope, p_value = float(line.slope), float(line.pvalue)
    intervals = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    return BlandAltman(
        n=n,
        n_patients=n_patients,
        is_relative=is_relative,
        location=location,
        difference=difference,
        bias=float(found[0]),
        standard_deviation=deviation,
        lower_limit=float(found[1]),
        upper_limit=float(found[2]),
        bias_interval=intervals[0],
        lower_interval=intervals[1],
        upper_interval=intervals[2],
        slope=slope,
        slope_p_value=p_value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionTest:
    """One two-sample test of equal distribution: its statistic and two-sided p value."""

    name: str
    statistic: float
    p_value: float


def kolmogorov_smirnov(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> DistributionTest:
    """Two-sample Kolmogorov-Smirnov test: largest distance of the two empirical distributions.

    Notes
    -----
    It asks only whether both sets of values look alike, not whether pairs agree: a prediction
    that swaps patients passes. Values of one patient are not independent, so that p is too small.
    NaN are left out.
    """
    result = stats.ks_2samp(_known(predicted), _known(reference))
    return DistributionTest(
        name="kolmogorov_smirnov",
        statistic=float(result.statistic),
        p_value=float(result.pvalue),
    )


def mann_whitney(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> DistributionTest:
    """Mann-Whitney U test of equal location, two-sided; limits as `kolmogorov_smirnov`."""
    result = stats.mannwhitneyu(_known(predicted), _known(reference), alternative="two-sided")
    return DistributionTest(
        name="mann_whitney", statistic=float(result.statistic), p_value=float(result.pvalue)
    )


def joint_histogram(
    predicted: npt.ArrayLike, reference: npt.ArrayLike, *, bins: int = 100
) -> tuple[FloatArray, FloatArray]:
    """Counts of reference against predicted values on one common, even scale.

    Returns
    -------
    counts : ndarray, shape (bins, bins)
        First axis reference, second predicted.
    edges : ndarray, shape (bins + 1,)
        From the least (0 if that is positive) to the largest of all values.
    """
    p = np.asarray(predicted, dtype=np.float64).ravel()
    r = np.asarray(reference, dtype=np.float64).ravel()
    if p.shape != r.shape:
        raise InputError(f"predicted has {p.size} values, reference {r.size}")
    use = np.isfinite(p) & np.isfinite(r)
    p, r = p[use], r[use]
    if not r.size:
        raise InputError("there is no complete pair to count")
    low, high = min(0.0, float(p.min()), float(r.min())), max(float(p.max()), float(r.max()))
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    counts, _, _ = np.histogram2d(r, p, bins=(edges, edges))
    return counts, edges


def _known(values: npt.ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64).ravel()
    array = array[np.isfinite(array)]
    if not array.size:
        raise InputError("there is no value to test")
    return array

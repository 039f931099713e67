"""Does a claimed uncertainty hold: coverage, calibration curve, scores."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from milligray.errors import InputError
from milligray.evaluate.pairs import ValuePairs
from milligray.typing import FloatArray

LEVELS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Share of values whose reference lies within ``predicted +- factor sigma``.

    Parameters
    ----------
    factor : float
        Coverage factor k.
    n, inside : int
    share, low, high : float
        Observed share with its Wilson interval (95 %), which takes the values for independent.
    nominal : float
        Share that normal errors of that sigma would give: 0.683 for k = 1, 0.954 for k = 2.
    """

    factor: float
    n: int
    inside: int
    share: float
    low: float
    high: float
    nominal: float


def z_scores(pairs: ValuePairs) -> FloatArray:
    """Errors in units of their claimed standard uncertainty.

    Parameters
    ----------
    pairs : ValuePairs
        With `predicted_sigma`; a `reference_sigma` is added in quadrature, since the noise of a
        Monte Carlo reference is no fault of the prediction.

    Returns
    -------
    ndarray, shape (n,)
        ``(predicted - reference) / sqrt(predicted_sigma^2 + reference_sigma^2)`` of the complete
        pairs with a sigma > 0.
    """
    if pairs.predicted_sigma is None:
        raise InputError("the prediction states no uncertainty; coverage needs predicted_sigma")
    sigma = total_sigma(pairs)
    use = pairs.is_complete & (sigma > 0)
    return np.asarray((pairs.predicted - pairs.reference)[use] / sigma[use])


def total_sigma(pairs: ValuePairs) -> FloatArray:
    """Claimed uncertainty of the difference, k = 1; NaN where the prediction has none."""
    if pairs.predicted_sigma is None:
        return np.full(pairs.predicted.shape, np.nan)
    variance = pairs.predicted_sigma**2
    if pairs.reference_sigma is not None:
        variance = variance + np.nan_to_num(pairs.reference_sigma) ** 2
    return np.asarray(np.sqrt(variance))


def wilson_interval(inside: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a binomial share (Wilson 1927); (NaN, NaN) for ``n = 0``.

    Examples
    --------
    >>> low, high = wilson_interval(19, 20)
    >>> round(low, 4), round(high, 4)
    (0.7639, 0.9911)
    """
    if n == 0:
        return float("nan"), float("nan")
    z = float(stats.norm.ppf(0.5 + 0.5 * confidence))
    share = inside / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def coverage(pairs: ValuePairs, factor: float = 2.0) -> Coverage:
    """Observed coverage at one factor k; sigma as in `z_scores`."""
    return _coverage_of(np.abs(z_scores(pairs)), factor)


def calibration_curve(
    pairs: ValuePairs, levels: npt.ArrayLike = LEVELS
) -> tuple[FloatArray, tuple[Coverage, ...]]:
    """Observed against nominal coverage of central normal intervals.

    Returns
    -------
    levels : ndarray, shape (m,)
    observed : tuple of Coverage
        At ``k = norm.ppf((1 + level) / 2)``.
    """
    z = np.abs(z_scores(pairs))
    nominal = np.asarray(levels, dtype=np.float64)
    if np.any((nominal <= 0) | (nominal >= 1)):
        raise InputError("levels must lie between 0 and 1")
    factors = stats.norm.ppf(0.5 + 0.5 * nominal)
    return nominal, tuple(_coverage_of(z, float(k)) for k in factors)


def calibration_error(pairs: ValuePairs, levels: npt.ArrayLike = LEVELS) -> float:
    """Mean of ``|observed - nominal|`` coverage over the levels; NaN without values."""
    nominal, observed = calibration_curve(pairs, levels)
    if not observed or observed[0].n == 0:
        return float("nan")
    return float(np.mean(np.abs(np.array([c.share for c in observed]) - nominal)))


def expected_normalized_calibration_error(pairs: ValuePairs, *, bins: int = 10) -> float:
    """ENCE (Levi et al. 2020): do large claimed uncertainties go with large errors.

    Notes
    -----
    Values are sorted by their claimed sigma and cut into `bins` of equal number:
    ``ENCE = mean over bins |rms(sigma) - rms(d)| / rms(sigma)``. Not 0 for finite bins even when
    perfectly calibrated: about ``0.56 / sqrt(values in a bin)``.
    """
    sigma = total_sigma(pairs)
    use = pairs.is_complete & (sigma > 0)
    d, s = (pairs.predicted - pairs.reference)[use], sigma[use]
    if d.size < bins:
        return float("nan")
    found = []
    for rows in np.array_split(np.argsort(s, kind="stable"), bins):
        claimed, seen = np.sqrt(np.mean(s[rows] ** 2)), np.sqrt(np.mean(d[rows] ** 2))
        found.append(abs(claimed - seen) / claimed)
    return float(np.mean(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSummary:
    """Distribution of z scores: 0 and 1 are the mean and standard deviation of honest ones.

    Parameters
    ----------
    n : int
    mean, standard_deviation, median_absolute, largest : float
        0, 1, 0.674 for normal scores; largest of ``|z|``.
    ks_statistic, ks_p_value : float
        Kolmogorov-Smirnov against the standard normal distribution (independent values assumed).
    """

    n: int
    mean: float
    standard_deviation: float
    median_absolute: float
    largest: float
    ks_statistic: float
    ks_p_value: float


def summarize_scores(z: FloatArray) -> ScoreSummary:
    """Describe z scores; at least two."""
    if z.size < 2:
        raise InputError(f"two scores or more are needed, there are {z.size}")
    test = stats.kstest(z, "norm")
    return ScoreSummary(
        n=int(z.size),
        mean=float(z.mean()),
        standard_deviation=float(z.std(ddof=1)),
        median_absolute=float(np.median(np.abs(z))),
        largest=float(np.max(np.abs(z))),
        ks_statistic=float(test.statistic),
        ks_p_value=float(test.pvalue),
    )


def _coverage_of(absolute_z: FloatArray, factor: float) -> Coverage:
    n, inside = int(absolute_z.size), int(np.sum(absolute_z <= factor))
    low, high = wilson_interval(inside, n)
    return Coverage(
        factor=factor,
        n=n,
        inside=inside,
        share=inside / n if n else float("nan"),
        low=low,
        high=high,
        nominal=float(2.0 * stats.norm.cdf(factor) - 1.0),
    )

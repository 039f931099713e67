"""Errors of predicted values: each published measure once, with its definition.

All functions take ``(predicted, reference)``: arrays of one shape in one unit. With
``d = predicted - reference``:

- A pair of which a value is NaN is left out. Without any pair left, the result is NaN.
- Relative measures use only pairs with ``reference > 0``; relative results are fractions, not
  percent.
- Papers give several names to one number. The relative absolute error averaged over values is
  called RAE (Deep Dose, per voxel or organ), MRAE (kernel network) and MAPE (radiomics network,
  times 100): here it is `mean_relative_absolute_error`. "RRMSE" is read as RMSE over the mean of
  the reference (`relative_root_mean_squared_error`); the other reading, the root mean square of
  the relative errors, is `root_mean_squared_relative_error`.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.typing import FloatArray

Kind = Literal["value", "fraction", "number"]


class Measure(Protocol):
    """One number from predicted and reference values."""

    __name__: str

    def __call__(self, predicted: npt.ArrayLike, reference: npt.ArrayLike, /) -> float:
        """Compute it."""


def mean_error(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """ME, the bias: ``mean(d)``, in the unit of the values."""
    p, r = _pairs(predicted, reference)
    return _mean(p - r)


def mean_absolute_error(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """MAE: ``mean(|d|)``, in the unit of the values."""
    p, r = _pairs(predicted, reference)
    return _mean(np.abs(p - r))


def mean_relative_error(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """RE (mRE), the relative bias: ``mean(d / reference)``."""
    p, r = _positive_pairs(predicted, reference)
    return _mean((p - r) / r)


def mean_relative_absolute_error(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """RAE, MRAE, MAPE / 100: ``mean(|d| / reference)``.

    Examples
    --------
    >>> round(mean_relative_absolute_error([11.0, 18.0], [10.0, 20.0]), 6)
    0.1
    """
    p, r = _positive_pairs(predicted, reference)
    return _mean(np.abs(p - r) / r)


def median_relative_absolute_error(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Median of ``|d| / reference`` (the percentage errors that Tzanis & Damilakis give)."""
    p, r = _positive_pairs(predicted, reference)
    return float(np.median(np.abs(p - r) / r)) if r.size else float("nan")


def total_relative_absolute_error(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """``sum(|d|) / sum(reference)``: weak values count as weak ones; NaN if the sum is not > 0."""
    p, r = _pairs(predicted, reference)
    total = float(np.sum(r))
    return float(np.sum(np.abs(p - r)) / total) if total > 0 else float("nan")


def root_mean_squared_error(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """RMSE: ``sqrt(mean(d^2))``, in the unit of the values."""
    p, r = _pairs(predicted, reference)
    return float(np.sqrt(_mean((p - r) ** 2)))


def relative_root_mean_squared_error(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """RRMSE: ``sqrt(mean(d^2)) / mean(reference)``; NaN if that mean is not > 0."""
    p, r = _pairs(predicted, reference)
    mean = _mean(r)
    return float(np.sqrt(_mean((p - r) ** 2)) / mean) if mean > 0 else float("nan")


def root_mean_squared_relative_error(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Root mean square of the relative errors: ``sqrt(mean((d / reference)^2))``."""
    p, r = _positive_pairs(predicted, reference)
    return float(np.sqrt(_mean(((p - r) / r) ** 2)))


def coefficient_of_determination(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """R2: ``1 - sum(d^2) / sum((reference - mean(reference))^2)``.

    Not the square of a correlation: a biased prediction lowers it, and it is negative for one
    that is worse than the mean of the reference. NaN for fewer than two pairs or equal references.
    """
    p, r = _pairs(predicted, reference)
    if not _spreads(r):
        return float("nan")
    return 1.0 - float(np.sum((p - r) ** 2) / np.sum((r - r.mean()) ** 2))


def pearson_correlation(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Pearson's r, blind to bias and scale; NaN for fewer than two pairs or equal values."""
    p, r = _pairs(predicted, reference)
    if not (_spreads(p) and _spreads(r)):
        return float("nan")
    p, r = p - p.mean(), r - r.mean()
    return float(np.sum(p * r) / np.sqrt(np.sum(p**2) * np.sum(r**2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOfError:
    """One measure of the tables.

    Parameters
    ----------
    name : str
        Key in JSON and CSV.
    symbol : str
        Short name in tables.
    kind : {"value", "fraction", "number"}
        ``value``: in the unit of the values; ``fraction``: shown in percent; ``number``: plain.
    compute : callable
    """

    name: str
    symbol: str
    kind: Kind
    compute: Measure


_TABLE: tuple[tuple[Measure, str, Kind], ...] = (
    (mean_error, "ME", "value"),
    (mean_absolute_error, "MAE", "value"),
    (root_mean_squared_error, "RMSE", "value"),
    (mean_relative_error, "RE", "fraction"),
    (mean_relative_absolute_error, "MAPE", "fraction"),
    (median_relative_absolute_error, "median APE", "fraction"),
    (total_relative_absolute_error, "total APE", "fraction"),
    (relative_root_mean_squared_error, "RRMSE", "fraction"),
    (root_mean_squared_relative_error, "RMSRE", "fraction"),
    (coefficient_of_determination, "R2", "number"),
    (pearson_correlation, "r", "number"),
)

MEASURES: dict[str, MeasureOfError] = {
    function.__name__: MeasureOfError(
        name=function.__name__, symbol=symbol, kind=kind, compute=function
    )
    for function, symbol, kind in _TABLE
}
"""All measures by name, in the order of the tables."""


def _pairs(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    p = np.asarray(predicted, dtype=np.float64).ravel()
    r = np.asarray(reference, dtype=np.float64).ravel()
    if np.shape(predicted) != np.shape(reference):
        raise InputError(
            f"predicted has shape {np.shape(predicted)}, reference {np.shape(reference)};"
            " they must be paired"
        )
    if np.any(np.isinf(p)) or np.any(np.isinf(r)):
        raise InputError("values are infinite; use NaN where there is none")
    both = ~(np.isnan(p) | np.isnan(r))
    return p[both], r[both]


def _positive_pairs(
    predicted: npt.ArrayLike, reference: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    p, r = _pairs(predicted, reference)
    return p[r > 0], r[r > 0]


def _spreads(values: FloatArray) -> bool:
    """True if the values differ by more than rounding."""
    return values.size > 1 and bool(np.ptp(values) > 1e-12 * np.max(np.abs(values)))


def _mean(values: FloatArray) -> float:
    return float(np.mean(values)) if values.size else float("nan")

"""All errors of one set of pairs, with intervals by patient."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.evaluate.bootstrap import RESAMPLES, patient_bootstrap
from milligray.evaluate.errors_of_values import MEASURES
from milligray.evaluate.noise import (
    noise_corrected_rmse,
    noise_floor_relative_absolute_error,
    noise_floor_rmse,
)
from milligray.evaluate.pairs import ValuePairs


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSummary:
    """Measures of error of one set of pairs.

    Parameters
    ----------
    n, n_missing, n_not_positive, n_patients : int
        Complete pairs; rows without one of the values; complete pairs whose reference is not > 0
        and that relative measures leave out; patients with complete pairs.
    values : dict of str to float
        By name of `MEASURES`, in the order of the tables.
    intervals : dict of str to (low, high)
        Bootstrap by patient; NaN with fewer than two patients.
    confidence : float
    mean_reference : float
        Unit of the values.
    noise : dict of str to float
        With a sigma of the reference: ``noise_corrected_rmse``, ``noise_floor_rmse``,
        ``noise_floor_relative_absolute_error``; else empty.
    """

    n: int
    n_missing: int
    n_not_positive: int
    n_patients: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    confidence: float
    mean_reference: float
    noise: dict[str, float]


def summarize_errors(
    pairs: ValuePairs,
    *,
    measures: Sequence[str] | None = None,
    with_interval: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 1,
) -> ErrorSummary:
    """Compute the measures of error of pairs and their intervals.

    Parameters
    ----------
    pairs : ValuePairs
    measures : sequence of str, optional
        Names in `MEASURES`; default all.
    with_interval : sequence of str, optional
        Those of the measures whose interval is wanted; default all.
    resamples : int
        Draws of the bootstrap; 0 for no intervals (NaN).
    confidence : float
    seed : int

    Returns
    -------
    ErrorSummary
    """
    names = tuple(MEASURES) if measures is None else tuple(measures)
    drawn = names if with_interval is None else tuple(with_interval)
    unknown = [name for name in (*names, *drawn) if name not in MEASURES]
    if unknown:
        raise InputError(f"unknown measures {unknown}; there are {', '.join(MEASURES)}")
    n_missing = pairs.n_missing
    pairs = pairs.complete()
    p, r = pairs.predicted, pairs.reference
    noise: dict[str, float] = {}
    if pairs.reference_sigma is not None:
        sigma = pairs.reference_sigma
        noise = {
            "noise_corrected_rmse": noise_corrected_rmse(p, r, sigma),
            "noise_floor_rmse": noise_floor_rmse(p, r, sigma),
            "noise_floor_relative_absolute_error": noise_floor_relative_absolute_error(r, sigma),
        }

    def compute(rows: npt.NDArray[np.intp]) -> list[float]:
        return [MEASURES[name].compute(p[rows], r[rows]) for name in drawn]

    low = high = np.full(len(drawn), np.nan)
    if resamples > 0 and r.size and drawn:
        low, high = patient_bootstrap(
            compute, pairs.patients, resamples=resamples, confidence=confidence, seed=seed
        )
    return ErrorSummary(
        n=int(r.size),
        n_missing=n_missing,
        n_not_positive=int(np.sum(r <= 0)),
        n_patients=len(set(pairs.patients.tolist())),
        values={name: MEASURES[name].compute(p, r) for name in names},
        intervals={name: (float(a), float(b)) for name, a, b in zip(drawn, low, high, strict=True)},
        confidence=confidence,
        mean_reference=float(np.mean(r)) if r.size else float("nan"),
        noise=noise,
    )

"""Predicted and reference values side by side: which pairs count, and whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.typing import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValuePairs:
    """Predicted beside reference values of one quantity, one row a value.

    Parameters
    ----------
    predicted, reference : ndarray, shape (n,)
        In one unit, e.g. organ doses [mGy]. NaN where there is no value.
    patients : ndarray of str, shape (n,)
        To whom each value belongs: values of one patient are not independent.
    organs : ndarray of str, shape (n,)
        What each value is of; "" where that has no meaning.
    reference_sigma : ndarray, shape (n,), optional
        Standard uncertainty (k = 1) of the reference, unit of the values.
    predicted_sigma : ndarray, shape (n,), optional
        Standard uncertainty (k = 1) that the prediction claims, unit of the values.

    Raises
    ------
    InputError
        If shapes differ, a value is infinite or a sigma negative.
    """

    predicted: FloatArray
    reference: FloatArray
    patients: npt.NDArray[np.str_]
    organs: npt.NDArray[np.str_]
    reference_sigma: FloatArray | None = None
    predicted_sigma: FloatArray | None = None

    def __post_init__(self) -> None:
        n = np.shape(self.predicted)
        for name in ("predicted", "reference", "reference_sigma", "predicted_sigma"):
            given = getattr(self, name)
            if given is None:
                continue
            array = np.array(given, dtype=np.float64)
            if array.ndim != 1 or array.shape != n:
                raise InputError(f"{name} has shape {array.shape}, predicted has {n}; give vectors")
            if np.any(np.isinf(array)):
                raise InputError(f"{name} holds infinite values; use NaN where there is none")
            if name.endswith("sigma") and np.any(array < 0):
                raise InputError(f"{name} holds negative values; it is a standard deviation")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        for name in ("patients", "organs"):
            labels = np.array(getattr(self, name), dtype=np.str_)
            if labels.shape != n:
                raise InputError(f"{name} has shape {labels.shape}, predicted has {n}")
            labels.setflags(write=False)
            object.__setattr__(self, name, labels)

    @classmethod
    def from_arrays(
        cls,
        predicted: npt.ArrayLike,
        reference: npt.ArrayLike,
        *,
        patients: Sequence[str] | npt.NDArray[np.str_] | None = None,
        organs: Sequence[str] | npt.NDArray[np.str_] | None = None,
        reference_sigma: npt.ArrayLike | None = None,
        predicted_sigma: npt.ArrayLike | None = None,
    ) -> "ValuePairs":
        """Pairs of arrays; without `patients` every value counts as a patient of its own."""
        n = np.size(np.asarray(predicted))
        return cls(
            predicted=np.asarray(predicted, dtype=np.float64),
            reference=np.asarray(reference, dtype=np.float64),
            patients=_labels([str(i) for i in range(n)] if patients is None else patients),
            organs=_labels([""] * n if organs is None else organs),
            reference_sigma=_optional(reference_sigma),
            predicted_sigma=_optional(predicted_sigma),
        )

    @property
    def is_complete(self) -> BoolArray:
        """True where both values are there."""
        return np.isfinite(self.predicted) & np.isfinite(self.reference)

    @property
    def n_missing(self) -> int:
        """Number of rows without predicted or without reference value."""
        return int(np.sum(~self.is_complete))

    @property
    def organ_names(self) -> tuple[str, ...]:
        """Organs in the order in which they first occur."""
        return tuple(dict.fromkeys(self.organs.tolist()))

    def take(self, rows: BoolArray) -> "ValuePairs":
        """Only these rows."""
        return ValuePairs(
            predicted=self.predicted[rows],
            reference=self.reference[rows],
            patients=self.patients[rows],
            organs=self.organs[rows],
            reference_sigma=None if self.reference_sigma is None else self.reference_sigma[rows],
            predicted_sigma=None if self.predicted_sigma is None else self.predicted_sigma[rows],
        )

    def of_organ(self, organ: str) -> "ValuePairs":
        """Only the rows of one organ."""
        return self.take(self.organs == organ)

    def complete(self) -> "ValuePairs":
        """Only the rows that have both values."""
        return self.take(self.is_complete)


def _labels(values: Sequence[str] | npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    return np.array(values, dtype=np.str_)


def _optional(values: npt.ArrayLike | None) -> FloatArray | None:
    return None if values is None else np.asarray(values, dtype=np.float64)

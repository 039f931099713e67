"""When a run has enough batches: a number of histories, or a precision of every organ judged."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.typing import FloatArray

MIN_BATCHES = 32
BATCHES_PER_CHECK = 8
"""The goal is looked at after these, whatever the number of threads, so the result is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """State of a running transport.

    Parameters
    ----------
    histories : int
    histories_goal : int or None
        None: runs until a precision is met.
    worst_organ : str
    worst_relative_uncertainty : float
        NaN before it can be told.
    seconds : float
    seconds_left : float
        Estimated from variance ~ 1 / histories; NaN before it can be told.
    """

    histories: int
    histories_goal: int | None
    worst_organ: str
    worst_relative_uncertainty: float
    seconds: float
    seconds_left: float


def batch_statistics(batches: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over batches and relative standard deviation of that mean, per column."""
    mean = batches.mean(axis=0)
    spread = batches.std(axis=0, ddof=1) / np.sqrt(batches.shape[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(mean > 0, spread / mean, 0.0)
    return mean, relative


class Goal:
    """Takes in the organ doses of one batch after the other and tells whether more are wanted.

    Parameters
    ----------
    batch_histories, max_batches : int
    histories : int or None
        The goal, if no precision is.
    precision : float or None
    organs : sequence of str
        Names; may be empty without a precision.
    judged : ndarray of bool, shape (n_organs,), or None
        Organs that the precision holds for.
    max_seconds : float or None
        Limit for a precision.
    progress : callable, optional
    """

    def __init__(
        self,
        *,
        batch_histories: int,
        max_batches: int,
        histories: int | None,
        precision: float | None,
        organs: Sequence[str],
        judged: npt.NDArray[np.bool_] | None,
        max_seconds: float | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.batch_histories, self.max_batches = batch_histories, max_batches
        self.histories, self.precision = histories, precision
        self.organs, self.judged = organs, judged
        self.max_seconds, self.progress = max_seconds, progress
        self.started = time.perf_counter()
        self.batches: list[FloatArray] = []
        self.converged = precision is None

    def take(self, organ_doses: FloatArray) -> bool:
        """Take in a batch; True as long as more are wanted."""
        self.batches.append(organ_doses)
        n = len(self.batches)
        if n % BATCHES_PER_CHECK:
            return True
        worst, name = self._worst()
        is_done = self.precision is not None and n >= MIN_BATCHES and worst <= self.precision
        elapsed = time.perf_counter() - self.started
        if self.progress is not None:
            left = elapsed * (self.max_batches - n) / n
            if self.precision is not None:
                left = elapsed * max(0.0, (worst / self.precision) ** 2 - 1.0)
            self.progress(Progress(
                histories=n * self.batch_histories,
                histories_goal=self.histories if self.precision is None else None,
                worst_organ=name, worst_relative_uncertainty=worst, seconds=elapsed,
                seconds_left=left,
            ))  # fmt: skip
        if is_done:
            self.converged = True
            return False
        return self.max_seconds is None or self.precision is None or elapsed < self.max_seconds

    def _worst(self) -> tuple[float, str]:
        """Largest relative standard deviation of the organs judged, and whose it is."""
        if self.judged is None or not self.organs:
            return float("nan"), ""
        mean, relative = batch_statistics(np.array(self.batches))
        values = np.where(self.judged & (mean > 0), relative, 0.0)
        index = int(np.argmax(values))
        return float(values[index]), self.organs[index]

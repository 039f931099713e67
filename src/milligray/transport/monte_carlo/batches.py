"""Run batches of histories on threads, and hand them back in order.

A batch is a fixed range of history numbers, computed by one thread into one buffer; the buffers
are flushed in the order of the batches. So the sums are the same bits for any number of threads.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import kernel
from milligray.physics.interactions import PhotonTables
from milligray.source.emission import EmissionTables
from milligray.transport.monte_carlo.cpu import run_batch
from milligray.transport.monte_carlo.flight import Matter

Tally = npt.NDArray[np.float64]


class Batch(Protocol):
    """A batch under way."""

    def result(self) -> None:
        """Wait until its tally is complete."""

    def cancel(self) -> bool:
        """Do not want it any more."""


class BatchPool(Protocol):
    """Where batches are computed instead of threads of this process; a context manager."""

    @property
    def slots(self) -> int:
        """Number of batches under way at once."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *exception: object) -> bool | None:
        """End; what is still under way is not wanted."""

    def submit(self, function: Callable[..., None], /, *arguments: Any) -> Batch:  # noqa: ANN401
        """Start a batch; its last argument is the tally."""


def available_threads() -> int:
    """Number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@kernel
def flush(tally: Tally, total: Tally, total_squared: Tally) -> None:
    """Add a batch to the sums of values and of squares, and clear it."""
    for i in range(tally.shape[0]):
        value = tally[i]
        total[i] += value
        total_squared[i] += value * value
        tally[i] = 0.0


def run_batches(
    emission: EmissionTables,
    matter: Matter,
    tables: PhotonTables,
    *,
    estimator: int,
    seed: int,
    batch_histories: int,
    n_bins: int,
    threads: int,
    on_batch: Callable[[int, Tally], bool],
    max_batches: int,
    pool: BatchPool | None = None,
) -> int:
    """Run batches until `on_batch` returns False or `max_batches` are done.

    Parameters
    ----------
    on_batch : callable (number, tally) -> bool
        Called in the order of the batches; must clear the tally before it returns.
    pool : BatchPool, optional
        Computes the batches; default: threads of this process.

    Returns
    -------
    int
        Number of batches handed over.
    """
    slots = threads if pool is None else pool.slots
    buffers = [np.zeros(n_bins) for _ in range(slots)]
    done = 0
    started = 0
    waiting: list[tuple[Batch, Tally]] = []
    with pool or ThreadPoolExecutor(max_workers=threads) as place:

        def start(buffer: Tally) -> None:
            nonlocal started
            future = place.submit(
                run_batch, estimator, seed, started * batch_histories, batch_histories,
                emission, matter, tables, buffer,
            )  # fmt: skip
            waiting.append((future, buffer))
            started += 1

        try:
            for buffer in buffers[:max_batches]:
                start(buffer)
            while waiting:
                future, buffer = waiting.pop(0)
                future.result()
                go_on = on_batch(done, buffer)
                done += 1
                if not go_on:
                    break
                if started < max_batches:
                    start(buffer)
        finally:
            for future, _ in waiting:
                future.cancel()
    return done

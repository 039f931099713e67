"""Run batches of histories on threads, and hand them back in order.

A batch is a fixed range of history numbers, computed by one thread into one buffer; the buffers
are flushed in the order of the batches. So the sums are the same bits for any number of threads.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse

from milligray.physics.compiled import kernel
from milligray.physics.interactions import PhotonTables
from milligray.source.decay_tables import DecayTables
from milligray.source.emission_tables import EmissionTables
from milligray.transport.monte_carlo.cpu import run_batch
from milligray.transport.monte_carlo.decay_history import DecayPhysics
from milligray.transport.monte_carlo.history import STACK_SHAPE, Stack
from milligray.transport.monte_carlo.voxels import Matter
from milligray.typing import FloatArray

Bins = npt.NDArray[np.float64]
Buffer = tuple[Stack, Bins]
OnBatch = Callable[[int, FloatArray], bool]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchSums:
    """What all batches left in the bins.

    Parameters
    ----------
    batches : int
    total, total_squared : ndarray, shape (n_bins,) or (0,) [keV, keV2]
        Sums over the batches of the value of a batch, and of its square; empty if not asked for.
    """

    batches: int
    total: FloatArray
    total_squared: FloatArray


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
def flush(tally: Bins, total: Bins, total_squared: Bins) -> None:
    """Add a batch to the sums of values and of squares, and clear it."""
    for i in range(tally.shape[0]):
        value = tally[i]
        total[i] += value
        total_squared[i] += value * value
        tally[i] = 0.0


def run_batches(
    emission: EmissionTables | DecayTables,
    matter: Matter,
    tables: PhotonTables | DecayPhysics,
    *,
    estimator: int,
    seed: int,
    batch_histories: int,
    n_bins: int,
    regions: scipy.sparse.csr_matrix | None,
    keep_bins: bool,
    threads: int,
    on_batch: OnBatch,
    max_batches: int,
    segments: int = 1,
    pool: BatchPool | None = None,
    batch: Callable[..., None] = run_batch,
    stack_shape: tuple[int, int] = STACK_SHAPE,
) -> BatchSums:
    """Run batches until `on_batch` returns False or `max_batches` are done.

    Parameters
    ----------
    regions : csr matrix, shape (n_regions, n_bins), optional
        Weights with which bins add up to regions.
    keep_bins : bool
        Keep the sums of every bin over the batches.
    on_batch : callable (number, energies of the regions [keV], (segments, n_regions)) -> bool
        Called in the order of the batches.
    segments : int
        Equal parts of every batch whose regions are summed apart.
    pool : BatchPool, optional
        Computes the parts; default: threads of this process.
    batch : callable
        The compiled loop over the histories of a batch, and the shape of its stack.
    """
    part_histories = batch_histories // segments
    slots = threads if pool is None else pool.slots
    buffers = [(np.zeros(stack_shape), np.zeros(n_bins)) for _ in range(slots)]
    total, total_squared = (np.zeros(n_bins if keep_bins else 0) for _ in range(2))
    whole = np.zeros(n_bins if segments > 1 else 0)
    parts: list[FloatArray] = []
    done = 0
    started = 0
    waiting: list[tuple[Batch, Buffer]] = []
    with pool or ThreadPoolExecutor(max_workers=threads) as place:

        def start(buffer: Buffer) -> None:
            nonlocal started
            future = place.submit(
                batch, estimator, seed, started * part_histories, part_histories,
                emission, matter, tables, *buffer,
            )  # fmt: skip
            waiting.append((future, buffer))
            started += 1

        def finish(bins: Bins) -> bool:
            """Take in a part; True as long as more are wanted."""
            nonlocal done
            parts.append(regions @ bins if regions is not None else np.empty(0))
            if segments > 1:
                np.add(whole, bins, out=whole)
                bins[:] = 0.0
                bins = whole
            if len(parts) < segments:
                return True
            if keep_bins:
                flush(bins, total, total_squared)
            else:
                bins[:] = 0.0
            sums = np.array(parts)
            parts.clear()
            done += 1
            return on_batch(done - 1, sums)

        try:
            for buffer in buffers[: max_batches * segments]:
                start(buffer)
            while waiting:
                future, buffer = waiting.pop(0)
                future.result()
                if not finish(buffer[1]):
                    break
                if started < max_batches * segments:
                    start(buffer)
        finally:
            for future, _ in waiting:
                future.cancel()
    return BatchSums(batches=done, total=total, total_squared=total_squared)

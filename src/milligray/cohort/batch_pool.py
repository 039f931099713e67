"""One large exam over the workers of a Dask cluster: its batches, back in their order.

A batch is a fixed range of history numbers and its random numbers are keyed by them, so it is the
same wherever it is computed. The tallies come back as they are, float64, and the caller adds them
in the order of the batches: the sums are the same bits as those of one process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Self, cast

import numpy as np

from milligray.cohort.cluster import check_workers
from milligray.cohort.extras import load_distributed
from milligray.errors import DeviceError
from milligray.typing import FloatArray

BATCHES_PER_SLOT = 2
"""Batches under way for every Dask thread, so that none waits for the network."""
MIN_SLOTS = 4
WAIT_S = 120.0


class DaskBatches:
    """A `BatchPool` on a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
        Its workers need milligray, but no files: a shared file system is not needed here.

    Notes
    -----
    Source, matter and tables go to every worker once. Every batch sends its tally back, 8 bytes a
    voxel: with the batches as large as they are (a tenth of the voxels, or more, in histories)
    that is some 100 MB/s a core, so a fast network is needed beyond a few workers, and many exams
    are better computed whole, one a worker (`DaskWorkers`). A batch of a lost worker is computed
    by another one.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - untyped package
        _wait_for_a_worker(client)
        check_workers(client)
        self.client = client
        threads = sum(client.nthreads().values())
        self.slots = max(MIN_SLOTS, BATCHES_PER_SLOT * threads)
        self._shared: dict[int, tuple[object, Any]] = {}
        self._running: list[_Batch] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for batch in self._running:
            batch.cancel()
        self._running.clear()
        self._shared.clear()  # the workers forget what nobody holds

    def submit(self, function: Callable[..., None], *arguments: Any) -> "_Batch":  # noqa: ANN401 - any
        """Start a batch; the last argument is the tally that its result goes to."""
        *rest, tally = arguments
        sent = [self._on_workers(a) if isinstance(a, tuple) else a for a in rest]
        name = (function.__module__, function.__name__)  # compiled there, never sent
        future = self.client.submit(_batch_on_worker, name, len(tally), *sent, pure=False)
        batch = _Batch(future, tally)
        self._running = [b for b in self._running if not b.is_over] + [batch]
        return batch

    def _on_workers(self, arrays: tuple[Any, ...]) -> Any:  # noqa: ANN401 - untyped package
        """Put a record of arrays on all workers, once."""
        key = id(arrays)
        if key not in self._shared:
            record = _Record(type(arrays), tuple(arrays))
            future = self.client.scatter(record, broadcast=True, hash=False)
            self._shared[key] = (arrays, future)  # holding it keeps its id its own
        return self._shared[key][1]


def _wait_for_a_worker(client: Any) -> None:  # noqa: ANN401 - untyped package
    try:
        client.wait_for_workers(1, timeout=WAIT_S)
    except TimeoutError as error:
        raise DeviceError(
            f"the scheduler {client.scheduler.address} had no worker for {WAIT_S:g} s; start one"
            " with `dask worker`"
        ) from error


class _Batch:
    """A batch under way; like a `concurrent.futures.Future` as far as the engine asks."""

    def __init__(self, future: Any, tally: FloatArray) -> None:  # noqa: ANN401 - untyped package
        self.future: Any = future
        self.tally = tally
        self.is_over = False

    def result(self) -> None:
        """Wait, and put the tally where the caller wants it."""
        distributed = load_distributed()
        try:
            self.tally[:] = self.future.result()
        except (distributed.scheduler.KilledWorker, distributed.client.FuturesCancelledError) as e:
            raise DeviceError(
                f"the cluster lost a part of the exam ({type(e).__name__}: {e}); run it again"
            ) from e
        self.is_over = True
        self.future = None  # the worker may forget it

    def cancel(self) -> bool:
        """Do not want it any more."""
        if self.future is not None:
            self.future.cancel()
        self.is_over = True
        return True


@dataclass(frozen=True, slots=True)
class _Record:
    """A named tuple taken apart, so that Dask looks into neither it nor its arrays."""

    kind: type
    values: tuple[Any, ...]

    def whole(self) -> tuple[Any, ...]:
        """Put it together, with arrays of our own: those from the network are read-only."""
        values = (np.array(v) if isinstance(v, np.ndarray) else v for v in self.values)
        return cast("tuple[Any, ...]", self.kind(*values))


def _batch_on_worker(name: tuple[str, str], n_bins: int, *arguments: Any) -> FloatArray:  # noqa: ANN401
    """Compute one batch; runs on a worker."""
    function = getattr(import_module(name[0]), name[1])
    tally = np.zeros(n_bins)
    own = [a.whole() if isinstance(a, _Record) else a for a in arguments]
    function(*own, tally)
    return tally

"""Run batches of histories on a GPU: many in one launch, counted in their order.

The batches, their numbers and their histories are those of the CPU. Tallies, sums of regions and
sums over batches stay on the GPU; per launch only the energies of the regions come back.
"""

from typing import Any

import numpy as np
import scipy.sparse
from numba import cuda

from milligray.errors import TransportError
from milligray.physics.interactions import PhotonTables
from milligray.source.emission_tables import EmissionTables
from milligray.transport.monte_carlo import cuda_kernels as kernels
from milligray.transport.monte_carlo.batches import BatchSums, OnBatch
from milligray.transport.monte_carlo.devices import is_simulated
from milligray.transport.monte_carlo.tally import quanta_per_kev
from milligray.transport.monte_carlo.voxels import Matter
from milligray.typing import FloatArray

THREADS_PER_BLOCK = 128
BLOCKS_PER_MULTIPROCESSOR = 4
"""Resident at once with `cuda_kernels.MAX_REGISTERS` registers a thread."""
LAUNCH_HISTORIES = 2**21
"""A launch takes as many batches as give this many histories; batches beyond the end are lost."""
LAUNCH_BYTES = 2**30
MAX_GRID_ROWS = 65535
"""What CUDA allows; a batch is a row."""
REGION_PARTS = 256


def run_batches_on_gpu(
    emission: EmissionTables,
    matter: Matter,
    tables: PhotonTables,
    *,
    estimator: int,
    seed: int,
    batch_histories: int,
    max_energy_kev: float,
    n_bins: int,
    regions: scipy.sparse.csr_matrix | None,
    keep_bins: bool,
    on_batch: OnBatch,
    max_batches: int,
) -> BatchSums:
    """Do what `run_batches` does, on the GPU.

    Raises
    ------
    TransportError
        If a bin of the fixed-point tally overflowed.
    """
    scale = quanta_per_kev(batch_histories, max_energy_kev)
    group = batches_per_launch(batch_histories, n_bins, max_batches)
    records = _to_device(emission), _to_device(matter), _to_device(tables)
    bins = cuda.device_array(group * n_bins, dtype=np.int64)
    total, total_squared = (cuda.to_device(np.zeros(n_bins)) for _ in range(2))
    overflows = cuda.to_device(np.zeros(1, dtype=np.int32))
    region_sums = _RegionSums(regions, group)

    def flush(n_batches: int, n_counted: int) -> None:
        _launch(
            kernels.flush_batches, n_bins,
            bins, n_batches, n_counted, scale, total, total_squared, overflows,
        )  # fmt: skip

    flush(group, 0)
    done = 0
    go_on = True
    while go_on and done < max_batches:
        n = min(group, max_batches - done)
        kernels.launch(
            kernels.transport_batches, *_grid_of_batches(n, batch_histories),
            estimator, seed, done * batch_histories, batch_histories, *records, bins, n_bins, scale,
        )  # fmt: skip
        sums = region_sums(bins, n_bins, scale)
        counted = 0
        while go_on and counted < n:
            go_on = on_batch(done + counted, sums[counted][None])
            counted += 1
        flush(n, counted)
        done += counted
    if overflows.copy_to_host()[0]:
        raise TransportError("a voxel's tally overflowed; give more histories to fewer batches")
    empty = np.empty(0)
    return BatchSums(
        batches=done,
        total=total.copy_to_host() if keep_bins else empty,
        total_squared=total_squared.copy_to_host() if keep_bins else empty,
    )


def batches_per_launch(batch_histories: int, n_bins: int, max_batches: int) -> int:
    """Batches whose histories fill a GPU and whose tallies fit on it."""
    to_fill = -(-LAUNCH_HISTORIES // batch_histories)
    to_fit = max(1, LAUNCH_BYTES // (8 * n_bins))
    return max(1, min(to_fill, to_fit, max_batches, MAX_GRID_ROWS))


class _RegionSums:
    """Energies of the regions in every batch of a launch [keV]."""

    def __init__(self, regions: scipy.sparse.csr_matrix | None, n_batches: int) -> None:
        if regions is None or regions.shape[0] == 0:
            self.nothing = np.empty((n_batches, 0))
            self.shape: tuple[int, int] | None = None
            return
        self.shape = n_batches, regions.shape[0]
        self.matrix = (
            cuda.to_device(regions.indptr.astype(np.int64)),
            cuda.to_device(regions.indices.astype(np.int32)),
            cuda.to_device(regions.data.astype(np.float64)),
        )
        self.parts = cuda.to_device(np.zeros((*self.shape, 2 if is_simulated() else REGION_PARTS)))
        self.sums = cuda.to_device(np.zeros(self.shape))

    def __call__(self, bins: Any, n_bins: int, scale: float) -> FloatArray:  # noqa: ANN401
        if self.shape is None:
            return self.nothing
        _launch(kernels.sum_regions, self.parts.size, bins, n_bins, scale, *self.matrix, self.parts)
        _launch(kernels.sum_parts, self.sums.size, self.parts, self.sums)
        return np.asarray(self.sums.copy_to_host())


def _to_device(record: Any) -> Any:  # noqa: ANN401 - any record of the kernels
    """Copy the arrays of a record to the GPU; numbers go with every launch."""

    def moved(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, np.ndarray):
            return cuda.to_device(value)
        return value.item() if isinstance(value, np.generic) else value

    return type(record)(*map(moved, record))


def _grid_of_batches(n_batches: int, batch_histories: int) -> Any:  # noqa: ANN401
    """Grid and block: a row of blocks a batch, together what the GPU holds at once."""
    if is_simulated():
        return (2, n_batches), (1, 1)
    fair = max(1, _resident_blocks() // n_batches)
    return (min(fair, -(-batch_histories // THREADS_PER_BLOCK)), n_batches), (THREADS_PER_BLOCK, 1)


def _launch(function: Any, n_tasks: int, *arguments: Any) -> None:  # noqa: ANN401
    """Start a kernel whose threads share out the tasks."""
    if is_simulated():
        blocks, threads = min(3, n_tasks), 1
    else:
        blocks, threads = min(-(-n_tasks // 128), 4 * _resident_blocks()), 128
    kernels.launch(function, blocks, threads, *arguments)


def _resident_blocks() -> int:
    """Blocks of the histories' kernel that the GPU holds at once."""
    return int(BLOCKS_PER_MULTIPROCESSOR * cuda.get_current_device().MULTIPROCESSOR_COUNT)

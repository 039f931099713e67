"""CUDA kernels: histories, sums over regions, sums over batches. The physics is elsewhere.

Plain functions here; `compiled` makes kernels of them. Compiling needs no device until a kernel
is launched.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import cuda

from milligray.physics.compiled import sources_stamp
from milligray.physics.interactions import PhotonTables
from milligray.source.emission_tables import EmissionTables
from milligray.transport.monte_carlo.devices import is_simulated
from milligray.transport.monte_carlo.history import STACK_SHAPE, run_histories
from milligray.transport.monte_carlo.tally import FixedPointTally
from milligray.transport.monte_carlo.voxels import Matter

MAX_REGISTERS = 128
"""Four blocks of 128 threads fill the registers of a multiprocessor."""

Quanta = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]


def transport_batches(
    estimator: int, seed: int, first_history: int, batch_histories: int,
    source: EmissionTables, matter: Matter, tables: PhotonTables,
    bins: Quanta, n_bins: int, quanta_per_kev: float,
) -> None:  # fmt: skip
    """Run the histories of a batch in every row of the grid."""
    place, batch = cuda.grid(2)
    first = first_history + batch * batch_histories
    run_histories(
        estimator, np.uint64(seed), first + place, first + batch_histories,
        cuda.gridDim.x * cuda.blockDim.x, source, matter, tables,
        cuda.local.array(STACK_SHAPE, np.float64),
        FixedPointTally(bins, batch * n_bins, quanta_per_kev),
    )  # fmt: skip


def sum_regions(
    bins: Quanta, n_bins: int, quanta_per_kev: float,
    start: Indices, voxel: Indices, weight: Floats, parts: Floats,
) -> None:  # fmt: skip
    """Sum weight x energy over the voxels of every region (CSR rows), in parts of fixed order."""
    n_batches, n_regions, n_parts = parts.shape
    for task in range(cuda.grid(1), n_batches * n_regions * n_parts, cuda.gridsize(1)):
        part = task % n_parts
        region = task // n_parts % n_regions
        batch = task // n_parts // n_regions
        total = 0.0
        for entry in range(start[region] + part, start[region + 1], n_parts):
            total += weight[entry] * (bins[batch * n_bins + voxel[entry]] / quanta_per_kev)
        parts[batch, region, part] = total


def sum_parts(parts: Floats, sums: Floats) -> None:
    """Add up the parts of every region."""
    n_batches, n_regions, n_parts = parts.shape
    for task in range(cuda.grid(1), n_batches * n_regions, cuda.gridsize(1)):
        batch = task // n_regions
        region = task % n_regions
        total = 0.0
        for part in range(n_parts):
            total += parts[batch, region, part]
        sums[batch, region] = total


def flush_batches(
    bins: Quanta, n_batches: int, n_counted: int, quanta_per_kev: float,
    total: Floats, total_squared: Floats, overflows: Indices,
) -> None:  # fmt: skip
    """Add the first batches to the sums of values and of squares, in their order; clear all."""
    n_bins = total.shape[0]
    for i in range(cuda.grid(1), n_bins, cuda.gridsize(1)):
        for batch in range(n_batches):
            quanta = bins[batch * n_bins + i]
            bins[batch * n_bins + i] = 0
            if batch < n_counted:
                if quanta < 0:
                    overflows[0] = 1
                value = quanta / quanta_per_kev
                total[i] += value
                total_squared[i] += value * value


def launch(function: Callable[..., None], grid: Any, block: Any, *arguments: Any) -> None:  # noqa: ANN401
    """Start one of the functions above as a kernel; small grids are meant to be small."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Grid size .* under-utilization")
        compiled(function)[grid, block](*arguments)


@cache
def compiled(function: Callable[..., None]) -> Any:  # noqa: ANN401 - a Numba dispatcher
    """Kernel of one of the functions above, kept on disk as the CPU code is."""
    if is_simulated():
        return cuda.jit(function)
    options = {"max_registers": MAX_REGISTERS} if function is transport_batches else {}
    try:
        kernel = cuda.jit(cache=True, **options)(function)
    except RuntimeError:  # no place to write a cache: compile in every process
        return cuda.jit(**options)(function)
    cache_file = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    if cache_file is not None:
        cache_file._source_stamp = sources_stamp()
    return kernel

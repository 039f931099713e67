"""The atomic score of a GPU; imported only where CUDA code is compiled or simulated."""

import numpy as np
from numba import cuda

from milligray.transport.monte_carlo.tally import CompiledTally


def atomic_add(tally: CompiledTally, index: int | np.uint64, energy_kev: float) -> None:
    """Add a whole number of quanta: in any order the same sum."""
    quanta = np.int64(energy_kev * tally.quanta_per_kev + 0.5)
    cuda.atomic.add(tally.bins, tally.first_bin + index, quanta)


def simulated_add(tally: CompiledTally, index: int | np.uint64, energy_kev: float) -> None:
    """Do the same in Numba's CUDA simulator."""
    cuda.jit(device=True)(atomic_add)(tally, index, energy_kev)

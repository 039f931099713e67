"""A batch of histories on a CPU; the physics is elsewhere.

One call runs one batch on one thread; it releases the GIL, so batches run side by side.
"""

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import kernel
from milligray.physics.interactions import PhotonTables
from milligray.source.emission_tables import EmissionTables
from milligray.transport.monte_carlo.history import run_histories
from milligray.transport.monte_carlo.voxels import Matter


@kernel
def run_batch(
    estimator: int,
    seed: int,
    first_history: int,
    n_histories: int,
    source: EmissionTables,
    matter: Matter,
    tables: PhotonTables,
    stack: npt.NDArray[np.float64],
    tally: npt.NDArray[np.float64],
) -> None:
    """Add the energy deposit [keV] of histories ``first_history ...`` to the tally bins."""
    run_histories(
        estimator, np.uint64(seed), first_history, first_history + n_histories, 1,
        source, matter, tables, stack, tally,
    )  # fmt: skip

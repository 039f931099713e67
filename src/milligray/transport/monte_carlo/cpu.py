"""CPU loops over histories: index, history, tally. The physics is elsewhere.

One call runs one batch on one thread; it releases the GIL, so batches run side by side.
"""

import math

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import kernel
from milligray.physics.geometry import rotate
from milligray.physics.interactions import PhotonTables, grid_position, interact
from milligray.physics.random import uniform4
from milligray.source.emission import EmissionTables, emit
from milligray.transport.monte_carlo.flight import (
    Matter,
    enter_box,
    march_flight,
    tally_index,
    unpack_material,
    woodcock_flight,
)

ANALOGUE, TRACK_LENGTH = 0, 1


@kernel
def run_batch(
    estimator: int,
    seed: int,
    first_history: int,
    n_histories: int,
    source: EmissionTables,
    matter: Matter,
    tables: PhotonTables,
    tally: npt.NDArray[np.float64],
) -> None:
    """Add the energy deposit [keV] of histories ``first_history ...`` to the tally bins."""
    key = np.uint64(seed)
    for number in range(first_history, first_history + n_histories):
        history = np.uint64(number)
        x, y, z, u, v, w, energy, draw = emit(source, key, history)
        inside = False
        while energy > 0.0:
            xi_flight, xi_type, xi_angle, xi_azimuth = uniform4(key, history, draw)
            row, fraction = grid_position(tables, energy)
            xi_row = 65536.0 * xi_azimuth % 1.0  # the azimuth leaves its lower 16 bits unused
            draw += 1
            if not inside:
                status, x, y, z = enter_box(
                    matter, tables, x, y, z, u, v, w, row, fraction, xi_flight
                )
                if status < 0:
                    break
                inside = status == 1
                material = matter.ambient_material
                voxel = -1
                if inside:
                    continue
            else:
                if estimator == 1 or matter.has_outliers:
                    voxel, x, y, z = march_flight(
                        matter, tables, tally, x, y, z, u, v, w, energy, row, fraction,
                        -math.log(xi_flight), estimator == 1,
                    )  # fmt: skip
                else:
                    voxel, x, y, z, draw = woodcock_flight(
                        matter, tables, x, y, z, u, v, w, row, fraction, key, history, draw
                    )
                if voxel < 0:
                    break
                material = unpack_material(matter.voxels[voxel])
            energy_new, cos_polar = interact(
                tables, energy, row, fraction, material, xi_type, xi_angle, xi_row
            )
            if estimator == 0 and voxel >= 0:
                tally[tally_index(matter, voxel)] += energy - energy_new
            u, v, w = rotate(u, v, w, cos_polar, xi_azimuth)
            energy = energy_new

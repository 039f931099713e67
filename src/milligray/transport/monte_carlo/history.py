"""Histories, one after the other: the same compiled function on every device.

A history is one photon, or several where the weight window splits it: the one that flies, and
those that wait on a small stack, each with a stream of random numbers of its own.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import physics
from milligray.physics.geometry import rotate
from milligray.physics.interactions import PhotonTables, grid_position, interact
from milligray.physics.random import uniform4
from milligray.source.emission import emit
from milligray.source.emission_tables import EmissionTables
from milligray.transport.monte_carlo.flight import (
    enter_box,
    local_woodcock_flight,
    march_flight,
    woodcock_flight,
)
from milligray.transport.monte_carlo.tally import Tally, add_to_tally
from milligray.transport.monte_carlo.voxels import (
    Matter,
    tally_index,
    unpack_material,
    window_weight,
)

ANALOGUE, TRACK_LENGTH, TENTATIVE_COLLISION = 0, 1, 2
"""Estimators."""
FLYING, OUTSIDE = -1, -2
"""Values of ``Photon.cell``."""
STACK_SHAPE = (32, 10)
"""Waiting photons; place, direction, energy, weight, cell, branch."""

Stack = npt.NDArray[np.float64]


class Photon(NamedTuple):
    """A photon, and where its history stands.

    Parameters
    ----------
    x, y, z : float [cm]
    u, v, w : float
        Unit direction.
    energy_kev : float
        0: this history is over.
    weight : float
    cell : int
        Where it is about to collide; `FLYING`: inside the box; `OUTSIDE`: not yet at the box.
    draw : int
        Next block of random numbers.
    branch : int
        Its stream of random numbers within the history; the source photon has 0.
    branches, waiting : int
        Streams given away so far in this history; photons on the stack.
    """

    x: float
    y: float
    z: float
    u: float
    v: float
    w: float
    energy_kev: float
    weight: float
    cell: int
    draw: int
    branch: int
    branches: int
    waiting: int


@physics
def emitted(source: EmissionTables, key: np.uint64, history: np.uint64) -> Photon:
    """Photon that the source emits at the beginning of a history."""
    x, y, z, u, v, w, energy, draw = emit(source, key, history)
    return Photon(x, y, z, u, v, w, energy, 1.0, OUTSIDE, draw, 0, 0, 0)


@physics
def next_waiting(stack: Stack, branches: int, waiting: int) -> Photon:
    """Take the photon on top of the stack; without one, the history is over."""
    if waiting == 0:
        return Photon(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, FLYING, 0, 0, branches, 0)
    p = stack[waiting - 1]
    return Photon(
        p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], int(p[8]), 0, int(p[9]),
        branches, waiting - 1,
    )  # fmt: skip


@physics
def put_on_stack(
    stack: Stack, place: int,
    x: float, y: float, z: float, u: float, v: float, w: float, energy_kev: float,
    weight: float, cell: int, branch: int,
) -> None:  # fmt: skip
    """Let a photon wait that is about to collide."""
    p = stack[place]
    p[0], p[1], p[2], p[3], p[4], p[5] = x, y, z, u, v, w
    p[6], p[7], p[8], p[9] = energy_kev, weight, float(cell), float(branch)


@physics
def next_event(
    estimator: int, key: np.uint64, history: np.uint64,
    matter: Matter, tables: PhotonTables, stack: Stack, tally: Tally, photon: Photon,
) -> Photon:  # fmt: skip
    """Bring a photon to the box, or to its next collision and through it, and score."""
    x, y, z, u, v, w, energy, weight, cell, draw, branch, branches, waiting = photon
    xi_flight, xi_type, xi_angle, xi_azimuth = uniform4(key, history, draw, branch)
    row, fraction = grid_position(tables, energy)
    xi_row = 65536.0 * xi_azimuth % 1.0  # the azimuth leaves its lower 16 bits unused
    draw += 1
    next_cell = FLYING
    if cell == OUTSIDE:
        status, x, y, z = enter_box(matter, tables, x, y, z, u, v, w, row, fraction, xi_flight)
        if status < 0:
            return next_waiting(stack, branches, waiting)
        if status == 1:
            return Photon(x, y, z, u, v, w, energy, weight, FLYING, draw, branch, branches, waiting)
        next_cell = OUTSIDE
    elif cell == FLYING:
        if estimator == 1:
            cell, x, y, z = march_flight(
                matter, tables, tally, x, y, z, u, v, w, energy * weight, row, fraction,
                -math.log(xi_flight),
            )  # fmt: skip
        elif matter.block_level.shape[0] > 0:
            cell, x, y, z, draw = local_woodcock_flight(
                matter, tables, tally, x, y, z, u, v, w, energy * weight, row, fraction,
                key, history, draw, branch, estimator == 2,
            )  # fmt: skip
        else:
            cell, x, y, z, draw = woodcock_flight(
                matter, tables, tally, x, y, z, u, v, w, energy * weight, row, fraction,
                key, history, draw, branch, estimator == 2,
            )  # fmt: skip
        if cell < 0:
            return next_waiting(stack, branches, waiting)
        if matter.window_per_cm > 0.0 and estimator != 0:
            target = window_weight(matter, z)
            if weight < 0.5 * target:
                xi_survival, _, _, _ = uniform4(key, history, draw, branch)
                draw += 1
                if xi_survival * target >= weight:
                    return next_waiting(stack, branches, waiting)
                weight = target
            copies = min(int(weight / target), stack.shape[0] - waiting + 1)
            if copies > 1:
                weight /= copies
                for _ in range(1, copies):
                    branches += 1
                    put_on_stack(stack, waiting, x, y, z, u, v, w, energy, weight, cell, branches)
                    waiting += 1
    material = matter.ambient_material
    if cell >= 0:
        material = unpack_material(matter.words[np.uint64(cell)])
    energy_new, cos_polar = interact(
        tables, energy, row, fraction, material, xi_type, xi_angle, xi_row
    )
    if estimator == 0 and cell >= 0:
        add_to_tally(tally, tally_index(matter, np.uint64(cell)), energy - energy_new)
    if energy_new <= 0.0:
        return next_waiting(stack, branches, waiting)
    u, v, w = rotate(u, v, w, cos_polar, xi_azimuth)
    return Photon(
        x, y, z, u, v, w, energy_new, weight, next_cell, draw, branch, branches, waiting
    )  # fmt: skip


@physics
def run_histories(
    estimator: int, key: np.uint64, number: int, end: int, stride: int,
    source: EmissionTables, matter: Matter, tables: PhotonTables, stack: Stack, tally: Tally,
) -> None:  # fmt: skip
    """Add the energy deposit [keV] of histories ``number, number + stride, ... < end`` to a tally.

    One loop over events, not histories with a loop inside: on a GPU a thread whose photon is gone
    starts its next one while its neighbors go on with theirs.
    """
    history = key
    photon = next_waiting(stack, 0, 0)
    while True:
        if not photon.energy_kev > 0.0:
            if number >= end:
                return
            history = np.uint64(number)
            number += stride
            photon = emitted(source, key, history)
        photon = next_event(estimator, key, history, matter, tables, stack, tally, photon)

"""How electrons and positrons end: at rest in a voxel, by annihilation, with a last photon."""

import math

import numpy as np
import numpy.typing as npt

from milligray.physics import charged as ch
from milligray.physics.charged import (
    ChargedTables,
    annihilation_photons,
    charged_position,
    charged_value,
    sample_photon_kev,
)
from milligray.physics.compiled import physics, routine
from milligray.physics.geometry import rotate
from milligray.physics.interactions import ELECTRON_REST_KEV
from milligray.physics.random import uniform4
from milligray.transport.monte_carlo.tally import Tally, add_to_tally
from milligray.transport.monte_carlo.voxels import Matter, tally_index, unpack_material

ELECTRON, POSITRON, PHOTON = 0, 1, 2
"""Kinds of particles."""
PARTICLE_STACK_SHAPE = (96, 9)
"""Particles that wait; place, direction, energy, weight, kind."""

Stack = npt.NDArray[np.float64]


@physics
def push(
    stack: Stack, waiting: int,
    x: float, y: float, z: float, u: float, v: float, w: float,
    energy_kev: float, weight: float, kind: int,
) -> int:  # fmt: skip
    """Let a particle wait; returns how many wait then. A full stack takes no more."""
    if waiting >= stack.shape[0]:
        return waiting
    p = stack[waiting]
    p[0], p[1], p[2], p[3], p[4], p[5] = x, y, z, u, v, w
    p[6], p[7], p[8] = energy_kev, weight, float(kind)
    return waiting + 1


@routine
def annihilate(
    stack: Stack, waiting: int, key: np.uint64, history: np.uint64, draw: int,
    x: float, y: float, z: float, u: float, v: float, w: float,
    energy_kev: float, weight: float, copies: int,
) -> tuple[int, int]:  # fmt: skip
    """Two photons of a positron, at rest or in flight; returns how many wait, and the next draw.

    At rest they may be several pairs of so much less weight, in independent directions.
    """
    if energy_kev <= 0.0:
        weight /= copies
        for _ in range(copies):
            xi_polar, xi_azimuth, _, _ = uniform4(key, history, draw)
            draw += 1
            u, v, w = rotate(0.0, 0.0, 1.0, 2.0 * xi_polar - 1.0, xi_azimuth)
            waiting = push(stack, waiting, x, y, z, u, v, w, ELECTRON_REST_KEV, weight, 2)
            waiting = push(stack, waiting, x, y, z, -u, -v, -w, ELECTRON_REST_KEV, weight, 2)
        return waiting, draw
    while True:
        xi_share, xi_accept, xi_azimuth, _ = uniform4(key, history, draw)
        draw += 1
        energy_1, energy_2, cos_1, cos_2 = annihilation_photons(energy_kev, xi_share, xi_accept)
        if energy_1 > 0.0:
            break
    u_1, v_1, w_1 = rotate(u, v, w, cos_1, xi_azimuth)
    u_2, v_2, w_2 = rotate(u, v, w, cos_2, (xi_azimuth + 0.5) % 1.0)
    waiting = push(stack, waiting, x, y, z, u_1, v_1, w_1, energy_1, weight, 2)
    waiting = push(stack, waiting, x, y, z, u_2, v_2, w_2, energy_2, weight, 2)
    return waiting, draw


@routine
def row_of_event(
    tables: ChargedTables, particle: int, material: int, column: int, row: int, wanted: float
) -> int:
    """Row of the energy at which a cumulative column reaches a value, at most `row`."""
    low, high = 0, row + 1
    while high - low > 1:
        middle = (low + high) >> 1
        if tables.values[particle, middle, material, column] <= wanted:
            low = middle
        else:
            high = middle
    return low


@routine
def stop_here(
    matter: Matter, tables: ChargedTables, stack: Stack, tally: Tally, waiting: int,
    key: np.uint64, history: np.uint64, draw: int, particle: int, cell: np.uint64,
    x: float, y: float, z: float, u: float, v: float, w: float,
    energy_kev: float, weight: float,
) -> tuple[int, int]:  # fmt: skip
    """End a particle in its voxel; a photon, or an annihilation, of its last way may leave it."""
    xi_event, xi_when, xi_energy, xi_row = uniform4(key, history, draw)
    xi_polar, xi_azimuth, _, _ = uniform4(key, history, draw + 1)
    draw += 2
    deposit = energy_kev
    material = unpack_material(matter.words[cell])
    is_positron = particle == 1
    if energy_kev > tables.absorption_kev:
        row, fraction = charged_position(tables, energy_kev)
        photons = charged_value(tables, particle, row, fraction, material, ch.PHOTONS_TO_STOP)
        flights = 0.0
        if is_positron:
            flights = charged_value(
                tables, particle, row, fraction, material, ch.ANNIHILATIONS_TO_STOP
            )
        if xi_event < photons + flights:
            u, v, w = rotate(0.0, 0.0, 1.0, 2.0 * xi_polar - 1.0, xi_azimuth)
            is_photon = xi_event < photons
            column = ch.PHOTONS_TO_STOP if is_photon else ch.ANNIHILATIONS_TO_STOP
            wanted = xi_when * (photons if is_photon else flights)
            then = row_of_event(tables, particle, material, column, row, wanted)
            at = math.exp(tables.log_energy_min + (then + 0.5) / tables.inverse_log_step)
            at = min(at, energy_kev)
            if is_photon:
                at = max(at, 1.01 * tables.photon_cutoff_kev)
                photon = sample_photon_kev(tables, then, 0.5, at, xi_energy, xi_row)
                photon = min(photon, energy_kev)
                deposit -= photon
                waiting = push(stack, waiting, x, y, z, u, v, w, photon, weight, 2)
            else:
                deposit -= at
                waiting, draw = annihilate(
                    stack, waiting, key, history, draw, x, y, z, u, v, w, at, weight, 1
                )
                is_positron = False
    add_to_tally(tally, tally_index(matter, cell), weight * deposit)
    if is_positron:
        waiting, draw = annihilate(
            stack, waiting, key, history, draw, x, y, z, u, v, w, 0.0, weight,
            tables.annihilation_copies,
        )  # fmt: skip
    return waiting, draw

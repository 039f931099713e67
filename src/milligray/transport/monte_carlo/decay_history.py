"""Histories of radioactive decay: one emission each, with all the particles that follow from it.

Photons score by their track length, as everywhere in this engine: the expected energy that they
give to electrons, where they give it. Where the way of those electrons matters, the energy is
taken back at every collision whose electron can leave its voxel, and is scored along the
electron's path instead: the expectation stays exact, and where electrons stay in their voxel
nothing is lost of the small variance.
"""

import math
from typing import NamedTuple

import numpy as np

from milligray.physics import charged as ch
from milligray.physics.charged import (
    ChargedTables,
    charged_position,
    charged_value,
    photon_cosine,
)
from milligray.physics.compiled import kernel, physics, routine
from milligray.physics.geometry import rotate
from milligray.physics.interactions import (
    ELECTRON_REST_KEV,
    PhotonTables,
    grid_position,
    interact,
    interpolate,
)
from milligray.physics.random import uniform4
from milligray.source.decay_tables import DecayTables, emit_decay
from milligray.transport.monte_carlo.charged_end import Stack, annihilate, push
from milligray.transport.monte_carlo.charged_flight import (
    cell_at_place,
    follow_charged,
    nearest_face_cm,
)
from milligray.transport.monte_carlo.flight import march_flight
from milligray.transport.monte_carlo.tally import Tally, add_to_tally
from milligray.transport.monte_carlo.voxels import (
    Matter,
    tally_index,
    unpack_density,
    unpack_material,
)

LOCAL, PRIMARIES, ALL = 0, 1, 2
"""Charged particles that travel: none; those that the nuclide emits; also the photons'."""


RANGE_G_CM2, RANGE_POWER = 0.412, 1.35
"""Range of an electron of 1 MeV [g/cm2], and how it grows with the energy, roughly."""


class DecayPhysics(NamedTuple):
    """Interaction tables of photons and of charged particles, of the same materials."""

    photons: PhotonTables
    charged: ChargedTables


@physics
def density_of(word: np.uint32) -> float:
    """Density of a packed word [g/cm3], in float64."""
    return float(unpack_density(word))


@physics
def baseline_limit_kev(matter: Matter, density: float) -> float:
    """Whole keV up to which most charged particles stay in a voxel of this density.

    By `RANGE_G_CM2`, a rule of thumb: the mean does not depend on it.
    """
    mass_path = density * min(matter.dx, matter.dy, matter.dz)
    return float(math.floor(1e3 * (mass_path / RANGE_G_CM2) ** (1.0 / RANGE_POWER)))


@routine
def pair_value(tables: PhotonTables, row: int, fraction: float, material: int) -> float:
    """Pair-production coefficient between two energy rows [cm2/g]; 0 without tables of it."""
    if tables.pair_rho.shape[0] == 0:
        return 0.0
    low = float(tables.pair_rho[row, material])
    return low + fraction * (float(tables.pair_rho[row + 1, material]) - low)


@routine
def free_electron(
    matter: Matter, tables: ChargedTables, stack: Stack, tally: Tally, waiting: int,
    cell: np.uint64, material: int, particle: int,
    x: float, y: float, z: float, u: float, v: float, w: float,
    energy_kev: float, weight: float,
) -> int:  # fmt: skip
    """Take back what the photon scored for an electron that may leave its voxel, and let it wait.

    Returns how many wait; an electron that stays in its voxel changes nothing.
    """
    if energy_kev <= tables.absorption_kev:
        return waiting
    row, fraction = charged_position(tables, energy_kev)
    reach = charged_value(tables, particle, row, fraction, material, ch.RANGE)
    density = density_of(matter.words[cell])
    if reach < nearest_face_cm(matter, x, y, z) * density:
        return waiting
    before = waiting
    waiting = push(stack, waiting, x, y, z, u, v, w, energy_kev, weight, particle)
    if waiting > before:
        add_to_tally(tally, tally_index(matter, cell), -weight * energy_kev)
    return waiting


@routine
def follow_photon(
    mode: int, matter: Matter, data: DecayPhysics, stack: Stack, tally: Tally, waiting: int,
    key: np.uint64, history: np.uint64, draw: int,
    x: float, y: float, z: float, u: float, v: float, w: float,
    energy_kev: float, weight: float,
) -> tuple[int, int]:  # fmt: skip
    """Bring a photon to its end; the particles it sets free wait on the stack.

    Returns
    -------
    waiting : int
        Particles on the stack.
    draw : int
        Next block of random numbers.
    """
    tables = data.photons
    energy = energy_kev
    while energy > tables.cutoff_kev:
        xi_flight, xi_type, xi_angle, xi_azimuth = uniform4(key, history, draw)
        draw += 1
        xi_row = 65536.0 * xi_azimuth % 1.0  # the azimuth leaves its lower 16 bits unused
        row, fraction = grid_position(tables, energy)
        place, x, y, z = march_flight(
            matter, tables, tally, x, y, z, u, v, w, energy * weight, row, fraction,
            -math.log(xi_flight),
        )  # fmt: skip
        if place < 0:
            return waiting, draw
        cell = np.uint64(place)
        material = unpack_material(matter.words[cell])
        total = interpolate(tables.mu_rho, row, fraction, material, 0)
        pair = pair_value(tables, row, fraction, material)
        if pair > 0.0 and xi_type * total >= total - pair:
            kinetic = energy - 2.0 * ELECTRON_REST_KEV
            if mode < 2 or kinetic <= 0.0:
                return annihilate(
                    stack, waiting, key, history, draw, x, y, z, u, v, w, 0.0, weight, 1
                )
            xi_1, xi_2, xi_3, _ = uniform4(key, history, draw)
            draw += 1
            positron = xi_angle * kinetic
            for particle in range(2):
                share = positron if particle == 1 else kinetic - positron
                cosine = photon_cosine(max(share, 1e-3), xi_1 if particle == 1 else xi_2)
                turn = xi_3 if particle == 1 else (xi_3 + 0.5) % 1.0
                u_2, v_2, w_2 = rotate(u, v, w, cosine, turn)
                before = waiting
                waiting = free_electron(
                    matter, data.charged, stack, tally, waiting, cell, material, particle,
                    x, y, z, u_2, v_2, w_2, share, weight,
                )  # fmt: skip
                if particle == 1 and waiting == before:
                    waiting, draw = annihilate(
                        stack, waiting, key, history, draw, x, y, z, u, v, w, 0.0, weight, 1
                    )
            return waiting, draw
        compton = interpolate(tables.mu_rho, row, fraction, material, 3)
        energy_new, cosine = interact(
            tables, energy, row, fraction, material, xi_type, xi_angle, xi_row
        )
        transferred = energy - energy_new
        if mode == 2 and transferred > data.charged.absorption_kev:
            if xi_type * total < compton:
                momentum = math.sqrt(transferred * (transferred + 2.0 * ELECTRON_REST_KEV))
                cos_electron = min(max((energy - energy_new * cosine) / momentum, -1.0), 1.0)
                turn = (xi_azimuth + 0.5) % 1.0
            else:
                xi_1, xi_2, _, _ = uniform4(key, history, draw)
                draw += 1
                cos_electron = photon_cosine(transferred, xi_1)
                turn = xi_2
            u_2, v_2, w_2 = rotate(u, v, w, cos_electron, turn)
            waiting = free_electron(
                matter, data.charged, stack, tally, waiting, cell, material, 0,
                x, y, z, u_2, v_2, w_2, transferred, weight,
            )  # fmt: skip
        if energy_new <= 0.0:
            return waiting, draw
        u, v, w = rotate(u, v, w, cosine, xi_azimuth)
        energy = energy_new
    return waiting, draw


@kernel
def run_decay_batch(
    mode: int,
    seed: int,
    first_history: int,
    n_histories: int,
    source: DecayTables,
    matter: Matter,
    data: DecayPhysics,
    stack: Stack,
    tally: Tally,
) -> None:
    """Add the energy deposit [keV per decay] of histories ``first_history ...`` to the bins.

    Of electrons and positrons that the nuclide emits with less than `baseline_limit_kev`: what they
    deposit less what they were born with, where they were born. The mean of the latter is known
    without noise (the engine adds it), so only those that leave their voxel are left to chance.
    """
    key = np.uint64(seed)
    for number in range(first_history, first_history + n_histories):
        history = np.uint64(number)
        x, y, z, u, v, w, energy, weight, kind, draw = emit_decay(source, key, history)
        waiting = 0
        is_primary = True
        while True:
            if kind == 2:
                waiting, draw = follow_photon(
                    mode, matter, data, stack, tally, waiting, key, history, draw,
                    x, y, z, u, v, w, energy, weight,
                )  # fmt: skip
            elif mode > 0:
                if is_primary:
                    cell = cell_at_place(matter, x, y, z)
                    if energy <= baseline_limit_kev(matter, density_of(matter.words[cell])):
                        add_to_tally(tally, tally_index(matter, cell), -weight * energy)
                waiting, draw = follow_charged(
                    matter, data.charged, stack, tally, waiting, key, history, draw, kind,
                    x, y, z, u, v, w, energy, weight,
                )  # fmt: skip
            elif kind == 1:
                waiting, draw = annihilate(
                    stack, waiting, key, history, draw, x, y, z, u, v, w, 0.0, weight,
                    data.charged.annihilation_copies,
                )  # fmt: skip
            is_primary = False
            if waiting == 0:
                break
            waiting -= 1
            p = stack[waiting]
            x, y, z, u, v, w, energy, weight = p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
            kind = int(p[8])

"""Electrons and positrons through voxels, step by step (condensed histories).

Between two collisions with a large loss or deflection the many small ones act together: the loss
is spread along the step, the deflection happens at a hinge at a random place of it. Steps are
measured in mass per area, so they run through voxels of any density; a step uses the tables of the
material in which it began. A particle that cannot leave its voxel any more deposits its energy
there, and may leave a bremsstrahlung photon or annihilate in flight with the probability that the
rest of its way has.
"""

import math

import numpy as np

from milligray.physics import charged as ch
from milligray.physics.charged import (
    ChargedTables,
    charged_position,
    charged_value,
    collision_cosines,
    hard_collision_kev,
    photon_cosine,
    sample_hard_deflection,
    sample_photon_kev,
    sample_soft_deflection,
    sample_soft_loss_kev,
)
from milligray.physics.compiled import physics, routine
from milligray.physics.geometry import rotate, voxel_of
from milligray.physics.random import uniform4
from milligray.transport.monte_carlo.charged_end import Stack, annihilate, push, stop_here
from milligray.transport.monte_carlo.tally import Tally, add_to_tally
from milligray.transport.monte_carlo.voxels import (
    BORDER,
    Matter,
    cell_of,
    tally_index,
    unpack_density,
    unpack_material,
)

_SMALLEST_COSINE = 1e-12


@physics
def cell_at_place(matter: Matter, x: float, y: float, z: float) -> np.uint64:
    """Cell at a place inside the box."""
    i = voxel_of(x, 1.0 / matter.dx, matter.nx)
    j = voxel_of(y, 1.0 / matter.dy, matter.ny)
    k = voxel_of(z, 1.0 / matter.dz, matter.nz)
    row = np.uint64(k + 1) * np.uint64(matter.ny + 2) + np.uint64(j + 1)
    return cell_of(matter, row * np.uint64(matter.nx + 2) + np.uint64(i + 1))


@physics
def nearest_face_cm(matter: Matter, x: float, y: float, z: float) -> float:
    """Distance to the nearest face of the voxel around a place [cm]."""
    a = x - voxel_of(x, 1.0 / matter.dx, matter.nx) * matter.dx
    b = y - voxel_of(y, 1.0 / matter.dy, matter.ny) * matter.dy
    c = z - voxel_of(z, 1.0 / matter.dz, matter.nz) * matter.dz
    nearest = min(a, matter.dx - a, b, matter.dy - b, c, matter.dz - c)
    return max(nearest, 0.0)


@routine
def drift(
    matter: Matter, tally: Tally,
    x: float, y: float, z: float, u: float, v: float, w: float,
    mass_path: float, deposit_kev: float,
) -> tuple[bool, float, float, float]:  # fmt: skip
    """Fly straight over a mass path [g/cm2] and spread a deposit along it.

    Returns
    -------
    is_inside : bool
        False if it left the box; what it had not yet deposited is gone with it.
    x, y, z : float [cm]
    """
    nx, ny, nz = matter.nx, matter.ny, matter.nz
    i = voxel_of(x, 1.0 / matter.dx, nx)
    j = voxel_of(y, 1.0 / matter.dy, ny)
    k = voxel_of(z, 1.0 / matter.dz, nz)
    inverse_u = 1.0 / max(abs(u), _SMALLEST_COSINE)
    inverse_v = 1.0 / max(abs(v), _SMALLEST_COSINE)
    inverse_w = 1.0 / max(abs(w), _SMALLEST_COSINE)
    next_x = max(0.0, (i + 1) * matter.dx - x if u > 0.0 else x - i * matter.dx) * inverse_u
    next_y = max(0.0, (j + 1) * matter.dy - y if v > 0.0 else y - j * matter.dy) * inverse_v
    next_z = max(0.0, (k + 1) * matter.dz - z if w > 0.0 else z - k * matter.dz) * inverse_w
    row_of_voxels = nx + 2
    slab = (nx + 2) * (ny + 2)
    voxel = (k + 1) * slab + (j + 1) * row_of_voxels + i + 1
    per_mass = deposit_kev / mass_path
    left = mass_path
    travelled = 0.0
    while True:
        cell = cell_of(matter, np.uint64(voxel))
        word = matter.words[cell]
        if unpack_material(word) == BORDER:
            return False, x + travelled * u, y + travelled * v, z + travelled * w
        density = unpack_density(word)
        crossing = min(next_x, next_y, next_z)
        segment = (crossing - travelled) * density
        if segment >= left:
            add_to_tally(tally, tally_index(matter, cell), per_mass * left)
            travelled += left / density
            return True, x + travelled * u, y + travelled * v, z + travelled * w
        add_to_tally(tally, tally_index(matter, cell), per_mass * segment)
        left -= segment
        travelled = crossing
        if next_x < next_y and next_x < next_z:
            voxel += 1 if u > 0.0 else -1
            next_x += matter.dx * inverse_u
        elif next_y < next_z:
            voxel += row_of_voxels if v > 0.0 else -row_of_voxels
            next_y += matter.dy * inverse_v
        else:
            voxel += slab if w > 0.0 else -slab
            next_z += matter.dz * inverse_w


@routine
def follow_charged(
    matter: Matter, tables: ChargedTables, stack: Stack, tally: Tally, waiting: int,
    key: np.uint64, history: np.uint64, draw: int, particle: int,
    x: float, y: float, z: float, u: float, v: float, w: float,
    energy_kev: float, weight: float,
) -> tuple[int, int]:  # fmt: skip
    """Bring an electron or positron to rest, or out of the box; its secondaries wait on the stack.

    Returns
    -------
    waiting : int
        Particles on the stack.
    draw : int
        Next block of random numbers.
    """
    energy = energy_kev
    while True:
        cell = cell_at_place(matter, x, y, z)
        word = matter.words[cell]
        density, material = unpack_density(word), unpack_material(word)
        if energy <= tables.absorption_kev:
            return stop_here(
                matter, tables, stack, tally, waiting, key, history, draw, particle, cell,
                x, y, z, u, v, w, energy, weight,
            )  # fmt: skip
        row, fraction = charged_position(tables, energy)
        reach = charged_value(tables, particle, row, fraction, material, ch.RANGE)
        if reach < nearest_face_cm(matter, x, y, z) * density:
            return stop_here(
                matter, tables, stack, tally, waiting, key, history, draw, particle, cell,
                x, y, z, u, v, w, energy, weight,
            )  # fmt: skip
        xi_step, xi_loss, xi_hinge, xi_part = uniform4(key, history, draw)
        xi_angle, xi_azimuth, xi_event, xi_hard = uniform4(key, history, draw + 1)
        draw += 2
        majorant = charged_value(tables, particle, row, fraction, material, ch.MAJORANT)
        longest = charged_value(tables, particle, row, fraction, material, ch.STEP)
        path = -math.log(xi_step) / majorant
        is_event = path < longest
        path = min(path, longest)
        # losses and deflections of the step at its middle energy
        loss = charged_value(tables, particle, row, fraction, material, ch.SOFT_LOSS) * path
        row, fraction = charged_position(tables, max(energy - 0.5 * loss, 0.5 * energy))
        loss = charged_value(tables, particle, row, fraction, material, ch.SOFT_LOSS) * path
        spread = charged_value(tables, particle, row, fraction, material, ch.SOFT_STRAGGLING)
        loss = sample_soft_loss_kev(loss, spread * path, xi_loss)
        if loss >= energy:
            path *= energy / loss
            loss = energy
            is_event = False
        inverse_1 = charged_value(tables, particle, row, fraction, material, ch.SOFT_TRANSPORT_1)
        inverse_2 = charged_value(tables, particle, row, fraction, material, ch.SOFT_TRANSPORT_2)
        cosine = sample_soft_deflection(path, inverse_1, inverse_2, xi_part, xi_angle)
        is_inside, x, y, z = drift(
            matter, tally, x, y, z, u, v, w, path * xi_hinge, weight * loss * xi_hinge
        )
        if not is_inside:
            return waiting, draw
        u, v, w = rotate(u, v, w, cosine, xi_azimuth)
        is_inside, x, y, z = drift(
            matter, tally, x, y, z, u, v, w, path * (1.0 - xi_hinge),
            weight * loss * (1.0 - xi_hinge),
        )  # fmt: skip
        if not is_inside:
            return waiting, draw
        energy -= loss
        if not is_event or energy <= tables.absorption_kev:
            continue
        cell = cell_at_place(matter, x, y, z)
        material = unpack_material(matter.words[cell])
        row, fraction = charged_position(tables, energy)
        chosen = xi_event * majorant
        chosen -= charged_value(tables, particle, row, fraction, material, ch.HARD_ELASTIC)
        xi_1, xi_2, xi_3, _ = uniform4(key, history, draw)
        draw += 1
        if chosen < 0.0:
            cosine = sample_hard_deflection(
                charged_value(tables, particle, row, fraction, material, ch.SCREENING),
                charged_value(tables, particle, row, fraction, material, ch.CUT_ANGLE),
                xi_hard,
            )
            u, v, w = rotate(u, v, w, cosine, xi_1)
            continue
        chosen -= charged_value(tables, particle, row, fraction, material, ch.HARD_COLLISION)
        if chosen < 0.0:
            cutoff = tables.collision_cutoff_kev
            largest = energy if particle == 1 else 0.5 * energy
            if largest <= cutoff:
                continue
            transferred = hard_collision_kev(particle, energy, cutoff, xi_hard, xi_1)
            while transferred <= 0.0:
                xi_hard, xi_1, xi_2, xi_3 = uniform4(key, history, draw)
                draw += 1
                transferred = hard_collision_kev(particle, energy, cutoff, xi_hard, xi_1)
            cos_primary, cos_other = collision_cosines(energy, transferred)
            u_2, v_2, w_2 = rotate(u, v, w, cos_other, (xi_2 + 0.5) % 1.0)
            before = waiting
            waiting = push(stack, waiting, x, y, z, u_2, v_2, w_2, transferred, weight, 0)
            if waiting == before:  # a full stack: it stays here
                add_to_tally(tally, tally_index(matter, cell), weight * transferred)
            u, v, w = rotate(u, v, w, cos_primary, xi_2)
            energy -= transferred
            continue
        chosen -= charged_value(tables, particle, row, fraction, material, ch.BREMSSTRAHLUNG)
        if chosen < 0.0:
            if energy <= tables.photon_cutoff_kev:
                continue
            photon = sample_photon_kev(tables, row, fraction, energy, xi_hard, xi_1)
            u_2, v_2, w_2 = rotate(u, v, w, photon_cosine(energy, xi_2), xi_3)
            waiting = push(stack, waiting, x, y, z, u_2, v_2, w_2, photon, weight, 2)
            energy -= photon
            continue
        chosen -= charged_value(tables, particle, row, fraction, material, ch.ANNIHILATION)
        if chosen < 0.0:
            return annihilate(
                stack, waiting, key, history, draw, x, y, z, u, v, w, energy, weight, 1
            )

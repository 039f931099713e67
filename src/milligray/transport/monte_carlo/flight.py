"""Flights between collisions: Woodcock tracking, and the voxel march that scores track length."""

import math

import numpy as np

from milligray.physics.compiled import physics
from milligray.physics.geometry import distance_to_box_cm, voxel_of
from milligray.physics.interactions import PhotonTables, interpolate
from milligray.physics.random import uniform4
from milligray.transport.monte_carlo.tally import Tally, add_to_tally
from milligray.transport.monte_carlo.voxels import (
    BORDER,
    Matter,
    cell_at,
    cell_of,
    tally_index,
    unpack_density,
    unpack_material,
)

_SMALLEST_COSINE = 1e-12


@physics
def woodcock_flight(
    matter: Matter, tables: PhotonTables, tally: Tally,
    x: float, y: float, z: float, u: float, v: float, w: float, energy_kev: float,
    row: int, fraction: float, seed: np.uint64, history: np.uint64, draw: int, branch: int,
    is_scored: bool,
) -> tuple[int, float, float, float, int]:  # fmt: skip
    """Fly to the next real collision by Woodcock tracking (Woodcock et al. 1965).

    If asked to, every tentative collision, real or virtual, scores ``E mu_tr / majorant``, the
    expected collision kerma there.

    Returns
    -------
    cell : int
        Where the collision is; -1 if the photon left the box.
    x, y, z : float [cm]
    draw : int
    """
    nx, ny, nz = np.uint64(matter.nx), np.uint64(matter.ny), np.uint64(matter.nz)
    inverse_x, inverse_y, inverse_z = 1.0 / matter.dx, 1.0 / matter.dy, 1.0 / matter.dz
    one = np.uint64(1)
    index = np.uint64(row)
    majorant = matter.majorant[index, 0] + np.float32(fraction) * matter.majorant[index, 1]
    inverse_majorant = 1.0 / majorant
    while True:
        xi_0, xi_1, xi_2, xi_3 = uniform4(seed, history, draw, branch)
        draw += 1
        for half in range(2):
            xi_step = xi_0 if half == 0 else xi_2
            xi_accept = xi_1 if half == 0 else xi_3
            t = -math.log(xi_step) * inverse_majorant
            x += t * u
            y += t * v
            z += t * w
            # + 1: the border; a place below the box truncates to 0 or wraps to a huge number
            i = np.uint64(np.int64(x * inverse_x + 1.0))
            j = np.uint64(np.int64(y * inverse_y + 1.0))
            k = np.uint64(np.int64(z * inverse_z + 1.0))
            if i - one >= nx or j - one >= ny or k - one >= nz:
                return -1, x, y, z, draw
            cell = cell_at(matter, i, j, k)
            word = matter.words[cell]
            density, material = unpack_density(word), unpack_material(word)
            mu = density * interpolate(tables.mu_rho, row, fraction, material, 0)
            if is_scored:
                mu_tr = density * interpolate(tables.mu_rho, row, fraction, material, 1)
                score = energy_kev * mu_tr * inverse_majorant
                add_to_tally(tally, tally_index(matter, cell), score)
            if xi_accept * majorant < mu:
                return int(np.int64(cell)), x, y, z, draw


@physics
def local_woodcock_flight(
    matter: Matter, tables: PhotonTables, tally: Tally,
    x: float, y: float, z: float, u: float, v: float, w: float, energy_kev: float,
    row: int, fraction: float, seed: np.uint64, history: np.uint64, draw: int, branch: int,
    is_scored: bool,
) -> tuple[int, float, float, float, int]:  # fmt: skip
    """Do what `woodcock_flight` does, with a majorant for every block of voxels.

    The optical depth to the next tentative collision is used up block by block, so bone or metal
    shortens the steps only where it is.
    """
    nx, ny, nz = np.uint64(matter.nx), np.uint64(matter.ny), np.uint64(matter.nz)
    inverse_x, inverse_y, inverse_z = 1.0 / matter.dx, 1.0 / matter.dy, 1.0 / matter.dz
    one = np.uint64(1)
    index = np.uint64(row)
    n_k, n_j, n_i = matter.block_level.shape
    size_x, size_y, size_z = matter.block_x, matter.block_y, matter.block_z
    block_i = voxel_of(x, 1.0 / size_x, n_i)
    block_j = voxel_of(y, 1.0 / size_y, n_j)
    block_k = voxel_of(z, 1.0 / size_z, n_k)
    inverse_u = 1.0 / max(abs(u), _SMALLEST_COSINE)
    inverse_v = 1.0 / max(abs(v), _SMALLEST_COSINE)
    inverse_w = 1.0 / max(abs(w), _SMALLEST_COSINE)
    next_x = max(0.0, (block_i + 1) * size_x - x if u > 0.0 else x - block_i * size_x) * inverse_u
    next_y = max(0.0, (block_j + 1) * size_y - y if v > 0.0 else y - block_j * size_y) * inverse_v
    next_z = max(0.0, (block_k + 1) * size_z - z if w > 0.0 else z - block_k * size_z) * inverse_w
    level = matter.block_level[block_k, block_j, block_i]
    low = matter.level_majorant[level, index, 0]
    majorant = low + np.float32(fraction) * matter.level_majorant[level, index, 1]
    travelled = 0.0
    while True:
        xi_0, xi_1, xi_2, xi_3 = uniform4(seed, history, draw, branch)
        draw += 1
        for half in range(2):
            xi_accept = xi_1 if half == 0 else xi_3
            depth = -math.log(xi_0 if half == 0 else xi_2)
            crossing = min(next_x, next_y, next_z)
            while majorant * (crossing - travelled) < depth:
                depth -= majorant * (crossing - travelled)
                travelled = crossing
                if next_x < next_y and next_x < next_z:
                    block_i += 1 if u > 0.0 else -1
                    next_x += size_x * inverse_u
                elif next_y < next_z:
                    block_j += 1 if v > 0.0 else -1
                    next_y += size_y * inverse_v
                else:
                    block_k += 1 if w > 0.0 else -1
                    next_z += size_z * inverse_w
                if (
                    block_i < 0 or block_j < 0 or block_k < 0
                    or block_i >= n_i or block_j >= n_j or block_k >= n_k
                ):  # fmt: skip
                    return -1, x + travelled * u, y + travelled * v, z + travelled * w, draw
                level = matter.block_level[block_k, block_j, block_i]
                low = matter.level_majorant[level, index, 0]
                majorant = low + np.float32(fraction) * matter.level_majorant[level, index, 1]
                crossing = min(next_x, next_y, next_z)
            travelled += depth / majorant
            x_there, y_there, z_there = x + travelled * u, y + travelled * v, z + travelled * w
            # as in woodcock_flight; the last blocks may reach beyond the box
            i = np.uint64(np.int64(x_there * inverse_x + 1.0))
            j = np.uint64(np.int64(y_there * inverse_y + 1.0))
            k = np.uint64(np.int64(z_there * inverse_z + 1.0))
            if i - one >= nx or j - one >= ny or k - one >= nz:
                return -1, x_there, y_there, z_there, draw
            cell = cell_at(matter, i, j, k)
            word = matter.words[cell]
            density, material = unpack_density(word), unpack_material(word)
            mu = density * interpolate(tables.mu_rho, row, fraction, material, 0)
            if is_scored:
                mu_tr = density * interpolate(tables.mu_rho, row, fraction, material, 1)
                add_to_tally(tally, tally_index(matter, cell), energy_kev * mu_tr / majorant)
            if xi_accept * majorant < mu:
                return int(np.int64(cell)), x_there, y_there, z_there, draw


@physics
def march_flight(
    matter: Matter, tables: PhotonTables, tally: Tally,
    x: float, y: float, z: float, u: float, v: float, w: float, energy_kev: float,
    row: int, fraction: float, optical_depth: float,
) -> tuple[int, float, float, float]:  # fmt: skip
    """Fly voxel by voxel until the optical depth is used up, and score collision kerma.

    Every segment of length t scores ``E mu_tr t``, the expected energy deposit of the photon
    there (track-length estimator, Williamson 1987), with ``mu_tr`` without fluorescence.

    Returns
    -------
    cell : int
        Where the collision is; -1 if the photon left the box.
    x, y, z : float [cm]
    """
    nx, ny, nz = matter.nx, matter.ny, matter.nz
    i = voxel_of(x, 1.0 / matter.dx, nx)
    j = voxel_of(y, 1.0 / matter.dy, ny)
    k = voxel_of(z, 1.0 / matter.dz, nz)
    inverse_u = 1.0 / max(abs(u), _SMALLEST_COSINE)
    inverse_v = 1.0 / max(abs(v), _SMALLEST_COSINE)
    inverse_w = 1.0 / max(abs(w), _SMALLEST_COSINE)
    delta_x, delta_y, delta_z = matter.dx * inverse_u, matter.dy * inverse_v, matter.dz * inverse_w
    next_x = max(0.0, (i + 1) * matter.dx - x if u > 0.0 else x - i * matter.dx) * inverse_u
    next_y = max(0.0, (j + 1) * matter.dy - y if v > 0.0 else y - j * matter.dy) * inverse_v
    next_z = max(0.0, (k + 1) * matter.dz - z if w > 0.0 else z - k * matter.dz) * inverse_w
    # unsigned strides: a step back is the two's complement, and indices need no sign test
    row_of_voxels = np.uint64(nx + 2)
    slab = np.uint64((nx + 2) * (ny + 2))
    step_x = np.uint64(1) if u > 0.0 else ~np.uint64(0)
    step_y = row_of_voxels if v > 0.0 else ~row_of_voxels + np.uint64(1)
    step_z = slab if w > 0.0 else ~slab + np.uint64(1)
    voxel = np.uint64(k + 1) * slab + np.uint64(j + 1) * row_of_voxels + np.uint64(i + 1)
    travelled = 0.0
    while True:
        cell = cell_of(matter, voxel)
        word = matter.words[cell]
        material = unpack_material(word)
        if material == BORDER:
            return -1, x + travelled * u, y + travelled * v, z + travelled * w
        density = unpack_density(word)
        mu = density * interpolate(tables.mu_rho, row, fraction, material, 0)
        kerma = energy_kev * (density * interpolate(tables.mu_rho, row, fraction, material, 1))
        crossing = min(next_x, next_y, next_z)
        segment = crossing - travelled
        if mu * segment >= optical_depth:
            segment = optical_depth / mu
            add_to_tally(tally, tally_index(matter, cell), kerma * segment)
            travelled += segment
            return int(np.int64(cell)), x + travelled * u, y + travelled * v, z + travelled * w
        optical_depth -= mu * segment
        add_to_tally(tally, tally_index(matter, cell), kerma * segment)
        travelled = crossing
        # branches, not selections: along a ray the next axis is well predicted
        if next_x < next_y:
            if next_x < next_z:
                voxel += step_x
                next_x += delta_x
            else:
                voxel += step_z
                next_z += delta_z
        elif next_y < next_z:
            voxel += step_y
            next_y += delta_y
        else:
            voxel += step_z
            next_z += delta_z


@physics
def enter_box(
    matter: Matter, tables: PhotonTables,
    x: float, y: float, z: float, u: float, v: float, w: float, row: int, fraction: float,
    xi: float,
) -> tuple[int, float, float, float]:  # fmt: skip
    """Bring a photon that is outside to the box, through the medium around it.

    Returns
    -------
    status : int
        1: at the box; 0: it collides with the ambient medium at the returned place; -1: lost.
    x, y, z : float [cm]
    """
    extent_x, extent_y, extent_z = (
        matter.nx * matter.dx,
        matter.ny * matter.dy,
        matter.nz * matter.dz,
    )
    t_box = distance_to_box_cm(x, y, z, u, v, w, extent_x, extent_y, extent_z)
    if matter.ambient_density > 0.0:
        mu = matter.ambient_density * interpolate(
            tables.mu_rho, row, fraction, matter.ambient_material, 0
        )
        t = -math.log(xi) / mu
        if t_box < 0.0 or t < t_box:
            x += t * u
            y += t * v
            z += t * w
            rx, ry, rz = x - 0.5 * extent_x, y - 0.5 * extent_y, z - 0.5 * extent_z
            lost = rx * rx + ry * ry + rz * rz > matter.ambient_radius * matter.ambient_radius
            return (-1 if lost else 0), x, y, z
    if t_box < 0.0:
        return -1, x, y, z
    return 1, x + t_box * u, y + t_box * v, z + t_box * w

"""Flights between collisions: Woodcock tracking and the voxel march that scores track length."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import physics
from milligray.physics.geometry import distance_to_box_cm, voxel_of
from milligray.physics.interactions import PhotonTables, interpolate
from milligray.physics.random import uniform4

DENSITY_UNIT_G_CM3 = 1e-6
_DENSITY_MASK = np.uint32(0xFFFFFF)
_MATERIAL_SHIFT = np.uint32(24)


class Matter(NamedTuple):
    """The transport box, ready for a kernel.

    Parameters
    ----------
    voxels : ndarray, shape (nz * ny * nx,), uint32
        Material in the upper 8 bits, density in steps of 1e-6 g/cm3 in the lower 24
        (up to 16.7 g/cm3).
    nx, ny, nz : int
    dx, dy, dz : float [cm]
    majorant : ndarray, shape (n_energy,), float32 [1/cm]
        Largest attenuation coefficient in the box at each row of the energy grid.
    has_outliers : bool
        A few voxels (metal) attenuate far more than all others, so that Woodcock tracking would
        take tiny steps everywhere; the voxel march then takes its place.
    ambient_density : float [g/cm3]
        Density of the medium around the box; 0 is vacuum.
    ambient_material : int
    ambient_radius : float [cm]
        Photons beyond this distance from the center of the box are lost.
    tally_bin : ndarray, shape (nz * ny * nx,) or (0,), int32
        Tally bin of every voxel; empty: the bin is the voxel.
    """

    voxels: npt.NDArray[np.uint32]
    nx: int
    ny: int
    nz: int
    dx: float
    dy: float
    dz: float
    majorant: npt.NDArray[np.float32]
    has_outliers: bool
    ambient_density: float
    ambient_material: int
    ambient_radius: float
    tally_bin: npt.NDArray[np.int32]


@physics
def unpack_density(word: np.uint32) -> float:
    """Density of a packed voxel [g/cm3]."""
    return np.float64(word & _DENSITY_MASK) * DENSITY_UNIT_G_CM3


@physics
def unpack_material(word: np.uint32) -> int:
    """Material index of a packed voxel."""
    return int(np.int64(word >> _MATERIAL_SHIFT))


@physics
def tally_index(matter: Matter, voxel: int) -> int:
    """Tally bin of a voxel."""
    if matter.tally_bin.shape[0] == 0:
        return voxel
    return int(matter.tally_bin[voxel])


@physics
def woodcock_flight(
    matter: Matter, tables: PhotonTables,
    x: float, y: float, z: float, u: float, v: float, w: float, row: int, fraction: float,
    seed: np.uint64, history: np.uint64, draw: int,
) -> tuple[int, float, float, float, int]:  # fmt: skip
    """Fly to the next real collision by Woodcock tracking (Woodcock et al. 1965).

    Returns
    -------
    voxel : int
        Where the collision is; -1 if the photon left the box.
    x, y, z : float [cm]
    draw : int
    """
    nx, ny, nz = matter.nx, matter.ny, matter.nz
    inverse_x, inverse_y, inverse_z = 1.0 / matter.dx, 1.0 / matter.dy, 1.0 / matter.dz
    extent_x, extent_y, extent_z = nx * matter.dx, ny * matter.dy, nz * matter.dz
    low = matter.majorant[row]
    majorant = low + fraction * (matter.majorant[row + 1] - low)
    inverse_majorant = 1.0 / majorant
    while True:
        xi_0, xi_1, xi_2, xi_3 = uniform4(seed, history, draw)
        draw += 1
        for half in range(2):
            xi_step = xi_0 if half == 0 else xi_2
            xi_accept = xi_1 if half == 0 else xi_3
            t = -math.log(xi_step) * inverse_majorant
            x += t * u
            y += t * v
            z += t * w
            if x < 0.0 or y < 0.0 or z < 0.0 or x >= extent_x or y >= extent_y or z >= extent_z:
                return -1, x, y, z, draw
            i = min(int(x * inverse_x), nx - 1)
            j = min(int(y * inverse_y), ny - 1)
            k = min(int(z * inverse_z), nz - 1)
            voxel = (k * ny + j) * nx + i
            word = matter.voxels[voxel]
            mu = unpack_density(word) * interpolate(
                tables.mu_rho, row, fraction, unpack_material(word), 0
            )
            if xi_accept * majorant < mu:
                return voxel, x, y, z, draw


@physics
def march_flight(
    matter: Matter, tables: PhotonTables, tally: npt.NDArray[np.float64],
    x: float, y: float, z: float, u: float, v: float, w: float, energy_kev: float,
    row: int, fraction: float, optical_depth: float, is_scored: bool,
) -> tuple[int, float, float, float]:  # fmt: skip
    """Fly voxel by voxel until the optical depth is used up; score collision kerma if asked to.

    Every segment of length t scores ``E mu_tr t``, the expected energy deposit of the photon
    there (track-length estimator, Williamson 1987), with ``mu_tr`` without fluorescence.

    Returns
    -------
    voxel : int
        Where the collision is; -1 if the photon left the box.
    x, y, z : float [cm]
    """
    nx, ny, nz = matter.nx, matter.ny, matter.nz
    i = voxel_of(x, 1.0 / matter.dx, nx)
    j = voxel_of(y, 1.0 / matter.dy, ny)
    k = voxel_of(z, 1.0 / matter.dz, nz)
    step_x = 1 if u > 0.0 else -1
    step_y = 1 if v > 0.0 else -1
    step_z = 1 if w > 0.0 else -1
    delta_x = matter.dx / max(abs(u), 1e-12)
    delta_y = matter.dy / max(abs(v), 1e-12)
    delta_z = matter.dz / max(abs(w), 1e-12)
    next_x = max(0.0, ((i + 1) * matter.dx - x) if u > 0.0 else (x - i * matter.dx)) / max(
        abs(u), 1e-12
    )
    next_y = max(0.0, ((j + 1) * matter.dy - y) if v > 0.0 else (y - j * matter.dy)) / max(
        abs(v), 1e-12
    )
    next_z = max(0.0, ((k + 1) * matter.dz - z) if w > 0.0 else (z - k * matter.dz)) / max(
        abs(w), 1e-12
    )
    stride_y = step_y * nx
    stride_z = step_z * nx * ny
    voxel = (k * ny + j) * nx + i
    travelled = 0.0
    material = -1
    mu_rho = 0.0
    kerma_rho = 0.0
    while True:
        word = matter.voxels[voxel]
        if unpack_material(word) != material:
            material = unpack_material(word)
            mu_rho = interpolate(tables.mu_rho, row, fraction, material, 0)
            kerma_rho = energy_kev * interpolate(tables.mu_rho, row, fraction, material, 1)
        density = unpack_density(word)
        mu = density * mu_rho
        crossing = min(next_x, next_y, next_z)
        segment = crossing - travelled
        if mu * segment >= optical_depth:
            segment = optical_depth / mu
            if is_scored:
                tally[tally_index(matter, voxel)] += density * kerma_rho * segment
            travelled += segment
            return voxel, x + travelled * u, y + travelled * v, z + travelled * w
        optical_depth -= mu * segment
        if is_scored:
            tally[tally_index(matter, voxel)] += density * kerma_rho * segment
        travelled = crossing
        if next_x <= next_y and next_x <= next_z:
            i += step_x
            if i < 0 or i >= nx:
                break
            voxel += step_x
            next_x += delta_x
        elif next_y <= next_z:
            j += step_y
            if j < 0 or j >= ny:
                break
            voxel += stride_y
            next_y += delta_y
        else:
            k += step_z
            if k < 0 or k >= nz:
                break
            voxel += stride_z
            next_z += delta_z
    return -1, x + travelled * u, y + travelled * v, z + travelled * w


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

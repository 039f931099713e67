"""The voxels of the transport box as a kernel sees them: packed words, on a padded grid.

A layer of border voxels lies around the box, so that a flight notices that it left by the word it
reads and needs no test of three indices at every step. Indices of the padded grid are one more
than those of the patient's.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import physics

DENSITY_UNIT_G_CM3 = 1e-6
BORDER = 255
"""Material index of the voxels around the box."""
MIXED = 255
"""Class of a brick whose voxels differ."""
SMALLEST_WEIGHT = 2.0**-10
BRICK_SHIFT = 2
"""Bricks are 4 x 4 x 4 voxels of the padded grid."""
_DENSITY_MASK = np.uint32(0xFFFFFF)
_MATERIAL_SHIFT = np.uint32(24)


class Matter(NamedTuple):
    """The transport box, ready for a kernel.

    A voxel is looked up in two steps: its cell, and the cell's word and tally bin. As a rule the
    cell is the voxel. In a phantom with few kinds of voxels it is the kind, one byte a voxel, and
    bricks of one kind are found in a table that fits the processor's cache.

    Parameters
    ----------
    words : ndarray, shape (n_cells,), uint32
        Material in the upper 8 bits, density in steps of 1e-6 g/cm3 in the lower 24
        (up to 16.7 g/cm3).
    tally_bin : ndarray, shape (n_cells,) or (0,), int32
        Tally bin of every cell; empty: the bin is the cell.
    voxel_class : ndarray, shape ((nz + 2) * (ny + 2) * (nx + 2),) or (0,), uint8
        Cell of every voxel of the padded grid; empty: the cell is the voxel.
    brick_class : ndarray, shape (n_bricks,) or (0,), uint8
        Cell of every brick of voxels of one class, `MIXED` for the others.
    n_brick_x, n_brick_y : int
        Bricks along x and y.
    nx, ny, nz : int
        Voxels of the box, without the border.
    dx, dy, dz : float [cm]
    majorant : ndarray, shape (n_energy, 2), float32 [1/cm]
        Largest attenuation coefficient in the box at each row of the energy grid, and its
        difference to the next row.
    block_level : ndarray, shape (n_block_z, n_block_y, n_block_x) or (0, 0, 0), uint8
        Row of `level_majorant` that holds in every block of voxels; empty: `majorant` everywhere.
    level_majorant : ndarray, shape (n_level, n_energy, 2), float32 [1/cm]
        Like `majorant`, of the voxels up to a level of attenuation.
    block_x, block_y, block_z : float [cm]
        Edges of a block.
    ambient_density : float [g/cm3]
        Density of the medium around the box; 0 is vacuum.
    ambient_material : int
    ambient_radius : float [cm]
        Photons beyond this distance from the center of the box are lost.
    window_low, window_high : float [cm]
        Range along z that the source irradiates.
    window_per_cm : float [1/cm]
        Fall of the weight window with the distance from that range; 0: no window.
    """

    words: npt.NDArray[np.uint32]
    tally_bin: npt.NDArray[np.int32]
    voxel_class: npt.NDArray[np.uint8]
    brick_class: npt.NDArray[np.uint8]
    n_brick_x: int
    n_brick_y: int
    nx: int
    ny: int
    nz: int
    dx: float
    dy: float
    dz: float
    majorant: npt.NDArray[np.float32]
    block_level: npt.NDArray[np.uint8]
    level_majorant: npt.NDArray[np.float32]
    block_x: float
    block_y: float
    block_z: float
    ambient_density: float
    ambient_material: int
    ambient_radius: float
    window_low: float
    window_high: float
    window_per_cm: float


@physics
def unpack_density(word: np.uint32) -> float:
    """Density of a packed word [g/cm3], in float32."""
    steps = np.float32(np.int32(word & _DENSITY_MASK))
    return steps * np.float32(DENSITY_UNIT_G_CM3)  # type: ignore[return-value]


@physics
def unpack_material(word: np.uint32) -> int:
    """Material index of a packed word."""
    return int(np.int64(word >> _MATERIAL_SHIFT))


@physics
def cell_of(matter: Matter, voxel: np.uint64) -> np.uint64:
    """Cell of a voxel of the padded grid."""
    if matter.voxel_class.shape[0] == 0:
        return voxel
    return np.uint64(matter.voxel_class[voxel])


@physics
def cell_at(matter: Matter, i: np.uint64, j: np.uint64, k: np.uint64) -> np.uint64:
    """Cell at a place of the padded grid; asks the bricks first."""
    if matter.brick_class.shape[0] > 0:
        shift = np.uint64(BRICK_SHIFT)
        n_x, n_y = np.uint64(matter.n_brick_x), np.uint64(matter.n_brick_y)
        brick = matter.brick_class[((k >> shift) * n_y + (j >> shift)) * n_x + (i >> shift)]
        if brick != MIXED:
            return np.uint64(brick)
    row = k * np.uint64(matter.ny + 2) + j
    return cell_of(matter, row * np.uint64(matter.nx + 2) + i)


@physics
def tally_index(matter: Matter, cell: np.uint64) -> np.uint64:
    """Tally bin of a cell."""
    if matter.tally_bin.shape[0] == 0:
        return cell
    return np.uint64(matter.tally_bin[cell])


@physics
def window_weight(matter: Matter, z: float) -> float:
    """Weight that photons should have at a place: less the farther it is from the beam."""
    distance = max(matter.window_low - z, z - matter.window_high, 0.0)
    return max(math.exp(-matter.window_per_cm * distance), SMALLEST_WEIGHT)

"""Pack a patient into the arrays of the kernel; here millimeters become centimeters."""

import math
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse

from milligray.constants import AIR_DENSITY_G_CM3, CM_PER_MM
from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.materials.photon_tables import build_photon_tables
from milligray.patient.patient import Patient
from milligray.physics.interactions import PhotonTables, grid_position
from milligray.transport.monte_carlo.voxels import (
    BORDER,
    BRICK_SHIFT,
    DENSITY_UNIT_G_CM3,
    MIXED,
    Matter,
)

T = TypeVar("T", bound=np.generic)

AMBIENT_RADIUS_CM = 400.0
WINDOW_HALVING_CM = 5.0
"""Weights halve over this length outside the beam. Scatter itself halves over 3 to 5 cm; a shorter
length than that lets the number of photons grow with the distance."""
LEVEL_ENERGY_KEV = 60.0
N_LEVELS, LEVEL_RATIO = 24, 1.3
BLOCK_MM = 24.0
DENSE_PER_CM = 0.05
"""Blocks that attenuate less count for nothing in a photon's path."""
LOCAL_PAYS, LOCAL_PAYS_LARGE = 1.9, 1.5
"""Local majorants pay if they are so much below that of the whole box, on average; less is enough
where the voxels do not fit the processor's cache, so that a tentative collision costs more."""
LARGE_GRID = 1 << 23
_CHUNK = 1 << 22
MIN_CLASSIFIED_VOXELS = 1 << 20
"""Smaller grids fit the processor's cache as they are."""
MAX_CLASSES = 254
_MAX_KEYS = 1 << 16
_MAX_DENSITY_STEPS = 0xFFFFFF
DRY_AIR = Material(
    name="air, dry",
    mass_fractions={"C": 0.000124, "N": 0.755268, "O": 0.231781, "Ar": 0.012827},
    reference_density_g_cm3=AIR_DENSITY_G_CM3,
)
"""NIST dry air, the medium around the box when one is asked for."""


def pack_matter(
    patient: Patient,
    *,
    max_energy_kev: float,
    ambient: str = "vacuum",
    tally_bin: npt.NDArray[np.int32] | None = None,
    window_z_mm: tuple[float, float] | None = None,
    window_halving_cm: float = WINDOW_HALVING_CM,
) -> tuple[Matter, PhotonTables]:
    """Kernel arrays of a patient and the interaction tables of its materials.

    Parameters
    ----------
    patient : Patient
    max_energy_kev : float
    ambient : {"vacuum", "air"}
        Medium around the transport box.
    tally_bin : ndarray, shape ``grid.shape``, int32, optional
        Tally bin of each voxel; default: one bin for each voxel of the padded grid, to be read
        with `without_border`.
    window_z_mm : (low, high), optional [mm, LPS]
        Range that the source irradiates: outside it photons are split, and weigh less the farther
        away, so that organs beyond the beam are reached by many. Default: no splitting.
    window_halving_cm : float [cm]
        Over this length the weights halve.
    """
    if ambient not in ("vacuum", "air"):
        raise InputError(f"ambient must be 'vacuum' or 'air', got {ambient!r}")
    if len(patient.materials) > 254:
        raise InputError(f"at most 254 materials, got {len(patient.materials)}")
    if float(patient.density_g_cm3.max()) > _MAX_DENSITY_STEPS * DENSITY_UNIT_G_CM3:
        raise InputError(f"density {patient.density_g_cm3.max():g} g/cm3 is above 16.7 g/cm3")
    tables = build_photon_tables(
        (*patient.materials, DRY_AIR), max_energy_kev=max(160.0, max_energy_kev)
    )
    cells = _voxel_cells(patient, tally_bin)
    if tally_bin is not None and patient.density_g_cm3.size >= MIN_CLASSIFIED_VOXELS:
        cells = _classified_cells(patient, tally_bin) or cells
    nz, ny, nx = patient.grid.shape
    dz, dy, dx = (s * CM_PER_MM for s in patient.grid.spacing_mm)
    block_level, level_majorant, edges = _majorants(patient, tables)
    matter = Matter(
        **cells,
        n_brick_x=_n_bricks(nx),
        n_brick_y=_n_bricks(ny),
        nx=nx,
        ny=ny,
        nz=nz,
        dx=dx,
        dy=dy,
        dz=dz,
        majorant=level_majorant[-1],
        block_level=block_level,
        level_majorant=level_majorant,
        block_x=edges[2] * dx,
        block_y=edges[1] * dy,
        block_z=edges[0] * dz,
        ambient_density=AIR_DENSITY_G_CM3 if ambient == "air" else 0.0,
        ambient_material=len(patient.materials),
        ambient_radius=AMBIENT_RADIUS_CM,
        **_window(patient, window_z_mm, window_halving_cm),
    )
    return matter, tables


def _window(
    patient: Patient, z_mm: tuple[float, float] | None, halving_cm: float
) -> dict[str, Any]:
    if z_mm is None:
        return {"window_low": 0.0, "window_high": 0.0, "window_per_cm": 0.0}
    low, high = ((z - patient.grid.corner_lps_mm[2]) * CM_PER_MM for z in z_mm)
    return {
        "window_low": float(low),
        "window_high": float(high),
        "window_per_cm": math.log(2.0) / halving_cm,
    }


def padded_shape(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Shape of a grid with its border of one voxel."""
    return shape[0] + 2, shape[1] + 2, shape[2] + 2


def without_border(tally: npt.NDArray[T], shape: tuple[int, int, int]) -> npt.NDArray[T]:
    """Tally of the padded grid, flat, as an array on the patient's grid."""
    return tally.reshape(padded_shape(shape))[1:-1, 1:-1, 1:-1]


def on_padded_grid(
    matrix: scipy.sparse.csr_matrix, shape: tuple[int, int, int]
) -> scipy.sparse.csr_matrix:
    """Matrix whose columns are voxels of the patient's grid, with those of the padded grid."""
    k, j, i = np.unravel_index(matrix.indices, shape)
    padded = padded_shape(shape)
    columns = np.ravel_multi_index((k + 1, j + 1, i + 1), padded)
    return scipy.sparse.csr_matrix(
        (matrix.data, columns, matrix.indptr), shape=(matrix.shape[0], math.prod(padded))
    )


def _with_border(values: npt.NDArray[T], border: int) -> npt.NDArray[T]:
    padded = np.full(padded_shape(values.shape), border, dtype=values.dtype)
    padded[1:-1, 1:-1, 1:-1] = values
    return padded


def _words(
    density_g_cm3: npt.NDArray[np.float32], material: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.uint32]:
    steps = np.rint(density_g_cm3 / np.float32(DENSITY_UNIT_G_CM3)).astype(np.uint32)
    return np.asarray(steps | material.astype(np.uint32) << np.uint32(24))


def _voxel_cells(patient: Patient, tally_bin: npt.NDArray[np.int32] | None) -> dict[str, Any]:
    """Every voxel its own cell."""
    words = _words(patient.density_g_cm3, patient.material_index)
    none = np.empty(0, dtype=np.uint8)
    return {
        "words": _with_border(words, BORDER << 24).ravel(),
        "tally_bin": (
            np.empty(0, dtype=np.int32)
            if tally_bin is None
            else _with_border(tally_bin.reshape(words.shape).astype(np.int32), 0).ravel()
        ),
        "voxel_class": none,
        "brick_class": none,
    }


def _classified_cells(patient: Patient, tally_bin: npt.NDArray[np.int32]) -> dict[str, Any] | None:
    """One cell for each combination of material, density and tally bin; None if there are many.

    A voxel phantom of labels has some tens of them. Then the whole phantom takes one byte a voxel
    and its bricks are looked up in the processor's cache.
    """
    n_material = len(patient.materials)
    key = tally_bin.ravel().astype(np.int64) * n_material + patient.material_index.ravel()
    n_keys = int(key.max()) + 1
    if n_keys > _MAX_KEYS:
        return None
    density_of_key = np.full(n_keys, -1.0, dtype=np.float32)
    density_of_key[key] = patient.density_g_cm3.ravel()
    kinds = np.flatnonzero(density_of_key >= 0)
    if kinds.size > MAX_CLASSES:
        return None
    if not np.array_equal(density_of_key[key], patient.density_g_cm3.ravel()):
        return None
    class_of_key = np.zeros(n_keys, dtype=np.uint8)
    class_of_key[kinds] = np.arange(kinds.size)
    classes = _with_border(class_of_key[key].reshape(patient.grid.shape), kinds.size)
    words = _words(density_of_key[kinds], kinds % n_material)
    return {
        "words": np.append(words, np.uint32(BORDER << 24)),
        "tally_bin": np.append(kinds // n_material, 0).astype(np.int32),
        "voxel_class": classes.ravel(),
        "brick_class": _bricks(classes).ravel(),
    }


def _n_bricks(n_voxels: int) -> int:
    return -(-(n_voxels + 2) // (1 << BRICK_SHIFT))


def _bricks(classes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Class of the uniform bricks, `MIXED` for the others."""
    edge = 1 << BRICK_SHIFT
    filled = np.pad(classes, [(0, -n % edge) for n in classes.shape], mode="edge")
    nz, ny, nx = (n // edge for n in filled.shape)
    bricks = filled.reshape(nz, edge, ny, edge, nx, edge)
    low, high = bricks.min(axis=(1, 3, 5)), bricks.max(axis=(1, 3, 5))
    return np.where(low == high, low, np.uint8(MIXED))


def _majorants(
    patient: Patient, tables: PhotonTables
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], tuple[int, int, int]]:
    """Level of every block of voxels, majorants of the levels, edges of a block in voxels.

    A level holds all voxels that attenuate at most so much at `LEVEL_ENERGY_KEV`; its majorant is
    the largest coefficient of any of them at each energy. The last level holds all voxels.
    """
    row, _ = grid_position(tables, LEVEL_ENERGY_KEV)
    mu = tables.mu_rho[row, : len(patient.materials), 0, 0]
    largest = _largest_density(patient, np.zeros(patient.grid.shape, dtype=np.uint8), 1)[0]
    steps = np.arange(N_LEVELS - 1, -1, -1)
    top = np.float32((largest * mu).max()) * (1.0 + 1e-5) * LEVEL_RATIO ** -steps.astype(np.float32)
    level = np.empty(patient.grid.shape, dtype=np.uint8)
    for k in range(level.shape[0]):
        slab = patient.density_g_cm3[k] * mu[patient.material_index[k]]
        level[k] = np.searchsorted(top, slab)
    np.minimum(level, N_LEVELS - 1, out=level)
    densest = np.maximum.accumulate(_largest_density(patient, level, N_LEVELS), axis=0)
    values = tables.mu_rho[None, :, : len(patient.materials), 0, 0] * densest[:, None, :]
    majorant = values.max(axis=2) * (1.0 + 1e-5)
    difference = np.diff(majorant, axis=1, append=0.0)
    edges = tuple(max(1, round(BLOCK_MM / s)) for s in patient.grid.spacing_mm)
    padded = np.pad(level, [(0, -n % e) for n, e in zip(level.shape, edges, strict=True)])
    nz, ny, nx = (n // e for n, e in zip(padded.shape, edges, strict=True))
    blocks = padded.reshape(nz, edges[0], ny, edges[1], nx, edges[2]).max(axis=(1, 3, 5))
    local = majorant[blocks, row]
    dense = local > DENSE_PER_CM
    pays = LOCAL_PAYS if level.size < LARGE_GRID else LOCAL_PAYS_LARGE
    if not np.any(dense) or local[dense].mean() * pays > majorant[-1, row]:
        blocks = np.empty((0, 0, 0), dtype=np.uint8)
    return (
        np.ascontiguousarray(blocks),
        np.stack([majorant, difference], axis=2).astype(np.float32),
        (edges[0], edges[1], edges[2]),
    )


def _largest_density(
    patient: Patient, group: npt.NDArray[np.uint8], n_groups: int
) -> npt.NDArray[np.float64]:
    """Largest density of every material in each group of voxels [g/cm3]; 0 where there is none."""
    n = len(patient.materials)
    largest = np.zeros(n_groups * n)
    density, material, of = (
        a.ravel() for a in (patient.density_g_cm3, patient.material_index, group)
    )
    for start in range(0, density.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        key = of[part].astype(np.uint16) * np.uint16(n) + material[part]
        order = np.argsort(key, kind="stable")
        found, first = np.unique(key[order], return_index=True)
        most = np.maximum.reduceat(density[part][order], first)
        largest[found] = np.maximum(largest[found], most)
    return largest.reshape(n_groups, n)

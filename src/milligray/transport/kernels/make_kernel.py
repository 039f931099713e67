"""Compute voxel kernels by Monte Carlo in a uniform medium, and use its symmetry."""

from itertools import permutations

import numpy as np

from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.patient.patient import Patient
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import Nuclide
from milligray.transport.kernels.voxel_kernel import VoxelKernel
from milligray.transport.monte_carlo.decay_engine import Electrons, transport_decays
from milligray.typing import FloatArray
from milligray.volume import Grid

HALF_WIDTH_MM = 200.0
"""Of the medium around the source voxel."""
MAX_HALF_VOXELS = 70
NEAR_VOXELS = 15
DEFAULT_HISTORIES = 600_000


def compute_voxel_kernel(
    nuclide: Nuclide,
    medium: Material,
    spacing_mm: tuple[float, float, float],
    *,
    density_g_cm3: float | None = None,
    histories: int = DEFAULT_HISTORIES,
    electrons: Electrons = "all",
    seed: int = 1,
    threads: int | None = None,
) -> VoxelKernel:
    """Specific energy per decay around a voxel with a uniform source.

    Parameters
    ----------
    nuclide : Nuclide
    medium : Material
    spacing_mm : tuple of float (z, y, x) [mm]
    density_g_cm3 : float, optional [g/cm3]
        Default: the reference density of the medium.
    histories : int
    electrons : {"all", "primaries", "local"}
    seed, threads : int

    Returns
    -------
    VoxelKernel
        Averaged over the reflections of the voxel lattice, and over exchanges of equal axes.

    Notes
    -----
    The medium is a box of up to 40 cm, vacuum around it: at its faces a part of the
    backscatter is missing, so the outer tenth of it is left out of the tail.
    """
    if any(not 0.1 <= s <= 50.0 for s in spacing_mm):
        raise InputError(f"voxels of a kernel must be 0.1 to 50 mm, got {spacing_mm}")
    density = medium.reference_density_g_cm3 if density_g_cm3 is None else density_g_cm3
    half = [min(MAX_HALF_VOXELS, max(NEAR_VOXELS, round(HALF_WIDTH_MM / s))) for s in spacing_mm]
    shape = (2 * half[0] + 1, 2 * half[1] + 1, 2 * half[2] + 1)
    grid = Grid.from_spacing(shape, spacing_mm)
    patient = Patient(
        grid=grid, density_g_cm3=np.full(shape, density, dtype=np.float32),
        material_index=np.zeros(shape, dtype=np.uint8), materials=(medium,),
        body=np.ones(shape, dtype=bool),
    )  # fmt: skip
    decays = np.zeros(shape)
    decays[tuple(half)] = 1.0
    deposit = transport_decays(
        patient, DecaySource(nuclide=nuclide, grid=grid, decays=decays), electrons=electrons,
        histories=histories, annihilation_copies=1, seed=seed, threads=threads,
    )  # fmt: skip
    mass = density * grid.voxel_volume_cm3
    energy = symmetrized(deposit.energy_kev, spacing_mm) / mass
    near = tuple(slice(h - NEAR_VOXELS, h + NEAR_VOXELS + 1) for h in half)
    tail_mm, tail = _radial(energy, spacing_mm, half)
    return VoxelKernel(
        nuclide=nuclide.name, medium=medium.name, density_g_cm3=density, spacing_mm=spacing_mm,
        near_kev_g=energy[near], tail_mm=tail_mm, tail_kev_g=tail,
        relative_uncertainty=_uncertainty(deposit.energy_kev, deposit.relative_uncertainty, half),
        histories=deposit.histories, electrons=electrons,
    )  # fmt: skip


def symmetrized(values: FloatArray, spacing_mm: tuple[float, float, float]) -> FloatArray:
    """Mean over all reflections of an odd array about its middle, and exchanges of equal axes."""
    total = np.asarray(values, dtype=np.float64)
    for axis in range(3):
        total = 0.5 * (total + np.flip(total, axis))
    same = [
        order for order in permutations(range(3))
        if all(
            abs(spacing_mm[order[a]] - spacing_mm[a]) < 1e-6
            and values.shape[order[a]] == values.shape[a]
            for a in range(3)
        )
    ]  # fmt: skip
    return np.asarray(sum(np.transpose(total, order) for order in same) / len(same))


def _radial(
    energy: FloatArray, spacing_mm: tuple[float, float, float], half: list[int]
) -> tuple[FloatArray, FloatArray]:
    """Means over shells as thick as a voxel, from just inside the near part to near the faces."""
    axes = [(np.arange(n) - h) * s for n, h, s in zip(energy.shape, half, spacing_mm, strict=True)]
    r = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2)
    step = max(spacing_mm)
    first = (NEAR_VOXELS - 2) * min(spacing_mm)
    last = 0.9 * min(h * s for h, s in zip(half, spacing_mm, strict=True))
    if last - first < 4.0 * step:
        return np.empty(0), np.empty(0)
    edges = np.arange(first, last + step, step)
    # means of the specific energy times r^2, which hardly changes within a shell
    index = np.digitize(r.ravel(), edges) - 1
    used = (index >= 0) & (index < edges.size - 1)
    number = np.bincount(index[used], minlength=edges.size - 1)
    weighted = np.bincount(
        index[used], weights=(energy * r**2).ravel()[used], minlength=edges.size - 1
    )
    distance = np.bincount(index[used], weights=r.ravel()[used], minlength=edges.size - 1)
    radius = distance / number
    values = weighted / number / radius**2
    keep = values > 0
    return np.asarray(radius[keep]), np.asarray(values[keep])


def _uncertainty(energy: FloatArray, relative: FloatArray, half: list[int]) -> float:
    """Relative standard deviation of the energy in the source voxel and its neighbors."""
    near = tuple(slice(h - 1, h + 2) for h in half)
    variance = float(np.sum((energy[near] * relative[near]) ** 2))
    return float(np.sqrt(variance) / energy[near].sum())

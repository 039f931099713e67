"""What the scatter network is given: the primary beam in the patient, and guesses from it."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.learn.inputs.basis_materials import basis_densities
from milligray.learn.inputs.coarse_grid import averaged, coarse_grid, interpolated
from milligray.learn.inputs.primary_field import primary_kerma_mgy
from milligray.learn.inputs.scatter_channels import CHANNELS, first_scatter, scatter_channels
from milligray.learn.scan import Scan
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

__all__ = [
    "CHANNELS",
    "VOXEL_SIZE_MM",
    "ScatterInputs",
    "dose_of_kerma_mgy",
    "photon_kerma_mgy",
    "scatter_inputs",
]
VOXEL_SIZE_MM = 8.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScatterInputs:
    """Fields of a scan on cubes of `VOXEL_SIZE_MM`.

    Parameters
    ----------
    grid : Grid
    channels : ndarray, shape (len(CHANNELS), *grid.shape), float32
        All dimensionless or g/cm3, and none changes when the tube current does.
    primary_mgy : ndarray, shape (2, *grid.shape), float32 [mGy]
        Collision kerma of the primary beam in water and in cortical bone.
    guess_mgy : ndarray, shape grid.shape, float32 [mGy]
        First guess of the collision kerma of scattered photons in water.
    bone_ratio : float
        Kerma in cortical bone over that in water, mean of the primary beam in the body.
    body : ndarray, shape grid.shape, float32
        Share of the voxel that is body.
    """

    grid: Grid
    channels: FloatArray
    primary_mgy: FloatArray
    guess_mgy: FloatArray
    bone_ratio: float
    body: FloatArray


def scatter_inputs(scan: Scan, *, voxel_size_mm: float = VOXEL_SIZE_MM) -> ScatterInputs:
    """Fields of a scan for the scatter network.

    Parameters
    ----------
    scan : Scan
        On any transport grid.
    voxel_size_mm : float [mm]

    Returns
    -------
    ScatterInputs
    """
    patient = scan.patient
    grid = coarse_grid(patient.grid, voxel_size_mm)
    attenuating = averaged(basis_densities(patient)[0], patient.grid, grid)
    body = averaged(patient.body.astype(np.float32), patient.grid, grid)
    primary = primary_kerma_mgy(
        scan.source, grid, attenuating, _dilated(body > 0.0), photons=scan.photons
    )
    first, guess = first_scatter(grid, attenuating, primary)
    weight = (primary * body).sum(axis=(1, 2, 3), dtype=np.float64)
    if not (weight[0] > 0.0 and guess.min() > 0.0):
        raise InputError("the beam does not reach the patient: check range and isocenter")
    bone_ratio = float(weight[1] / weight[0])
    channels = scatter_channels(
        grid, attenuating, body, primary, first, guess, bone_ratio=bone_ratio,
        mean_energy_kev=scan.source.field.spectrum.mean_energy_kev,
    )  # fmt: skip
    return ScatterInputs(
        grid=grid, channels=channels, primary_mgy=primary, guess_mgy=guess,
        bone_ratio=bone_ratio, body=body,
    )  # fmt: skip


def photon_kerma_mgy(
    inputs: ScatterInputs, log_scatter: FloatArray, log_bone: FloatArray
) -> FloatArray:
    """Collision kerma of all photons, primary and scattered, in the basis materials.

    Parameters
    ----------
    inputs : ScatterInputs
    log_scatter : ndarray, shape inputs.grid.shape
        Logarithm of the scatter's kerma in water over the guess.
    log_bone : ndarray, same shape
        Logarithm of the scatter's ratio of bone to water over ``inputs.bone_ratio``.

    Returns
    -------
    ndarray, shape (2, *inputs.grid.shape), float32 [mGy]
    """
    scatter = inputs.guess_mgy * np.exp(log_scatter)
    return np.asarray(
        inputs.primary_mgy + np.stack([scatter, scatter * (inputs.bone_ratio * np.exp(log_bone))]),
        dtype=np.float32,
    )


def dose_of_kerma_mgy(scan: Scan, kerma_mgy: FloatArray, grid: Grid) -> FloatArray:
    """Dose in the patient of a photon field on a coarser grid.

    Parameters
    ----------
    scan : Scan
    kerma_mgy : ndarray, shape (2, *grid.shape) [mGy]
        In the basis materials.
    grid : Grid

    Returns
    -------
    ndarray, shape ``scan.patient.grid.shape``, float32 [mGy]
        ``sum_b absorbing_b K_b / density`` with the kerma interpolated linearly: photon fluence
        varies slowly, tissues do not. Zero outside the body.
    """
    patient = scan.patient
    fine = interpolated(kerma_mgy, grid, patient.grid)
    energy = (basis_densities(patient)[1] * fine).sum(axis=0)
    return np.where(patient.body, energy / np.maximum(patient.density_g_cm3, 1e-6), 0.0).astype(
        np.float32
    )


def _dilated(mask: BoolArray) -> BoolArray:
    """Neighbors along the axes too."""
    found = mask.copy()
    for axis in range(3):
        one = found.copy()
        for step in (1, -1):
            moved = np.roll(one, step, axis=axis)
            edge: list[slice | int] = [slice(None)] * 3
            edge[axis] = 0 if step == 1 else -1
            moved[tuple(edge)] = False
            found |= moved
    return np.asarray(found)

"""What the scatter network is given: the primary beam in the patient, and guesses from it."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.learn.inputs.basis_materials import basis_densities
from milligray.learn.inputs.coarse_grid import averaged, blurred, coarse_grid, interpolated
from milligray.learn.inputs.primary_field import primary_kerma_mgy
from milligray.learn.scan import Scan
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

VOXEL_SIZE_MM = 8.0
BLUR_MM = (8.0, 16.0, 32.0, 64.0, 128.0)
GUESS_WEIGHTS = (0.0, 0.066, 1.165, 0.02, 2.21)
"""Of the blurred fields in the guess: non-negative least squares over head-and-neck scans. They
only set where the network starts from; it was trained with these very numbers."""
CHANNELS = (
    "attenuating_water", "attenuating_bone", "body", "primary_over_guess", "hardness",
    *(f"blur_{int(sigma)}_mm_over_guess" for sigma in BLUR_MM),
    "log_guess", "bone_ratio", "mean_energy",
)  # fmt: skip
_LEAST_GUESS = 1e-6


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

    Notes
    -----
    With the primary kerma ``K`` and the densities ``a`` of the basis, ``T = sum_b a_b K_b`` is what
    the primary beam gives to electrons per volume, and goes with what it scatters. The guess is

    ``G = sum_i w_i blur(T, sigma_i)``

    with the weights `GUESS_WEIGHTS` and widths `BLUR_MM`; the network corrects it.
    """
    patient = scan.patient
    grid = coarse_grid(patient.grid, voxel_size_mm)
    attenuating = averaged(basis_densities(patient)[0], patient.grid, grid)
    body = averaged(patient.body.astype(np.float32), patient.grid, grid)
    primary = primary_kerma_mgy(
        scan.source, grid, attenuating, _dilated(body > 0.0), photons=scan.photons
    )
    transferred = (attenuating * primary).sum(axis=0)
    blurs = np.stack([blurred(transferred, grid, sigma) for sigma in BLUR_MM])
    guess = np.tensordot(np.array(GUESS_WEIGHTS, dtype=np.float32), blurs, axes=1)
    scale = float((guess.astype(np.float64) ** 2).sum() / max(float(guess.sum()), 1e-300))
    if not scale > 0.0:
        raise InputError("the beam does not reach the patient: check range and isocenter")
    guess = np.maximum(guess, np.float32(_LEAST_GUESS * scale))
    lit = primary[0] > 0.0
    hardness = np.divide(primary[1], primary[0], out=np.zeros_like(guess), where=lit)
    weight = primary[0] * body
    bone_ratio = float((weight * hardness).sum() / weight.sum())
    hardness = np.where(lit, hardness / bone_ratio, 1.0)
    ones = np.ones_like(guess)
    mean_kev = scan.source.field.spectrum.mean_energy_kev
    channels = np.stack([
        attenuating[0], attenuating[1], body, primary[0] / guess, hardness, *(blurs / guess),
        np.log(guess / scale), ones * (bone_ratio / 4.0), ones * (mean_kev / 60.0),
    ])  # fmt: skip
    return ScatterInputs(
        grid=grid, channels=channels.astype(np.float32), primary_mgy=primary,
        guess_mgy=guess.astype(np.float32), bone_ratio=bone_ratio, body=body,
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

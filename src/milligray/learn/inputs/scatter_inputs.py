"""What the scatter network is given: the primary beam in the patient, and guesses from it."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.learn.inputs.basis_materials import basis_densities, basis_fractions
from milligray.learn.inputs.coarse_grid import averaged, coarse_grid, interpolated
from milligray.learn.inputs.primary_field import primary_kerma_mgy
from milligray.learn.inputs.scatter_channels import CHANNELS, first_scatter, scatter_channels
from milligray.learn.scan import Scan
from milligray.typing import FloatArray
from milligray.volume import Grid

__all__ = [
    "CHANNELS",
    "VOXEL_SIZE_MM",
    "ScatterInputs",
    "primary_dose_mgy",
    "scatter_dose_mgy",
    "scatter_inputs",
    "scatter_kerma_mgy",
]
VOXEL_SIZE_MM = 8.0
N_ANGLES = 18
"""Of the tube, for the primary beam; they move on from slice to slice."""
_LEAST_BODY = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScatterInputs:
    """Fields of a scan: the primary beam on the patient's grid, the rest on cubes.

    Parameters
    ----------
    grid : Grid
        Cubes of `VOXEL_SIZE_MM`.
    channels : ndarray, shape (len(CHANNELS), *grid.shape), float32
        All dimensionless or g/cm3, and none changes when the tube current does.
    fine_primary_mgy : ndarray, shape (2, *scan.patient.grid.shape), float32 [mGy]
        Collision kerma of the primary beam in water and in cortical bone; zero outside the body.
    primary_mgy : ndarray, shape (2, *grid.shape), float32 [mGy]
        Its mean over the body in each cube.
    guess_mgy : ndarray, shape grid.shape, float32 [mGy]
        First guess of the collision kerma of scattered photons in water.
    bone_ratio : float
        Kerma in cortical bone over that in water, mean of the primary beam in the body.
    body : ndarray, shape grid.shape, float32
        Share of the voxel that is body.
    """

    grid: Grid
    channels: FloatArray
    fine_primary_mgy: FloatArray
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
    fine = basis_densities(patient)[0]
    primary = primary_kerma_mgy(
        scan.source, patient.grid, fine, patient.body, photons=scan.photons, n_angles=N_ANGLES
    )
    given = averaged((fine * primary).sum(axis=0), patient.grid, grid)
    attenuating = averaged(fine, patient.grid, grid)
    body = averaged(patient.body.astype(np.float32), patient.grid, grid)
    mean = averaged(primary, patient.grid, grid)
    mean = np.where(body > _LEAST_BODY, mean / np.maximum(body, _LEAST_BODY), np.float32(0.0))
    first, guess = first_scatter(grid, given)
    weight = primary.sum(axis=(1, 2, 3), dtype=np.float64)
    if not (weight[0] > 0.0 and guess.min() > 0.0):
        raise InputError("the beam does not reach the patient: check range and isocenter")
    bone_ratio = float(weight[1] / weight[0])
    channels = scatter_channels(
        grid, attenuating, body, mean, first, guess, bone_ratio=bone_ratio,
        mean_energy_kev=scan.source.field.spectrum.mean_energy_kev,
    )  # fmt: skip
    return ScatterInputs(
        grid=grid, channels=channels, fine_primary_mgy=primary, primary_mgy=mean,
        guess_mgy=guess, bone_ratio=bone_ratio, body=body,
    )  # fmt: skip


def scatter_kerma_mgy(
    inputs: ScatterInputs, log_scatter: FloatArray, log_bone: FloatArray
) -> FloatArray:
    """Collision kerma of scattered photons in the basis materials.

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
    bone = scatter * (inputs.bone_ratio * np.exp(log_bone))
    return np.stack([scatter, bone]).astype(np.float32)


def primary_dose_mgy(scan: Scan, inputs: ScatterInputs) -> FloatArray:
    """Dose of the primary beam in the patient.

    Returns
    -------
    ndarray, shape ``scan.patient.grid.shape``, float32 [mGy]
        ``sum_b absorbing_b K_b / density``, zero outside the body.
    """
    return _dose(scan, inputs.fine_primary_mgy)


def scatter_dose_mgy(scan: Scan, kerma_mgy: FloatArray, grid: Grid) -> FloatArray:
    """Dose in the patient of a photon field on cubes.

    Parameters
    ----------
    scan : Scan
    kerma_mgy : ndarray, shape (2, *grid.shape) [mGy]
        In the basis materials.
    grid : Grid

    Returns
    -------
    ndarray, shape ``scan.patient.grid.shape``, float32 [mGy]
        As `primary_dose_mgy`, with the kerma interpolated linearly: scattered photons vary
        slowly, tissues do not.
    """
    return _dose(scan, interpolated(kerma_mgy, grid, scan.patient.grid))


def _dose(scan: Scan, kerma_mgy: FloatArray) -> FloatArray:
    patient = scan.patient
    dose = np.zeros(patient.grid.shape, dtype=np.float32)
    for absorbing, kerma in zip(basis_fractions(patient.materials).absorption.T, kerma_mgy,
                                strict=True):  # fmt: skip
        dose += absorbing.astype(np.float32)[patient.material_index] * kerma
    dose[~patient.body] = 0.0
    return dose

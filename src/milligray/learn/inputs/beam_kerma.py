"""Kerma of a fan beam behind water and bone: the spectrum, its bowtie filter and two paths."""

import math

import numpy as np

from milligray.constants import CM_PER_MM, MGY_PER_KEV_PER_G
from milligray.learn.inputs.basis_materials import basis_coefficients_cm2_g
from milligray.source.ct_source import FanField
from milligray.typing import FloatArray
from milligray.volume import Grid

N_FAN, WATER_STEP, BONE_STEP, BONE_START = 48, 1.0, 0.5, -4.0
"""Bins of the table: fan, path in water and in bone [g/cm2]; fat is water less some bone."""


def kerma_per_photon_mgy_cm2(field: FanField) -> float:
    """Factor from ``k / d^2`` [keV cm2/g / cm2] to dose per photon through the field [mGy]."""
    half_width, half_height = 0.5 * field.width_mm, 0.5 * field.height_mm
    diagonal = math.sqrt(field.focal_radius_mm**2 + half_width**2 + half_height**2)
    omega = 4.0 * math.atan(half_width * half_height / (field.focal_radius_mm * diagonal))
    return MGY_PER_KEV_PER_G / (omega * float(field.photons().sum()))


def longest_paths_g_cm2(attenuating: FloatArray, grid: Grid) -> tuple[float, float]:
    """Bounds of the paths in the basis materials within a slice [g/cm2].

    Parameters
    ----------
    attenuating : ndarray, shape (2, *grid.shape) [g/cm3]
    grid : Grid
    """
    # no ray is longer than the diagonal of the box of the longest row and column
    water, bone = (
        math.hypot(*(float(np.clip(part, 0.0, None).sum(axis=axis).max()) for axis in (1, 2)))
        * max(grid.spacing_mm[1:]) * CM_PER_MM
        for part in attenuating
    )  # fmt: skip
    return water, bone


def kerma_tables(
    field: FanField, longest_g_cm2: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """``ln k_water`` and ``k_bone / k_water`` by fan, path in water, path in bone.

    Parameters
    ----------
    field : FanField
    longest_g_cm2 : (water, bone) [g/cm2]
        The tables reach at least as far.

    Returns
    -------
    log_water, ratio : ndarray, shape (N_FAN, n_water, n_bone), float32
        k in keV cm2/g per photon through the field.
    """
    energy = field.spectrum.centers_kev
    mu, mu_en = basis_coefficients_cm2_g(energy)
    absorbed = [field.spectrum.weights * energy * one for one in mu_en]
    n_water = int(longest_g_cm2[0] / WATER_STEP) + 4
    n_bone = int((longest_g_cm2[1] - BONE_START) / BONE_STEP) + 4
    through_water = np.exp(-mu[0][None] * (np.arange(n_water) * WATER_STEP)[:, None])
    through_bone = np.exp(-mu[1][None] * (BONE_START + np.arange(n_bone) * BONE_STEP)[:, None])
    lateral = 0.5 * field.width_mm * np.arange(N_FAN) / (N_FAN - 1)
    transmission = np.ones((N_FAN, energy.size))
    if field.filter_fan_angle_rad.size:
        angle = np.arctan(lateral / field.focal_radius_mm)
        thickness = np.interp(angle, field.filter_fan_angle_rad, field.filter_thickness_mm)
        transmission = np.exp(-thickness[:, None] * field.filter_mu_per_mm[None])
    both = (through_water[:, None, :] * through_bone[None, :, :]).reshape(-1, energy.size)
    water, bone = (
        ((transmission * k[None]) @ both.T).reshape(N_FAN, n_water, n_bone) for k in absorbed
    )
    return np.log(water).astype(np.float32), (bone / water).astype(np.float32)

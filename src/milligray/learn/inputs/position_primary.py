"""Collision kerma of the primary beam of one position of the tube."""

import numpy as np

from milligray.constants import CM_PER_MM
from milligray.learn.inputs.beam_kerma import (
    BONE_START,
    BONE_STEP,
    N_FAN,
    WATER_STEP,
    kerma_per_photon_mgy_cm2,
    kerma_tables,
)
from milligray.learn.inputs.slab import path_lengths_mm
from milligray.source.ct_source import FanField
from milligray.typing import FloatArray
from milligray.volume import Grid

_LEAST_DENSITY = 0.01
"""Of both basis materials together [g/cm3]; air on a path counts as nothing."""


def position_primary_mgy(
    field: FanField,
    grid: Grid,
    attenuating: FloatArray,
    *,
    isocenter_mm: tuple[float, float],
    z_mm: float,
) -> FloatArray:
    """Collision kerma per photon of the tube at angle 0, before any photon has interacted.

    Parameters
    ----------
    field : FanField
    grid : Grid
        From `milligray.learn.inputs.slab.slab_grid`, or a part of it that holds all matter.
    attenuating : ndarray, shape (2, *grid.shape) [g/cm3]
        Densities of the basis, `milligray.learn.inputs.basis_materials.basis_densities`.
    isocenter_mm : (x, y) [mm]
    z_mm : float [mm]
        Of the tube.

    Returns
    -------
    ndarray, shape (2, *grid.shape), float32 [mGy]
        In a small mass of water, and of cortical bone.

    Notes
    -----
    ``K_b(r) = C(z) k_b(fan, L) / (omega S d^2)`` as in
    `milligray.learn.inputs.primary_field.primary_kerma_mgy`, but for one tube, with rays in three
    dimensions, ``d^2`` the distance squared in the plane of the fan, and ``C`` the share of the
    voxel's height that the beam covers at its depth.
    """
    focal = np.array([isocenter_mm[0], isocenter_mm[1] - field.focal_radius_mm, z_mm])
    z, depth, lateral = (grid.axis_centers_mm(axis) - focal[2 - axis] for axis in range(3))
    half_height = (0.5 * field.height_mm * depth / field.focal_radius_mm)[None, :, None]
    half = 0.5 * grid.spacing_mm[0]
    high = np.minimum(z[:, None, None] + half, half_height)
    low = np.maximum(z[:, None, None] - half, -half_height)
    covered = np.clip((high - low) / (2.0 * half), 0.0, 1.0) * (depth > 0.0)[None, :, None]
    found = np.zeros((2, *grid.shape), dtype=np.float32)
    planes = np.flatnonzero(covered.any(axis=(1, 2)))
    if not planes.size:
        return found
    # rays to the lit planes do not leave them: the beam only widens on its way
    lit = slice(int(planes[0]), int(planes[-1]) + 1)
    x0, y0, z0 = (float(v) for v in grid.to_lps_mm([lit.start, 0, 0]))
    part = Grid.from_spacing(
        (planes.size, *grid.shape[1:]), grid.spacing_mm, origin_lps_mm=(x0, y0, z0)
    )
    inside = attenuating[:, lit]
    matter = np.where(np.abs(inside).sum(axis=0) < _LEAST_DENSITY, 0.0, inside)
    paths = [path_lengths_mm(one, part, focal) * CM_PER_MM for one in matter]
    across = np.abs(lateral[None, :] * field.focal_radius_mm / depth[:, None])[None]
    distance2 = (depth[:, None] ** 2 + lateral[None, :] ** 2)[None] * CM_PER_MM**2
    share = covered[lit] * (across <= 0.5 * field.width_mm)
    fan = np.broadcast_to(2.0 * across / field.width_mm, part.shape)
    kerma = _kerma_behind(field, fan, paths)
    found[:, lit] = kerma * (share * kerma_per_photon_mgy_cm2(field) / distance2)
    return found


def _kerma_behind(field: FanField, fan: FloatArray, paths: list[FloatArray]) -> FloatArray:
    """``k_water`` and ``k_bone`` behind paths, shape (2, *fan.shape) [keV cm2/g]."""
    from scipy.ndimage import map_coordinates  # noqa: PLC0415 - slow to import

    log_water, ratio = kerma_tables(field, (float(paths[0].max()), float(paths[1].max())))
    place = np.stack([
        np.minimum(fan, 1.0) * (N_FAN - 1), paths[0] / WATER_STEP,
        (paths[1] - BONE_START) / BONE_STEP,
    ])  # fmt: skip
    water = np.exp(map_coordinates(log_water, place, order=1, mode="nearest"))
    return np.stack([water, water * map_coordinates(ratio, place, order=1, mode="nearest")])

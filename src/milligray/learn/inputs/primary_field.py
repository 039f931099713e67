"""Collision kerma of the primary beam in the patient, by ray tracing over the whole scan."""

import math

import numpy as np

from milligray.constants import CM_PER_MM
from milligray.errors import GeometryError
from milligray.learn.inputs.beam_kerma import (
    BONE_START,
    BONE_STEP,
    N_FAN,
    WATER_STEP,
    kerma_per_photon_mgy_cm2,
    kerma_tables,
    longest_paths_g_cm2,
)
from milligray.patient.voxel_loop import voxel_loop
from milligray.source.ct_source import CtSource
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

N_ANGLES = 36
_FINE_Z_CM = 0.05


def primary_kerma_mgy(
    source: CtSource,
    grid: Grid,
    attenuating: FloatArray,
    body: BoolArray,
    *,
    photons: float,
    n_angles: int = N_ANGLES,
) -> FloatArray:
    """Collision kerma of photons that have not interacted yet, in the basis materials.

    Parameters
    ----------
    source : CtSource
    grid : Grid
        Axis-aligned.
    attenuating : ndarray, shape (2, *grid.shape) [g/cm3]
        Densities of the basis, `milligray.learn.inputs.basis_materials.basis_densities`.
    body : ndarray of bool, shape ``grid.shape``
        Where it is wanted; zero elsewhere.
    photons : float
        Of the scan.
    n_angles : int
        Of the tube, evenly around the patient.

    Returns
    -------
    ndarray, shape (2, *grid.shape), float32 [mGy]
        In a small mass of water, and of cortical bone, at every voxel.

    Notes
    -----
    ``K_b(r) = N sum_a W(z, t) k_b(fan, L) / (n_angles omega S d^2)``,
    ``k_b(fan, L) = sum_E phi_E T_E(fan) E (mu_en/rho)_b exp(-sum_c L_c (mu/rho)_c)``

    with the paths ``L_c`` [g/cm2] of the basis materials from the tube to r, in the plane of the
    slice (the tilt of the cone, 4 degrees at most, is left out), the distance d from the axis of
    the fan, and the share ``W`` of the photons whose tube position lets the beam cover the slice at
    the depth t. The start angle is taken as unknown: the tube's angles are averaged for each z.
    """
    if attenuating.shape != (2, *grid.shape) or body.shape != grid.shape:
        raise GeometryError("densities and body must be on the grid of the field")
    field = source.field
    table, ratio = kerma_tables(field, longest_paths_g_cm2(attenuating, grid))
    y, x = (grid.axis_centers_mm(axis) * CM_PER_MM for axis in (1, 2))
    iso_x, iso_y = (value * CM_PER_MM for value in source.isocenter_lps_mm)
    cover, first_z = _cumulated_photons(source, grid)
    geometry = np.array([
        field.focal_radius_mm * CM_PER_MM, 0.5 * field.width_mm * CM_PER_MM,
        0.5 * field.height_mm * CM_PER_MM, grid.spacing_mm[1] * CM_PER_MM,
        grid.spacing_mm[0] * CM_PER_MM, first_z, x[0] - iso_x, y[0] - iso_y,
    ])  # fmt: skip
    z = grid.axis_centers_mm(0) * CM_PER_MM
    # a little off the axes of the grid, so that no ray runs along its edges
    angles = 2.0 * np.pi * (np.arange(n_angles) + 0.37) / n_angles
    out = np.zeros((2, *grid.shape), dtype=np.float32)
    for k in np.flatnonzero(body.any(axis=(1, 2))):
        density = np.ascontiguousarray(attenuating[:, k], dtype=np.float32)
        _trace_slice(
            density, body[k].copy(), table, ratio, cover, z[k], angles, geometry, out[:, k]
        )
    out *= np.float32(photons * kerma_per_photon_mgy_cm2(field) / n_angles)
    return out


def _cumulated_photons(source: CtSource, grid: Grid) -> tuple[FloatArray, float]:
    """Twice cumulated share of the photons along z, every 0.5 mm, and where it begins [cm]."""
    bins = source.z_bins_mm * CM_PER_MM
    share = source.z_weights / source.z_weights.sum()
    z = grid.axis_centers_mm(0) * CM_PER_MM
    reach = 2.0 * source.field.height_mm * CM_PER_MM + 2.0 * grid.spacing_mm[0] * CM_PER_MM
    low = min(float(bins.min()), float(z.min())) - reach
    high = max(float(bins.max()), float(z.max())) + reach
    fine = low + _FINE_Z_CM * np.arange(int((high - low) / _FINE_Z_CM) + 3)
    width = np.maximum(bins[:, 1] - bins[:, 0], 1e-6)
    edges = np.sort(np.concatenate([bins[:, 0], bins[:, 0] + width]))
    inside = [
        float((share * np.clip((edge - bins[:, 0]) / width, 0.0, 1.0)).sum()) for edge in edges
    ]
    once = np.interp(fine, edges, inside)
    return np.concatenate([[0.0], np.cumsum(0.5 * (once[1:] + once[:-1]) * _FINE_Z_CM)]), low


@voxel_loop
def _trace_slice(density, body, table, ratio, cover, z, angles, geometry, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    focal, half_width, half_height, pixel, thick, first_z, x0, y0 = geometry
    ny, nx = body.shape
    reach2 = 0.0  # radius of the circle around the axis that holds the body
    for j in range(ny):
        for i in range(nx):
            if body[j, i]:
                reach2 = max(reach2, (x0 + i * pixel) ** 2 + (y0 + j * pixel) ** 2)
    reach = min(math.sqrt(reach2) + pixel, 0.95 * focal)
    half_fan = min(half_width, reach * focal / math.sqrt(focal * focal - reach * reach))
    n_ray, n_depth = int(2.0 * half_fan / pixel) + 3, int(2.0 * reach / pixel) + 3
    ray_step = 2.0 * half_fan / (n_ray - 1)
    path = np.zeros((n_ray, n_depth, 2), dtype=np.float32)
    for angle in angles:
        sine, cosine = math.sin(angle), math.cos(angle)
        _paths(density, sine, cosine, focal, reach, pixel, half_fan, x0, y0, path)
        for j in range(ny):
            for i in range(nx):
                if not body[j, i]:
                    continue
                x, y = x0 + i * pixel, y0 + j * pixel
                depth = focal + x * sine + y * cosine
                lateral = x * cosine - y * sine
                plane = lateral * focal / depth
                if depth <= 0.0 or abs(plane) > half_width:
                    continue
                p, q = (plane + half_fan) / ray_step, (depth - focal + reach) / pixel
                ip, iq = min(max(int(p), 0), n_ray - 2), min(max(int(q), 0), n_depth - 2)
                p, q = p - ip, q - iq
                water, bone = 0.0, 0.0
                for dp in range(2):
                    for dq in range(2):
                        w = (p if dp else 1.0 - p) * (q if dq else 1.0 - q)
                        water += w * path[ip + dp, iq + dq, 0]
                        bone += w * path[ip + dp, iq + dq, 1]
                fan = abs(plane) / half_width * (N_FAN - 1)
                kerma, relative = _kerma_behind(table, ratio, fan, water, bone)
                half = half_height * depth / focal
                kerma *= _share_of_photons(cover, z - first_z, half, thick)
                kerma /= lateral * lateral + depth * depth
                out[0, j, i] += kerma
                out[1, j, i] += kerma * relative


@voxel_loop
def _paths(density, sine, cosine, focal, reach, pixel, half_fan, x0, y0, path):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paths from the tube on [g/cm2] at even depths along rays even on the plane of the axis."""
    n_ray, n_depth, _ = path.shape
    for ray in range(n_ray):
        slope = (-half_fan + ray * 2.0 * half_fan / (n_ray - 1)) / focal
        length = pixel * math.sqrt(1.0 + slope * slope)
        water, bone, last_water, last_bone = 0.0, 0.0, 0.0, 0.0
        for n in range(n_depth):
            depth = focal - reach + n * pixel
            along, lateral = depth - focal, slope * depth
            here_water, here_bone = _density_at(
                density,
                (along * sine + lateral * cosine - x0) / pixel,
                (along * cosine - lateral * sine - y0) / pixel,
            )
            water += 0.5 * (last_water + here_water) * length
            bone += 0.5 * (last_bone + here_bone) * length
            path[ray, n, 0], path[ray, n, 1] = water, bone
            last_water, last_bone = here_water, here_bone


@voxel_loop
def _density_at(density, u, v):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Densities of water and bone between pixels (column u, row v), zero outside."""
    _, ny, nx = density.shape
    water, bone = 0.0, 0.0
    if u <= -1.0 or v <= -1.0 or u >= nx or v >= ny:
        return water, bone
    i, j = int(u + 1.0) - 1, int(v + 1.0) - 1
    for dj in range(2):
        for di in range(2):
            if 0 <= i + di < nx and 0 <= j + dj < ny:
                w = (u - i if di else 1.0 + i - u) * (v - j if dj else 1.0 + j - v)
                water += w * density[0, j + dj, i + di]
                bone += w * density[1, j + dj, i + di]
    return water, bone


@voxel_loop
def _kerma_behind(table, ratio, fan, water, bone):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """``k_water`` and ``k_bone / k_water`` by linear interpolation of the tables."""
    _, n_water, n_bone = table.shape
    g, h = water / WATER_STEP, (bone - BONE_START) / BONE_STEP
    i, j, k = (
        min(int(fan), N_FAN - 2),
        min(max(int(g), 0), n_water - 2),
        min(max(int(h), 0), n_bone - 2),
    )
    fan, g, h = fan - i, g - j, h - k
    logarithm, relative = 0.0, 0.0
    for di in range(2):
        for dj in range(2):
            for dk in range(2):
                w = (fan if di else 1.0 - fan) * (g if dj else 1.0 - g) * (h if dk else 1.0 - h)
                logarithm += w * table[i + di, j + dj, k + dk]
                relative += w * ratio[i + di, j + dj, k + dk]
    return math.exp(logarithm), relative


@voxel_loop
def _share_of_photons(cover, z, half, thick):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Share of the photons whose beam of half width `half` covers a point, mean over a slice."""
    share = 0.0
    for side in range(2):
        for end in range(2):
            place = z + (half if side else -half) + (0.5 * thick if end else -0.5 * thick)
            m = place / _FINE_Z_CM
            i = min(max(int(m), 0), cover.size - 2)
            value = cover[i] + (cover[i + 1] - cover[i]) * (m - i)
            share += value if side == end else -value
    return share / thick

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
from milligray.source.ct_source import CtSource, FanField
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

N_ANGLES = 36
START_ANGLE, GOLDEN_RATIO = 0.37, 0.6180339887498949
"""Of the tube's first angle, in steps of it: a little off the axes of the grid, so that no ray runs
along its edges; it moves on from slice to slice, so that neighbors see the beam from between."""
AIR_BELOW = 0.01
"""Densities that count as the air around a patient [g/cm3]."""
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
        Axis-aligned, with square pixels.
    attenuating : ndarray, shape (2, *grid.shape) [g/cm3]
        Densities of the basis, `milligray.learn.inputs.basis_materials.basis_densities`.
    body : ndarray of bool, shape ``grid.shape``
        Where it is wanted; zero elsewhere.
    photons : float
        Of the scan.
    n_angles : int
        Of the tube, evenly around the patient; the first one moves on from slice to slice.

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

    The kernel follows rays a pixel apart, notes ``ln (k_water / d^2)`` and ``k_bone / k_water`` at
    every pixel of depth, and interpolates both to the voxels.
    """
    if attenuating.shape != (2, *grid.shape) or body.shape != grid.shape:
        raise GeometryError("densities and body must be on the grid of the field")
    thick, pixel, width = (value * CM_PER_MM for value in grid.spacing_mm)
    if not grid.is_axis_aligned or abs(pixel - width) > 1e-3 * pixel:
        raise GeometryError("the primary beam needs an axis-aligned grid with square pixels")
    field = source.field
    rays = _tables_of_rays(field, attenuating, grid)
    z, y, x = (grid.axis_centers_mm(axis) * CM_PER_MM for axis in (0, 1, 2))
    iso_x, iso_y = (value * CM_PER_MM for value in source.isocenter_lps_mm)
    cover, first_z = _cumulated_photons(source, grid)
    geometry = np.array([
        field.focal_radius_mm * CM_PER_MM, 0.5 * field.width_mm * CM_PER_MM,
        0.5 * field.height_mm * CM_PER_MM, pixel, thick, first_z, x[0] - iso_x, y[0] - iso_y,
    ])  # fmt: skip
    out = np.zeros((2, *grid.shape), dtype=np.float32)
    padded = np.zeros((grid.shape[1] + 2, grid.shape[2] + 2, 2), dtype=np.float32)
    for k in np.flatnonzero(body.any(axis=(1, 2))):
        padded[1:-1, 1:-1] = np.moveaxis(attenuating[:, k], 0, -1)
        start = math.modf(START_ANGLE + k * GOLDEN_RATIO)[0]
        angles = 2.0 * np.pi * (np.arange(n_angles) + start) / n_angles
        _trace_slice(padded, body[k].copy(), rays, cover, z[k], angles, geometry, out[:, k])
    out *= np.float32(photons * kerma_per_photon_mgy_cm2(field) / n_angles)
    return out


def _tables_of_rays(field: FanField, attenuating: FloatArray, grid: Grid) -> FloatArray:
    """``ln k_water`` and ``k_bone / k_water``, shape (n_rays, n_water, n_bone, 2), float32.

    Rays are a pixel apart on the plane of the axis, from the middle of the fan on.
    """
    both = np.stack(kerma_tables(field, longest_paths_g_cm2(attenuating, grid)), axis=-1)
    pixel, half_width = grid.spacing_mm[1], 0.5 * field.width_mm
    lateral = pixel * np.arange(int(half_width / pixel) + 3)
    place = np.minimum(lateral / half_width, 1.0) * (N_FAN - 1)
    low = np.minimum(place.astype(np.int64), N_FAN - 2)
    part = (place - low).astype(np.float32)[:, None, None, None]
    return np.asarray((1.0 - part) * both[low] + part * both[low + 1])


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
def _trace_slice(density, body, rays, cover, z, angles, geometry, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the kerma of all angles in a slice; `density` has a rim of nothing around it."""
    focal, half_width, half_height, pixel, thick, first_z, x0, y0 = geometry
    ny, nx = body.shape
    reach2 = 0.0  # radius of the circle around the axis that holds the body
    for j in range(ny):
        for i in range(nx):
            if body[j, i]:
                reach2 = max(reach2, (x0 + i * pixel) ** 2 + (y0 + j * pixel) ** 2)
    reach = min(math.sqrt(reach2) + pixel, 0.95 * focal)
    half_fan = reach * focal / math.sqrt(focal * focal - reach * reach)
    middle = min(int(half_fan / pixel) + 1, rays.shape[0] - 1)  # the ray through the axis
    n_depth = int(2.0 * reach / pixel) + 3
    lit, falling = np.empty(n_depth, dtype=np.float32), np.empty(n_depth)
    for n in range(n_depth):
        depth = focal - reach + n * pixel
        falling[n] = -2.0 * math.log(depth)
        lit[n] = _share_of_photons(cover, z - first_z, half_height * depth / focal, thick)
    if lit.max() <= 0.0:
        return
    air, box, per_pixel = density[1, 1], _box_of_matter(density), 1.0 / pixel
    field = np.empty((2 * middle + 1, n_depth, 2), dtype=np.float32)
    for angle in angles:
        sine, cosine = math.sin(angle), math.cos(angle)
        for ray in range(2 * middle + 1):
            _along_ray(
                density, air, box, rays[abs(ray - middle)], (ray - middle) * pixel / focal, sine,
                cosine, focal, reach, pixel, x0, y0, falling, field[ray],
            )  # fmt: skip
        for j in range(ny):
            y = y0 + j * pixel
            for i in range(nx):
                if not body[j, i]:
                    continue
                x = x0 + i * pixel
                depth = focal + x * sine + y * cosine
                plane = (x * cosine - y * sine) * focal / depth
                if abs(plane) > half_width:
                    continue
                p, q = plane * per_pixel + middle, (depth - focal + reach) * per_pixel
                ip, iq = min(max(int(p), 0), 2 * middle - 1), min(max(int(q), 0), n_depth - 2)
                g, h = np.float32(p - ip), np.float32(q - iq)
                d = g * h
                b, c = h - d, g - d
                a = np.float32(1.0) - g - b
                near, far = field[ip], field[ip + 1]
                share = lit[iq] + h * (lit[iq + 1] - lit[iq])
                kerma = share * math.exp(
                    a * near[iq, 0] + b * near[iq + 1, 0] + c * far[iq, 0] + d * far[iq + 1, 0]
                )
                out[0, j, i] += kerma
                out[1, j, i] += kerma * (
                    a * near[iq, 1] + b * near[iq + 1, 1] + c * far[iq, 1] + d * far[iq + 1, 1]
                )


@voxel_loop
def _along_ray(  # type: ignore[no-untyped-def]  # noqa: ANN202
    density, air, box, table, slope, sine, cosine, focal, reach, pixel, x0, y0, falling,  # noqa: ANN001
    field,  # noqa: ANN001
):  # fmt: skip
    """``ln (k_water / d^2)`` and ``k_bone / k_water`` at even depths along one ray.

    The path begins where the ray enters the grid, be it before the first depth; there is only air
    outside the box of matter, and behind it nothing is asked for.
    """
    n_depth = field.shape[0]
    length = pixel * math.sqrt(1.0 + slope * slope)
    aslant = -math.log(1.0 + slope * slope)
    # column and row of the padded density at depth n: u0 + n du, v0 + n dv
    du, dv = sine + slope * cosine, cosine - slope * sine
    first = focal - reach
    u0 = (-reach * sine + slope * first * cosine - x0) / pixel + 1.0
    v0 = (-reach * cosine - slope * first * sine - y0) / pixel + 1.0
    in_grid, out_grid = _within(u0, du, 0.5, density.shape[1] - 1.5, -1e9, 1e9)
    in_grid, out_grid = _within(v0, dv, 0.5, density.shape[0] - 1.5, in_grid, out_grid)
    enter, leave = _within(u0, du, box[2], box[3], -1e9, 1e9)
    enter, leave = _within(v0, dv, box[0], box[1], enter, leave)
    begin, end = n_depth, n_depth
    water, bone, last_water, last_bone = 0.0, 0.0, 0.0, 0.0
    if leave > enter:
        begin, end = math.ceil(enter), math.floor(leave) + 1
        # from the edge of the grid to half a step before the first depth in the box
        before = max(begin - 0.5 - in_grid, 0.0) * length
        water, bone = air[0] * before, air[1] * before
    logarithm, ratio = _kerma_behind(table, water, bone)
    for n in range(min(max(begin, 0), n_depth)):
        field[n, 0], field[n, 1] = logarithm + falling[n] + aslant, ratio
    for n in range(begin, min(end, n_depth)):
        u, v = u0 + n * du, v0 + n * dv
        i, j = int(u), int(v)
        g, h = np.float32(u - i), np.float32(v - j)
        d = g * h
        b, c = g - d, h - d
        a = np.float32(1.0) - g - c
        here, below = density[j], density[j + 1]
        to_water = a * here[i, 0] + b * here[i + 1, 0] + c * below[i, 0] + d * below[i + 1, 0]
        to_bone = a * here[i, 1] + b * here[i + 1, 1] + c * below[i, 1] + d * below[i + 1, 1]
        water += 0.5 * (last_water + to_water) * length
        bone += 0.5 * (last_bone + to_bone) * length
        last_water, last_bone = to_water, to_bone
        if n >= 0:
            logarithm, ratio = _kerma_behind(table, water, bone)
            field[n, 0], field[n, 1] = logarithm + falling[n] + aslant, ratio
    for n in range(max(end, 0), n_depth):
        field[n, 0], field[n, 1] = logarithm + falling[n] + aslant, ratio


@voxel_loop
def _within(start, step, low, high, enter, leave):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Narrow the depths n to those where ``low <= start + n step < high``."""
    high -= 1e-6
    if abs(step) < 1e-9:
        return (enter, leave) if low <= start < high else (1.0, 0.0)
    one, two = (low - start) / step, (high - start) / step
    return max(enter, min(one, two) + 1e-6), min(leave, max(one, two) - 1e-6)


@voxel_loop
def _box_of_matter(density):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Rows and columns between which a padded slice is denser than air, a pixel around it."""
    n_v, n_u, _ = density.shape
    v0, v1, u0, u1 = n_v, 0, n_u, 0
    for j in range(1, n_v - 1):
        for i in range(1, n_u - 1):
            if abs(density[j, i, 0]) + abs(density[j, i, 1]) > AIR_BELOW:
                v0, v1, u0, u1 = min(v0, j), max(v1, j), min(u0, i), max(u1, i)
    return v0 - 1.0, v1 + 1.0, u0 - 1.0, u1 + 1.0


@voxel_loop
def _kerma_behind(table, water, bone):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """``ln k_water`` and ``k_bone / k_water`` by linear interpolation of a ray's table."""
    n_water, n_bone, _ = table.shape
    g, h = water / WATER_STEP, (bone - BONE_START) / BONE_STEP
    j, k = min(max(int(g), 0), n_water - 2), min(max(int(h), 0), n_bone - 2)
    one, two = np.float32(g - j), np.float32(h - k)
    d = one * two
    b, c = two - d, one - d
    a = np.float32(1.0) - one - b
    near, far = table[j], table[j + 1]
    return (
        a * near[k, 0] + b * near[k + 1, 0] + c * far[k, 0] + d * far[k + 1, 0],
        a * near[k, 1] + b * near[k + 1, 1] + c * far[k, 1] + d * far[k + 1, 1],
    )


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

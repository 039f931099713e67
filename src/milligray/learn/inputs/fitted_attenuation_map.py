"""Air kerma of the primary beam, attenuated as in water that fits the patient.

The published attenuation map stands in a cylinder of 32 cm, whoever lies in the scanner. Here every
slice has the ellipse of water with the patient's own electrons, shape and place; or the rays are
traced through the slice itself.
"""

import math

import numpy as np

from milligray.constants import CM_PER_MM
from milligray.learn.inputs.attenuation_map import kerma_table, mgy_per_solid_angle
from milligray.learn.inputs.coarse_grid import averaged, coarse_grid, interpolated
from milligray.learn.inputs.water_ellipses import (
    SHORTEST_HALF_AXIS_MM,
    water_ellipses_mm,
    water_equivalent,
)
from milligray.patient.voxel_loop import voxel_loop
from milligray.source.ct_source import CtSource
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

N_TUBE_ANGLES = 72
N_MAGNIFICATIONS = 96
FINE_Z_MM = 1.0
_MOST_RATIO = 10.0


def fitted_attenuation_map_mgy(
    source: CtSource,
    grid: Grid,
    electron_density: FloatArray,
    body: BoolArray,
    *,
    photons: float,
    n_angles: int = N_TUBE_ANGLES,
) -> FloatArray:
    """Air-kerma attenuation map in water that fits the patient.

    Parameters
    ----------
    source : CtSource
    grid : Grid
        Axis-aligned.
    electron_density : ndarray, shape ``grid.shape``
    body : ndarray of bool, shape ``grid.shape``
        Where the map is wanted, and what the ellipses are fitted to.
    photons : float
        Photons of the scan.
    n_angles : int
        Tube angles that stand for a turn.

    Returns
    -------
    ndarray, shape ``grid.shape``, float32 [mGy]
        0 outside the body.

    Notes
    -----
    As `milligray.learn.inputs.attenuation_map.attenuation_map_mgy`, with the path L of a ray inside
    the ellipse (`water_ellipses_mm`) of the voxel's own slice: rays run within a few degrees of
    their slice. Obliqueness is taken on the average over the beam's height h at the
    focal radius R, ``1 + h^2 / (12 R^2)`` in the squared distance and its root in the path.
    """
    density = np.where(body, electron_density, 0.0).astype(np.float32)
    kerma = _kerma(source, grid, density, body, is_traced=False, n_angles=n_angles)
    return np.asarray(kerma * (photons * mgy_per_solid_angle(source.field)), dtype=np.float32)


def traced_ratio(
    source: CtSource,
    grid: Grid,
    electron_density: FloatArray,
    body: BoolArray,
    *,
    n_angles: int = N_TUBE_ANGLES,
) -> FloatArray:
    """Kerma with rays traced through the slices over that in their ellipses.

    Parameters
    ----------
    source : CtSource
    grid : Grid
        Axis-aligned.
    electron_density, body : ndarray, shape ``grid.shape``
    n_angles : int

    Returns
    -------
    ndarray, shape ``grid.shape``, float32

    Notes
    -----
    The path is the integral of `water_equivalent` along the ray in the slice, in steps of a pixel
    from the voxel's center. That is done on cubes twice as large: the ratio is smooth, and is
    interpolated.
    """
    density = np.where(body, electron_density, 0.0).astype(np.float32)
    coarse = coarse_grid(grid, 2.0 * grid.spacing_mm[0])
    covered = averaged(np.ones(grid.shape, dtype=np.float32), grid, coarse)
    averages = averaged(density, grid, coarse) / np.maximum(covered, 1e-3)
    lit = averaged(body.astype(np.float32), grid, coarse) > 0.0
    ellipse, traced = (
        _kerma(source, coarse, averages, lit, is_traced=how, n_angles=n_angles)
        for how in (False, True)
    )
    ratio = np.divide(traced, ellipse, out=np.ones_like(traced), where=ellipse > 0.0)
    return interpolated(np.clip(ratio, 1.0 / _MOST_RATIO, _MOST_RATIO), coarse, grid)


def _kerma(
    source: CtSource,
    grid: Grid,
    density: FloatArray,
    body: BoolArray,
    *,
    is_traced: bool,
    n_angles: int,
) -> FloatArray:
    """Map over (photons / solid angle), shape ``grid.shape``."""
    ellipses = water_ellipses_mm(density, body, grid)
    field = source.field
    longest = 2.0 * float(ellipses[:, 2:].max(initial=SHORTEST_HALF_AXIS_MM))
    if is_traced:  # along arms and through bone a path can be longer
        longest *= 2.0
    table, path_step = kerma_table(field, longest)
    center = np.array(source.isocenter_lps_mm)
    ellipses[:, :2] -= center
    x = (grid.axis_centers_mm(2) - center[0]) * CM_PER_MM
    y = (grid.axis_centers_mm(1) - center[1]) * CM_PER_MM
    geometry = np.array([
        field.focal_radius_mm * CM_PER_MM, 0.5 * field.width_mm * CM_PER_MM, path_step,
        1.0 + (field.height_mm / field.focal_radius_mm) ** 2 / 12.0,
    ])  # fmt: skip
    shares = beam_shares(source, grid, n_angles)
    attenuating = water_equivalent(density) if is_traced else np.zeros((1, 1, 1), np.float32)
    kerma = np.zeros(grid.shape)
    _trace(table, geometry, x, y, ellipses * CM_PER_MM, attenuating, shares, body, n_angles, kerma)
    return kerma


def beam_shares(source: CtSource, grid: Grid, n_angles: int) -> FloatArray:
    """Share of the scan's photons whose beam covers a slice.

    Parameters
    ----------
    source : CtSource
    grid : Grid
    n_angles : int

    Returns
    -------
    ndarray, shape (n, nz, N_MAGNIFICATIONS)
        By tube angle (one row if it is averaged over, else ``n_angles`` rows that are each
        relative to a turn's mean), slice, and distance from the tube along the central ray over
        the focal radius, from 0 to 2.
    """
    width = np.maximum(source.z_bins_mm[:, 1] - source.z_bins_mm[:, 0], 1e-3)
    low = source.z_bins_mm.mean(axis=1) - 0.5 * width
    share = source.z_weights / source.z_weights.sum()
    n_fine = max(1, round(grid.spacing_mm[0] / FINE_Z_MM))
    within = ((np.arange(n_fine) + 0.5) / n_fine - 0.5) * grid.spacing_mm[0]
    z = (grid.axis_centers_mm(0)[:, None] + within)[:, :, None]
    magnification = 2.0 * np.arange(N_MAGNIFICATIONS) / (N_MAGNIFICATIONS - 1)
    reach = 0.5 * source.field.height_mm * magnification
    rows = [share]
    if source.start_angle_rad is not None and source.mode == "helical":
        turn = source.angle_sense * 2.0 * np.pi / source.feed_mm
        angle = source.start_angle_rad + turn * (
            source.z_bins_mm.mean(axis=1) - source.z_bins_mm[0, 0]
        )
        index = np.floor(angle / (2.0 * np.pi) * n_angles).astype(np.int64) % n_angles
        rows = [np.where(index == i, share * n_angles, 0.0) for i in range(n_angles)]
    edges = np.stack([low, low + width], axis=1).ravel()
    covered = []
    for row in rows:
        sums = np.concatenate([[0.0], np.cumsum(row)])
        steps = np.stack([sums[:-1], sums[1:]], axis=1).ravel()
        covered.append(
            (np.interp(z + reach, edges, steps) - np.interp(z - reach, edges, steps)).mean(axis=1)
        )
    return np.asarray(covered)


@voxel_loop
def _path_in_ellipse(tube_x, tube_y, x, y, ellipse):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Length from the tube to a point inside an ellipse (center x, y, half axes)."""
    if ellipse[2] <= 0.0:
        return 0.0
    px, py = (tube_x - ellipse[0]) / ellipse[2], (tube_y - ellipse[1]) / ellipse[3]
    dx, dy = (x - tube_x) / ellipse[2], (y - tube_y) / ellipse[3]
    a = dx * dx + dy * dy
    b = px * dx + py * dy
    root = b * b - a * (px * px + py * py - 1.0)
    if root <= 0.0:
        return 0.0
    root = math.sqrt(root)
    inside = min(1.0, (-b + root) / a) - max(0.0, (-b - root) / a)
    return max(0.0, inside) * math.hypot(x - tube_x, y - tube_y)


@voxel_loop
def _path_in_slice(plane, x, y, j, i, sine, cosine, focal):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Integral of a slice's values from a pixel's center toward the tube."""
    step = x[1] - x[0]
    dx, dy = -focal * sine - x[i], -focal * cosine - y[j]
    n = math.hypot(dx, dy) / step
    dx, dy = dx / step / n, dy / step / n
    ny, nx = plane.shape
    total = 0.5 * plane[j, i]
    for s in range(1, int(n) + 1):
        px, py = i + s * dx, j + s * dy
        a, b = math.floor(px), math.floor(py)
        if a < 0 or b < 0 or a >= nx - 1 or b >= ny - 1:
            break
        p, q = px - a, py - b
        total += (plane[b, a] * (1.0 - p) + plane[b, a + 1] * p) * (1.0 - q) + (
            plane[b + 1, a] * (1.0 - p) + plane[b + 1, a + 1] * p
        ) * q
    return total * step


@voxel_loop
def _trace(table, geometry, x, y, ellipses, attenuating, shares, body, n_angles, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    focal, half_width, path_step, oblique = geometry[0], geometry[1], geometry[2], geometry[3]
    longer = math.sqrt(oblique)
    n_fan, n_path = table.shape
    n_rows, _, n_share = shares.shape
    for a in range(n_angles):
        angle = 2.0 * math.pi * (a + 0.5) / n_angles
        sine, cosine = math.sin(angle), math.cos(angle)
        row = a if n_rows > 1 else 0
        for k in range(out.shape[0]):
            if shares[row, k, n_share - 1] <= 0.0:
                continue
            for j in range(y.size):
                for i in range(x.size):
                    if not body[k, j, i]:
                        continue
                    t = focal + x[i] * sine + y[j] * cosine
                    lateral = x[i] * cosine - y[j] * sine
                    if t <= 0.0:
                        continue
                    on_plane = abs(lateral) * focal / t
                    if on_plane > half_width:
                        continue
                    m = min(0.5 * t / focal * (n_share - 1), n_share - 1.000001)
                    mi = int(m)
                    m -= mi
                    share = shares[row, k, mi] * (1.0 - m) + shares[row, k, mi + 1] * m
                    if share <= 0.0:
                        continue
                    if attenuating.shape[0] > 1:
                        path = _path_in_slice(attenuating[k], x, y, j, i, sine, cosine, focal)
                    else:
                        path = _path_in_ellipse(
                            -focal * sine, -focal * cosine, x[i], y[j], ellipses[k]
                        )
                    path *= longer
                    f = on_plane / half_width * (n_fan - 1)
                    fi = min(int(f), n_fan - 2)
                    g = path / path_step
                    gi = min(int(g), n_path - 2)
                    f -= fi
                    g -= gi  # beyond the table: the last slope
                    value = (table[fi, gi] * (1.0 - f) + table[fi + 1, gi] * f) * (1.0 - g) + (
                        table[fi, gi + 1] * (1.0 - f) + table[fi + 1, gi + 1] * f
                    ) * g
                    distance2 = (lateral * lateral + t * t) * oblique
                    out[k, j, i] += share * math.exp(value) / distance2 / n_angles

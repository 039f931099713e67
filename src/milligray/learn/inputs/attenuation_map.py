"""Air kerma of the primary beam, free in air but attenuated as in a cylinder of water."""

import math

import numpy as np

from milligray.constants import CM_PER_MM, MGY_PER_KEV_PER_G
from milligray.materials.cross_sections import mu_rho_cm2_g
from milligray.materials.tissues import load_material
from milligray.patient.voxel_loop import voxel_loop
from milligray.source.ct_source import CtSource, FanField
from milligray.source.spectrum import air_mu_en_rho_cm2_g
from milligray.typing import FloatArray
from milligray.volume import Grid

CYLINDER_DIAMETER_MM = 320.0
N_FAN, PATH_STEP_CM = 64, 0.5
N_ANGLES, RADIUS_STEP_CM, AXIAL_STEP_CM, FINE_Z_CM = 180, 0.2, 0.05, 0.1


def attenuation_map_mgy(
    source: CtSource,
    grid: Grid,
    *,
    photons: float,
    cylinder_diameter_mm: float = CYLINDER_DIAMETER_MM,
) -> FloatArray:
    """Air-kerma attenuation map of a scan.

    Parameters
    ----------
    source : CtSource
    grid : Grid
        Axis-aligned.
    photons : float
        Photons of the scan, as `milligray.score.ctdi.photons_per_scan` gives them.
    cylinder_diameter_mm : float [mm]
        Of the water around the axis, without ends; 0: free in air.

    Returns
    -------
    ndarray, shape ``grid.shape``, float32 [mGy]

    Notes
    -----
    At a point r, from the source positions s of the scan with their shares p_s of the photons N,

    ``K(r) = N sum_s p_s k(fan, L) / (omega S |r - s|^2)`` inside the field, else 0,
    ``k(fan, L) = sum_E phi_E T_E(fan) E (mu_en/rho)_air exp(-mu_water L)``,

    with the spectrum phi and the bowtie's transmission T at the fan angle of the ray, the solid
    angle omega of the open field, ``S = sum phi T`` over it, and the path L of the ray from s to
    r inside the cylinder. It knows the scanner, the beam, the range and the current, and nothing
    of the patient.
    """
    table, path_step = kerma_table(source.field, cylinder_diameter_mm)
    nz, ny, nx = grid.shape
    x, y, z = (grid.axis_centers_mm(axis) * CM_PER_MM for axis in (2, 1, 0))
    iso_x, iso_y = (value * CM_PER_MM for value in source.isocenter_lps_mm)
    x, y = x - iso_x, y - iso_y
    n_fine = max(1, math.ceil(grid.spacing_mm[0] * CM_PER_MM / FINE_Z_CM - 1e-6))
    within = ((np.arange(n_fine) + 0.5) / n_fine - 0.5) * grid.spacing_mm[0] * CM_PER_MM
    fine = (z[:, None] + within).ravel()
    stations = source.z_bins_mm.mean(axis=1) * CM_PER_MM
    share = source.z_weights / source.z_weights.sum()
    field = source.field
    geometry = np.array([
        field.focal_radius_mm * CM_PER_MM, 0.5 * field.width_mm * CM_PER_MM,
        0.5 * field.height_mm * CM_PER_MM, 0.5 * cylinder_diameter_mm * CM_PER_MM, path_step,
    ])  # fmt: skip
    farthest = float(np.hypot(np.abs(x).max(), np.abs(y).max()))
    if source.mode == "helical" and source.start_angle_rad is not None:
        turn = source.angle_sense * 2.0 * np.pi / (source.feed_mm * CM_PER_MM)
        angle = source.start_angle_rad + turn * (stations - source.z_bins_mm[0, 0] * CM_PER_MM)
        kerma = np.zeros((fine.size, ny, nx))
        _helix(table, geometry, x, y, fine, stations, share, angle, kerma)
        mean = kerma.reshape(nz, n_fine, ny, nx).mean(axis=1)
    else:
        radius = np.arange(int(farthest / RADIUS_STEP_CM) + 2) * RADIUS_STEP_CM
        reach = geometry[2] * (1.0 + farthest / geometry[0])
        axial = np.arange(int(reach / AXIAL_STEP_CM) + 2) * AXIAL_STEP_CM
        ring = np.zeros((axial.size, radius.size))
        _rings(table, geometry, radius, axial, N_ANGLES, ring)
        profile = np.zeros((fine.size, radius.size))
        _along_scan(ring, fine, stations, share, AXIAL_STEP_CM, profile)
        coarse = profile.reshape(nz, n_fine, -1).mean(axis=1)
        mean = _around_axis(coarse, np.hypot(x[None, :], y[:, None]), RADIUS_STEP_CM)
    return np.asarray(mean * (photons * mgy_per_solid_angle(field)), dtype=np.float32)


def mgy_per_solid_angle(field: FanField) -> float:
    """MGy per (keV cm2/g over cm2) of a photon that leaves through the field."""
    half_width, half_height = 0.5 * field.width_mm, 0.5 * field.height_mm
    diagonal = math.sqrt(field.focal_radius_mm**2 + half_width**2 + half_height**2)
    omega = 4.0 * math.atan(half_width * half_height / (field.focal_radius_mm * diagonal))
    return MGY_PER_KEV_PER_G / (omega * float(field.photons().sum()))


def kerma_table(field: FanField, cylinder_diameter_mm: float) -> tuple[FloatArray, float]:
    """Logarithm of k(fan, L), shape (N_FAN, n_path), fan bins even on the plane of the axis."""
    energy = field.spectrum.centers_kev
    kerma = field.spectrum.weights * energy * air_mu_en_rho_cm2_g(energy)
    water = load_material("water")
    mu = mu_rho_cm2_g(water, energy) * water.reference_density_g_cm3
    # the longest chord of the cylinder, for the steepest rays
    steep = math.hypot(1.0, field.height_mm / field.focal_radius_mm)
    path = np.arange(int(cylinder_diameter_mm * CM_PER_MM * steep / PATH_STEP_CM) + 3)
    lateral = 0.5 * field.width_mm * np.arange(N_FAN) / (N_FAN - 1)
    transmission = np.ones((N_FAN, energy.size))
    if field.filter_fan_angle_rad.size:
        angle = np.arctan(lateral / field.focal_radius_mm)
        thickness = np.interp(angle, field.filter_fan_angle_rad, field.filter_thickness_mm)
        transmission = np.exp(-thickness[:, None] * field.filter_mu_per_mm[None])
    attenuated = np.exp(-mu[None] * (path * PATH_STEP_CM)[:, None])
    # elementwise, not a matrix product: the same bits for any number of threads
    k = np.array([(attenuated * (kerma * row)[None]).sum(axis=1) for row in transmission])
    return np.log(k), PATH_STEP_CM


def _around_axis(profile: FloatArray, radius: FloatArray, step: float) -> FloatArray:
    """Values of a profile (z, radius) at the pixels of a slice."""
    index = radius / step
    low = np.minimum(index.astype(np.int64), profile.shape[1] - 2)
    part = index - low
    return np.asarray(profile[:, low] * (1.0 - part) + profile[:, low + 1] * part)


@voxel_loop
def _kerma_at(table, geometry, lateral, along, axial):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Kerma over (photons / solid angle) at a point beside the central ray, all in cm."""
    focal, half_width, half_height = geometry[0], geometry[1], geometry[2]
    t = focal + along
    if t <= 0.0:
        return 0.0
    on_plane = abs(lateral) * focal / t
    if on_plane > half_width or abs(axial) * focal / t > half_height:
        return 0.0
    flat2 = lateral * lateral + t * t
    flat = math.sqrt(flat2)
    distance2 = flat2 + axial * axial
    path = 0.0
    off = focal * abs(lateral) / flat
    cylinder = geometry[3]
    if off < cylinder:
        middle = focal * t / flat
        half = math.sqrt(cylinder * cylinder - off * off)
        path = max(0.0, min(flat, middle + half) - (middle - half))
        path *= math.sqrt(distance2) / flat
    n_fan, n_path = table.shape
    f = on_plane / half_width * (n_fan - 1)
    i = min(int(f), n_fan - 2)
    g = path / geometry[4]
    j = min(int(g), n_path - 2)
    f -= i
    g -= j
    value = (table[i, j] * (1.0 - f) + table[i + 1, j] * f) * (1.0 - g) + (
        table[i, j + 1] * (1.0 - f) + table[i + 1, j + 1] * f
    ) * g
    return math.exp(value) / distance2


@voxel_loop
def _rings(table, geometry, radius, axial, n_angles, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Mean over the tube angles at points of a half-plane through the axis."""
    for a in range(n_angles):
        angle = math.pi * (a + 0.5) / n_angles  # the other half of the turn is its mirror image
        for i in range(radius.size):
            lateral = radius[i] * math.sin(angle)
            along = radius[i] * math.cos(angle)
            for k in range(axial.size):
                out[k, i] += _kerma_at(table, geometry, lateral, along, axial[k]) / n_angles


@voxel_loop
def _along_scan(ring, z, stations, share, step, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n_axial, n_radius = ring.shape
    for k in range(z.size):
        for s in range(stations.size):
            index = abs(z[k] - stations[s]) / step
            low = int(index)
            if low >= n_axial - 1:
                continue
            part = index - low
            for i in range(n_radius):
                value = ring[low, i] * (1.0 - part) + ring[low + 1, i] * part
                out[k, i] += share[s] * value


@voxel_loop
def _helix(table, geometry, x, y, z, stations, share, angle, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    focal = geometry[0]
    for s in range(stations.size):
        sine, cosine = math.sin(angle[s]), math.cos(angle[s])
        for j in range(y.size):
            for i in range(x.size):
                along = x[i] * sine + y[j] * cosine
                lateral = x[i] * cosine - y[j] * sine
                reach = geometry[2] * (focal + along) / focal
                for k in range(z.size):
                    axial = z[k] - stations[s]
                    if abs(axial) <= reach:
                        out[k, j, i] += share[s] * _kerma_at(table, geometry, lateral, along, axial)

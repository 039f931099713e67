"""Compiled sampling of primary photons: where, in which direction, with which energy.

One record, `EmissionTables`, describes every source the engine knows. Coordinates are those of
the transport box: cm, origin at the outer corner of voxel (0, 0, 0), x left, y posterior,
z superior.

Tube angle 0 is in front of the patient (-y), 90 degrees at the patient's right (-x); this is the
frame of AAPM TG-195 case 5.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import physics
from milligray.physics.random import uniform4

CT_FAN, POINT_FIELD, PARALLEL_FIELD = 0, 1, 2
"""Values of ``EmissionTables.kind``."""


class EmissionTables(NamedTuple):
    """A source of photons, ready for a kernel.

    Parameters
    ----------
    kind : int
        `CT_FAN`, `POINT_FIELD` or `PARALLEL_FIELD`.
    origin : ndarray, shape (3,) [cm]
        CT: isocenter at z = 0. Point: focal spot. Parallel: center of the field.
    plane : ndarray, shape (4, 3) [cm]
        Point: center of the field, its two unit axes, its unit normal (away from the spot).
        Parallel: two unit axes in rows 1, 2 and the direction in row 3.
    half_width, half_height : float [cm]
        Half the field, on the plane (CT: on the plane through the axis, fan and z).
    focal_radius : float [cm]
        CT: focal spot to axis.
    z_bins : ndarray, shape (n_z, 2) [cm]
        CT: bins of source positions along z; a bin of no width is a station of an axial scan.
    z_probability, z_alias : ndarray, shape (n_z,)
        Walker alias table of those bins.
    angle_start, angle_per_cm : float [rad, rad/cm]
        CT: tube angle is ``angle_start + angle_per_cm * (z - z_bins[0, 0]) + span * xi``.
    angle_span : float [rad]
        2 pi: every angle alike (start angle unknown, or axial scan); 0: given helix or fixed angle.
    fan_probability, fan_alias : ndarray, shape (n_fan,)
        CT: alias table of equal bins of the lateral position on the plane through the axis.
    energy_edges : ndarray, shape (n_energy, 2) [keV]
    energy_probability, energy_alias : ndarray, shape (n_fan, n_energy)
        Alias tables of the spectrum, per fan bin (one row for the other kinds).
    """

    kind: int
    origin: npt.NDArray[np.float64]
    plane: npt.NDArray[np.float64]
    half_width: float
    half_height: float
    focal_radius: float
    z_bins: npt.NDArray[np.float64]
    z_probability: npt.NDArray[np.float64]
    z_alias: npt.NDArray[np.int32]
    angle_start: float
    angle_per_cm: float
    angle_span: float
    fan_probability: npt.NDArray[np.float64]
    fan_alias: npt.NDArray[np.int32]
    energy_edges: npt.NDArray[np.float64]
    energy_probability: npt.NDArray[np.float64]
    energy_alias: npt.NDArray[np.int32]


@physics
def sample_alias(
    probability: npt.NDArray[np.float64], alias: npt.NDArray[np.int32], xi: float
) -> int:
    """Index from a Walker alias table by one random number."""
    n = probability.shape[0]
    position = xi * n
    index = min(int(position), n - 1)
    return index if position - index < probability[index] else int(alias[index])


@physics
def sample_energy_kev(source: EmissionTables, row: int, xi_bin: float, xi_within: float) -> float:
    """Photon energy from one row of the spectrum [keV]."""
    index = sample_alias(source.energy_probability[row], source.energy_alias[row], xi_bin)
    low = float(source.energy_edges[index, 0])
    return low + xi_within * (float(source.energy_edges[index, 1]) - low)


@physics
def emit_ct(
    source: EmissionTables, seed: np.uint64, history: np.uint64
) -> tuple[float, float, float, float, float, float, float, int]:
    """Photon of a CT scan: z and angle of the tube, place in the fan, energy.

    Directions are uniform in solid angle within the rectangular field, times the transmission
    of the bowtie at their fan angle: the lateral position comes from its table, and given it the
    axial one is exact, ``s = z / sqrt(a^2 + z^2)`` uniform with ``a^2 = R^2 + lateral^2``.
    """
    xi_z, xi_within_z, xi_angle, xi_fan = uniform4(seed, history, 0)
    xi_lateral, xi_axial, xi_bin, xi_energy = uniform4(seed, history, 1)
    slab = sample_alias(source.z_probability, source.z_alias, xi_z)
    z_low = source.z_bins[slab, 0]
    z_tube = z_low + xi_within_z * (source.z_bins[slab, 1] - z_low)
    angle = (
        source.angle_start
        + source.angle_per_cm * (z_tube - source.z_bins[0, 0])
        + source.angle_span * xi_angle
    )
    fan = sample_alias(source.fan_probability, source.fan_alias, xi_fan)
    n_fan = source.fan_probability.shape[0]
    lateral = source.half_width * (2.0 * (fan + xi_lateral) / n_fan - 1.0)
    radius = source.focal_radius
    a = math.sqrt(radius * radius + lateral * lateral)
    s_max = source.half_height / math.sqrt(a * a + source.half_height * source.half_height)
    s = s_max * (2.0 * xi_axial - 1.0)
    axial = a * s / math.sqrt(1.0 - s * s)
    energy = sample_energy_kev(source, fan, xi_bin, xi_energy)
    sine = math.sin(angle)
    cosine = math.cos(angle)
    norm = 1.0 / math.sqrt(a * a + axial * axial)
    u = (radius * sine + lateral * cosine) * norm
    v = (radius * cosine - lateral * sine) * norm
    return (
        source.origin[0] - radius * sine,
        source.origin[1] - radius * cosine,
        source.origin[2] + z_tube,
        u,
        v,
        axial * norm,
        energy,
        2,
    )


@physics
def emit_point(
    source: EmissionTables, seed: np.uint64, history: np.uint64
) -> tuple[float, float, float, float, float, float, float, int]:
    """Photon of a point source, uniform in solid angle within a rectangle on a plane.

    A point uniform on the rectangle is accepted with ``(h / distance)^3``, the solid angle per
    area relative to its largest possible value.
    """
    plane = source.plane
    draw = 0
    while True:
        xi_width, xi_height, xi_accept, xi_bin = uniform4(seed, history, draw)
        draw += 1
        a = source.half_width * (2.0 * xi_width - 1.0)
        b = source.half_height * (2.0 * xi_height - 1.0)
        x = plane[0, 0] + a * plane[1, 0] + b * plane[2, 0] - source.origin[0]
        y = plane[0, 1] + a * plane[1, 1] + b * plane[2, 1] - source.origin[1]
        z = plane[0, 2] + a * plane[1, 2] + b * plane[2, 2] - source.origin[2]
        distance = math.sqrt(x * x + y * y + z * z)
        height = x * plane[3, 0] + y * plane[3, 1] + z * plane[3, 2]
        ratio = height / distance
        if xi_accept < ratio * ratio * ratio:
            break
    xi_energy, _, _, _ = uniform4(seed, history, draw)
    energy = sample_energy_kev(source, 0, xi_bin, xi_energy)
    return (
        source.origin[0],
        source.origin[1],
        source.origin[2],
        x / distance,
        y / distance,
        z / distance,
        energy,
        draw + 1,
    )


@physics
def emit_parallel(
    source: EmissionTables, seed: np.uint64, history: np.uint64
) -> tuple[float, float, float, float, float, float, float, int]:
    """Photon of a parallel beam, uniform over a rectangle."""
    xi_width, xi_height, xi_bin, xi_energy = uniform4(seed, history, 0)
    a = source.half_width * (2.0 * xi_width - 1.0)
    b = source.half_height * (2.0 * xi_height - 1.0)
    plane = source.plane
    return (
        source.origin[0] + a * plane[1, 0] + b * plane[2, 0],
        source.origin[1] + a * plane[1, 1] + b * plane[2, 1],
        source.origin[2] + a * plane[1, 2] + b * plane[2, 2],
        plane[3, 0],
        plane[3, 1],
        plane[3, 2],
        sample_energy_kev(source, 0, xi_bin, xi_energy),
        1,
    )


@physics
def emit(
    source: EmissionTables, seed: np.uint64, history: np.uint64
) -> tuple[float, float, float, float, float, float, float, int]:
    """One primary photon.

    Returns
    -------
    x, y, z : float [cm]
    u, v, w : float
        Unit direction.
    energy_kev : float
    draw : int
        Next unused block of random numbers of this history.
    """
    if source.kind == 0:
        return emit_ct(source, seed, history)
    if source.kind == 1:
        return emit_point(source, seed, history)
    return emit_parallel(source, seed, history)

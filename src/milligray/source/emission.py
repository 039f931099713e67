"""Compiled sampling of primary photons: where, in which direction, with which energy.

One record, `EmissionTables`, describes every source the engine knows. Coordinates are those of
the transport box: cm, origin at the outer corner of voxel (0, 0, 0), x left, y posterior,
z superior.

Tube angle 0 is in front of the patient (-y), 90 degrees at the patient's right (-x); this is the
frame of AAPM TG-195 case 5.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import physics
from milligray.physics.geometry import sincos_of_turn
from milligray.physics.random import uniform4
from milligray.source.emission_tables import EmissionTables

_ALPHA = (
    0.8812714616335696,
    0.7766393890897683,
    0.6844301295853427,
    0.6031687406857283,
    0.5315553977157914,
)
"""Powers of 1 / g with ``g^6 = g + 1``: the additive recurrence in five dimensions that keeps the
largest gaps small (Roberts 2018)."""
_SHIFTS = np.uint64(1) << np.uint64(62)
"""Histories from this number on never run; their random numbers shift the points of a batch."""


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
def search(cumulative: npt.NDArray[Any], xi: float) -> int:
    """First index whose cumulative share is above xi in [0, 1)."""
    low, high = 0, cumulative.shape[0] - 1
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > xi:
            high = middle
        else:
            low = middle + 1
    return low


@physics
def segment_place(source: EmissionTables, history: np.uint64, xi: float) -> tuple[int, float]:
    """Bin of the tube's path, and place in it, within the segment that a history belongs to."""
    number = int(np.int64(history % np.uint64(source.batch_histories)))
    segment = number * source.segments // source.batch_histories
    share = (segment + xi) / source.segments
    slab = search(source.z_cumulative, share)
    low = source.z_cumulative[slab - 1] if slab > 0 else 0.0
    return slab, min((share - low) / (source.z_cumulative[slab] - low), 1.0)


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
    if source.segments > 1:
        slab, xi_within_z = segment_place(source, history, xi_z)
    else:
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
def voxel_place_and_direction(
    source: EmissionTables, batch_histories: int, seed: np.uint64, history: np.uint64
) -> tuple[float, float, float, float, float, float]:
    """Place in a voxel [cm] and isotropic direction, by the random numbers of draws 0 to 2.

    If stratified, the five numbers of the voxel and the direction are within a batch a Kronecker
    sequence with a random shift (Cranley and Patterson 1976): every history alone is distributed
    as a random one, and batches are independent, so their spread is an honest uncertainty.
    """
    xi_z, xi_y, xi_x, xi_polar = uniform4(seed, history, 0)
    xi_azimuth, _, _, _ = uniform4(seed, history, 1)
    within_z, within_y, within_x, _ = uniform4(seed, history, 2)
    if source.is_stratified:
        size = np.uint64(batch_histories)
        batch = history // size
        number = float(np.int64(history - batch * size))
        shift_z, shift_y, shift_x, shift_polar = uniform4(seed, _SHIFTS + batch, 0)
        shift_azimuth, _, _, _ = uniform4(seed, _SHIFTS + batch, 1)
        xi_z = (shift_z + number * _ALPHA[0]) % 1.0
        xi_y = (shift_y + number * _ALPHA[1]) % 1.0
        xi_x = (shift_x + number * _ALPHA[2]) % 1.0
        xi_polar = (shift_polar + number * _ALPHA[3]) % 1.0
        xi_azimuth = (shift_azimuth + number * _ALPHA[4]) % 1.0
    k = search(source.cumulative_z, xi_z)
    j = search(source.cumulative_y[k], xi_y)
    i = search(source.cumulative_x[k, j], xi_x)
    size_cm = source.voxel_size
    w = 2.0 * xi_polar - 1.0
    sine = math.sqrt(max(0.0, 1.0 - w * w))
    sin_azimuth, cos_azimuth = sincos_of_turn(xi_azimuth)
    return (
        source.origin[0] + (i + within_x) * size_cm[0],
        source.origin[1] + (j + within_y) * size_cm[1],
        source.origin[2] + (k + within_z) * size_cm[2],
        sine * cos_azimuth,
        sine * sin_azimuth,
        w,
    )


@physics
def emit_voxel(
    source: EmissionTables, seed: np.uint64, history: np.uint64
) -> tuple[float, float, float, float, float, float, float, int]:
    """Photon from a voxel, isotropic."""
    _, xi_bin, xi_energy, _ = uniform4(seed, history, 1)
    x, y, z, u, v, w = voxel_place_and_direction(source, source.batch_histories, seed, history)
    return x, y, z, u, v, w, sample_energy_kev(source, 0, xi_bin, xi_energy), 3


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
    if source.kind == 2:
        return emit_parallel(source, seed, history)
    return emit_voxel(source, seed, history)

"""Rays, boxes and directions. Lengths in cm, the box lies between the origin and its extent."""

import math

from milligray.physics.compiled import physics

_NUDGE_CM = 1e-9


@physics
def distance_to_box_cm(
    x: float, y: float, z: float, u: float, v: float, w: float,
    extent_x: float, extent_y: float, extent_z: float,
) -> float:  # fmt: skip
    """Distance along the ray to the box [cm]; 0 if it starts inside, -1 if it misses."""
    near = 0.0
    far = 1e30
    for axis in range(3):
        position = x if axis == 0 else (y if axis == 1 else z)
        cosine = u if axis == 0 else (v if axis == 1 else w)
        extent = extent_x if axis == 0 else (extent_y if axis == 1 else extent_z)
        if abs(cosine) < 1e-12:
            if position <= 0.0 or position >= extent:
                return -1.0
        else:
            t0 = -position / cosine
            t1 = (extent - position) / cosine
            near = max(near, min(t0, t1))
            far = min(far, max(t0, t1))
    if far - near <= _NUDGE_CM:
        return -1.0
    return near


@physics
def voxel_of(position: float, inverse_spacing: float, n_voxels: int) -> int:
    """Index of the voxel along one axis, clamped to the box against rounding at its faces."""
    index = int(position * inverse_spacing)
    return min(max(index, 0), n_voxels - 1)


@physics
def sincos_of_turn(xi: float) -> tuple[float, float]:
    """Sine and cosine of ``2 pi xi`` for xi in [0, 1], within 4e-9; faster than the library's.

    Taylor polynomials within an eighth of a turn around each quarter.
    """
    quarter = int(4.0 * xi + 0.5)
    a = (4.0 * xi - quarter) * (0.5 * math.pi)
    b = a * a
    s = a * (1.0 + b * (-1.0 / 6.0 + b * (1.0 / 120.0 + b * (-1.0 / 5040.0 + b / 362880.0))))
    c = 1.0 + b * (
        -0.5 + b * (1.0 / 24.0 + b * (-1.0 / 720.0 + b * (1.0 / 40320.0 - b / 3628800.0)))
    )
    swap = quarter & 1
    sine = c if swap else s
    cosine = s if swap else c
    sine = -sine if quarter & 2 else sine
    cosine = -cosine if (quarter + 1) & 2 else cosine
    return sine, cosine


@physics
def rotate(u: float, v: float, w: float, cos_polar: float, xi: float) -> tuple[float, float, float]:
    """New direction after a deflection by the polar angle, azimuth ``2 pi xi``.

    The usual rotation formula, with its own branch near the z axis where it is singular;
    the result is normalized so that rounding does not grow along a history.
    """
    sin_azimuth, cos_azimuth = sincos_of_turn(xi)
    sin_polar = math.sqrt(max(0.0, 1.0 - cos_polar * cos_polar))
    transverse = 1.0 - w * w
    if transverse > 1e-10:
        root = math.sqrt(transverse)
        a = sin_polar / root
        u_new = u * cos_polar + a * (u * w * cos_azimuth - v * sin_azimuth)
        v_new = v * cos_polar + a * (v * w * cos_azimuth + u * sin_azimuth)
        w_new = w * cos_polar - sin_polar * root * cos_azimuth
    else:
        sign = 1.0 if w > 0.0 else -1.0
        u_new = sin_polar * cos_azimuth
        v_new = sin_polar * sin_azimuth
        w_new = sign * cos_polar
    norm = 1.0 / math.sqrt(u_new * u_new + v_new * v_new + w_new * w_new)
    return u_new * norm, v_new * norm, w_new * norm

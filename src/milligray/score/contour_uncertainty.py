"""How a contour errs, and what that does to the activity in it: functions of the EANM scheme."""

from math import erf, exp, isfinite, log, pi, sqrt

from milligray.errors import InputError
from milligray.source.partial_volume import RecoveryCurve

FWHM_PER_SIGMA = 2.0 * sqrt(2.0 * log(2.0))
SLOPE_STEP = 1.05


def sphere_radius_mm(volume_ml: float) -> float:
    """Radius of the sphere of a volume [mm]."""
    if not (isfinite(volume_ml) and volume_ml > 0):
        raise InputError(f"volume must be > 0 mL, got {volume_ml}")
    return float((3.0 * volume_ml * 1e3 / (4.0 * pi)) ** (1.0 / 3.0))


def volume_relative_uncertainty(
    volume_ml: float, *, voxel_mm: float, fwhm_mm: float, is_manual: bool = True
) -> float:
    """Relative standard uncertainty of a contoured volume.

    Parameters
    ----------
    volume_ml : float [mL]
    voxel_mm : float [mm]
        Of the image on which the contour was drawn; the cube root of the voxel's volume.
    fwhm_mm : float [mm]
        Resolution of that image.
    is_manual : bool
        Drawn by eye or threshold on the blurred edge. False: only the voxels count.

    Notes
    -----
    The diameter ends at two edges. Each lies within a voxel (``voxel**2 / 12``), and within the
    blurred edge (``sigma**2``, ``sigma = FWHM / (2 sqrt(2 ln 2))``):
    ``u(d)**2 = voxel**2 / 6 + FWHM**2 / (4 ln 2)`` and ``u(v) / v = 3 u(d) / d``.

    References
    ----------
    Gear et al., Eur J Nucl Med Mol Imaging 45 (2018) 2456
    """
    if not (voxel_mm > 0 and fwhm_mm >= 0):
        raise InputError("voxel size must be > 0 mm and FWHM >= 0 mm")
    variance = voxel_mm**2 / 6.0
    if is_manual:
        variance += fwhm_mm**2 / (4.0 * log(2.0))
    return 3.0 * sqrt(variance) / (2.0 * sphere_radius_mm(volume_ml))


def edge_share(volume_ml: float, fwhm_mm: float) -> float:
    """Twice the blurred activity at a sphere's edge, relative to the true: phi of the EANM scheme.

    Notes
    -----
    ``phi = erf(2 r / (sigma sqrt 2)) - 2 sigma / (r sqrt(2 pi)) (1 - exp(-2 r**2 / sigma**2))``.
    Counts within the contour change by ``dC / C = phi / (2 R) dv / v``: 1 would be a volume in
    uniform activity; at the edge of a large object half of it, since half is blurred away.
    """
    radius = sphere_radius_mm(volume_ml)
    if fwhm_mm <= 0:
        return 1.0
    sigma = fwhm_mm / FWHM_PER_SIGMA
    tail = 1.0 - exp(-2.0 * radius**2 / sigma**2)
    return erf(2.0 * radius / (sigma * sqrt(2.0))) - 2.0 * sigma / (radius * sqrt(2.0 * pi)) * tail


def recovery_slope(curve: RecoveryCurve, volume_ml: float) -> float:
    """``d ln R / d ln v`` of measured recovery coefficients, over 10 % of the volume."""
    low = max(volume_ml / SLOPE_STEP, float(curve.volume_ml[0]))
    high = low * SLOPE_STEP**2
    return log(curve.at(high) / curve.at(low)) / log(high / low)

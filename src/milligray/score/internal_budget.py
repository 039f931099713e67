"""The uncertainty budget of an organ or lesion dose from activity images (EANM 2018)."""

from dataclasses import dataclass
from math import isfinite, isnan, sqrt
from typing import Literal

from milligray.errors import InputError
from milligray.score.contour_uncertainty import (
    edge_share,
    recovery_slope,
    volume_relative_uncertainty,
)
from milligray.score.dose import BudgetEntry
from milligray.source.partial_volume import RecoveryCurve, sphere_recovery

ASSUMED_KINETICS = 0.25
"""Judgement, for kinetics that were assumed and not measured."""
UNSTATED_RECOVERY = 0.05
"""Judgement, for measured recovery coefficients without an uncertainty."""
COUNTING = "Counts and noise of the images"
VOLUME = "Volume of the contour (through counts, recovery and mass)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingFacts:
    """What the budget needs to know of the images.

    Parameters
    ----------
    voxel_mm : float [mm]
        Cube root of the voxel volume of the image contoured.
    fwhm_mm : float [mm]
        Resolution of the activity images.
    contour_fwhm_mm : float [mm]
        Resolution of the image contoured: of the CT where contours come from it.
    calibration : float
        Relative standard uncertainty of activity per count or of PET's own calibration.
    calibration_basis : str
    counts : float
        Relative standard uncertainty of a region's activity by noise, where the kinetic fit does
        not hold it already.
    recovery : RecoveryCurve or None
        None: activity not corrected for partial volume.
    """

    voxel_mm: float
    fwhm_mm: float
    contour_fwhm_mm: float
    calibration: float
    calibration_basis: str
    counts: float = 0.0
    recovery: RecoveryCurve | None = None


def internal_budget(
    volume_ml: float,
    imaging: ImagingFacts,
    *,
    kinetics: float,
    kinetics_basis: str,
    transport: float,
    transport_basis: str = "standard deviation over batches of the organ's dose",
    density: float = 0.02,
    mass_exponent: float = -1.0,
    self_dose_share: float = 1.0,
    registration: float = 0.0,
) -> tuple[BudgetEntry, ...]:
    """Budget of the mean dose of one region.

    Parameters
    ----------
    volume_ml : float [mL]
    imaging : ImagingFacts
    kinetics : float
        Relative standard uncertainty of the time integral (`RegionTia.relative_uncertainty`);
        NaN if the kinetics were assumed: 25 % by judgement.
    kinetics_basis : str
        Method of the integral.
    transport : float
        Relative, of the S-value or the Monte Carlo dose.
    transport_basis : str
    density : float
        HU to density and tissue, as it enters the dose.
    mass_exponent : float
        ``d ln S / d ln m``, about -1 for charged particles (`SphereSValues.mass_exponent`).
    self_dose_share : float
        Share of the region's dose that comes from decays within it; volume, recovery and counts of
        the region bear on this share.
    registration : float
        Relative, from the registration of time points.

    Returns
    -------
    tuple of BudgetEntry
        Independent entries for `milligray.score.budget.combine`.

    Notes
    -----
    Activity is ``A = C / (Q R)`` and dose ``D = tia S(m)`` with ``m = density v``. Counts, recovery
    and mass all depend on the same contour, so the covariances of the scheme (count rate with
    recovery, integral with S) are one sensitivity:
    ``d ln D / d ln v = phi / (2 R) - d ln R / d ln v + mass_exponent``,
    times ``u(v) / v``. This is the scheme's sum with its covariance terms, in one line: too large
    a contour holds more counts and more mass, and the two nearly cancel where activity is spread.
    Without recovery correction ``R`` is that of the images, ``d ln R / d ln v = 0``, and the loss
    of a sphere of this volume, ``1 / R - 1`` of the dose stated, is an entry of its own (a bias,
    given as k = 1).

    References
    ----------
    Gear et al., EANM practical guidance on uncertainty analysis for molecular radiotherapy absorbed
    dose calculations, Eur J Nucl Med Mol Imaging 45 (2018) 2456; Finocchiaro et al., EJNMMI Phys 7
    (2020) 63: 14 to 102 % for 154 tumors by this scheme
    """
    if not 0.0 <= self_dose_share <= 1.0:
        raise InputError(f"self_dose_share must lie in [0, 1], got {self_dose_share}")
    u_volume = volume_relative_uncertainty(
        volume_ml, voxel_mm=imaging.voxel_mm, fwhm_mm=imaging.contour_fwhm_mm
    )
    sensitivity = volume_sensitivity(volume_ml, imaging, mass_exponent=mass_exponent)
    assumed = isnan(kinetics)
    entries = [
        _entry("Transport and S-values", transport, "A", transport_basis),
        _entry(
            "Time integral",
            ASSUMED_KINETICS if assumed else kinetics,
            "B" if assumed else "A",
            f"judgement: kinetics assumed, not measured ({kinetics_basis})"
            if assumed
            else kinetics_basis,
        ),
        _entry("Calibration of the activity", imaging.calibration, "B", imaging.calibration_basis),
        _entry(
            VOLUME,
            abs(sensitivity) * self_dose_share * u_volume,
            "B",
            f"EANM 2018: volume {100 * u_volume:.1f} % from voxels of {imaging.voxel_mm:.3g} mm and"
            f" edges of {imaging.contour_fwhm_mm:.3g} mm FWHM, times d ln D / d ln v ="
            f" {sensitivity:+.2f} (counts, recovery and mass share the contour)",
        ),
        _recovery_entry(volume_ml, imaging, self_dose_share),
        _entry(COUNTING, imaging.counts * self_dose_share, "A", "noise of the region's activity"),
        _entry("Registration of time points", registration, "B", "stated by the registration"),
        _entry(
            "HU to density and tissue",
            density,
            "B",
            "judgement: mass of the region and attenuation between regions",
        ),
    ]
    return tuple(entries)


def volume_sensitivity(
    volume_ml: float, imaging: ImagingFacts, *, mass_exponent: float = -1.0
) -> float:
    """``d ln D / d ln v`` of a region's self-dose; see `internal_budget`."""
    phi = edge_share(volume_ml, imaging.fwhm_mm)
    if imaging.recovery is None:
        return phi / (2.0 * sphere_recovery(volume_ml, imaging.fwhm_mm)) + mass_exponent
    slope = recovery_slope(imaging.recovery, volume_ml)
    return phi / (2.0 * imaging.recovery.at(volume_ml)) - slope + mass_exponent


def _recovery_entry(volume_ml: float, imaging: ImagingFacts, share: float) -> BudgetEntry:
    curve = imaging.recovery
    if curve is not None:
        stated = curve.relative_uncertainty
        basis = f"recovery {curve.at(volume_ml):.2f} read off {curve.name or 'the curve given'}"
        if stated is None:
            basis = f"judgement: {basis}, which states no uncertainty"
        value = UNSTATED_RECOVERY if stated is None else stated
        return _entry("Recovery coefficient", value * share, "B", basis)
    kept = sphere_recovery(volume_ml, imaging.fwhm_mm)
    return _entry(
        "Partial volume, not corrected",
        (1.0 / kept - 1.0) * share,  # of what is stated, as every line: the truth is 1 / kept of it
        "B",
        f"a sphere of {volume_ml:.3g} mL keeps {100 * kept:.0f} % of its activity at"
        f" {imaging.fwhm_mm:.3g} mm FWHM: a lone hot region is too low by about this; one"
        " beside a hotter one may be too high",
    )


def correlated_sum(first: float, second: float, correlation: float) -> float:
    """Relative standard uncertainty of a product of two correlated factors.

    ``u**2 = u1**2 + u2**2 + 2 r u1 u2`` (GUM, JCGM 100:2008, 5.2.2).
    """
    if not (isfinite(first) and isfinite(second) and -1.0 <= correlation <= 1.0):
        raise InputError("uncertainties must be finite and the correlation lie in [-1, 1]")
    return sqrt(max(first**2 + second**2 + 2.0 * correlation * first * second, 0.0))


def _entry(component: str, value: float, kind: Literal["A", "B"], basis: str) -> BudgetEntry:
    if not (isfinite(value) and value >= 0.0):
        raise InputError(f"relative uncertainty of {component!r} must be >= 0, got {value}")
    return BudgetEntry(component=component, relative_uncertainty=value, kind=kind, basis=basis)

"""The EANM scheme against the whole chain redone with other contours."""

from math import log, nan, pi, sqrt

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf

from milligray.errors import InputError
from milligray.score.budget import combine
from milligray.score.contour_uncertainty import (
    edge_share,
    recovery_slope,
    sphere_radius_mm,
    volume_relative_uncertainty,
)
from milligray.score.internal_budget import (
    ASSUMED_KINETICS,
    VOLUME,
    ImagingFacts,
    correlated_sum,
    internal_budget,
    volume_sensitivity,
)
from milligray.source.partial_volume import RecoveryCurve, sphere_recovery

VOLUMES = np.geomspace(0.3, 3000.0, 300)
CURVE = RecoveryCurve(
    volume_ml=VOLUMES,
    recovery=1 - 1 / (1 + (VOLUMES / 2.5) ** 0.95),
    relative_uncertainty=0.06,
)
SPECT = ImagingFacts(
    voxel_mm=4.42,
    fwhm_mm=11.0,
    contour_fwhm_mm=11.0,
    calibration=0.03,
    calibration_basis="phantom of 6 L",
    recovery=CURVE,
)
FIT = {"kinetics": 0.08, "kinetics_basis": "fit: mono", "transport": 0.01}


def _counts(volume_ml, true_volume_ml, fwhm_mm):
    """Counts within a contour of one volume about a blurred sphere of another."""
    radius, sigma = sphere_radius_mm(true_volume_ml), fwhm_mm / (2 * sqrt(2 * log(2)))
    s = sqrt(2.0) * sigma

    def shell(x):
        flat = 0.5 * (erf((radius - x) / s) + erf((radius + x) / s))
        edge = np.exp(-(((radius - x) / s) ** 2)) - np.exp(-(((radius + x) / s) ** 2))
        return 4 * pi * x * x * (flat - sigma / (x * sqrt(2 * pi)) * edge)

    return quad(shell, 1e-9, sphere_radius_mm(volume_ml))[0]


@pytest.mark.parametrize("recovery", [CURVE, None])
@pytest.mark.parametrize("volume_ml", [1.0, 10.0, 170.0])
def test_sensitivity_to_the_contour_is_that_of_the_whole_chain(volume_ml, recovery):
    """Redo counts, recovery and mass with a contour 0.1 % larger: D = C / (R m)."""
    imaging = ImagingFacts(
        voxel_mm=4.42, fwhm_mm=11.0, contour_fwhm_mm=11.0, calibration=0.0, calibration_basis="",
        recovery=recovery,
    )  # fmt: skip
    logarithm = []
    for v in (volume_ml * 0.999, volume_ml * 1.001):
        read_off = recovery.at(v) if recovery else 1.0
        logarithm.append(log(_counts(v, volume_ml, 11.0) / (read_off * v)))
    numeric = (logarithm[1] - logarithm[0]) / log(1.001 / 0.999)
    if recovery is not None:
        # the scheme takes R of the curve where the blur of this sphere has its own
        own = _counts(volume_ml, volume_ml, 11.0) / (volume_ml * 1e3)
        shift = edge_share(volume_ml, 11.0) / 2 * (1 / recovery.at(volume_ml) - 1 / own)
        numeric += shift
    assert volume_sensitivity(volume_ml, imaging) == pytest.approx(numeric, abs=5e-3)


def test_covariances_of_the_scheme_are_in_the_one_line():
    """Variances and covariances one by one (Gear et al.: C with R, integral with S)."""
    volume_ml = 12.0
    u_v = volume_relative_uncertainty(volume_ml, voxel_mm=4.42, fwhm_mm=11.0)
    recovery = CURVE.at(volume_ml)
    u_c = edge_share(volume_ml, 11.0) / (2 * recovery) * u_v
    u_r = recovery_slope(CURVE, volume_ml) * u_v
    activity = u_c**2 + u_r**2 - 2 * u_c * u_r
    u_a = sqrt(activity)
    sign = 1.0 if u_c > u_r else -1.0
    expected = activity + u_v**2 + 2 * sign * u_a * (-1.0) * u_v
    line = next(
        e for e in internal_budget(volume_ml, SPECT, **FIT) if e.component == VOLUME
    ).relative_uncertainty
    assert line == pytest.approx(sqrt(expected), rel=1e-9)
    assert line < correlated_sum(u_a, u_v, 0.0)


def test_small_lesions_are_far_less_certain_than_organs():
    """Published for 154 tumors by this scheme: 14 to 102 % (Finocchiaro et al. 2020)."""
    totals = [combine(internal_budget(v, SPECT, **FIT)) for v in (1.0, 5.0, 30.0, 170.0, 1500.0)]
    assert totals == sorted(totals, reverse=True)
    assert 0.14 < totals[1] < 1.02
    assert 0.08 < totals[-1] < 0.16


def test_uncorrected_partial_volume_is_an_entry_of_its_own():
    plain = ImagingFacts(
        voxel_mm=2.0, fwhm_mm=6.0, contour_fwhm_mm=2.0, calibration=0.05, calibration_basis="PET"
    )
    entries = internal_budget(1.0, plain, **FIT)
    lost = next(e for e in entries if "not corrected" in e.component)
    assert lost.relative_uncertainty == pytest.approx(1.0 / 0.536 - 1.0, rel=0.01)  # of 1 mL
    shared = internal_budget(1.0, plain, **FIT, self_dose_share=0.1)
    lost_shared = next(e for e in shared if "not corrected" in e.component)
    assert lost_shared.relative_uncertainty == pytest.approx(0.1 * lost.relative_uncertainty)


def test_assumed_kinetics_are_judged_not_left_out():
    entries = internal_budget(
        100.0, SPECT, kinetics=nan, kinetics_basis="physical decay only", transport=0.01
    )
    line = next(e for e in entries if e.component == "Time integral")
    assert line.relative_uncertainty == ASSUMED_KINETICS
    assert line.kind == "B"
    assert "judgement" in line.basis


def test_every_entry_says_on_what_it_rests():
    assert all(entry.basis for entry in internal_budget(20.0, SPECT, **FIT))


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="self_dose_share"):
        internal_budget(20.0, SPECT, **FIT, self_dose_share=1.2)
    with pytest.raises(InputError, match="Transport"):
        internal_budget(20.0, SPECT, kinetics=0.1, kinetics_basis="", transport=-0.1)
    with pytest.raises(InputError, match="correlation"):
        correlated_sum(0.1, 0.1, 2.0)


@pytest.mark.parametrize("volume_ml", [2.0, 6.0, 50.0])
def test_loss_by_partial_volume_reaches_the_truth_from_the_stated_dose(volume_ml):
    """Relative to what is stated, as every line: stated R, true 1, so (1 - R) / R is missing."""
    facts = ImagingFacts(
        voxel_mm=4.0, fwhm_mm=10.0, contour_fwhm_mm=2.0, calibration=0.0, calibration_basis="none"
    )
    entries = internal_budget(
        volume_ml, facts, kinetics=0.0, kinetics_basis="known", transport=0.0, density=0.0
    )
    (loss,) = (e for e in entries if e.component.startswith("Partial volume"))
    stated = sphere_recovery(volume_ml, 10.0)
    assert stated * (1.0 + loss.relative_uncertainty) == pytest.approx(1.0, rel=1e-9)

"""BED and EUD against limits and integrals that are known."""

from math import exp, log

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.score.radiobiology import (
    biologically_effective_dose_mgy,
    dose_protraction_factor,
    equieffective_dose_2gy_mgy,
    equivalent_uniform_dose_mgy,
    exponential_protraction_factor,
    generalized_eud_mgy,
)

HOUR = 3600.0
RATE = log(2.0) / (50 * HOUR)


def test_one_exponential_is_dales_formula():
    """G = lambda / (lambda + mu) (Dale 1985)."""
    for repair_h in (0.5, 2.8, 100.0):
        mu = log(2.0) / (repair_h * HOUR)
        found = dose_protraction_factor([7.0], [RATE], repair_half_lives_s=[repair_h * HOUR])
        assert found == pytest.approx(RATE / (RATE + mu), rel=1e-12)


def test_voxels_each_with_its_own_half_life():
    lives = np.array([20.0, 50.0, 90.0]) * HOUR
    found = exponential_protraction_factor(lives, 2.8 * HOUR)
    for factor, life in zip(found, lives, strict=True):
        one = dose_protraction_factor([1.0], [log(2.0) / life], repair_half_lives_s=[2.8 * HOUR])
        assert factor == pytest.approx(one, rel=1e-12)
    assert np.isnan(exponential_protraction_factor(np.array([np.nan]), HOUR)[0])


def test_acute_and_fully_protracted_limits():
    slow_repair = dose_protraction_factor([1.0], [RATE], repair_half_lives_s=[1e12])
    fast_repair = dose_protraction_factor([1.0], [RATE], repair_half_lives_s=[1e-3])
    assert slow_repair == pytest.approx(1.0, abs=1e-5)
    assert fast_repair == pytest.approx(0.0, abs=1e-7)


def test_double_integral_done_numerically():
    """Uptake and two washout phases, biexponential repair: Lea and Catcheside by quadrature."""
    amplitudes, half_lives = np.array([0.4, 0.6, -1.0]), np.array([60.0, 10.0, 1.0]) * HOUR
    rates = log(2.0) / half_lives
    repair, shares = [0.3 * HOUR, 4.0 * HOUR], [0.4, 0.6]
    time = np.linspace(0.0, 600 * HOUR, 600_001)
    step = time[1]
    rate = np.exp(-np.outer(time, rates)) @ amplitudes
    expected = 0.0
    for half_life, share in zip(repair, shares, strict=True):
        fade = exp(-log(2.0) / half_life * step)
        unrepaired = np.zeros_like(rate)
        for k in range(1, time.size):
            unrepaired[k] = unrepaired[k - 1] * fade + 0.5 * step * (rate[k - 1] * fade + rate[k])
        expected += share * 2.0 * np.trapezoid(rate * unrepaired, time)
    expected /= np.trapezoid(rate, time) ** 2
    found = dose_protraction_factor(
        amplitudes, rates, repair_half_lives_s=repair, repair_shares=shares
    )
    assert found == pytest.approx(expected, rel=2e-3)


def test_conventional_fractions_are_their_own_equivalent():
    """30 x 2 Gy, alpha/beta 10 Gy: BED 72 Gy, EQD2 60 Gy."""
    bed = 30 * biologically_effective_dose_mgy(2000.0, 1.0, 10.0)
    assert bed == pytest.approx(72000.0)
    assert equieffective_dose_2gy_mgy(bed, 10.0) == pytest.approx(60000.0)


def test_kidney_under_lutetium():
    """27 Gy, 50 h, repair 2.8 h, alpha/beta 2.6 Gy: BED = 27 (1 + 27 G / 2.6), G = 2.8/52.8."""
    factor = dose_protraction_factor([1.0], [RATE], repair_half_lives_s=[2.8 * HOUR])
    bed = biologically_effective_dose_mgy(27000.0, factor, 2.6)
    assert bed == pytest.approx(27000.0 * (1 + 27.0 / 2.6 * 2.8 / 52.8), rel=1e-9)


def test_uniform_dose_is_its_own_eud_and_cold_spots_rule():
    assert equivalent_uniform_dose_mgy(np.full(9, 5e4), 0.35) == pytest.approx(5e4)
    assert generalized_eud_mgy(np.full(9, 5e4), -10.0) == pytest.approx(5e4)
    doses = np.array([0.0, 1e5])
    # half the cells untouched: survival 1/2 in the limit
    assert equivalent_uniform_dose_mgy(doses, 0.35) == pytest.approx(
        1e3 * log(2.0) / 0.35, rel=1e-6
    )
    assert equivalent_uniform_dose_mgy(doses, 1e-9) == pytest.approx(5e4, rel=1e-3)
    assert generalized_eud_mgy(doses, 1.0) == pytest.approx(5e4)
    assert generalized_eud_mgy(doses, 200.0) == pytest.approx(1e5, rel=5e-3)
    assert generalized_eud_mgy(doses, -5.0) == 0.0


def test_eud_of_a_huge_dose_does_not_underflow():
    assert equivalent_uniform_dose_mgy(np.array([9e6, 9.1e6]), 0.5) == pytest.approx(9e6, rel=1e-3)


def test_weights_count_voxels():
    doses = np.array([1e4, 3e4])
    repeated = np.array([1e4, 3e4, 3e4, 3e4])
    weights = np.array([1.0, 3.0])
    assert equivalent_uniform_dose_mgy(doses, 0.2, weights=weights) == pytest.approx(
        equivalent_uniform_dose_mgy(repeated, 0.2)
    )
    assert generalized_eud_mgy(doses, 4.0, weights=weights) == pytest.approx(
        generalized_eud_mgy(repeated, 4.0)
    )


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="alpha/beta"):
        biologically_effective_dose_mgy(1.0, 1.0, 0.0)
    with pytest.raises(InputError, match="between 0 and 1"):
        biologically_effective_dose_mgy(1.0, 1.5, 3.0)
    with pytest.raises(InputError, match="add to 1"):
        dose_protraction_factor(
            [1.0], [1.0], repair_half_lives_s=[1.0, 2.0], repair_shares=[0.5, 0.6]
        )
    with pytest.raises(InputError, match="no dose"):
        dose_protraction_factor([1.0, -2.0], [1.0, 1.0], repair_half_lives_s=[1.0])
    with pytest.raises(InputError, match="not 0"):
        generalized_eud_mgy(np.ones(2), 0.0)

"""Trapezoid integrals against integrals that are known."""

from math import exp, log

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.source.kinetics.time_activity import (
    RegionTia,
    TimeActivityCurve,
    check_times,
    tia_coefficient_s,
)
from milligray.source.kinetics.trapezoid import integrate_trapezoid, trapezoid_weights

HOUR = 3600.0
F18 = 109.77 * 60.0


def _curve(times_h, activity, half_life_s=F18, sigma=None):
    return TimeActivityCurve(
        region="liver",
        times_s=np.array(times_h) * HOUR,
        activity_mbq=np.array(activity),
        half_life_s=half_life_s,
        standard_uncertainty_mbq=sigma,
    )


def test_physical_decay_is_integrated_exactly_at_both_ends():
    """Pure decay: everything outside the points is exact, whatever the points."""
    decay = log(2.0) / F18
    times = np.linspace(0.5, 1.5, 2001)
    curve = _curve(times, 100.0 * np.exp(-decay * times * HOUR))
    found = integrate_trapezoid(curve, start="physical-decay")
    assert found.tia_mbq_s == pytest.approx(100.0 / decay, rel=1e-7)
    assert found.fraction_after_last_point == pytest.approx(exp(-decay * 1.5 * HOUR), rel=1e-6)


def test_thirteen_frames_against_the_analytic_integral():
    """A dynamic PET: 13 frames; uptake and washout known; the tail is an upper bound."""
    decay = log(2.0) / F18
    times = np.array([0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 40, 50, 60]) / 60.0
    fast, slow = decay + 1.0 / 300.0, decay + 1.0 / (20 * HOUR)
    t = times * HOUR
    curve = _curve(times, 50.0 * (np.exp(-slow * t) - np.exp(-fast * t)))
    truth = 50.0 * (1.0 / slow - 1.0 / fast)
    found = integrate_trapezoid(curve)
    assert truth < found.tia_mbq_s < 1.10 * truth
    by_points = integrate_trapezoid(curve, tail="last-points")
    assert by_points.tia_mbq_s == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize(
    ("start", "expected_s"), [("linear-from-zero", 900.0), ("constant", 1800.0)]
)
def test_time_before_the_first_point(start, expected_s):
    weights = trapezoid_weights(np.array([1800.0, 3600.0]), F18, start=start)
    assert weights.before.tolist() == [expected_s, 0.0]
    assert weights.between.tolist() == [900.0, 900.0]


@pytest.mark.parametrize("tail", ["physical-decay", "last-points"])
def test_uncertainty_holds_that_of_the_points(tail):
    """Without and with the points' own: the difference is the spread of redrawn points."""
    life, times, values = 10.0 * HOUR, [1.0, 2.0, 4.0], [30.0, 20.0, 8.0]
    curve = _curve(times, values, life, sigma=[0.9, 0.6, 0.24])
    stated = integrate_trapezoid(curve, tail=tail)
    bare = integrate_trapezoid(_curve(times, values, life), tail=tail)
    points = np.sqrt(stated.relative_uncertainty**2 - bare.relative_uncertainty**2)
    draws = np.random.default_rng(5).normal(values, curve.standard_uncertainty_mbq, (4000, 3))
    drawn = [integrate_trapezoid(_curve(times, v, life), tail=tail).tia_mbq_s for v in draws]
    # 4000 draws: 1.1 % per standard deviation of the spread, plus the curvature of the tail
    assert np.std(drawn) / stated.tia_mbq_s == pytest.approx(points, rel=0.08)
    assert any("noise of the points is not known" in note for note in bare.notes)


@pytest.mark.parametrize("effective_h", [25.0, 50.0, 80.0])
def test_uncertainty_covers_lines_and_tail(effective_h):
    """Four images after Lu-177: too high by up to a third, and it says so."""
    times = np.array([4.0, 24.0, 72.0, 168.0])
    rate = log(2.0) / (effective_h * HOUR)
    curve = _curve(times, np.exp(-rate * times * HOUR), 6.647 * 24 * HOUR)
    found = integrate_trapezoid(curve, start="physical-decay")
    error = found.tia_mbq_s * rate - 1.0
    assert 0.02 < error < 1.5 * found.relative_uncertainty * (1.0 + error)


def test_one_point_is_an_assumption_and_says_so():
    found = integrate_trapezoid(_curve([1.1], [20.0]))
    assert 0.25 < found.relative_uncertainty < 0.45
    assert any("extrapolated" in note for note in found.notes)


def test_tail_going_uphill_is_refused():
    with pytest.raises(InputError, match="more slowly than physical decay"):
        integrate_trapezoid(_curve([1.0, 2.0], [10.0, 9.9]), tail="last-points")


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([2.0, 1.0], "out of order"),
        ([1.0, 1.0], "twice"),
        ([-1.0, 1.0], ">= 0 s"),
        ([float("nan")], "time after administration"),
        ([], "time after administration"),
    ],
)
def test_times_are_checked(times, message):
    with pytest.raises(InputError, match=message):
        check_times(np.array(times) * HOUR)


def test_bad_curves_are_refused():
    with pytest.raises(InputError, match=">= 0 MBq"):
        _curve([1.0, 2.0], [1.0, -0.1])
    with pytest.raises(InputError, match="no activity"):
        _curve([1.0, 2.0], [0.0, 0.0])
    with pytest.raises(InputError, match="2 times but 1"):
        _curve([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="half-life"):
        _curve([1.0, 2.0], [1.0, 1.0], half_life_s=0.0)
    with pytest.raises(InputError, match="uncertainty > 0"):
        _curve([1.0, 2.0], [1.0, 1.0], sigma=[0.1, 0.0])


def test_coefficient_is_per_administered_activity():
    found = RegionTia(
        region="brain",
        tia_mbq_s=7200.0,
        relative_uncertainty=0.1,
        method="",
        effective_half_life_s=1.0,
        fraction_after_last_point=0.0,
    )
    assert found.coefficient_s(10.0) == 720.0
    assert found.coefficient_h(10.0) == pytest.approx(0.2)
    with pytest.raises(InputError, match="administered activity"):
        tia_coefficient_s(1.0, 0.0)

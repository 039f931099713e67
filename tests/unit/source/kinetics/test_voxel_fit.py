"""A million voxels at once, against the fit of one curve."""

from math import log

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.source.kinetics.curve_fit import fit_curve
from milligray.source.kinetics.time_activity import TimeActivityCurve
from milligray.source.kinetics.trapezoid import trapezoid_weights
from milligray.source.kinetics.voxel_fit import fit_voxels

HOUR = 3600.0
LU177 = 6.647 * 24 * HOUR
TIMES = np.array([4.0, 24.0, 72.0, 168.0]) * HOUR


def _voxels(n, seed=1):
    rng = np.random.default_rng(seed)
    rates = log(2.0) / (rng.uniform(20.0, 140.0, n) * HOUR)
    heights = rng.uniform(0.01, 1.0, n)
    return heights * np.exp(-TIMES[:, None] * rates), heights / rates


def test_exact_voxels_give_back_their_integral():
    values, truth = _voxels(5000)
    found = fit_voxels(values, TIMES, LU177)
    assert found.tia_mbq_s == pytest.approx(truth, rel=1e-3)
    assert found.counts == {"fitted": 5000, "at physical decay": 0, "trapezoid": 0, "empty": 0}


def test_noisy_voxels_are_unbiased_and_covered():
    values, truth = _voxels(40000)
    noisy = values * (1.0 + 0.1 * np.random.default_rng(2).normal(size=values.shape))
    found = fit_voxels(noisy, TIMES, LU177)
    error = found.tia_mbq_s / truth - 1.0
    assert abs(error.mean()) < 0.01
    known = np.isfinite(found.relative_uncertainty)
    pulls = np.abs(error[known] / found.relative_uncertainty[known])
    # 68 %, and some more for slow phases that are not there but could be
    assert 0.66 < np.mean(pulls < 1.0) < 0.78


def test_same_as_the_fit_of_one_curve():
    values, _ = _voxels(6)
    noisy = values * (1.0 + 0.08 * np.random.default_rng(4).normal(size=values.shape))
    found = fit_voxels(noisy, TIMES, LU177)
    for k in range(values.shape[1]):
        curve = TimeActivityCurve(
            region="voxel", times_s=TIMES, activity_mbq=noisy[:, k], half_life_s=LU177
        )
        single = fit_curve(curve, "mono").result
        assert found.tia_mbq_s[k] == pytest.approx(single.tia_mbq_s, rel=5e-3)
        assert found.relative_uncertainty[k] == pytest.approx(single.relative_uncertainty, rel=0.1)


def test_failing_voxels_are_integrated_by_trapezoid_and_counted():
    decay = log(2.0) / LU177
    rising = np.array([0.1, 0.8, 1.0, 0.7])
    gone = np.array([1.0, 0.0, 0.0, 0.0])
    still = np.exp(-decay * TIMES)
    up = still * np.array([1.0, 1.02, 1.05, 1.08])
    empty = np.zeros(4)
    found = fit_voxels(np.stack([rising, gone, still, up, empty], axis=1), TIMES, LU177)
    assert found.counts == {"fitted": 0, "at physical decay": 2, "trapezoid": 2, "empty": 1}
    weights = trapezoid_weights(TIMES, LU177).total_s
    assert found.tia_mbq_s[0] == pytest.approx(weights @ rising)
    assert found.tia_mbq_s[1] == pytest.approx(weights @ gone)
    assert found.tia_mbq_s[2] == pytest.approx(1.0 / decay, rel=1e-6)
    assert found.effective_half_life_s[3] == pytest.approx(LU177)
    assert found.tia_mbq_s[4] == 0.0
    assert "50.0 % by trapezoid" in found.notes()[0]


def test_chunks_do_not_change_the_result(monkeypatch):
    values, _ = _voxels(50)
    whole = fit_voxels(values, TIMES, LU177).tia_mbq_s
    monkeypatch.setattr("milligray.source.kinetics.voxel_fit.CHUNK", 7)
    assert np.array_equal(fit_voxels(values, TIMES, LU177).tia_mbq_s, whole)


def test_bad_voxels_are_refused():
    values, _ = _voxels(3)
    with pytest.raises(InputError, match=">= 0 MBq"):
        fit_voxels(-values, TIMES, LU177)
    with pytest.raises(InputError, match="out of order"):
        fit_voxels(values, TIMES[::-1], LU177)
    with pytest.raises(InputError, match="single-time-point"):
        fit_voxels(values[:1], TIMES[:1], LU177)
    with pytest.raises(InputError, match="n_times, n_voxels"):
        fit_voxels(values[:2], TIMES, LU177)

import numpy as np
import pytest
from scipy import stats

from milligray.errors import InputError
from milligray.evaluate.agreement import (
    bland_altman,
    joint_histogram,
    kolmogorov_smirnov,
    mann_whitney,
)
from milligray.evaluate.coverage import (
    calibration_curve,
    calibration_error,
    coverage,
    expected_normalized_calibration_error,
    summarize_scores,
    wilson_interval,
    z_scores,
)
from milligray.evaluate.pairs import ValuePairs


def test_bland_altman_by_hand():
    # d = 1, -1, 3, 1: mean 1, standard deviation sqrt(8 / 3)
    found = bland_altman(ValuePairs.from_arrays([11, 19, 33, 41], [10, 20, 30, 40]))
    sd = np.sqrt(8 / 3)
    assert found.bias == pytest.approx(1.0)
    assert found.standard_deviation == pytest.approx(sd)
    assert found.upper_limit == pytest.approx(1.0 + 1.96 * sd, abs=1e-3)
    assert found.lower_limit == pytest.approx(1.0 - 1.96 * sd, abs=1e-3)
    t = stats.t.ppf(0.975, 3)
    assert found.bias_interval == pytest.approx((1 - t * sd / 2, 1 + t * sd / 2))
    half = t * sd * np.sqrt(1 / 4 + 1.96**2 / 6)
    assert found.upper_interval[1] == pytest.approx(found.upper_limit + half, abs=1e-3)


def test_bland_altman_turns_its_sign_with_the_roles():
    rng = np.random.default_rng(1)
    p, r = rng.uniform(5, 10, 30), rng.uniform(5, 10, 30)
    there = bland_altman(ValuePairs.from_arrays(p, r))
    back = bland_altman(ValuePairs.from_arrays(r, p))
    assert there.bias == pytest.approx(-back.bias)
    assert there.upper_limit == pytest.approx(-back.lower_limit)
    assert there.slope == pytest.approx(-back.slope)


def test_proportional_bias_is_found_and_relative_limits_remove_it():
    rng = np.random.default_rng(2)
    r = rng.uniform(5, 50, 200)
    p = 1.2 * r + rng.normal(0, 0.5, 200)
    found = bland_altman(ValuePairs.from_arrays(p, r), against="reference")
    assert found.slope == pytest.approx(0.2, abs=0.02)
    assert found.slope_p_value < 1e-6
    relative = bland_altman(ValuePairs.from_arrays(p, r), is_relative=True, against="reference")
    assert relative.bias == pytest.approx(0.2, abs=0.01)


def test_values_of_one_patient_widen_the_interval():
    rng = np.random.default_rng(3)
    error = np.repeat(rng.normal(0, 1, 15), 10)
    r = rng.uniform(5, 10, 150)
    independent = bland_altman(ValuePairs.from_arrays(r + error, r))
    patients = np.repeat(np.arange(15).astype(str), 10)
    clustered = bland_altman(ValuePairs.from_arrays(r + error, r, patients=patients))
    assert np.diff(clustered.bias_interval) > 2 * np.diff(independent.bias_interval)


def test_limits_need_three_pairs():
    with pytest.raises(InputError, match="three pairs"):
        bland_altman(ValuePairs.from_arrays([1.0, 2.0], [1.0, 2.0]))


def test_distribution_tests():
    rng = np.random.default_rng(4)
    a = rng.normal(10, 1, 300)
    same = kolmogorov_smirnov(a, a)
    assert same.statistic == 0.0
    assert same.p_value == 1.0
    assert kolmogorov_smirnov(a, a + 2).p_value < 1e-10
    assert mann_whitney(a, a + 2).p_value < 1e-10
    assert mann_whitney(a, a).p_value == pytest.approx(1.0, abs=1e-6)
    # blind to who is who: pairs swapped at random pass
    assert kolmogorov_smirnov(rng.permutation(a), a).p_value == 1.0


def test_joint_histogram_of_equal_values_is_diagonal():
    values = np.array([0.5, 1.5, 2.5, 4.0])
    counts, edges = joint_histogram(values, values, bins=4)
    assert edges.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(counts, np.diag([1, 1, 1, 1]))
    assert joint_histogram(values, values[::-1], bins=4)[0].sum() == 4


def test_wilson_interval_against_scipy():
    for inside, n in ((0, 10), (7, 10), (19, 20), (950, 1000)):
        ours = wilson_interval(inside, n)
        theirs = stats.binomtest(inside, n).proportion_ci(method="wilson")
        assert ours == pytest.approx((theirs.low, theirs.high))


def _calibrated(n, claimed=1.0, seed=6):
    rng = np.random.default_rng(seed)
    truth, sigma = rng.uniform(5, 20, n), rng.uniform(0.1, 1.0, n)
    noise = np.full(n, 0.2)
    return ValuePairs.from_arrays(
        truth + rng.normal(0, sigma),
        truth + rng.normal(0, noise),
        predicted_sigma=claimed * sigma,
        reference_sigma=noise,
    )


def test_calibrated_prediction_covers_its_nominal_share():
    n = 20_000
    pairs = _calibrated(n)
    levels, observed = calibration_curve(pairs)
    for level, found in zip(levels, observed, strict=True):
        assert found.nominal == pytest.approx(level)
        assert abs(found.share - level) < 5 * np.sqrt(level * (1 - level) / n)
    assert coverage(pairs, 2.0).nominal == pytest.approx(0.9545, abs=1e-4)
    assert calibration_error(pairs) < 0.01
    assert expected_normalized_calibration_error(pairs) < 0.05
    scores = summarize_scores(z_scores(pairs))
    assert abs(scores.mean) < 5 / np.sqrt(n)
    assert scores.standard_deviation == pytest.approx(1.0, abs=5 / np.sqrt(2 * n))


def test_overconfidence_shows():
    pairs = _calibrated(5000, claimed=0.5)
    found = coverage(pairs, 2.0)
    assert found.high < found.nominal
    assert expected_normalized_calibration_error(pairs) > 0.5
    assert summarize_scores(z_scores(pairs)).standard_deviation > 1.5


def test_no_claim_no_coverage():
    with pytest.raises(InputError, match="states no uncertainty"):
        coverage(ValuePairs.from_arrays([1.0], [1.0]))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from milligray.errors import InputError
from milligray.evaluate.bootstrap import patient_bootstrap
from milligray.evaluate.errors_of_values import (
    MEASURES,
    coefficient_of_determination,
    mean_error,
    mean_relative_absolute_error,
    pearson_correlation,
    relative_root_mean_squared_error,
)
from milligray.evaluate.noise import (
    noise_corrected_rmse,
    noise_floor_relative_absolute_error,
    noise_floor_rmse,
)
from milligray.evaluate.pairs import ValuePairs
from milligray.evaluate.summary import summarize_errors

PREDICTED, REFERENCE = [11.0, 18.0, 33.0, 40.0], [10.0, 20.0, 30.0, 40.0]
# d = 1, -2, 3, 0; d / r = 0.1, -0.1, 0.1, 0
BY_HAND = {
    "mean_error": 0.5,
    "mean_absolute_error": 1.5,
    "root_mean_squared_error": np.sqrt(14 / 4),
    "mean_relative_error": 0.025,
    "mean_relative_absolute_error": 0.075,
    "median_relative_absolute_error": 0.1,
    "total_relative_absolute_error": 6 / 100,
    "relative_root_mean_squared_error": np.sqrt(14 / 4) / 25,
    "root_mean_squared_relative_error": np.sqrt(0.03 / 4),
    "coefficient_of_determination": 1 - 14 / 500,
    "pearson_correlation": float(np.corrcoef(PREDICTED, REFERENCE)[0, 1]),
}
doses = arrays(np.float64, 12, elements=st.integers(1, 500).map(lambda n: n / 10))


@pytest.mark.parametrize("name", MEASURES)
def test_measures_equal_those_by_hand(name):
    assert MEASURES[name].compute(PREDICTED, REFERENCE) == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", MEASURES)
def test_a_perfect_prediction_has_no_error(name):
    best = 1.0 if MEASURES[name].kind == "number" else 0.0
    assert MEASURES[name].compute(REFERENCE, REFERENCE) == pytest.approx(best)


@given(doses, doses, st.floats(0.01, 100.0))
def test_relative_measures_do_not_depend_on_the_unit(p, r, scale):
    for measure in MEASURES.values():
        before, after = measure.compute(p, r), measure.compute(scale * p, scale * r)
        factor = scale if measure.kind == "value" else 1.0
        assert np.isclose(after, factor * before, rtol=1e-6, atol=1e-6 * factor, equal_nan=True)


@given(doses, doses)
def test_order_of_measures(p, r):
    assert abs(mean_error(p, r)) <= MEASURES["mean_absolute_error"].compute(p, r) + 1e-12
    assert (
        MEASURES["mean_absolute_error"].compute(p, r)
        <= MEASURES["root_mean_squared_error"].compute(p, r) + 1e-12
    )


def test_bias_lowers_r2_but_not_the_correlation():
    r = np.arange(1.0, 9.0)
    assert pearson_correlation(2 * r, r) == pytest.approx(1.0)
    assert coefficient_of_determination(2 * r, r) < 0


def test_missing_values_are_left_out_and_zero_references_only_of_relative_measures():
    p, r = [1.0, np.nan, 3.0, 5.0], [2.0, 2.0, np.nan, 0.0]
    assert mean_error(p, r) == pytest.approx(2.0)
    assert mean_relative_absolute_error(p, r) == pytest.approx(0.5)
    assert np.isnan(mean_error([np.nan], [1.0]))
    assert np.isnan(relative_root_mean_squared_error([1.0], [0.0]))
    assert np.isnan(coefficient_of_determination([1.0, 2.0], [3.0, 3.0]))


def test_unpaired_and_infinite_values_are_refused():
    with pytest.raises(InputError, match="paired"):
        mean_error([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="infinite"):
        mean_error([np.inf], [1.0])
    with pytest.raises(InputError, match="negative"):
        ValuePairs.from_arrays([1.0], [1.0], reference_sigma=[-1.0])
    with pytest.raises(InputError, match="patients has shape"):
        ValuePairs.from_arrays([1.0], [1.0], patients=["a", "b"])


def test_interval_by_patient_has_its_coverage_where_one_by_value_has_not():
    # 20 patients, 10 organs each; the error of a patient is shared by its organs
    rng = np.random.default_rng(5)
    patients = np.repeat(np.arange(20).astype(str), 10)
    values = np.arange(200).astype(str)
    hit_patient = hit_value = 0
    repeats = 100
    for _ in range(repeats):
        error = np.repeat(rng.normal(0.0, 1.0, 20), 10) + rng.normal(0.0, 0.2, 200)
        for owner, by_patient in ((patients, True), (values, False)):
            low, high = patient_bootstrap(
                lambda rows, error=error: error[rows].mean(), owner, resamples=200
            )
            inside = bool(low[0] <= 0.0 <= high[0])
            hit_patient += inside and by_patient
            hit_value += inside and not by_patient
    assert hit_patient >= 80  # nominal 95, chance of less than 80 at 90 % true coverage < 1e-3
    assert hit_value <= 60


def test_bootstrap_is_the_same_for_a_seed_and_unknown_for_one_patient():
    pairs = ValuePairs.from_arrays(PREDICTED, REFERENCE, patients=["a", "a", "b", "c"])
    first, second = (summarize_errors(pairs, resamples=50, seed=4) for _ in range(2))
    assert first == second
    low, high = first.intervals["mean_error"]
    assert low <= first.values["mean_error"] <= high
    alone = summarize_errors(
        ValuePairs.from_arrays(PREDICTED, REFERENCE, patients=["a"] * 4), resamples=50
    )
    assert np.isnan(alone.intervals["mean_error"][0])
    assert alone.n_patients == 1


def test_summary_counts_what_it_leaves_out():
    pairs = ValuePairs.from_arrays([1.0, 2.0, np.nan, 4.0], [1.0, 0.0, 3.0, 5.0])
    found = summarize_errors(pairs, resamples=0)
    assert (found.n, found.n_missing, found.n_not_positive) == (3, 1, 1)
    assert found.noise == {}
    with pytest.raises(InputError, match="unknown measures"):
        summarize_errors(pairs, measures=["mape"])


def test_noise_of_the_reference_is_taken_off():
    rng = np.random.default_rng(2)
    n, sigma, error = 40_000, 0.3, 0.5
    truth = rng.uniform(5.0, 15.0, n)
    reference = truth + rng.normal(0.0, sigma, n)
    predicted = truth + rng.normal(0.0, error, n)
    s = np.full(n, sigma)
    # standard deviation of the estimate: about 0.34 / (2 * 0.5) * sqrt(2 / n) = 0.0024
    assert noise_corrected_rmse(predicted, reference, s) == pytest.approx(error, abs=0.012)
    assert noise_floor_rmse(predicted, reference, s) == pytest.approx(sigma)
    perfect = mean_relative_absolute_error(truth, reference)
    assert noise_floor_relative_absolute_error(reference, s) == pytest.approx(perfect, rel=0.03)
    assert noise_corrected_rmse(truth, reference, 2 * s) == 0.0
    pairs = ValuePairs.from_arrays(predicted, reference, reference_sigma=s)
    found = summarize_errors(pairs, resamples=0)
    assert found.noise["noise_corrected_rmse"] == pytest.approx(error, abs=0.012)

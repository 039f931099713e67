import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milligray.errors import FormatError, InputError
from milligray.learn.domain import FAR, InputDomain, fit_domain

P = 6
NAMES = tuple(f"f{i}" for i in range(P))


def drawn(n: int, seed: int, p: int = P) -> np.ndarray:
    """Correlated features, one of them skewed."""
    mixing = np.random.default_rng(7).normal(size=(p, p))
    x = np.random.default_rng(seed).normal(size=(n, p)) @ mixing
    x[:, 0] = np.exp(0.4 * x[:, 0] / np.abs(mixing[:, 0]).sum())
    return x


@pytest.fixture(scope="module")
def domain() -> InputDomain:
    return fit_domain(drawn(400, 1), NAMES)


@pytest.mark.parametrize(("n", "p"), [(60, 3), (60, 100), (400, 6), (1000, 20)])
def test_good_inputs_are_outside_at_the_nominal_rate_and_hardly_ever_far(n, p):
    names, good = [f"f{i}" for i in range(p)], drawn(2000, 999, p)
    outside, far = [], []
    for seed in range(20):
        fitted = fit_domain(drawn(n, seed, p), names)
        distance = fitted.distances(good)
        outside.append((distance > 1).mean())
        far.append((distance > FAR * max(1.0, fitted.quantiles[-1][1])).mean())
    # 1 %, or 1 / (n + 1) where the largest of n is below that; fits differ by about their mean
    nominal = max(0.01, 1.0 / (n + 1))
    assert np.mean(outside) == pytest.approx(nominal, rel=0.6)
    assert np.mean(far) < 0.003


def test_shifted_inputs_are_outside_and_far_ones_refused(domain):
    spread = drawn(400, 1).std(axis=0)
    assert (domain.distances(drawn(200, 3) + 3 * spread) > 1).mean() > 0.95
    verdict = domain.judge(drawn(1, 3)[0] + 10 * spread)
    assert verdict.is_far
    assert "uncertainty" not in verdict.text()


def test_one_feature_far_off_is_found_among_a_hundred_and_named():
    p = 100
    names = [f"f{i}" for i in range(p)]
    fitted = fit_domain(drawn(300, 1, p), names)
    x = drawn(1, 2, p)[0]
    assert not fitted.judge(x).is_outside
    assert fitted.judge(x).widening == 1.0
    x[42] += 12 * drawn(300, 1, p)[:, 42].std()
    verdict = fitted.judge(x)
    assert verdict.is_outside
    assert verdict.outside[0] == "f42"
    assert "f42" in verdict.text()


def test_an_unusual_combination_within_all_ranges_is_found():
    rng = np.random.default_rng(1)
    a = rng.normal(size=500)
    fitted = fit_domain(np.stack([a, a + 0.1 * rng.normal(size=500)], axis=1), ("a", "b"))
    verdict = fitted.judge(np.array([1.5, -1.5]))
    assert verdict.is_outside
    assert verdict.outside == ()
    assert "in combination" in verdict.text()


@given(st.floats(0.0, 30.0), st.floats(0.0, 30.0))
def test_widening_grows_with_the_distance_from_1(a, b):
    fitted = fit_domain(drawn(60, 1), NAMES)
    middle, way = fitted.mean, np.array(fitted.scale) * np.array([1, -1, 1, 1, -1, 1])
    near, far = (fitted.judge(middle + t * way) for t in sorted((a, b)))
    assert 1.0 <= near.widening <= far.widening * (1 + 1e-9)
    assert (near.widening > 1.0) == near.is_outside
    assert far.is_outside or not far.is_far


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=P, max_size=P),
    st.floats(-1e3, 1e3),
    st.lists(st.sampled_from([-1.0, 1.0]), min_size=P, max_size=P),
)
def test_distances_are_the_same_in_other_units(scale, spreads, sign):
    factor = np.array(scale) * np.array(sign)
    offset = factor * spreads
    x, y = drawn(60, 1), drawn(30, 2)
    here = fit_domain(x, NAMES).distances(y)
    there = fit_domain(x * factor + offset, NAMES).distances(y * factor + offset)
    assert there == pytest.approx(here, rel=1e-3)


def test_rows_of_a_patient_are_held_out_together():
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(20), 30)
    x = rng.normal(size=(20, 2))[patients] + 0.05 * rng.normal(size=(600, 2))
    x[:, 1] += 0.5 * x[:, 0]
    alone = fit_domain(x, ("a", "b"))
    together = fit_domain(x, ("a", "b"), groups=patients.tolist())
    new = rng.normal(size=(400, 2))
    new[:, 1] += 0.5 * new[:, 0]
    # rows of a patient are near each other: held out one by one they promise too much
    assert (together.distances(new) > 1).mean() < (alone.distances(new) > 1).mean()


def test_a_feature_that_never_varied_must_stay_what_it_was():
    x = drawn(60, 1)
    x[:, 3] = 120.0
    fitted = fit_domain(x, NAMES)
    inside = x[5].copy()
    assert not fitted.judge(inside).is_outside
    inside[3] = 100.0
    verdict = fitted.judge(inside)
    assert verdict.is_outside
    assert verdict.outside[0] == "f3"
    assert verdict.widening >= 2.0


def test_a_domain_survives_json(domain):
    again = InputDomain.from_document(json.loads(json.dumps(domain.to_document())))
    x = drawn(50, 9)
    assert again.distances(x) == pytest.approx(domain.distances(x), rel=1e-6)
    assert again.judge(x[0]).outside == domain.judge(x[0]).outside


def test_a_domain_from_elsewhere_is_refused(domain):
    document = domain.to_document()
    for change in ({"names": ["a"]}, {"mean": ["x"] * P}, {"limits": [0.0, 1.0]}, {"more": 1}):
        with pytest.raises(FormatError):
            InputDomain.from_document(document | change)
    with pytest.raises(FormatError):
        InputDomain.from_document([1])


def test_features_that_are_no_numbers_are_named(domain):
    x = drawn(1, 2)[0]
    x[2] = np.nan
    with pytest.raises(InputError, match="f2"):
        domain.judge(x)
    with pytest.raises(InputError, match="6 features"):
        domain.judge(x[:3])
    with pytest.raises(InputError, match="at least 10 rows"):
        fit_domain(drawn(9, 1), NAMES)
    with pytest.raises(InputError, match="two groups"):
        fit_domain(drawn(20, 1), NAMES, groups=["a"] * 20)
    with pytest.raises(InputError, match="none of the features varies"):
        fit_domain(np.ones((20, P)), NAMES)

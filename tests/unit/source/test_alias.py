import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy import stats

from milligray.errors import InputError
from milligray.physics.random import uniform4
from milligray.source.alias import alias_table
from milligray.source.emission import sample_alias

WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6)), min_size=1, max_size=60).filter(
    lambda w: sum(w) > 0
)


@njit
def sample(probability, alias, n):
    out = np.empty(n, np.int64)
    for i in range(n):
        xi, _, _, _ = uniform4(np.uint64(3), np.uint64(i), 0)
        out[i] = sample_alias(probability, alias, xi)
    return out


@given(WEIGHTS)
def test_table_gives_every_column_its_share(weights):
    probability, alias = alias_table(np.array(weights))
    share = probability.copy()
    np.add.at(share, alias, 1.0 - probability)
    expected = np.array(weights) / np.sum(weights)
    assert share / len(weights) == pytest.approx(expected, abs=1e-12)
    assert np.all((probability >= 0) & (probability <= 1 + 1e-12))


@given(WEIGHTS)
def test_columns_of_no_weight_are_never_drawn(weights):
    probability, alias = alias_table(np.array(weights))
    drawn = {sample_alias(probability, alias, xi) for xi in np.linspace(1e-9, 1 - 1e-9, 1999)}
    assert all(weights[column] > 0 for column in drawn)


def test_frequencies_follow_the_weights():
    weights = np.array([5.0, 0.0, 1.0, 0.25, 30.0, 2.0])
    counts = np.bincount(sample(*alias_table(weights), 400_000), minlength=6)
    assert counts[1] == 0
    used = weights > 0
    expected = weights[used] / weights.sum() * counts.sum()
    assert stats.chisquare(counts[used], expected).pvalue > 1e-7


@given(st.floats(0.0, 1.0))
def test_compiled_and_interpreted_draws_agree(xi):
    table = alias_table(np.arange(17.0))
    assert sample_alias(*table, xi) == sample_alias.py_func(*table, xi)


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -0.1], [[1.0, 2.0]], [np.nan, 1.0]])
def test_silly_weights_are_refused(weights):
    with pytest.raises(InputError, match="weights"):
        alias_table(np.array(weights))

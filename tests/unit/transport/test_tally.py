"""Scores in fixed point: exact sums in any order, no overflow, no bias that shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from milligray.transport.monte_carlo.tally import HEADROOM, add_to_tally, quanta_per_kev


@given(st.integers(1, 10**9), st.floats(1.0, 3000.0))
def test_a_bin_holds_many_times_the_energy_of_its_batch(histories, energy_kev):
    scale = quanta_per_kev(histories, energy_kev)
    assert HEADROOM * histories * energy_kev * scale < 2**62 + 1
    assert HEADROOM * histories * energy_kev * scale > 2**60
    assert np.log2(scale) == round(np.log2(scale))  # a power of two: quanta / scale is exact


def test_the_quantum_is_far_below_the_smallest_score():
    """A track of 1 mm at 30 keV in 1e-6 g/cm3, the thinnest matter that a voxel can hold."""
    smallest = 30.0 * 1e-6 * 0.15 * 0.1
    assert smallest * quanta_per_kev(10**6, 150.0) > 50


@given(st.lists(st.floats(0.0, 1e4), min_size=1, max_size=50), st.randoms())
def test_sums_of_quanta_do_not_depend_on_the_order(scores, random):
    scale = quanta_per_kev(20_000, 120.0)
    shuffled = list(scores)
    random.shuffle(shuffled)
    one, other = (sum(int(s * scale + 0.5) for s in order) for order in (scores, shuffled))
    assert one == other
    assert one / scale == pytest.approx(sum(scores), abs=len(scores) / scale, rel=1e-12)


def test_an_array_is_added_to_as_it_is():
    @njit
    def add(tally, value):
        add_to_tally(tally, 1, value)

    for function in (add, add.py_func):
        tally = np.zeros(3)
        function(tally, 0.1)
        function(tally, 0.2)
        assert tally.tolist() == [0.0, 0.1 + 0.2, 0.0]

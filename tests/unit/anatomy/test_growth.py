"""Growth takes the lowest free voxels, exactly as many as wanted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milligray.anatomy.growth import grow
from milligray.errors import InputError


@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_growth_takes_as_many_as_wanted_and_only_free_ones(seed: int, wanted: int) -> None:
    chance = np.random.default_rng(seed)
    values = chance.normal(size=(8, 9, 10)).astype(np.float32)
    allowed = chance.random(values.shape) < 0.7
    taken, level = grow("organ", values, allowed, wanted)
    assert np.count_nonzero(taken) == wanted
    assert not np.any(taken & ~allowed)
    assert values[taken].max() < level <= values[allowed & ~taken].min()


def test_without_a_target_the_inside_is_taken() -> None:
    values = np.linspace(-1.0, 1.0, 20, dtype=np.float32).reshape(2, 2, 5)
    taken, level = grow("organ", values, np.ones(values.shape, dtype=bool), None)
    assert level == 0.0
    np.testing.assert_array_equal(taken, values < 0.0)


def test_lack_of_room_names_the_organ() -> None:
    values = np.zeros((3, 3, 3), dtype=np.float32)
    with pytest.raises(InputError, match="no room for liver: 27 voxels are free of 40 wanted"):
        grow("liver", values, np.ones(values.shape, dtype=bool), 40)

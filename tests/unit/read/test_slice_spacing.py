"""A missing slice is told from jitter and from blocks of another spacing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milligray.errors import FormatError, GeometryError
from milligray.read.slice_spacing import slice_spacing

SPACINGS = st.floats(0.4, 10.0)


@given(spacing=SPACINGS, n=st.integers(2, 60), start=st.floats(-2000, 2000))
def test_even_slices_stay_as_they_are(spacing, n, start):
    found = slice_spacing(start + spacing * np.arange(n))
    assert found.is_uniform
    assert found.spacing_mm == pytest.approx(spacing, abs=1e-5)


@given(spacing=SPACINGS, n=st.integers(4, 60), data=st.data())
def test_any_removed_slice_is_noticed(spacing, n, data):
    lost = data.draw(st.integers(1, n - 2))
    z = np.delete(spacing * np.arange(n), lost)
    if n == 4:
        z = np.append(z, spacing * n)
    with pytest.raises(FormatError, match="1 slice is missing"):
        slice_spacing(z)


@given(spacing=SPACINGS, n=st.integers(3, 40), seed=st.integers(0, 99))
def test_jitter_below_one_percent_is_tolerated(spacing, n, seed):
    jitter = np.random.default_rng(seed).uniform(-0.004, 0.004, n) * spacing
    assert slice_spacing(spacing * np.arange(n) + jitter).is_uniform


@given(
    first=st.integers(2, 20), second=st.integers(2, 20), spacing=SPACINGS, ratio=st.floats(1.1, 5)
)
def test_two_blocks_are_kept_at_the_finest_spacing(first, second, spacing, ratio):
    gaps = np.concatenate([np.full(first, spacing), np.full(second, spacing * ratio)])
    found = slice_spacing(np.concatenate([[0.0], np.cumsum(gaps)]))
    assert not found.is_uniform
    assert found.spacing_mm == pytest.approx(spacing, abs=1e-5)
    assert len(found.block_spacings_mm) == 2


def test_several_lost_slices_are_counted():
    with pytest.raises(FormatError, match="3 slices are missing between z = 4 and z = 12"):
        slice_spacing(np.array([0.0, 2.0, 4.0, 12.0, 14.0]))


def test_wide_gap_between_two_scans_is_refused():
    with pytest.raises(FormatError, match=r"gap of 63\.5 mm"):
        slice_spacing(np.array([0.0, 5.0, 10.0, 73.5, 78.5, 83.5]))


def test_step_between_blocks_that_is_no_multiple_is_kept():
    found = slice_spacing(np.array([0.0, 3.0, 6.0, 10.0, 15.0, 20.0]))
    assert found.block_spacings_mm == (3.0, 4.0, 5.0)
    assert found.spacing_mm == 3.0


def test_unordered_positions_are_refused():
    with pytest.raises(GeometryError):
        slice_spacing(np.array([0.0, 2.0, 2.0]))

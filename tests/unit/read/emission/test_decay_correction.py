"""Decay between moments: against sums over time, for any half-life and frame."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milligray.errors import InputError
from milligray.read.decay_correction import (
    FrameTiming,
    decay_factors,
    mean_time_s,
    middle_of,
    moments_of_values,
)

START = datetime(2026, 2, 24, 11)


@given(
    half_life_s=st.floats(60.0, 1e7), share=st.floats(1e-6, 10.0),
)  # fmt: skip
def test_activity_at_the_mean_time_is_the_mean_over_the_frame(half_life_s, share):
    duration = share * half_life_s
    t = duration * (np.arange(20000) + 0.5) / 20000
    mean = float(np.exp2(-t / half_life_s).mean())
    time = mean_time_s(duration, half_life_s)
    assert 2.0 ** (-time / half_life_s) == pytest.approx(mean, rel=1e-6)
    assert 0 < time <= 0.5 * duration * (1 + 1e-9)


@given(
    half_life_s=st.floats(5000.0, 1e7), before_s=st.floats(0.0, 1e5), after_s=st.floats(0.0, 1e5)
)
def test_decay_there_and_back_is_nothing(half_life_s, before_s, after_s):
    one, two = START - timedelta(seconds=before_s), START + timedelta(seconds=after_s)
    there = decay_factors([one], two, half_life_s)[0]
    back = decay_factors([two], one, half_life_s)[0]
    assert there <= 1.0 <= back or there == pytest.approx(1.0)
    assert there * back == pytest.approx(1.0, rel=1e-6)
    with pytest.raises(InputError, match="half-lives"):
        decay_factors([one, one - timedelta(days=1)], two, 600.0)


def test_what_the_user_chooses_is_not_checked_against_the_header():
    timing = FrameTiming(start=START, duration_s=600.0, decay_factor=3.0)

    def moments(chosen):
        found, notes = moments_of_values(
            [timing], 6586.2, correction="", series_start=None, scan_start=None,
            administration=START - timedelta(hours=1), chosen=chosen,
        )  # fmt: skip
        assert notes == ()
        return (found[0] - START).total_seconds()

    assert moments("start") == 0.0
    assert moments("middle") == 300.0
    assert moments("administration") == -3600.0
    assert moments("none") == pytest.approx(mean_time_s(600.0, 6586.2), abs=1e-5)


def test_means_without_a_duration_cannot_be_placed():
    with pytest.raises(InputError, match="frame_duration_s"):
        moments_of_values(
            [FrameTiming(start=START)], 6586.2, correction="NONE", series_start=None,
            scan_start=None, administration=None,
        )  # fmt: skip
    assert middle_of([FrameTiming(start=START)]) == (START, None)


def test_small_differences_of_the_applied_factor_decide():
    """5 % off the stated reference: the factor in the header was applied, whatever it says."""
    lead_s = np.log2(1.05) * 6586.2
    mean_s = mean_time_s(180.0, 6586.2)
    timing = FrameTiming(
        start=START, duration_s=180.0, decay_factor=float(2 ** ((mean_s + lead_s) / 6586.2))
    )
    found, notes = moments_of_values(
        [timing], 6586.2, correction="START", series_start=START, scan_start=None,
        administration=None,
    )  # fmt: skip
    assert (found[0] - START).total_seconds() == pytest.approx(-lead_s, abs=0.01)
    assert "5.0 %" in notes[0]

"""One image: the properties that the published methods claim."""

from math import log

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.source.kinetics.single_time_point import (
    haenscheid_integral,
    physical_decay_integral,
    prior_half_life_integral,
)

HOUR = 3600.0
LU177 = 6.647 * 24 * HOUR


def _exact(time_s, effective_s):
    rate = log(2.0) / effective_s
    return np.exp(rate * time_s) / rate


def test_haenscheid_errs_by_about_ten_percent_in_its_range():
    """The claim of J Nucl Med 59 (2018) 75: 0.75 T < t < 2.5 T, within 10 %."""
    time = 96.0 * HOUR
    found = haenscheid_integral(time, LU177).seconds
    effective = time / np.linspace(0.75, 2.5, 200)
    error = found / _exact(time, effective) - 1.0
    # 2 x / 2**x - 1 is -10.8 % at x = 0.75, -11.6 % at 2.5, at most +6.1 % between
    assert np.abs(error).max() < 0.12
    assert error.max() == pytest.approx(0.0615, abs=0.002)
    inner = time / np.linspace(0.8, 2.4, 200)
    assert np.abs(found / _exact(time, inner) - 1.0).max() < 0.10
    assert found == pytest.approx(_exact(time, time), rel=1e-12)  # exact at t = T and t = 2 T
    assert found == pytest.approx(_exact(time, time / 2), rel=1e-12)


def test_prior_is_least_sensitive_at_the_mean_life():
    """Madsen: the derivative by the rate vanishes at t = 1 / r."""
    effective = 60.0 * HOUR
    spreads = [
        prior_half_life_integral(
            t * effective / log(2.0), 1e9, effective_half_life_s=effective, relative_uncertainty=0.1
        ).relative_uncertainty
        for t in (0.3, 0.6, 1.0, 1.4, 2.0)
    ]
    assert min(spreads) == spreads[2]
    # away from it: |r t - 1| times the relative spread of the rate
    assert spreads[0] == pytest.approx(0.07, rel=0.05)
    assert spreads[4] == pytest.approx(0.10, rel=0.05)


def test_prior_covers_persons_drawn_from_it():
    rng = np.random.default_rng(8)
    median, spread, time = 55.0 * HOUR, 0.2, 24.0 * HOUR
    width = np.sqrt(np.log(1 + spread**2))
    persons = _exact(time, np.minimum(median * np.exp(width * rng.normal(size=20000)), LU177))
    found = prior_half_life_integral(
        time, LU177, effective_half_life_s=median, relative_uncertainty=spread
    )
    error = np.abs(np.log(persons / found.seconds))
    assert np.mean(error < found.relative_uncertainty) == pytest.approx(0.683, abs=0.03)
    assert np.log(persons).mean() == pytest.approx(np.log(found.seconds), abs=0.005)


def test_physical_decay_is_the_upper_bound_and_says_what_it_assumes():
    found = physical_decay_integral(24 * HOUR, LU177)
    assert found.seconds == pytest.approx(_exact(24 * HOUR, LU177))
    assert 0.2 < found.relative_uncertainty < 0.4
    # an image near the mean life tells most of the integral, whatever the half-life
    fluorine = physical_decay_integral(HOUR, 109.77 * 60)
    assert 0.1 < fluorine.relative_uncertainty < 0.25
    assert "no biological washout" in found.notes[0]


def test_impossible_half_lives_are_refused():
    with pytest.raises(InputError, match="longer than the physical"):
        prior_half_life_integral(
            1.0, LU177, effective_half_life_s=2 * LU177, relative_uncertainty=0.1
        )
    with pytest.raises(InputError, match="spread"):
        prior_half_life_integral(1.0, LU177, effective_half_life_s=1e4, relative_uncertainty=0.0)
    with pytest.raises(InputError, match="none is longer than the physical"):
        haenscheid_integral(96 * HOUR, 6.0 * HOUR)
    with pytest.raises(InputError, match=">= 0 s"):
        physical_decay_integral(-1.0, LU177)

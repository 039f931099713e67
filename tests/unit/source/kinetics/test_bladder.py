"""The bladder model against closed forms, a numerical solution and ICRP 128."""

from math import exp, log

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.source.kinetics.bladder import Excretion, bladder_tia, voiding_times

HOUR = 3600.0
F18 = 109.77 * 60.0
FDG = Excretion(fractions=(0.06, 0.18), biological_half_lives_s=(12 * 60.0, 1.5 * HOUR))


def test_regular_voiding_is_the_closed_form_of_icrp_53():
    decay = log(2.0) / F18
    interval = 3.5 * HOUR
    expected = 0.0
    for fraction, half_life in zip(FDG.fractions, FDG.biological_half_lives_s, strict=True):
        both = decay + log(2.0) / half_life
        filled = (1 - exp(-decay * interval)) / decay - (1 - exp(-both * interval)) / both
        expected += fraction * filled / (1 - exp(-both * interval))
    assert bladder_tia(10.0, F18, FDG).tia_mbq_s == pytest.approx(10.0 * expected, rel=1e-9)


def test_fdg_of_icrp_128():
    """0.26 h in the adult bladder (ICRP 106 and 128, from memory), with their kinetics of FDG."""
    found = bladder_tia(1.0, F18, FDG)
    assert found.coefficient_h(1.0) == pytest.approx(0.26, abs=0.006)


def test_never_emptied_and_always_emptied():
    decay = log(2.0) / F18
    never = bladder_tia(1.0, F18, FDG, voiding_interval_s=1e9).tia_mbq_s
    expected = sum(
        f * k / (decay * (decay + k))
        for f, k in zip(
            FDG.fractions, log(2.0) / np.array(FDG.biological_half_lives_s), strict=True
        )
    )
    assert never == pytest.approx(expected, rel=1e-9)
    assert bladder_tia(1.0, F18, FDG, voiding_interval_s=60.0).tia_mbq_s < 0.01 * never


@pytest.mark.parametrize("residual", [0.0, 0.15])
def test_against_a_numerical_solution(residual):
    decay = log(2.0) / F18
    rates = log(2.0) / np.array(FDG.biological_half_lives_s)
    voids = [0.75 * HOUR, 2.0 * HOUR]
    voids += [2.0 * HOUR + 3.0 * HOUR * k for k in range(1, 40)]
    step, content, total, time = 2.0, 0.0, 0.0, 0.0
    pending = list(voids)
    while time < 20 * HOUR:
        middle = time + 0.5 * step
        inflow = exp(-decay * middle) * sum(
            f * k * exp(-k * middle) for f, k in zip(FDG.fractions, rates, strict=True)
        )
        following = content * exp(-decay * step) + inflow * step
        total += 0.5 * (content + following) * step
        content, time = following, time + step
        if pending and time >= pending[0] - 1e-6:
            content *= residual
            pending.pop(0)
    found = bladder_tia(
        1.0,
        F18,
        FDG,
        voiding_interval_s=3.0 * HOUR,
        measured_voidings_s=voids[:2],
        residual_fraction=residual,
    )
    assert found.tia_mbq_s == pytest.approx(total, rel=1e-3)


def test_early_first_voiding_lowers_the_dose():
    """The known advice: void before the scan and often."""
    usual = bladder_tia(1.0, F18, FDG).tia_mbq_s
    early = bladder_tia(1.0, F18, FDG, first_voiding_s=0.75 * HOUR, voiding_interval_s=2 * HOUR)
    assert early.tia_mbq_s < 0.7 * usual
    assert "habits" in early.notes[0]
    assert early.region == "urinary_bladder"


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="sum <= 1"):
        Excretion(fractions=(0.7, 0.5), biological_half_lives_s=(1.0, 2.0))
    with pytest.raises(InputError, match="one biological half-life"):
        Excretion(fractions=(0.7,), biological_half_lives_s=(1.0, 2.0))
    with pytest.raises(InputError, match="must be > 0 s"):
        voiding_times(0.0, until_s=10.0)
    with pytest.raises(InputError, match="too short"):
        bladder_tia(1.0, 100 * 86400.0, FDG, voiding_interval_s=1.0)
    with pytest.raises(InputError, match="residual"):
        bladder_tia(1.0, F18, FDG, residual_fraction=1.0)

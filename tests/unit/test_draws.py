import math

import numpy as np
import pytest

from milligray.draws import Distribution, fraction
from milligray.errors import InputError


def test_fractions_are_uniform_and_independent_of_each_other() -> None:
    a = np.array([fraction(1, "exam", n, "pitch") for n in range(4000)])
    b = np.array([fraction(1, "exam", n, "scanner") for n in range(4000)])
    assert a.min() > 0
    assert a.max() < 1
    # mean of n uniform numbers: 1/2 +- 1/sqrt(12 n); five of these deviations
    assert abs(a.mean() - 0.5) < 5 / math.sqrt(12 * a.size)
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(a.size)


def test_choices_come_as_often_as_their_weights_say() -> None:
    d = Distribution(values=("a", "b", "c"), weights=(1.0, 0.0, 3.0))
    drawn = [d.draw(xi) for xi in (np.arange(1000) + 0.5) / 1000]
    assert drawn.count("a") == 250
    assert drawn.count("b") == 0


def test_lognormal_has_its_median_and_keeps_its_limits() -> None:
    d = Distribution(lognormal=(10.0, 2.0), limits=(4.0, 30.0))
    assert d.draw(0.5) == pytest.approx(10.0)
    assert d.draw(0.8413447) == pytest.approx(20.0, rel=1e-5)
    assert d.draw(1e-6) == 4.0
    assert d.draw(1 - 1e-6) == 30.0


def test_normal_is_symmetric_about_its_mean_and_keeps_its_limits() -> None:
    d = Distribution(normal=(25.0, 4.0), limits=(16.0, 40.0))
    assert d.draw(0.5) == pytest.approx(25.0)
    assert d.draw(0.8413447) == pytest.approx(29.0, rel=1e-5)
    assert d.draw(0.9) + d.draw(0.1) == pytest.approx(50.0)
    assert (d.draw(1e-6), d.draw(1 - 1e-6)) == (16.0, 40.0)


@pytest.mark.parametrize(
    "table",
    [{}, {"values": [1], "uniform": [0, 1]}, {"values": [1, 2], "weights": [1]},
     {"uniform": [2, 1]}, {"uniform": [1]}, {"lognormal": [-1, 2]}, {"normal": [1, -1]},
     {"normal": [0, 1], "lognormal": [1, 2]}, {"width": 3}, True],
)  # fmt: skip
def test_what_is_no_distribution_is_refused(table: object) -> None:
    with pytest.raises(InputError, match="here"):
        Distribution.from_table(table, "here")

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.score.ssde import ssde_conversion_factor


@pytest.mark.parametrize(
    ("diameter_cm", "phantom_mm", "factor"),
    # AAPM Report 204, tables 1D and 2D, two decimals as printed
    [(8, 320, 2.76), (20, 320, 1.78), (30, 320, 1.23), (45, 320, 0.71), (16, 160, 1.01)],
)
def test_factor_is_that_of_report_204(diameter_cm, phantom_mm, factor):
    assert ssde_conversion_factor(10 * diameter_cm, phantom_mm) == pytest.approx(factor, abs=6e-3)


def test_factor_falls_with_size_and_refuses_other_phantoms():
    assert np.all(np.diff(ssde_conversion_factor(np.arange(80, 450, 10), 320)) < 0)
    with pytest.raises(InputError, match="160 or 320"):
        ssde_conversion_factor(300, 32)

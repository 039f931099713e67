import pytest
from hypothesis import given
from hypothesis import strategies as st

from milligray.errors import InputError
from milligray.exam import CtSettings


def test_defaults_are_safe():
    settings = CtSettings()
    assert settings.precision == 0.01
    assert settings.histories is None
    assert not settings.per_100_mas


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"histories": 10_000}, "either"),
        ({"precision": None}, "either"),
        ({"precision": 0.0}, "precision"),
        ({"precision": -0.1}, "precision"),
        ({"precision": 0.6}, "precision"),
        ({"precision": float("nan")}, "precision"),
        ({"precision": None, "histories": 999}, "histories"),
        ({"threads": 0}, "threads"),
        ({"seed": -1}, "seed"),
    ],
)
def test_silly_settings_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        CtSettings(**arguments)


@given(st.floats(1e-4, 0.5))
def test_any_sensible_precision_is_taken(precision):
    assert CtSettings(precision=precision).precision == precision

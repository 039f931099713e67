"""Settings from cells."""

import pytest

from milligray.cohort.settings_columns import exam_settings, parse_setting, setting_types
from milligray.errors import InputError
from milligray.exam import CtSettings


def test_every_setting_but_threads_can_be_a_column():
    assert set(setting_types()) == set(CtSettings.__dataclass_fields__) - {"threads"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("histories", "1000000", 1_000_000),
        ("seed", "9007199254740993", 9_007_199_254_740_993),  # not through a float
        ("precision", "1e-2", 0.01),
        ("per_100_mas", "No", False),
        ("couch", "keep", "keep"),
        ("scanner", "generic", "generic"),
    ],
)
def test_values_are_read(name, text, value):
    assert parse_setting(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("histories", "many"), ("histories", "1.5"), ("precision", "0,01"), ("precision", "nan"),
     ("precision", "inf"), ("per_100_mas", "maybe"), ("couch", "chair")],
)  # fmt: skip
def test_wrong_values_are_refused_by_name(name, text):
    with pytest.raises(InputError, match=name):
        parse_setting(name, text)


def test_a_rows_goal_replaces_the_default_one():
    by_number = exam_settings(CtSettings(), {"histories": 5000})
    assert (by_number.histories, by_number.precision) == (5000, None)
    by_precision = exam_settings(CtSettings(precision=None, histories=5000), {"precision": 0.1})
    assert (by_precision.histories, by_precision.precision) == (None, 0.1)

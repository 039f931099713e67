"""Settings of an exam from the text of a table's cells."""

import types
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from milligray.errors import InputError
from milligray.exam.settings import CtSettings

NOT_COLUMNS = ("threads",)
"""Settings that are no property of an exam: they never change a result."""
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


@cache
def setting_types() -> dict[str, Any]:
    """Name and type of every setting that may be a column."""
    hints = get_type_hints(CtSettings)
    return {name: hints[name] for name in hints if name not in NOT_COLUMNS}


def parse_setting(name: str, text: str) -> object:
    """Value of a setting from a cell.

    Parameters
    ----------
    name : str
        One of `setting_types`.
    text : str
        Not empty.

    Raises
    ------
    InputError
        If the text is no value of that setting's type.

    Examples
    --------
    >>> from milligray.cohort.settings_columns import parse_setting
    >>> parse_setting("histories", "2e6"), parse_setting("per_100_mas", "yes")
    (2000000, True)
    """
    hint = setting_types()[name]
    kinds = [k for k in _alternatives(hint) if k is not type(None)]
    for kind in kinds:
        if get_origin(kind) is Literal:
            choices = get_args(kind)
            if text not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, got {text!r}")
            return text
        if kind is bool:
            return _boolean(name, text)
        if kind is int:
            return _whole(name, text)
        if kind is float:
            return _number(name, text)
    return text


def exam_settings(defaults: CtSettings, cells: Mapping[str, object]) -> CtSettings:
    """Put the settings of a row on top of the defaults.

    Parameters
    ----------
    defaults : CtSettings
    cells : mapping of str to value
        Parsed settings of the row. A number of histories there replaces a default precision, and
        the reverse; a voxel size of 0 is the CT's own grid, as on the command line.

    Raises
    ------
    InputError
        If the values do not go together.
    """
    values = asdict(defaults) | dict(cells)
    if "histories" in cells and "precision" not in cells:
        values["precision"] = None
    if "precision" in cells and "histories" not in cells:
        values["histories"] = None
    if not values["voxel_size_mm"]:
        values["voxel_size_mm"] = None
    return CtSettings(**values)


def _alternatives(hint: object) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, types.UnionType):
        return get_args(hint)
    return (hint,)


def _boolean(name: str, text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise InputError(f"{name} must be true or false, got {text!r}")


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise InputError(f"{name} must be a number with a decimal point, got {text!r}")
    return value


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        value = _number(name, text)
    if value != int(value):
        raise InputError(f"{name} must be a whole number, got {text!r}")
    return int(value)

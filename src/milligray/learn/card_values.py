"""Values of cards: plain, finite, of the kind they should be."""

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

import numpy as np

from milligray.errors import FormatError, InputError

T = TypeVar("T")


def finite_plain(value: object, where: str, *, keep_tuples: bool = False) -> Any:  # noqa: ANN401
    """Turn NumPy values, tuples and mappings into what JSON knows.

    Parameters
    ----------
    value : object
    where : str
        Name for the message.
    keep_tuples : bool
        Leave tuples as they are, else lists.

    Raises
    ------
    InputError
        For a number that is not finite, and for what JSON does not know.

    Examples
    --------
    >>> from milligray.learn.card_values import finite_plain
    >>> finite_plain({"mean": np.array([1.0, 2.0]), "kv": (120,)}, "normalization")
    {'mean': [1.0, 2.0], 'kv': [120]}
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return finite_plain(value.tolist(), where)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{where} holds {value}; numbers of a card are finite")
        return float(value)
    if isinstance(value, Mapping):
        return {
            str(key): finite_plain(item, f"{where}.{key}", keep_tuples=keep_tuples)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        items = [finite_plain(item, where, keep_tuples=keep_tuples) for item in value]
        return tuple(items) if keep_tuples and isinstance(value, tuple) else items
    raise InputError(f"{where} holds a {type(value).__name__}, which a card cannot")


def of_type(value: object, kind: type[T], what: str) -> T:
    """Check what a file holds; a mapping is copied; raises FormatError."""
    if not isinstance(value, kind):
        raise FormatError(f"{what} must be a {kind.__name__}, got {type(value).__name__}")
    return kind(value) if kind is dict else value  # type: ignore[call-arg]


def choices(name: str, known: Iterable[str]) -> str:
    """Ending of a message on an unknown name: the nearest one, and all that there are."""
    known = list(known)
    there = f"here are: {', '.join(known) or 'none'}"
    near = nearest(name, known)
    return f"{near} T{there}" if near else f"; t{there}"


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean ...?"`` for a message, or nothing."""
    found = get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    return f"; did you mean {found[0]!r}?" if found else ""

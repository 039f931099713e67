"""Random draws that depend on nothing but seed and name: no generator, no order.

A variable added later, or a sample left out, changes no other draw.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from milligray.errors import InputError

Value = float | str
_BITS = 52
_FORMS = ("values", "uniform", "normal", "lognormal", "value")
_PAIRS = ("uniform", "normal", "lognormal", "limits")


def fraction(*key: object) -> float:
    """Number in (0, 1) from a key, uniform over keys.

    Notes
    -----
    The first 52 bits of SHA-256 of the key's words, in the middle of their step.

    Examples
    --------
    >>> from milligray.draws import fraction
    >>> fraction(1, "a") == fraction(1, "a") != fraction(1, "b")
    True
    """
    digest = hashlib.sha256("|".join(map(str, key)).encode()).hexdigest()
    return (int(digest[: _BITS // 4], 16) + 0.5) / 2.0**_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A stated distribution of one quantity.

    Parameters
    ----------
    values : tuple
        Choices, or nothing.
    weights : tuple of float
        Of the choices.
    uniform : (low, high), optional
    normal : (mean, standard deviation), optional
    lognormal : (median, geometric standard deviation), optional
    limits : (low, high), optional
        A normal or lognormal value beyond them is put on them.
    """

    values: tuple[Value, ...] = ()
    weights: tuple[float, ...] = ()
    uniform: tuple[float, float] | None = None
    normal: tuple[float, float] | None = None
    lognormal: tuple[float, float] | None = None
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        forms = (self.uniform, self.normal, self.lognormal)
        if bool(self.values) + sum(form is not None for form in forms) != 1:
            raise InputError("a distribution is one of: values, uniform, normal, lognormal")
        if self.values:
            if len(self.weights) != len(self.values):
                raise InputError(f"{len(self.values)} values need as many weights")
            if min(self.weights) < 0 or not sum(self.weights) > 0:
                raise InputError("weights must be >= 0 with a positive sum")
        if self.uniform is not None and not self.uniform[0] <= self.uniform[1]:
            raise InputError(f"uniform must ascend, got {self.uniform}")
        if self.normal is not None and not self.normal[1] >= 0:
            raise InputError("normal needs a standard deviation >= 0")
        if self.lognormal is not None and not (self.lognormal[0] > 0 and self.lognormal[1] >= 1):
            raise InputError("lognormal needs a median > 0 and a geometric deviation >= 1")

    def draw(self, xi: float) -> Value:
        """Value at a share of the distribution.

        Parameters
        ----------
        xi : float
            In (0, 1).
        """
        if self.values:
            target = xi * sum(self.weights)
            for value, weight in zip(self.values, self.weights, strict=True):
                target -= weight
                if target < 0:
                    return value
            return next(v for v, w in zip(self.values[::-1], self.weights[::-1], strict=True) if w)
        if self.uniform is not None:
            low, high = self.uniform
            return low + xi * (high - low)
        score = NormalDist().inv_cdf(xi)
        if self.normal is not None:
            value = self.normal[0] + self.normal[1] * score
        else:
            assert self.lognormal is not None  # noqa: S101 - told to the type checker
            value = self.lognormal[0] * math.exp(math.log(self.lognormal[1]) * score)
        if self.limits is not None:
            value = min(max(value, self.limits[0]), self.limits[1])
        return value

    def possible(self) -> tuple[Value, ...]:
        """Choices of some weight; of a continuous distribution its ends."""
        if self.values:
            return tuple(v for v, w in zip(self.values, self.weights, strict=True) if w > 0)
        ends = self.uniform or self.limits
        return (0.0, math.inf) if ends is None else tuple(ends)

    @classmethod
    def from_table(cls, table: object, where: str) -> "Distribution":
        """From a table of a TOML file, a list of equally likely values, or a plain value.

        Raises
        ------
        InputError
        """
        if isinstance(table, int | float | str) and not isinstance(table, bool):
            return cls(values=(table,), weights=(1.0,))
        if isinstance(table, list):
            table = {"values": table}
        if not isinstance(table, Mapping):
            raise InputError(f"{where}: must be a value or a table with one of {', '.join(_FORMS)}")
        unknown = set(table) - {"values", "weights", *_PAIRS}
        if unknown:
            raise InputError(f"{where}: unknown {', '.join(sorted(unknown))}")
        try:
            values = tuple(table.get("values", ()))
            weights = tuple(float(w) for w in table.get("weights", [1.0] * len(values)))
            pairs = {k: _pair(table[k]) for k in _PAIRS if k in table}
            return cls(values=values, weights=weights, **pairs)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: {error}") from error


def _pair(value: Sequence[Any]) -> tuple[float, float]:
    low, high = value
    return float(low), float(high)

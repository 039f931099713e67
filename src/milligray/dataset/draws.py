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
_FORMS = ("values", "uniform", "lognormal", "value")


def fraction(*key: object) -> float:
    """Number in (0, 1) from a key, uniform over keys.

    Notes
    -----
    The first 52 bits of SHA-256 of the key's words, in the middle of their step.

    Examples
    --------
    >>> from milligray.dataset.draws import fraction
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
    lognormal : (median, geometric standard deviation), optional
    limits : (low, high), optional
        A lognormal value beyond them is put on them.
    """

    values: tuple[Value, ...] = ()
    weights: tuple[float, ...] = ()
    uniform: tuple[float, float] | None = None
    lognormal: tuple[float, float] | None = None
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        given = [bool(self.values), self.uniform is not None, self.lognormal is not None]
        if sum(given) != 1:
            raise InputError("a distribution is one of: values, uniform, lognormal")
        if self.values:
            if len(self.weights) != len(self.values):
                raise InputError(f"{len(self.values)} values need as many weights")
            if min(self.weights) < 0 or not sum(self.weights) > 0:
                raise InputError("weights must be >= 0 with a positive sum")
        if self.uniform is not None and not self.uniform[0] <= self.uniform[1]:
            raise InputError(f"uniform must ascend, got {self.uniform}")
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
        assert self.lognormal is not None  # noqa: S101 - told to the type checker
        median, spread = self.lognormal
        value = median * math.exp(math.log(spread) * NormalDist().inv_cdf(xi))
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
        unknown = set(table) - {"values", "weights", "uniform", "lognormal", "limits"}
        if unknown:
            raise InputError(f"{where}: unknown {', '.join(sorted(unknown))}")
        try:
            values = tuple(table.get("values", ()))
            weights = tuple(float(w) for w in table.get("weights", [1.0] * len(values)))
            pairs = {k: _pair(table[k]) for k in ("uniform", "lognormal", "limits") if k in table}
            return cls(values=values, weights=weights, **pairs)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: {error}") from error


def _pair(value: Sequence[Any]) -> tuple[float, float]:
    low, high = value
    return float(low), float(high)

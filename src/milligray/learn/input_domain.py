"""The domain of a network's inputs, and the verdict on a new one."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from milligray.errors import FormatError, InputError
from milligray.learn.card_values import of_type
from milligray.typing import FloatArray

FAR = 1.5
FIXED_WIDENING = 2.0
_KEYS = (
    "names", "low", "median", "high", "mean", "scale", "inverse", "limits", "quantiles",
    "n_held_out",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an input lies to those that a network was made with.

    Parameters
    ----------
    distance : float
        1 at the limit, see `InputDomain`.
    is_outside : bool
        Beyond the limit: the uncertainty is to be widened.
    is_far : bool
        So far beyond that no dose should be given.
    outside : tuple of str
        Features beyond the range of the training, the worst first.
    widening : float
        Factor >= 1 for the uncertainty.
    """

    distance: float
    is_outside: bool
    is_far: bool
    outside: tuple[str, ...]
    widening: float

    def text(self) -> str:
        """One sentence for a warning; "" if the input is inside."""
        if not self.is_outside:
            return ""
        why = f" ({', '.join(self.outside[:3])})" if self.outside else " (in combination)"
        return f"input {self.distance:.2f} times as far from the training as its limit{why}" + (
            "" if self.is_far else f"; uncertainty times {self.widening:.2f}"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InputDomain:
    """Domain of a network's inputs: ranges and a distance.

    Parameters
    ----------
    names : tuple of str
        Features, p of them.
    low, median, high : ndarray, shape (p,)
        0.5 %, 50 % and 99.5 % quantiles.
    mean, scale : ndarray, shape (p,)
        Of the standardization; scale 0: the feature never varied.
    inverse : ndarray, shape (p, p)
        Of the shrunk correlation matrix; features that never varied have zeros.
    limits : (distance, extent)
        99 % quantiles of the two statistics below over held-out inputs.
    quantiles : tuple of (level, distance)
        Of the joint distance over held-out inputs; the last is the largest.
    n_held_out : int

    Notes
    -----
    With the standardized input ``z = (x - mean) / scale`` and the shrunk correlation matrix C,

    ``distance_1 = sqrt(z C^-1 z)``,
    ``extent = max_j max((x_j - median_j) / (high_j - median_j), (median_j - x_j) / (median_j -
    low_j))``,
    ``distance = max(distance_1 / limits_1, extent / limits_2) / q``.

    The first sees unusual combinations, the second one feature far off, which the first loses among
    a hundred others. Both are measured on inputs that took no part in mean, covariance and ranges
    (folds by group, i.e. by patient), and q makes 99 % of these inputs have ``distance <= 1``. So
    one of a hundred good inputs is called outside: its uncertainty is widened a little, which is
    cheap. Far is beyond 1.5 times the largest of them: no good input was nearly there. Rates
    of both, measured: docs/methods/networks.md.

    Widening is ``distance^2`` outside: the error of a linear fit grows in proportion to the
    distance, and a network has less reason than a line to go on as it was.

    A feature that never varied is left out of the distance; any other value of it (beyond 1e-6 of
    it) is outside, with a widening of at least 2.

    All of it is the same for features in other units (any offset and scale).

    References
    ----------
    Mahalanobis, Proc. Natl. Inst. Sci. India 2 (1936) 49; shrinkage: Ledoit and Wolf,
    J. Multivar. Anal. 88 (2004) 365; quantiles: Vovk et al., Algorithmic Learning in a Random
    World (2005).
    """

    names: tuple[str, ...]
    low: FloatArray
    median: FloatArray
    high: FloatArray
    mean: FloatArray
    scale: FloatArray
    inverse: FloatArray
    limits: tuple[float, float]
    quantiles: tuple[tuple[float, float], ...]
    n_held_out: int

    def __post_init__(self) -> None:
        n = len(self.names)
        if not n or len(set(self.names)) != n:
            raise InputError("a domain needs features with unique names")
        for key in ("low", "median", "high", "mean", "scale", "inverse"):
            values = np.array(getattr(self, key), dtype=np.float64)
            shape = (n, n) if key == "inverse" else (n,)
            if values.shape != shape or not np.isfinite(values).all():
                raise InputError(f"{key} of a domain must be finite with shape {shape}")
            values.setflags(write=False)
            object.__setattr__(self, key, values)
        if not all(math.isfinite(v) and v > 0 for v in (*self.limits, self.quantiles[-1][1])):
            raise InputError("limits of a domain must be > 0")

    def distances(self, features: FloatArray) -> FloatArray:
        """Joint distance of inputs; 1 is the limit.

        Parameters
        ----------
        features : ndarray, shape (n, p)

        Returns
        -------
        ndarray, shape (n,)
        """
        rows = self._checked(np.atleast_2d(np.asarray(features, dtype=np.float64)))
        first, extent = statistics_of(self, rows)
        return np.asarray(np.maximum(first / self.limits[0], extent / self.limits[1]))

    def judge(self, features: FloatArray) -> Verdict:
        """Judge one input.

        Parameters
        ----------
        features : ndarray, shape (p,)

        Returns
        -------
        Verdict

        Raises
        ------
        InputError
            If a feature is missing or not a number.
        """
        row = np.asarray(features, dtype=np.float64)
        if row.shape != (len(self.names),):
            raise InputError(f"expected {len(self.names)} features, got shape {row.shape}")
        distance = float(self.distances(row)[0])
        fixed = (self.scale == 0) & (np.abs(row - self.median) > slack(self.median))
        extent = np.where(fixed, np.inf, _extents(self, row[None])[0])
        worst = np.argsort(-extent, kind="stable")
        beyond = (row < self.low) | (row > self.high)
        named = tuple(self.names[j] for j in worst if fixed[j] or (beyond[j] and self.scale[j] > 0))
        is_outside = distance > 1.0 or bool(fixed.any())
        return Verdict(
            distance=distance,
            is_outside=is_outside,
            is_far=distance > FAR * max(self.quantiles[-1][1], 1.0),
            outside=named,
            widening=max(1.0, distance**2, FIXED_WIDENING if fixed.any() else 1.0),
        )

    def to_document(self) -> dict[str, Any]:
        """Domain as JSON holds it."""
        found: dict[str, Any] = {}
        for key in _KEYS:
            value = getattr(self, key)
            if isinstance(value, np.ndarray):
                digits = np.vectorize(lambda v: float(f"{v:.9g}"), otypes=[float])
                value = digits(value).tolist()
            found[key] = value
        return found

    @classmethod
    def from_document(cls, document: object) -> "InputDomain":
        """Domain from what JSON holds; raises FormatError."""
        values = of_type(document, dict, "domain")
        if set(values) != set(_KEYS):
            raise FormatError(f"a domain has {', '.join(_KEYS)}; got {', '.join(sorted(values))}")
        try:
            values["names"] = tuple(values["names"])
            values["limits"] = tuple(float(v) for v in values["limits"])
            values["quantiles"] = tuple((float(a), float(b)) for a, b in values["quantiles"])
            return cls(**values)
        except (TypeError, ValueError, IndexError) as error:
            raise FormatError(f"domain: {error}") from error

    def _checked(self, rows: FloatArray) -> FloatArray:
        if rows.ndim != 2 or rows.shape[1] != len(self.names):
            raise InputError(f"expected {len(self.names)} features, got shape {rows.shape}")
        wrong = np.flatnonzero(~np.isfinite(rows).all(axis=0))
        if wrong.size:
            names = [self.names[j] for j in wrong]
            raise InputError(f"features that are no numbers: {', '.join(names[:5])}")
        return rows


def statistics_of(domain: InputDomain, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both statistics of every row."""
    scale = np.where(domain.scale > 0, domain.scale, 1.0)
    z = (rows - domain.mean) / scale
    first = np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", z, domain.inverse, z, optimize=True), 0.0))
    return first, _extents(domain, rows).max(axis=1)


def _extents(domain: InputDomain, rows: FloatArray) -> FloatArray:
    """Place of every feature between its median (0) and the ends of its range (1)."""
    # a feature that is mostly one value has an end at its median; its deviation is the measure
    scale = np.where(domain.scale > 0, domain.scale, np.inf)
    above = np.maximum(domain.high - domain.median, scale)
    below = np.maximum(domain.median - domain.low, scale)
    off = rows - domain.median
    return np.asarray(np.where(off > 0, off / above, -off / below))


def slack(values: FloatArray) -> FloatArray:
    """What rounding may change of a constant."""
    return np.asarray(1e-6 * np.abs(values) + 1e-12)

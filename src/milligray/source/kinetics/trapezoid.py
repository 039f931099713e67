"""Straight lines between the points, physical decay after the last: no model of the kinetics."""

from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np

from milligray.errors import InputError
from milligray.source.kinetics.time_activity import (
    RegionTia,
    TimeActivityCurve,
    check_half_life,
    check_times,
)
from milligray.typing import FloatArray

Start = Literal["linear-from-zero", "physical-decay", "constant"]
Tail = Literal["physical-decay", "last-points"]
STARTS: tuple[Start, ...] = ("linear-from-zero", "physical-decay", "constant")
TAILS: tuple[Tail, ...] = ("physical-decay", "last-points")
ASSUMED_TAIL = 0.385
"""Relative standard uncertainty of the tail after a single point, by judgement."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrapezoidWeights:
    """Weights that make the time integral a weighted sum of the points.

    Parameters
    ----------
    before, between, after : ndarray, shape (n,) [s]
        Of the time before the first point, between the points, after the last.
    """

    before: FloatArray
    between: FloatArray
    after: FloatArray

    @property
    def total_s(self) -> FloatArray:
        """Sum of the three [s]."""
        return self.before + self.between + self.after


def trapezoid_weights(
    times_s: FloatArray, half_life_s: float, *, start: Start = "linear-from-zero"
) -> TrapezoidWeights:
    """Weights of the trapezoid rule with a tail of physical decay.

    Parameters
    ----------
    times_s : ndarray, shape (n,) [s]
    half_life_s : float [s]
    start : {"linear-from-zero", "physical-decay", "constant"}
        Before the first point: a straight line from 0 at administration (slow uptake); the first
        value grown back by physical decay (distributed at once, no washout); the first value
        unchanged.

    Returns
    -------
    TrapezoidWeights

    Notes
    -----
    With ``lambda = ln 2 / T``: ``between = sum (t_{i+1} - t_i) (A_i + A_{i+1}) / 2``,
    ``after = A_n / lambda`` and ``before`` = ``A_1 t_1 / 2``, ``A_1 (exp(lambda t_1) - 1) /
    lambda`` or ``A_1 t_1``.

    References
    ----------
    Bolch et al., MIRD Pamphlet 21, J Nucl Med 50 (2009) 477; Siegel et al., MIRD Pamphlet 16,
    J Nucl Med 40 (1999) 37S. Trapezoid over 13 frames with physical decay after the last: the
    scheme of Akhavanallaf et al., Eur J Nucl Med Mol Imaging 48 (2021)
    """
    if start not in STARTS:
        raise InputError(f"start must be one of {', '.join(STARTS)}, got {start!r}")
    times = check_times(times_s)
    decay = log(2.0) / check_half_life(half_life_s)
    between = np.zeros_like(times)
    steps = np.diff(times)
    between[:-1] += 0.5 * steps
    between[1:] += 0.5 * steps
    before = np.zeros_like(times)
    first = float(times[0])
    before[0] = {
        "linear-from-zero": 0.5 * first,
        "physical-decay": float(np.expm1(decay * first)) / decay,
        "constant": first,
    }[start]
    after = np.zeros_like(times)
    after[-1] = 1.0 / decay
    return TrapezoidWeights(before=before, between=between, after=after)


def integrate_trapezoid(
    curve: TimeActivityCurve, *, start: Start = "linear-from-zero", tail: Tail = "physical-decay"
) -> RegionTia:
    """Integrate a curve without a model.

    Parameters
    ----------
    curve : TimeActivityCurve
        From one point up; one point makes no more than an assumption, and the result says so.
    start : {"linear-from-zero", "physical-decay", "constant"}
        See `trapezoid_weights`.
    tail : {"physical-decay", "last-points"}
        After the last point: physical decay alone (an upper bound: nothing is washed out), or the
        exponential through the last two points, never slower than physical decay.

    Returns
    -------
    RegionTia
        Its uncertainty holds that of the points (if known, else the notes say so) and what the
        straight lines and the tail may err by, estimated from the points themselves.

    Raises
    ------
    InputError
        If ``tail="last-points"`` and the last two points fall more slowly than physical decay, or
        there are fewer than two, or one is 0.

    Notes
    -----
    Straight lines lie above a curve that falls exponentially: the difference from exponentials
    through the same points, ``(A_i - A_{i+1}) dt / ln(A_i / A_{i+1})``, is taken as one standard
    uncertainty; so is the difference of the two tails, where physical decay is the one used. The
    start is uncertain as a rectangle between a line from 0 and physical decay backwards.
    """
    if tail not in TAILS:
        raise InputError(f"tail must be one of {', '.join(TAILS)}, got {tail!r}")
    weights = trapezoid_weights(curve.times_s, curve.half_life_s, start=start)
    activity = curve.activity_mbq
    total = weights.total_s
    after = weights.after
    decay = curve.decay_constant_per_s
    gradient = total
    notes = [f"before the first point: {start}; after the last: {tail}"]
    if tail == "last-points":
        decay = _last_rate_per_s(curve)
        after = after * (curve.decay_constant_per_s / decay)
        gradient = weights.before + weights.between + _tail_gradient(curve, decay)
    tia = float((weights.before + weights.between + after) @ activity)
    after_share = float(after @ activity) / tia
    before_share = float(weights.before @ activity) / tia
    notes.append(
        f"{100 * before_share:.0f} % of the decays before the first point,"
        f" {100 * after_share:.0f} % after the last: extrapolated"
    )
    lines = float(weights.between @ activity) - _exponential_integral(curve)
    tails = 0.0 if tail == "last-points" else _tail_difference(curve)
    beginnings = _start_difference(curve)
    variance = lines**2 + tails**2 + beginnings**2
    sigma = curve.standard_uncertainty_mbq
    if sigma is not None:
        variance += float(np.sum((gradient * sigma) ** 2))
    else:
        notes.append("noise of the points is not known and not in the uncertainty")
    notes.append(
        f"straight lines may be {100 * lines / tia:.0f} % too high, the tail"
        f" {100 * tails / tia:.0f} %, the start uncertain by {100 * beginnings / tia:.0f} %: in the"
        " uncertainty"
    )
    return RegionTia(
        region=curve.region,
        tia_mbq_s=tia,
        relative_uncertainty=float(np.sqrt(variance)) / tia,
        method=f"trapezoid, tail: {tail}",
        effective_half_life_s=log(2.0) / decay,
        fraction_after_last_point=after_share,
        notes=tuple(notes),
    )


def _exponential_integral(curve: TimeActivityCurve) -> float:
    """Integral between the points by exponentials where the curve falls, else by lines."""
    before, after = curve.activity_mbq[:-1], curve.activity_mbq[1:]
    steps = np.diff(curve.times_s)
    falls = (after > 0) & (before > after * (1.0 + 1e-9))
    ratio = np.where(falls, before / np.where(falls, after, 1.0), np.e)
    by_exponential = (before - after) / np.log(ratio)
    return float(np.sum(steps * np.where(falls, by_exponential, 0.5 * (before + after))))


def _start_difference(curve: TimeActivityCurve) -> float:
    """Standard uncertainty of a start anywhere between a line from 0 and physical decay [MBq s]."""
    first, decay = float(curve.times_s[0]), curve.decay_constant_per_s
    width = float(np.expm1(decay * first)) / decay - 0.5 * first
    return float(curve.activity_mbq[0] * width / np.sqrt(12.0))


def _tail_difference(curve: TimeActivityCurve) -> float:
    """How much physical decay after the last point exceeds the trend of the last two [MBq s].

    One point has no trend: by judgement, as if the effective half-life could lie anywhere between
    a third and the whole of the physical one (root mean square of its ratio less 1).
    """
    last = float(curve.activity_mbq[-1])
    if curve.times_s.size < 2:
        return ASSUMED_TAIL * last / curve.decay_constant_per_s
    if last <= 0:
        return 0.0
    step = float(curve.times_s[-1] - curve.times_s[-2])
    rate = float(np.log(max(float(curve.activity_mbq[-2]), last * 1e-9) / last)) / step
    return last * max(0.0, 1.0 / curve.decay_constant_per_s - 1.0 / max(rate, 1e-30))


def _last_rate_per_s(curve: TimeActivityCurve) -> float:
    """Effective rate of the exponential through the last two points [1/s]."""
    if curve.times_s.size < 2 or np.any(curve.activity_mbq[-2:] <= 0):
        raise InputError(f"{curve.region}: the tail needs two last points with activity")
    step = float(curve.times_s[-1] - curve.times_s[-2])
    rate = float(np.log(curve.activity_mbq[-2] / curve.activity_mbq[-1])) / step
    if rate < curve.decay_constant_per_s:
        raise InputError(
            f"{curve.region}: the last two points fall more slowly than physical decay (effective"
            f" rate {rate:.3g} /s, physical {curve.decay_constant_per_s:.3g} /s): uptake goes on,"
            " or the points are too noisy; use tail='physical-decay' or a later point"
        )
    return rate


def _tail_gradient(curve: TimeActivityCurve, rate: float) -> FloatArray:
    """Derivative of ``A_n / rate`` by the points, with ``rate`` made of the last two."""
    gradient = np.zeros_like(curve.times_s)
    step = float(curve.times_s[-1] - curve.times_s[-2])
    before, last = curve.activity_mbq[-2:]
    gradient[-1] = 1.0 / rate + 1.0 / (rate * rate * step)
    gradient[-2] = -last / (before * rate * rate * step)
    return gradient

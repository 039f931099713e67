"""One exponential per voxel, for millions of voxels at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from milligray.errors import InputError
from milligray.source.kinetics.extrapolation import extrapolation_uncertainty
from milligray.source.kinetics.time_activity import check_half_life, check_times
from milligray.source.kinetics.trapezoid import Start, trapezoid_weights
from milligray.typing import BoolArray, FloatArray

CHUNK = 65536
RELATIVE_FLOOR = 0.05
"""Weights: a point's standard deviation is in proportion to its value, but not below this share of
the voxel's highest."""
LARGEST_MISFIT = 0.5
"""Weighted residual (in units of the proportional deviation) beyond which a fit has failed."""
RISING_MISFIT = 0.2
"""The same for voxels whose highest value is not the first: one exponential cannot rise."""
_SCAN = 24
_GOLDEN_STEPS = 18
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelFit:
    """Integrals of many voxels.

    Parameters
    ----------
    tia_mbq_s : ndarray, shape (n_voxels,), float64 [MBq s]
    relative_uncertainty : ndarray, shape (n_voxels,), float64
        k = 1, from the residuals of the fit; NaN where the trapezoid stood in or nothing is known.
    effective_half_life_s : ndarray, shape (n_voxels,), float64 [s]
        NaN where the trapezoid stood in, or nothing is there.
    counts : dict of str to int
        Voxels by what became of them: "fitted", "at physical decay", "trapezoid", "empty".
    """

    tia_mbq_s: FloatArray
    relative_uncertainty: FloatArray
    effective_half_life_s: FloatArray
    counts: dict[str, int]

    def notes(self) -> tuple[str, ...]:
        """What became of the voxels, in words."""
        full = sum(self.counts.values()) - self.counts["empty"]
        if full == 0:
            return ("no voxel holds activity",)
        share = {key: 100.0 * n / full for key, n in self.counts.items()}
        return (
            (
                f"of {full} voxels with activity {share['fitted']:.1f} % fitted by one exponential,"
                f" {share['at physical decay']:.1f} % held at physical decay (their points fall"
                f" more slowly), {share['trapezoid']:.1f} % by trapezoid with physical decay after"
                " the last point (rising, washed out at once, or badly fitted)"
            ),
        )


def fit_voxels(
    activity_mbq: FloatArray,
    times_s: Sequence[float] | FloatArray,
    half_life_s: float,
    *,
    start: Start = "linear-from-zero",
) -> VoxelFit:
    """Fit ``A exp(-r t)`` with ``r >= lambda`` to every voxel.

    Parameters
    ----------
    activity_mbq : ndarray, shape (n_times, n_voxels) [MBq]
        At the time of each image, not decay-corrected, >= 0.
    times_s : sequence of float, shape (n_times,) [s]
        After administration, ascending; at least two.
    half_life_s : float [s]
        Physical.
    start : {"linear-from-zero", "physical-decay", "constant"}
        How the trapezoid that stands in for failing fits begins.

    Returns
    -------
    VoxelFit

    Raises
    ------
    InputError
        If there are fewer than two time points, or a value is negative.

    Notes
    -----
    For a given rate the best amplitude is known (``A = sum(w A_i e_i) / sum(w e_i**2)``), so only
    the rate is searched: a scan over 24 rates between ``lambda`` and the one that loses all but
    exp(-8) within the shortest interval, then golden section. Weights
    ``1 / max(A(t_i), 0.05 max)**2`` with the fitted curve (at first the measured values).
    A fit fails, and `trapezoid_weights` stands in, where fewer than two points hold activity, the
    rate is the fastest of the scan, the relative residual exceeds 0.5, or it exceeds 0.2 and the
    highest value is not the first (activity still comes in).
    ``var(tia) / tia**2 = g^T C g`` with ``C`` from the residuals, as in `fit_curve`, and
    `extrapolation_uncertainty`; with two points there are no residuals: NaN.
    """
    times = check_times(times_s)
    decay = log(2.0) / check_half_life(half_life_s)
    values = np.asarray(activity_mbq)
    if values.ndim != 2 or values.shape[0] != times.size:
        raise InputError(f"activity must be (n_times, n_voxels) with {times.size} times")
    if times.size < 2:
        raise InputError("one time point: choose a single-time-point method or physical decay")
    if not np.all(np.isfinite(values)) or float(values.min(initial=0.0)) < 0:
        raise InputError("activity of voxels must be finite and >= 0 MBq")
    total_weights = trapezoid_weights(times, half_life_s, start=start).total_s
    n = values.shape[1]
    tia, sigma, life = (np.zeros(n) for _ in range(3))
    counts = dict.fromkeys(("fitted", "at physical decay", "trapezoid", "empty"), 0)
    for begin in range(0, n, CHUNK):
        part = slice(begin, min(begin + CHUNK, n))
        chunk = np.asarray(values[:, part], dtype=np.float64)
        full = chunk.max(axis=0) > 0
        counts["empty"] += int((~full).sum())
        life[part] = np.nan
        if not np.any(full):
            continue
        fit = _fit_chunk(chunk[:, full], times, decay)
        at = np.flatnonzero(full) + begin
        failed = fit.failed
        tia[at] = np.where(failed, total_weights @ chunk[:, full], fit.tia)
        sigma[at] = np.where(failed, np.nan, fit.sigma)
        life[at] = np.where(failed, np.nan, log(2.0) / fit.rate)
        counts["trapezoid"] += int(failed.sum())
        counts["at physical decay"] += int((fit.held & ~failed).sum())
        counts["fitted"] += int((~fit.held & ~failed).sum())
    return VoxelFit(
        tia_mbq_s=tia, relative_uncertainty=sigma, effective_half_life_s=life, counts=counts
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _ChunkFit:
    rate: FloatArray
    tia: FloatArray
    sigma: FloatArray
    failed: BoolArray
    held: BoolArray


def _fit_chunk(values: FloatArray, times: FloatArray, decay: float) -> _ChunkFit:
    """Fit voxels that all hold activity; values (n_times, n)."""
    floor = RELATIVE_FLOOR * values.max(axis=0)
    weight = 1.0 / np.maximum(values, floor) ** 2
    fastest = decay + 8.0 / float(np.diff(times).min())
    rates = decay + (fastest - decay) * np.linspace(0.0, 1.0, _SCAN) ** 2.5
    costs = np.stack([_cost(np.full(values.shape[1], r), values, weight, times) for r in rates])
    best = costs.argmin(axis=0)
    low = rates[np.maximum(best - 1, 0)]
    high = rates[np.minimum(best + 1, _SCAN - 1)]
    rate = _golden_section(low, high, values, weight, times)
    # weights by measured values prefer the points that are low by chance: once more by the fit
    shape = np.exp(-times[:, None] * rate)
    amplitude = (weight * values * shape).sum(axis=0) / (weight * shape * shape).sum(axis=0)
    weight = 1.0 / np.maximum(amplitude * shape, floor) ** 2
    rate = _golden_section(low, high, values, weight, times)
    held = (best == 0) & (
        _cost(np.full_like(rate, decay), values, weight, times)
        <= _cost(rate, values, weight, times)
    )
    rate = np.where(held, decay, rate)
    shape = np.exp(-times[:, None] * rate)
    amplitude = (weight * values * shape).sum(axis=0) / (weight * shape * shape).sum(axis=0)
    cost = (weight * (values - amplitude * shape) ** 2).sum(axis=0)
    misfit = np.sqrt(cost / times.size)
    rising = values.argmax(axis=0) > 0
    failed = (
        ((values > 0).sum(axis=0) < 2)
        | (best >= _SCAN - 2)
        | (misfit > LARGEST_MISFIT)
        | (rising & (misfit > RISING_MISFIT))
    )
    return _ChunkFit(
        rate=rate,
        tia=amplitude / rate,
        sigma=np.hypot(
            _relative_sigma(rate, shape, amplitude, weight, times, cost),
            extrapolation_uncertainty(shape[-1], rate, decay),
        ),
        failed=failed,
        held=held,
    )


def _cost(
    rate: FloatArray, values: FloatArray, weight: FloatArray, times: FloatArray
) -> FloatArray:
    """Weighted squares left by the best amplitude at each voxel's rate."""
    shape = np.exp(-times[:, None] * rate)
    product = (weight * values * shape).sum(axis=0)
    squares = (weight * shape * shape).sum(axis=0)
    left: FloatArray = (weight * values * values).sum(axis=0) - product**2 / np.maximum(
        squares, 1e-300
    )
    return left


def _golden_section(
    low: FloatArray, high: FloatArray, values: FloatArray, weight: FloatArray, times: FloatArray
) -> FloatArray:
    """Rate of least cost between two rates, for every voxel."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    cost_left = _cost(left, values, weight, times)
    cost_right = _cost(right, values, weight, times)
    for _ in range(_GOLDEN_STEPS):
        go_left = cost_left < cost_right
        high = np.where(go_left, right, high)
        low = np.where(go_left, low, left)
        new_left = high - _GOLDEN * (high - low)
        new_right = low + _GOLDEN * (high - low)
        probe = np.where(go_left, new_left, new_right)
        cost = _cost(probe, values, weight, times)
        cost_left, cost_right = (
            np.where(go_left, cost, cost_right),
            np.where(go_left, cost_left, cost),
        )
        left, right = new_left, new_right
    middle: FloatArray = 0.5 * (low + high)
    return middle


def _relative_sigma(
    rate: FloatArray,
    shape: FloatArray,
    amplitude: FloatArray,
    weight: FloatArray,
    times: FloatArray,
    cost: FloatArray,
) -> FloatArray:
    """Relative standard uncertainty of ``A / r``; parameters ``ln A`` and ``r``."""
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import

    n_free = times.size - 2
    if n_free < 1:
        return np.full(rate.shape, np.nan)
    curve = amplitude * shape
    squares = weight * curve * curve
    aa = squares.sum(axis=0)
    ar = -(squares * times[:, None]).sum(axis=0)
    rr = (squares * times[:, None] ** 2).sum(axis=0)
    determinant = np.maximum(aa * rr - ar * ar, 1e-300)
    # gradient of ln(tia): (1, -1 / r)
    variance = (rr + 2.0 * ar / rate + aa / rate**2) / determinant
    factor = float(stdtrit(n_free, 0.841345)) ** 2
    sigma: FloatArray = np.sqrt(np.maximum(variance, 0.0) * cost / n_free * factor)
    return sigma

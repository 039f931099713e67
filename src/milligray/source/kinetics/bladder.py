"""Decays in the content of a bladder that fills and is emptied."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log

import numpy as np

from milligray.errors import InputError
from milligray.source.kinetics.time_activity import RegionTia, check_half_life, check_times
from milligray.typing import FloatArray

ADULT_VOIDING_INTERVAL_S = 3.5 * 3600.0
"""Mean interval of adults in the kidney-bladder model of ICRP 53 and 128."""
_FORGOTTEN = 60.0
"""Decay and excretion are followed until this many e-folds are gone."""
_MAX_VOIDS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Excretion:
    """Share of the administered activity that leaves by urine, by phases.

    Parameters
    ----------
    fractions : tuple of float
        Of the administered activity, physical decay aside; their sum is at most 1.
    biological_half_lives_s : tuple of float [s]
        Of each phase's way into the bladder.
    """

    fractions: tuple[float, ...]
    biological_half_lives_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.fractions) != len(self.biological_half_lives_s) or not self.fractions:
            raise InputError("excretion needs one biological half-life per fraction")
        if any(f < 0 for f in self.fractions) or sum(self.fractions) > 1.0 + 1e-9:
            raise InputError(f"excreted fractions must be >= 0 with sum <= 1: {self.fractions}")
        if any(not (isfinite(t) and t > 0) for t in self.biological_half_lives_s):
            raise InputError("biological half-lives of excretion must be > 0 s")


def voiding_times(
    interval_s: float, *, first_s: float | None = None, until_s: float
) -> tuple[float, ...]:
    """Times of emptying: the first, then at one interval.

    Parameters
    ----------
    interval_s : float [s]
    first_s : float, optional [s]
        After administration. Default: `interval_s`.
    until_s : float [s]
        None after this.
    """
    first = interval_s if first_s is None else first_s
    if not (isfinite(interval_s) and interval_s > 0 and isfinite(first) and first > 0):
        raise InputError("the first voiding and the interval must be > 0 s")
    count = int(max(0.0, np.floor((until_s - first) / interval_s)) + 1)
    if count > _MAX_VOIDS:
        raise InputError(
            f"{count} voidings: interval {interval_s:g} s is too short for this nuclide"
        )
    return tuple(first + k * interval_s for k in range(count))


def bladder_tia(
    administered_activity_mbq: float,
    half_life_s: float,
    excretion: Excretion,
    *,
    voiding_interval_s: float = ADULT_VOIDING_INTERVAL_S,
    first_voiding_s: float | None = None,
    measured_voidings_s: Sequence[float] | None = None,
    residual_fraction: float = 0.0,
    region: str = "urinary_bladder",
) -> RegionTia:
    """Time-integrated activity of the urine in the bladder.

    Parameters
    ----------
    administered_activity_mbq : float [MBq]
    half_life_s : float [s]
        Physical.
    excretion : Excretion
    voiding_interval_s : float [s]
        Default: 3.5 h, the adult of ICRP 53 and 128.
    first_voiding_s : float, optional [s]
        After administration (e.g. just before the scan). Default: one interval.
    measured_voidings_s : sequence of float, optional [s]
        All known times; the interval goes on after the last of them.
    residual_fraction : float
        Share of the content left by a voiding.
    region : str
        Name for the result: that of the organ map, to scale its voxels with
        `milligray.source.kinetics.regions.scaled_to_regions`.

    Returns
    -------
    RegionTia
        Its uncertainty is not known (NaN): it lies in the habits of the person.

    Notes
    -----
    Between voidings ``dB/dt = A0 exp(-lambda t) sum_i f_i k_i exp(-k_i t) - lambda B``, so with
    the content ``B_v`` left at the voiding at ``t_v``
    ``B(t) = e(t - t_v) B_v + A0 e(t) sum_i f_i (exp(-k_i t_v) - exp(-k_i t))``, ``e`` being decay.
    Each interval is integrated exactly. With regular complete voidings the sum is the closed form
    of ICRP 53. Uptake in the organs before excretion is not delayed further; urine in the kidneys'
    pelvis and reabsorption are left out.

    References
    ----------
    ICRP Publication 53 (1988), kidney-bladder model; ICRP Publication 128 (2015); the interval of
    3.5 h from memory of both. Dynamic bladder: Thomas et al., MIRD Pamphlet 14 (revised), J Nucl
    Med 40 (1999) 102S
    """
    decay = log(2.0) / check_half_life(half_life_s)
    if not (isfinite(administered_activity_mbq) and administered_activity_mbq > 0):
        raise InputError("administered activity must be > 0 MBq")
    if not 0.0 <= residual_fraction < 1.0:
        raise InputError(f"residual_fraction must lie in [0, 1), got {residual_fraction}")
    end = _FORGOTTEN / decay
    if measured_voidings_s is not None and len(measured_voidings_s) > 0:
        known = check_times(measured_voidings_s)
        later = voiding_times(
            voiding_interval_s, first_s=float(known[-1]) + voiding_interval_s, until_s=end
        )
        voids = np.concatenate((known, later))
    else:
        voids = np.array(voiding_times(voiding_interval_s, first_s=first_voiding_s, until_s=end))
    starts = np.concatenate(([0.0], voids))
    ends = np.append(voids, np.inf)
    rates = log(2.0) / np.array(excretion.biological_half_lives_s)
    filled = administered_activity_mbq * _filling(starts, ends, decay, excretion.fractions, rates)
    kept = _leftover(starts, voids, decay, excretion.fractions, rates, residual_fraction)
    lasting = np.where(np.isfinite(ends), -np.expm1(-decay * (ends - starts)), 1.0) / decay
    tia = float(filled.sum() + administered_activity_mbq * (kept @ lasting))
    interval_text = f"every {voiding_interval_s / 3600.0:.3g} h"
    return RegionTia(
        region=region,
        tia_mbq_s=tia,
        relative_uncertainty=float("nan"),
        method="bladder voiding model",
        effective_half_life_s=float("nan"),
        fraction_after_last_point=1.0,
        notes=(
            (
                f"bladder content modelled: {100 * sum(excretion.fractions):.3g} % of the activity"
                f" by urine, first voiding {voids[0] / 3600.0:.3g} h after administration, then"
                f" {interval_text}; the person's own habits change this more than any other figure"
            ),
        ),
    )


def _filling(
    starts: FloatArray,
    ends: FloatArray,
    decay: float,
    fractions: Sequence[float],
    rates: FloatArray,
) -> FloatArray:
    """Integral in each interval of what came in since its start, per administered activity."""
    total = np.zeros_like(starts)
    for fraction, rate in zip(fractions, rates, strict=True):
        there = np.exp(-rate * starts) * (np.exp(-decay * starts) - np.exp(-decay * ends)) / decay
        both = decay + rate
        still = (np.exp(-both * starts) - np.exp(-both * ends)) / both
        total += fraction * (there - still)
    return total


def _leftover(
    starts: FloatArray,
    voids: FloatArray,
    decay: float,
    fractions: Sequence[float],
    rates: FloatArray,
    residual_fraction: float,
) -> FloatArray:
    """Content left at the start of each interval, per administered activity."""
    kept = np.zeros_like(starts)
    if residual_fraction == 0.0:
        return kept
    for n, void in enumerate(voids):
        come = sum(
            f * (np.exp(-k * starts[n]) - np.exp(-k * void))
            for f, k in zip(fractions, rates, strict=True)
        )
        content = np.exp(-decay * void) * come + kept[n] * np.exp(-decay * (void - starts[n]))
        kept[n + 1] = residual_fraction * float(content)
    return kept

"""For which moment the stored values of an emission image hold, and the way to another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from milligray.errors import InputError
from milligray.read.activity_facts import DecayReference
from milligray.typing import FloatArray

_SAME_S = 2.0
_MAX_HALF_LIVES = 50.0
_AGREES = 0.01
_MENDED = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTiming:
    """When one slice was measured, and what was done to it; None where the header is silent.

    Parameters
    ----------
    start : datetime
    duration_s : float or None
    reference_s : float or None
        FrameReferenceTime.
    decay_factor : float or None
        DecayFactor: by which the values were multiplied.
    corrected_to : datetime or None
        DecayCorrectionDateTime of enhanced objects.
    """

    start: datetime
    duration_s: float | None = None
    reference_s: float | None = None
    decay_factor: float | None = None
    corrected_to: datetime | None = None


def mean_time_s(duration_s: float, half_life_s: float) -> float:
    """Time within a frame at which the decaying activity equals its mean over the frame [s].

    Notes
    -----
    ``exp(-lambda t) = (1 - exp(-lambda T)) / (lambda T)``, so
    ``t = ln(lambda T / (1 - exp(-lambda T))) / lambda``.

    Examples
    --------
    >>> round(mean_time_s(240.0, 6588.0), 2), round(mean_time_s(6588.0, 6588.0), 1)
    (119.75, 3104.5)
    """
    x = np.log(2.0) / half_life_s * duration_s
    if x < 1e-6:
        return 0.5 * duration_s
    return float(np.log(x / -np.expm1(-x)) / np.log(2.0) * half_life_s)


def decay_factors(
    moments: Sequence[datetime], reference: datetime, half_life_s: float
) -> FloatArray:
    """Factors that bring values of some moments to a reference time, shape (n,).

    Raises
    ------
    InputError
        If more than 50 half-lives lie between: half-life or times are wrong.
    """
    seconds = np.array([(reference - moment).total_seconds() for moment in moments])
    lives = seconds / half_life_s
    if float(np.abs(lives).max()) > _MAX_HALF_LIVES:
        raise InputError(
            f"the values would have to be corrected over {float(np.abs(lives).max()):.0f}"
            f" half-lives of {half_life_s:g} s: the half-life or the times are wrong"
        )
    return np.asarray(np.exp2(-lives))


def middle_of(timings: Sequence[FrameTiming]) -> tuple[datetime, float | None]:
    """Middle of a measurement, and its length [s] from the first start to the last end."""
    first = min(timing.start for timing in timings)
    if any(timing.duration_s is None for timing in timings):
        return first, None
    last = max(timing.start + timedelta(seconds=timing.duration_s or 0.0) for timing in timings)
    length = (last - first).total_seconds()
    return first + timedelta(seconds=0.5 * length), length


def moments_of_values(
    timings: Sequence[FrameTiming],
    half_life_s: float,
    *,
    correction: str,
    series_start: datetime | None,
    scan_start: datetime | None,
    administration: datetime | None,
    chosen: DecayReference | None = None,
) -> tuple[list[datetime], tuple[str, ...]]:
    """When the stored value of each slice holds.

    Parameters
    ----------
    timings : sequence of FrameTiming
    half_life_s : float [s]
    correction : str
        DecayCorrection (0054,1102): "START", "ADMIN" or "NONE".
    series_start : datetime or None
        Series date and time: what START refers to (DICOM PS3.3, C.8.9.1), unless it is later than
        the acquisition (the series was processed afterwards).
    scan_start : datetime or None
        GE's private start of the scan (0009,xx0D).
    administration : datetime or None
    chosen : {"start", "middle", "administration", "none"} or None
        What the user says; then the header is not asked.

    Returns
    -------
    moments : list of datetime
    notes : tuple of str

    Raises
    ------
    InputError
        If no decay reference is stated, or the header contradicts itself by more than 10 %.

    Notes
    -----
    DecayFactor is the factor that was applied, so it tells the moment: ``t_mean - ln(f)/lambda``.
    Up to 1 % of activity away from the stated moment the latter is kept; up to 10 %, or where
    every bed position was corrected to its own start, the factor decides, with a note.
    """
    first = min(timing.start for timing in timings)
    stated = {"start": "START", "administration": "ADMIN", "none": "NONE", "middle": "MIDDLE"}
    method = correction.strip().upper() if chosen is None else stated[chosen]
    if chosen is None and timings[0].corrected_to is not None:
        return [timing.corrected_to or first for timing in timings], ()
    if method == "NONE":
        return [_mean_moment(timing, half_life_s) for timing in timings], ()
    if method == "MIDDLE":
        return [middle_of(timings)[0]] * len(timings), ()
    notes: list[str] = []
    if method == "ADMIN":
        if administration is None:
            raise InputError(
                "the values are decay-corrected to the administration, whose time is not known:"
                " give administration_time"
            )
        declared = administration
    elif method == "START":
        declared = first if chosen else _declared_start(first, series_start, scan_start, notes)
    else:
        raise InputError(
            f"DecayCorrection (0054,1102) is {correction or 'missing'}: the time for which the"
            " values hold is not known; say decay_reference: start, middle, administration, none"
        )
    if chosen is not None:
        return [declared] * len(timings), ()
    moments, more = _checked(timings, declared, half_life_s, method)
    return moments, (*notes, *more)


def _mean_moment(timing: FrameTiming, half_life_s: float) -> datetime:
    if timing.duration_s is None:
        raise InputError(
            "the values are not decay-corrected and ActualFrameDuration (0018,1242) is missing:"
            " give frame_duration_s"
        )
    return timing.start + timedelta(seconds=mean_time_s(timing.duration_s, half_life_s))


def _declared_start(
    first: datetime,
    series_start: datetime | None,
    scan_start: datetime | None,
    notes: list[str],
) -> datetime:
    latest = first + timedelta(seconds=_SAME_S)
    if series_start is not None and series_start <= latest:
        return series_start
    if scan_start is not None and scan_start <= latest:
        notes.append(
            "SeriesTime is after the acquisition (processed later): GE's private start of the scan"
            " was taken as decay reference"
        )
        return scan_start
    notes.append(
        "SeriesTime is missing or after the acquisition (processed later): the earliest"
        " AcquisitionTime was taken as decay reference"
    )
    return first


def _applied(timing: FrameTiming, half_life_s: float) -> datetime | None:
    """Moment that the applied decay factor tells, None if it tells nothing."""
    if not timing.decay_factor or timing.duration_s is None:
        return None
    if abs(timing.decay_factor - 1.0) < 1e-9:
        return None
    back_s = float(np.log2(timing.decay_factor)) * half_life_s
    return _mean_moment(timing, half_life_s) - timedelta(seconds=back_s)


def _checked(
    timings: Sequence[FrameTiming], declared: datetime, half_life_s: float, method: str
) -> tuple[list[datetime], tuple[str, ...]]:
    applied = [_applied(timing, half_life_s) for timing in timings]
    told = [moment for moment in applied if moment is not None]
    if len(told) < len(timings):
        return [declared] * len(timings), _frame_time_note(timings, declared, half_life_s)
    off = np.array([(moment - declared).total_seconds() for moment in told])
    shift = np.expm1(np.abs(off) * np.log(2.0) / half_life_s)
    if float(shift.max()) <= _AGREES:
        return [declared] * len(timings), ()
    own_s = [(m - t.start).total_seconds() for m, t in zip(told, timings, strict=True)]
    starts = {timing.start for timing in timings}
    tolerance_s = max(_SAME_S, 0.002 / np.log(2.0) * half_life_s)
    if method == "START" and len(starts) > 1 and max(np.abs(own_s)) <= tolerance_s:
        return [timing.start for timing in timings], (
            (
                "the decay factors say that every bed position was corrected to its own start: so"
                " it was taken"
            ),
        )
    if float(shift.max()) <= _MENDED:
        return told, (
            (
                f"the decay factors differ from the stated decay reference by up to"
                f" {100 * float(shift.max()):.1f} %: the factors that were applied were taken"
            ),
        )
    raise InputError(
        f"DecayCorrection (0054,1102) says {method}, but the DecayFactor (0054,1321) that was"
        f" applied fits another time: the activity would differ by {100 * float(shift.max()):.0f}"
        " %; say decay_reference: start, middle, administration or none"
    )


def _frame_time_note(
    timings: Sequence[FrameTiming], declared: datetime, half_life_s: float
) -> tuple[str, ...]:
    """FrameReferenceTime counts from the decay reference; vendors differ, so it only warns."""
    worst = 0.0
    for timing in timings:
        if timing.reference_s and timing.duration_s is not None:
            mean_s = (_mean_moment(timing, half_life_s) - declared).total_seconds()
            worst = max(worst, abs(mean_s - timing.reference_s))
    part = float(np.expm1(worst * np.log(2.0) / half_life_s))
    if part <= _AGREES:
        return ()
    words = "FrameReferenceTime would put the decay reference elsewhere"
    return (f"{words} ({100 * part:.1f} % of the activity): not taken",)

"""Time-activity curves, and the result of integrating one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray

SECONDS_PER_HOUR = 3600.0
_SAME_TIME_S = 1.0


def check_times(times_s: Sequence[float] | FloatArray) -> FloatArray:
    """Times of images as an array [s], refused unless they ascend and follow administration."""
    times = np.array(times_s, dtype=np.float64).reshape(-1)
    if times.size == 0 or not np.all(np.isfinite(times)):
        raise InputError(
            "every time point needs its time after administration [s]; with DICOM without an"
            " administration time, give it by hand"
        )
    if np.any(times < 0):
        raise InputError(f"time after administration must be >= 0 s, got {times.min():g} s")
    for k, step in enumerate(np.diff(times)):
        if step < _SAME_TIME_S:
            what = "twice" if step > -_SAME_TIME_S else "out of order"
            raise InputError(
                f"time points are {what}: number {k + 1} at {times[k]:g} s, number {k + 2} at"
                f" {times[k + 1]:g} s after administration; give them in order of time, each once"
            )
    return times


def check_half_life(half_life_s: float) -> float:
    """Physical half-life [s], refused unless it is a positive number."""
    if not (isfinite(half_life_s) and half_life_s > 0):
        raise InputError(f"physical half-life must be > 0 s, got {half_life_s}")
    return float(half_life_s)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeActivityCurve:
    """Activity of one region at the times of imaging, not decay-corrected.

    Parameters
    ----------
    region : str
    times_s : ndarray, shape (n,) [s]
        After administration, ascending.
    activity_mbq : ndarray, shape (n,) [MBq]
        In the region at those times, as it was then.
    half_life_s : float [s]
        Physical.
    standard_uncertainty_mbq : ndarray, shape (n,), optional [MBq]
        k = 1, of what differs from point to point (counts, contour), not of what all share
        (calibration). None: unknown; the fit's residuals then tell it.
    """

    region: str
    times_s: FloatArray
    activity_mbq: FloatArray
    half_life_s: float
    standard_uncertainty_mbq: FloatArray | None = None

    def __post_init__(self) -> None:
        times = check_times(self.times_s)
        activity = np.array(self.activity_mbq, dtype=np.float64).reshape(-1)
        check_half_life(self.half_life_s)
        if activity.shape != times.shape:
            raise InputError(f"{self.region}: {times.size} times but {activity.size} activities")
        if not np.all(np.isfinite(activity)) or np.any(activity < 0):
            raise InputError(f"{self.region}: activity must be >= 0 MBq, got {activity.min():g}")
        if not np.any(activity > 0):
            raise InputError(f"{self.region}: no activity at any time point")
        arrays = {"times_s": times, "activity_mbq": activity}
        if self.standard_uncertainty_mbq is not None:
            sigma = np.array(self.standard_uncertainty_mbq, dtype=np.float64).reshape(-1)
            if sigma.shape != times.shape or not np.all(np.isfinite(sigma)) or np.any(sigma <= 0):
                raise InputError(f"{self.region}: one uncertainty > 0 MBq is needed per time point")
            arrays["standard_uncertainty_mbq"] = sigma
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def decay_constant_per_s(self) -> float:
        """Physical, ``ln(2) / half_life_s`` [1/s]."""
        return log(2.0) / self.half_life_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionTia:
    """Time-integrated activity of one region.

    Parameters
    ----------
    region : str
    tia_mbq_s : float [MBq s]
    relative_uncertainty : float
        k = 1, of the points and the fit alone; NaN if the data do not tell.
    method : str
    effective_half_life_s : float [s]
        Of the last phase; NaN where the method has none.
    fraction_after_last_point : float
        Share of the decays that lies beyond the last measurement.
    notes : tuple of str
    """

    region: str
    tia_mbq_s: float
    relative_uncertainty: float
    method: str
    effective_half_life_s: float
    fraction_after_last_point: float
    notes: tuple[str, ...] = ()

    def coefficient_s(self, administered_activity_mbq: float) -> float:
        """Time-integrated activity coefficient ``tia / administered activity`` [s] (MIRD 21)."""
        return tia_coefficient_s(self.tia_mbq_s, administered_activity_mbq, self.region)

    def coefficient_h(self, administered_activity_mbq: float) -> float:
        """The same in MBq h per MBq."""
        return self.coefficient_s(administered_activity_mbq) / SECONDS_PER_HOUR


def tia_coefficient_s(
    tia_mbq_s: float, administered_activity_mbq: float, region: str = "all"
) -> float:
    """Time-integrated activity per administered activity [s].

    Raises
    ------
    InputError
        If the administered activity is no positive number.
    """
    if not (isfinite(administered_activity_mbq) and administered_activity_mbq > 0):
        raise InputError(
            f"{region}: administered activity must be > 0 MBq, got {administered_activity_mbq}"
        )
    return tia_mbq_s / administered_activity_mbq

"""When a radiopharmaceutical was given, in spite of dates that cannot be."""

from datetime import datetime, time, timedelta

import numpy as np

from milligray.errors import InputError
from milligray.read.administration import Administration

_MAX_HALF_LIVES = 20.0
_SAME_DAY_HALF_LIFE_S = 2.4 * 3600.0
"""After a day less than 0.1 % of such a nuclide is left: the injection was within 24 h."""
_MAX_MENDED_HALF_LIVES = 8.0
"""Later nobody takes an image (15 h for F-18): a time of day just after the scan is an error of
clocks, not one of the day before."""

_EARLY_S = 120.0


def administration_time(
    given: Administration, scan_start: datetime | None, *, is_certain: bool
) -> tuple[datetime | None, tuple[str, ...]]:
    """Date and time of the administration, mended where the header's date cannot be.

    Parameters
    ----------
    given : Administration
    scan_start : datetime or None
        Earliest start of the acquisition.
    is_certain : bool
        The user named the time: it is refused, not mended, where it cannot be.

    Raises
    ------
    InputError
        If the administration is after the scan, or too long before it, and cannot be mended: a
        time of day counts only up to 8 half-lives before the scan.

    Notes
    -----
    Time of day alone: the last such time before the scan, if the half-life is below 2.4 h (less
    than 0.1 % would be left a day later). A date that puts the administration after the scan or
    20 half-lives before it was not kept together with the scan's (de-identified files): then the
    time of day counts in the same way.
    """
    half_life = given.half_life_s
    if scan_start is None:
        return given.start, ()
    if given.start is not None:
        elapsed = (scan_start - given.start).total_seconds()
        longest = _MAX_HALF_LIVES * half_life if half_life else np.inf
        if -_EARLY_S <= elapsed <= longest:
            return given.start, _clock_note(given)
        words = f"{abs(elapsed) / 3600.0:.2f} h {'before' if elapsed > 0 else 'AFTER'} the scan"
        if is_certain or half_life is None or half_life > _SAME_DAY_HALF_LIFE_S:
            raise InputError(
                f"the administration would be {words}; give administration_time as a date and time"
                " on the clock of the scanner"
            )
        rolled = _last_before(scan_start, given.start.time(), half_life)
        hours = (scan_start - rolled).total_seconds() / 3600.0
        return rolled, (
            (
                f"the header puts the administration {words}: its date was not taken, its time of"
                f" day was, {hours:.2f} h before the scan"
            ),
        )
    if given.clock is None:
        return None, ()
    if half_life is None or half_life > _SAME_DAY_HALF_LIFE_S:
        return None, (
            (
                "only the time of day of the administration is known, and the nuclide lives long"
                " enough to be imaged on a later day: not taken; give administration_time"
            ),
        )
    rolled = _last_before(scan_start, given.clock, half_life)
    note = "the administration has a time of day but no date: the last such time before the scan"
    if rolled.date() != scan_start.date():
        note += ", which is on the day before"
    return rolled, (note,)


def _clock_note(given: Administration) -> tuple[str, ...]:
    if given.start is None or given.clock is None:
        return ()
    other = datetime.combine(given.start.date(), given.clock)
    if abs((given.start - other).total_seconds()) <= 60.0:
        return ()
    return ("RadiopharmaceuticalStartDateTime and -StartTime disagree: the former was taken",)


def _last_before(scan_start: datetime, clock: time, half_life_s: float) -> datetime:
    """Last such time of day before the scan, if an image could still be made then."""
    found = datetime.combine(scan_start.date(), clock)
    if (found - scan_start).total_seconds() > _EARLY_S:
        found -= timedelta(days=1)
    lives = (scan_start - found).total_seconds() / half_life_s
    if lives > _MAX_MENDED_HALF_LIVES:
        raise InputError(
            f"by its time of day ({clock:%H:%M:%S}) the administration would be {lives:.1f}"
            f" half-lives before the scan ({scan_start:%H:%M:%S}), or just after it: the clocks do"
            f" not fit together, or the half-life of {half_life_s:g} s is wrong; give"
            " administration_time as a date and time"
        )
    return found

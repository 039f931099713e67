"""Dates and times of DICOM headers as naive local datetimes."""

import re
from datetime import datetime, time, timedelta, timezone

from milligray.read.dicom_tags import Tags

_DATETIME = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?(\.\d*)?)?([+-]\d{4})?$")
_CLOCK = re.compile(r"^(\d{2}):?(\d{2})(?::?(\d{2})(\.\d*)?)?$")
_NO_YEAR_BEFORE = 1950


def clock_of(text: str) -> time | None:
    """Time of day from a TM value ("135100", "1351", "13:51:00.5"), None if it is none."""
    match = _CLOCK.match(text.strip())
    if match is None:
        return None
    hour, minute, second, fraction = match.groups()
    try:
        return time(
            int(hour), int(minute), min(int(second or 0), 59), _microseconds(fraction or "")
        )
    except ValueError:
        return None


def datetime_of(text: str, *, local_offset: str = "") -> datetime | None:
    """Local datetime from a DT value; None if it is none or has no time of day.

    Parameters
    ----------
    text : str
        As ``"20220224104830.000000"``, perhaps with an offset from UTC as ``"+0100"``.
    local_offset : str
        TimezoneOffsetFromUTC of the file: a value in another zone is brought to it. Without
        one an offset in the value is dropped: its clock is then taken as the local one.
    """
    match = _DATETIME.match(text.strip())
    if match is None or match[4] is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if year < _NO_YEAR_BEFORE:
        return None
    try:
        moment = datetime(
            year, month, day, hour, minute, min(second, 59), _microseconds(match[7] or "")
        )
    except ValueError:
        return None
    own, local = _offset(match[8] or ""), _offset(local_offset)
    if own is None or local is None:
        return moment
    shifted = moment.replace(tzinfo=timezone(own)).astimezone(timezone(local))
    return shifted.replace(tzinfo=None)


def moment_of(tags: Tags, stem: str) -> datetime | None:
    """Datetime of a pair such as AcquisitionDate and AcquisitionTime, or AcquisitionDateTime."""
    zone = tags.text("TimezoneOffsetFromUTC")
    joined = datetime_of(tags.text(f"{stem}DateTime"), local_offset=zone)
    if joined is not None:
        return joined
    clock = clock_of(tags.text(f"{stem}Time"))
    date = tags.text(f"{stem}Date").replace(".", "").replace("-", "")
    if clock is None or not re.fullmatch(r"\d{8}", date):
        return None
    day = datetime_of(f"{date}000000")
    return None if day is None else datetime.combine(day.date(), clock)


def _microseconds(fraction: str) -> int:
    digits = fraction.lstrip(".")[:6]
    return int(digits.ljust(6, "0")) if digits else 0


def _offset(text: str) -> timedelta | None:
    if not re.fullmatch(r"[+-]\d{4}", text.strip()):
        return None
    text = text.strip()
    shift = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return -shift if text[0] == "-" else shift

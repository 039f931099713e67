"""Scan mode, pitch, collimation and rotation time from headers of all vendors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milligray.read.series import ScanMode
from milligray.read.slice_header import ScanHeader

ASSUMED_COLLIMATION_MM = 20.0
_TRUE_ROTATION_TIME = ("SIEMENS", "TOSHIBA", "CANON", "HITACHI", "FUJI")
"""Vendors whose ExposureTime (0018,1150) of a helical scan is the time of one rotation."""


@dataclass(frozen=True, slots=True)
class Found:
    """A number and whether the header gave it (else it was assumed)."""

    value: float
    is_known: bool


def first_known(values: Sequence[float | None]) -> float | None:
    """Median of the values that are there."""
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def scan_mode(
    scans: list[ScanHeader], image_types: list[tuple[str, ...]], notes: list[str]
) -> ScanMode:
    """Helical or axial.

    Notes
    -----
    In this order: AcquisitionType (enhanced CT), ScanOptions (GE "HELICAL MODE", Philips "HELIX",
    Canon "HELICAL_CT"), the fourth value of Siemens' ImageType ("CT_SOM5 SPI" / "SEQ"), a pitch.
    "AXIAL" in ImageType is the plane of the image and tells nothing.
    """
    scan = scans[0]
    if scan.acquisition_type:
        return "helical" if scan.acquisition_type == "SPIRAL" else "axial"
    options = scan.scan_options
    if "HELI" in options or "SPIRAL" in options:
        return "helical"
    if any(word in options for word in ("AXIAL", "CINE", "SEQ", "DYNAMIC", "STATIONARY")):
        return "axial"
    words = " ".join(image_types[0][3:]).split()
    if "SPI" in words or "SPIRAL" in words:
        return "helical"
    if "SEQ" in words or "SEQUENCE" in words:
        return "axial"
    if scan.pitch is not None or scan.private.pitch is not None:
        return "helical"
    notes.append("the header does not say whether the scan was helical or axial: helical assumed")
    return "helical"


def collimation_mm(scans: list[ScanHeader], notes: list[str]) -> Found:
    """Total nominal beam width at the isocenter [mm].

    Notes
    -----
    TotalCollimationWidth, else GE's private rows x row width, else table feed / pitch, else
    20 mm.
    """
    total = first_known([scan.total_collimation_mm for scan in scans])
    if total is not None:
        return Found(total, is_known=True)
    private = first_known([scan.private.collimation_mm for scan in scans])
    if private is not None:
        notes.append(f"collimation {private:g} mm from the vendor's private attributes")
        return Found(private, is_known=True)
    feed = _feed_mm(scans)
    advance = first_known([scan.pitch for scan in scans]) or first_known(
        [scan.private.pitch for scan in scans]
    )
    if feed is not None and advance is not None:
        width = feed / advance
        notes.append(f"collimation {width:.3g} mm computed from table feed and pitch")
        return Found(width, is_known=True)
    notes.append(
        f"TotalCollimationWidth (0018,9307) is missing: {ASSUMED_COLLIMATION_MM:g} mm assumed;"
        " collimation_mm in a protocol file mends it"
    )
    return Found(ASSUMED_COLLIMATION_MM, is_known=False)


def rotation_time_s(scans: list[ScanHeader], mode: ScanMode, notes: list[str]) -> float | None:
    """Time of one rotation [s], None if the header does not tell.

    Notes
    -----
    RevolutionTime, else private (GE, Philips), else ExposureTime where it is the time of one
    rotation: helical scans of Siemens, Canon, Hitachi, and all axial scans. GE writes the beam-on
    time and Philips the time divided by the pitch into helical images.
    """
    turn = first_known([scan.revolution_time_s for scan in scans])
    if turn is None:
        turn = first_known([scan.private.rotation_time_s for scan in scans])
    if turn is not None:
        return turn
    exposure_ms = first_known([scan.exposure_time_ms for scan in scans])
    maker = scans[0].manufacturer.upper()
    if exposure_ms is not None and (mode == "axial" or maker.startswith(_TRUE_ROTATION_TIME)):
        turn = exposure_ms / 1000.0
        if 0.1 <= turn <= 10.0:
            return turn
    notes.append("rotation time is not in the header")
    return None


def pitch(
    scans: list[ScanHeader],
    mode: ScanMode,
    width: Found,
    turn_s: float | None,
    notes: list[str],
) -> Found:
    """Table feed per rotation / collimation.

    Notes
    -----
    SpiralPitchFactor, else private (GE ratio, Philips, Canon), else table feed (or speed x
    rotation time) / known collimation, else 1.
    """
    given = first_known([scan.pitch for scan in scans])
    if given is not None and mode == "helical":
        return Found(given, is_known=True)
    if mode == "helical":
        private = first_known([scan.private.pitch for scan in scans])
        if private is not None:
            notes.append(f"pitch {private:g} from the vendor's private attributes")
            return Found(private, is_known=True)
    feed = _feed_mm(scans)
    how = "table feed per rotation"
    speed = first_known([scan.table_speed_mm_s for scan in scans])
    if feed is None and speed is not None and turn_s is not None and mode == "helical":
        feed, how = speed * turn_s, "table speed and rotation time"
    if feed is not None and width.is_known and 0.02 <= feed / width.value <= 4.0:
        notes.append(f"pitch {feed / width.value:.3g} computed from {how} and collimation")
        return Found(feed / width.value, is_known=True)
    name = "pitch" if mode == "helical" else "table feed of the axial scan"
    notes.append(f"{name} is not in the header: pitch 1 assumed")
    return Found(1.0, is_known=False)


def _feed_mm(scans: list[ScanHeader]) -> float | None:
    feed = first_known([scan.table_feed_mm for scan in scans])
    return feed if feed is not None else first_known([s.private.table_feed_mm for s in scans])

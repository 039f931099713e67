"""Split a PET series into its time frames."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from milligray.errors import FormatError, InputError
from milligray.read.decay_correction import FrameTiming
from milligray.read.dicom_times import datetime_of, moment_of
from milligray.read.emission_slice import EmissionSlice

_MS = 1e-3


def timing_of(one: EmissionSlice, duration_s: float | None = None) -> FrameTiming:
    """When a slice was measured.

    Parameters
    ----------
    one : EmissionSlice
    duration_s : float, optional [s]
        Given by the user; replaces the header's.

    Raises
    ------
    InputError
        If neither acquisition nor series time are there.
    """
    tags = one.tags
    zone = tags.text("TimezoneOffsetFromUTC")
    start = datetime_of(tags.text("FrameAcquisitionDateTime"), local_offset=zone)
    start = start or moment_of(tags, "Acquisition") or moment_of(tags, "Series")
    if start is None:
        raise InputError(
            f"{one.header.path.name}: neither AcquisitionDate/Time nor SeriesDate/Time are there:"
            " the time of the measurement is not known"
        )
    length_ms = tags.positive("FrameAcquisitionDuration") or tags.positive("ActualFrameDuration")
    reference_ms = tags.number("FrameReferenceTime")
    corrected = None
    if tags.text("DecayCorrected").upper() == "YES":
        corrected = datetime_of(tags.text("DecayCorrectionDateTime"), local_offset=zone)
    return FrameTiming(
        start=start,
        duration_s=duration_s or (None if length_ms is None else length_ms * _MS),
        reference_s=None if reference_ms is None else reference_ms * _MS,
        decay_factor=tags.positive("DecayFactor"),
        corrected_to=corrected,
    )


def split_frames(slices: Sequence[EmissionSlice]) -> list[tuple[EmissionSlice, ...]]:
    """Time frames in temporal order; every place occurs once in each.

    Raises
    ------
    InputError
        If the series is gated, a projection, a transmission scan, or holds different images of
        one place and time.
    FormatError
        If a time frame lacks slices.
    """
    kind = slices[0].tags.text("SeriesType").upper()
    if "GATED" in kind:
        raise InputError("the PET series is gated: add the gates up, or export the static series")
    if "REPROJECTION" in kind:
        raise InputError("the PET series holds projections, not an image; give the image series")
    if slices[0].tags.text("CountsSource").upper() == "TRANSMISSION":
        raise InputError("the PET series is a transmission scan, not an emission image")
    if any(one.header.position_lps_mm is None for one in slices):
        raise InputError(
            "ImagePositionPatient (0020,0032) is missing, so the PET cannot be placed in the"
            " patient; export it again from the scanner's workstation"
        )
    at: dict[tuple[int, ...], list[EmissionSlice]] = {}
    for one in slices:
        place = tuple(round(value * 50.0) for value in one.header.position_lps_mm or ())
        at.setdefault(place, []).append(one)
    counts = {len(members) for members in at.values()}
    if counts == {1}:
        return [tuple(slices)]
    if len(counts) > 1:
        raise FormatError(
            f"places of the PET series occur {min(counts)} to {max(counts)} times: slices of a"
            " time frame are missing, or several images are mixed; export one complete series"
        )
    n = counts.pop()
    frames: list[list[EmissionSlice]] = [[] for _ in range(n)]
    for members in at.values():
        ordered = sorted(members, key=_when)
        moments = [_when(one) for one in ordered]
        if len({moment[0] for moment in moments}) < n:
            place_mm = ordered[0].header.position_lps_mm or (0.0, 0.0, 0.0)
            raise InputError(
                f"the PET series shows z = {place_mm[2]:g} mm {n} times at one time (gates, copies"
                " or several reconstructions); export one image"
            )
        for frame, one in zip(frames, ordered, strict=True):
            frame.append(one)
    starts = [min(timing_of(one).start for one in frame) for frame in frames]
    if any(later <= earlier for earlier, later in pairwise(starts)):
        raise InputError(
            f"the {n} time frames of the PET series do not have ascending AcquisitionTimes: when"
            " they were measured is not known; export them with their times, or as NIfTI"
        )
    return [tuple(frame) for frame in frames]


def _when(one: EmissionSlice) -> tuple[tuple[datetime, float], int]:
    timing = timing_of(one)
    return (timing.start, timing.reference_s or 0.0), one.header.instance_number

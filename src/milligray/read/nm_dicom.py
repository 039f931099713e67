"""Read reconstructed SPECT from DICOM NM objects as activity concentration."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.read.activity_facts import ActivityFacts, SpectCalibration
from milligray.read.activity_series import ActivityImage
from milligray.read.activity_values import check_total, without_negatives
from milligray.read.administration import HalfLifeOf, administration_of
from milligray.read.administration_time import administration_time
from milligray.read.ct_dicom import volume_sha256
from milligray.read.decay_correction import (
    FrameTiming,
    decay_factors,
    middle_of,
    moments_of_values,
)
from milligray.read.dicom_tags import Tags
from milligray.read.dicom_times import moment_of
from milligray.read.emission_folder import EmissionSeries, find_emission_series
from milligray.read.emission_stack import rescaled, stack_emission, to_patient_axes
from milligray.read.nm_geometry import check_is_spect, frame_headers
from milligray.read.patient_keys import patient_keys
from milligray.read.pet_units import real_world_mapping
from milligray.read.slice_header import SliceHeader

_UNITS_MBQ_ML = {"BQML": 1e-6, "BQ/ML": 1e-6, "KBQ/ML": 1e-3, "MBQ/ML": 1.0}
_NEGLIGIBLE_DECAY = 0.005
_MS = 1e-3


def read_nm_series(
    path: str | Path,
    *,
    series: str | int | None = None,
    facts: ActivityFacts | None = None,
    half_life_of: HalfLifeOf | None = None,
) -> ActivityImage:
    """Read a reconstructed SPECT.

    Parameters
    ----------
    path : str or Path
        The DICOM object (one file), or a folder with one.
    series : str or int, optional
    facts : ActivityFacts, optional
        What replaces the header: mostly half-life, administration and ``calibration``.
    half_life_of : callable, optional
        Half-life [s] of a nuclide by its name ("F-18"), asked where the header has none.

    Returns
    -------
    ActivityImage
        Activity concentration at the middle of the measurement.

    Raises
    ------
    InputError
        If the object is planar, gated or unreconstructed, has no scale to activity and none was
        given, or its decay correction or half-life are not known.
    """
    return nm_image_of(find_emission_series(path, series), facts or ActivityFacts(), half_life_of)


def nm_image_of(
    found: EmissionSeries, facts: ActivityFacts, half_life_of: HalfLifeOf | None = None
) -> ActivityImage:
    """SPECT of an object whose header was read."""
    if found.modality != "NM":
        raise InputError("the series is no NM object: give it to read_pet_series")
    facts.refuse(
        ("units", "reference_s_after_administration"),
        "for a SPECT in DICOM give calibration and administration_time",
    )
    one = found.slices[0]
    tags = one.tags
    for part in found.slices:
        check_is_spect(part.tags)
    notes = [*found.notes, *_corrections(tags, facts)]
    framed = [frame_headers(part) for part in found.slices]
    headers = [header for some, _ in framed for header in some]
    frame_notes = framed[0][1]
    mappings = {part.header.path: real_world_mapping(part.tags) for part in found.slices}
    given = administration_of(tags, "NM", facts, half_life_of)
    half_life = given.half_life_s
    if half_life is None:
        what = given.nuclide or "the nuclide"
        raise InputError(f"the SPECT header has no half-life: give half_life_s of {what}")
    timing = _timing(tags, facts)
    start, when_notes = administration_time(
        given, timing.start, is_certain=facts.administration_time is not None
    )
    stack = stack_emission(headers)
    ordered = tuple(headers[index] for index in stack.order)
    voxel_ml = float(abs(np.linalg.det(stack.affine[:3, :3]))) * 1e-3
    values, units, scale_notes = _activity(
        ordered, tags, facts.calibration, timing, voxel_ml, mappings
    )
    correction, decay_notes = _decay(tags, facts, timing, half_life)
    moments, more = moments_of_values(
        [timing], half_life, correction=correction, series_start=timing.start, scan_start=None,
        administration=start, chosen=facts.decay_reference,
    )  # fmt: skip
    reference, length_s = middle_of([timing])
    values = values * np.float32(decay_factors(moments, reference, half_life)[0])
    values, negative_notes = without_negatives(values)
    turned, grid = to_patient_axes(values, stack.affine)
    elapsed_s = float("nan") if start is None else (reference - start).total_seconds()
    if start is None:
        when_notes = (*when_notes, "the time of the administration is not known")
    image = ActivityImage(
        grid=grid,
        activity_mbq_ml=turned,
        reference_s_after_administration=elapsed_s,
        nuclide=given.nuclide,
        half_life_s=half_life,
        administered_activity_mbq=given.activity_mbq,
        administration_time=start,
        acquisition_time=timing.start,
        frame_duration_s=length_s,
        decay_correction=str(facts.decay_reference or correction),
        units=units,
        modality="NM",
        patient=patient_keys(tags),
        calibration_relative_uncertainty=(
            None if facts.calibration is None else facts.calibration.relative_uncertainty
        ),
        input_sha256=volume_sha256(np.ascontiguousarray(turned), grid),
    )
    total = check_total(image.total_activity_mbq, given.activity_mbq, half_life, elapsed_s)
    every = (
        *notes, *frame_notes, *given.notes, *when_notes, *scale_notes, *decay_notes, *more,
        *stack.notes, *negative_notes, *total,
    )  # fmt: skip
    return replace(image, notes=tuple(dict.fromkeys(every)))


def _activity(
    headers: tuple[SliceHeader, ...],
    tags: Tags,
    calibration: SpectCalibration | None,
    timing: FrameTiming,
    voxel_ml: float,
    mappings: dict[Path, tuple[float, float, float] | None],
) -> tuple[npt.NDArray[np.float32], str, tuple[str, ...]]:
    """Concentration [MBq/mL] as stored (decay not yet touched), units, notes."""
    units = tags.text("Units").upper()
    if calibration is not None:
        factor, note = _calibrated(calibration, timing, voxel_ml)
        return rescaled(headers, factor), units or "counts", (note,)
    if units in _UNITS_MBQ_ML:
        return rescaled(headers, _UNITS_MBQ_ML[units]), units, ()
    found = [mappings[header.path] for header in headers]
    known = [mapping for mapping in found if mapping is not None]
    if len(known) == len(headers):
        mapped = tuple(
            replace(header, slope=slope, intercept=intercept)
            for header, (slope, intercept, _) in zip(headers, known, strict=True)
        )
        factors = np.array([factor for _, _, factor in known])
        note = "units and scale from the real-world value mapping"
        return rescaled(mapped, factors), "BQML", (note,)
    raise InputError(
        f"the SPECT's values are {units or 'counts'} without a scale to activity (neither Units"
        " BQML nor a real-world value mapping in Bq/mL): give a calibration, mbq_ml_per_unit or"
        " sensitivity_cps_per_mbq"
    )


def _calibrated(
    calibration: SpectCalibration, timing: FrameTiming, voxel_ml: float
) -> tuple[float, str]:
    if calibration.mbq_ml_per_unit is not None:
        return calibration.mbq_ml_per_unit, (
            f"calibration given: {calibration.mbq_ml_per_unit:g} MBq/mL per unit"
        )
    sensitivity = calibration.sensitivity_cps_per_mbq or 0.0
    duration_s = calibration.duration_s or timing.duration_s
    if duration_s is None:
        raise InputError(
            "a calibration by sensitivity needs the time over which the counts were gathered: give"
            " its duration_s"
        )
    origin = "given" if calibration.duration_s else "of the whole rotation, by the header"
    return 1.0 / (sensitivity * duration_s * voxel_ml), (
        f"calibration given: {sensitivity:g} counts/s per MBq, counts gathered in {duration_s:g} s"
        f" ({origin}), voxels of {voxel_ml:.4g} mL"
    )


def _timing(tags: Tags, facts: ActivityFacts) -> FrameTiming:
    start = facts.acquisition_time or moment_of(tags, "Acquisition") or moment_of(tags, "Series")
    if start is None:
        raise InputError(
            "neither AcquisitionDate/Time nor SeriesDate/Time are in the SPECT's header: give"
            " acquisition_time"
        )
    return FrameTiming(start=start, duration_s=facts.frame_duration_s or _rotation_s(tags))


def _rotation_s(tags: Tags) -> float | None:
    """Length of the acquisition: frames of a rotation x their duration, over all rotations."""
    rotations = tags.value("RotationInformationSequence")
    if not rotations:
        length_ms = tags.positive("ActualFrameDuration")
        return None if length_ms is None else length_ms * _MS
    total = 0.0
    for item in (Tags([one]) for one in rotations):
        length_ms, n = (
            item.positive("ActualFrameDuration"),
            item.positive("NumberOfFramesInRotation"),
        )
        if length_ms is None or n is None:
            return None
        total += length_ms * _MS * n
    return total


def _decay(
    tags: Tags, facts: ActivityFacts, timing: FrameTiming, half_life_s: float
) -> tuple[str, tuple[str, ...]]:
    """Decay correction in the words of PET; NM headers seldom state it."""
    stated = tags.text("DecayCorrection").upper()
    if stated or facts.decay_reference is not None:
        return stated, ()
    listed = tags.text("CorrectedImage").upper().split("\\")
    if "DECY" in listed:
        return "START", (
            (
                "the SPECT is decay-corrected, its header does not say to when: the start of the"
                " acquisition was taken"
            ),
        )
    if timing.duration_s is None:
        raise InputError(
            "neither a decay correction nor the length of the acquisition are known: give"
            " frame_duration_s, or say decay_reference"
        )
    lost = -float(np.expm1(-np.log(2.0) * timing.duration_s / half_life_s))
    if listed == [""] and lost > _NEGLIGIBLE_DECAY:
        raise InputError(
            "the SPECT's header does not tell whether it is decay-corrected (CorrectedImage"
            f" (0028,0051) is missing), and {100 * lost:.1f} % decays during the acquisition: say"
            " decay_reference: start, middle, administration or none"
        )
    return "NONE", ("the SPECT is not decay-corrected: its values are means over the acquisition",)


def _corrections(tags: Tags, facts: ActivityFacts) -> list[str]:
    listed = tags.text("CorrectedImage").upper().split("\\")
    notes = []
    if listed != [""] and "ATTN" not in listed:
        words = "CorrectedImage (0028,0051) names no attenuation correction"
        if facts.calibration is None:
            raise InputError(
                f"{words}: the SPECT's values are no activity; give the attenuation-corrected"
                " reconstruction (or a calibration, if it was corrected all the same)"
            )
        notes.append(f"{words}: taken as corrected because a calibration was given")
    if listed == [""]:
        notes.append("CorrectedImage (0028,0051) is missing: attenuation correction assumed")
    if "SCAT" not in listed:
        notes.append("the header names no scatter correction of the SPECT")
    return notes

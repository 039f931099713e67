"""Read PET images from DICOM as activity concentration."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from milligray.errors import InputError
from milligray.read.activity_facts import ActivityFacts
from milligray.read.activity_series import ActivityImage
from milligray.read.activity_values import check_total, without_negatives
from milligray.read.administration import Administration, HalfLifeOf, administration_of
from milligray.read.administration_time import administration_time
from milligray.read.ct_dicom import volume_sha256
from milligray.read.decay_correction import decay_factors, middle_of, moments_of_values
from milligray.read.dicom_tags import Tags
from milligray.read.dicom_times import datetime_of, moment_of
from milligray.read.emission_folder import EmissionSeries, find_emission_series
from milligray.read.emission_slice import GE_GROUP, EmissionSlice
from milligray.read.emission_stack import rescaled, stack_emission, to_patient_axes
from milligray.read.patient_keys import is_plausible_weight, patient_keys
from milligray.read.pet_frames import split_frames, timing_of
from milligray.read.pet_units import pet_scale


def read_pet_series(
    path: str | Path,
    *,
    series: str | int | None = None,
    facts: ActivityFacts | None = None,
    half_life_of: HalfLifeOf | None = None,
) -> ActivityImage:
    """Read a static (also whole-body) PET series.

    Parameters
    ----------
    path : str or Path
        DICOM folder, or one file: then the series it belongs to.
    series : str or int, optional
        SeriesInstanceUID, series number or part of the description.
    facts : ActivityFacts, optional
        What replaces the header.
    half_life_of : callable, optional
        Half-life [s] of a nuclide by its name ("F-18"), asked where the header has none.

    Returns
    -------
    ActivityImage
        Activity concentration at the middle of the measurement.

    Raises
    ------
    InputError
        If units, decay reference or half-life are not known, the image is gated, dynamic, without
        attenuation correction, or holds more activity than was administered.
    FormatError
        If files are damaged or slices are missing.

    Notes
    -----
    All choices of the reader stand in ``notes``.
    """
    images = read_pet_frames(path, series=series, facts=facts, half_life_of=half_life_of)
    if len(images) > 1:
        raise InputError(
            f"the PET series is dynamic, {len(images)} time frames: read it with read_pet_frames"
        )
    return images[0]


def read_pet_frames(
    path: str | Path,
    *,
    series: str | int | None = None,
    facts: ActivityFacts | None = None,
    half_life_of: HalfLifeOf | None = None,
) -> tuple[ActivityImage, ...]:
    """Read all time frames of a PET series, in temporal order; a static series has one."""
    return pet_images_of(find_emission_series(path, series), facts or ActivityFacts(), half_life_of)


def pet_images_of(
    found: EmissionSeries, facts: ActivityFacts, half_life_of: HalfLifeOf | None = None
) -> tuple[ActivityImage, ...]:
    """Time frames of a series whose headers were read."""
    if found.modality != "PT":
        raise InputError("the series is no PET: give it to read_nm_series")
    facts.refuse(
        ("units", "calibration", "reference_s_after_administration", "acquisition_time"),
        "the header of a PET tells them; give administration_time, or convert the image to NIfTI",
    )
    tags = found.slices[0].tags
    notes = [*found.notes, *_corrections(tags, facts)]
    given = administration_of(tags, "PT", facts, half_life_of)
    frames = split_frames(found.slices)
    first = min(timing_of(one).start for one in found.slices)
    start, when_notes = administration_time(
        given, first, is_certain=facts.administration_time is not None
    )
    if start is None:
        when_notes = (*when_notes, "the time of the administration is not known")
    common = (*notes, *given.notes, *when_notes)
    scanner = _as_the_scanner_knew(tags, given, start, first)
    return tuple(_image(frame, given, start, scanner, facts, common) for frame in frames)


def _as_the_scanner_knew(
    tags: Tags, given: Administration, start: datetime | None, first: datetime
) -> Administration:
    """Administration by the header alone: with it SUV and ADMIN corrections were made.

    What the user knows better changes where the image lies in time and how much was given, not
    the activity that the scanner measured. Where the header is silent the user's words count.
    """
    known = ActivityFacts(half_life_s=given.half_life_s, nuclide=given.nuclide)
    try:
        stated = administration_of(tags, "PT", known)
    except InputError:  # an activity that cannot be: the user has given another
        stated = Administration(half_life_s=given.half_life_s)
    try:
        then, _ = administration_time(stated, first, is_certain=False)
    except InputError:  # a date that cannot be: the same
        then = None
    return replace(stated, activity_mbq=stated.activity_mbq or given.activity_mbq,
                   start=then or start)  # fmt: skip


def _image(
    slices: Sequence[EmissionSlice],
    given: Administration,
    administration: datetime | None,
    scanner: Administration,
    facts: ActivityFacts,
    notes: tuple[str, ...],
) -> ActivityImage:
    tags = slices[0].tags
    patient = patient_keys(tags)
    half_life = given.half_life_s
    if half_life is None:
        raise InputError(
            "RadionuclideHalfLife (0018,1075) is missing: give half_life_s (or the nuclide)"
        )
    decay_notes: tuple[str, ...] = ()
    weight_kg = patient.weight_kg
    if facts.weight_kg and not (weight_kg and is_plausible_weight(weight_kg)):
        weight_kg = facts.weight_kg
    scale = pet_scale(slices, weight_kg=weight_kg, activity_mbq=scanner.activity_mbq)
    timings = [timing_of(one, facts.frame_duration_s) for one in slices]
    reference, length_s = middle_of(timings)
    correction = tags.text("DecayCorrection").upper()
    if not correction and tags.text("DecayCorrected").upper() == "NO":
        correction = "NONE"
    if scale.is_suv:
        facts.refuse(("decay_reference",), "SUV refer to the activity at the administration")
        if correction == "NONE":
            raise InputError("SUV without decay correction cannot be turned into activity")
        if scanner.start is None:
            raise InputError(
                "the values are SUV, which refer to the activity at the administration, whose time"
                " is not known: give administration_time"
            )
        moments = [scanner.start] * len(slices)
    else:
        moments, decay_notes = moments_of_values(
            timings,
            half_life,
            correction=correction,
            series_start=moment_of(tags, "Series"),
            scan_start=datetime_of(slices[0].private_text(GE_GROUP, 0x0D)),
            administration=scanner.start,
            chosen=facts.decay_reference,
        )
    factor = scale.factor * decay_factors(moments, reference, half_life)
    stack = stack_emission(scale.headers)
    ordered = [scale.headers[index] for index in stack.order]
    values = rescaled(ordered, factor[list(stack.order)])
    values, negative_notes = without_negatives(values)
    turned, grid = to_patient_axes(values, stack.affine)
    elapsed_s = np.nan if administration is None else (reference - administration).total_seconds()
    notes = (*notes, *scale.notes, *decay_notes, *stack.notes, *negative_notes)
    if length_s is not None and len({timing.start for timing in timings}) > 1:
        span = f"the slices were measured over {length_s / 60.0:.1f} min"
        notes = (*notes, f"{span}: all brought to its middle by physical decay alone")
    if length_s is None:
        notes = (*notes, "ActualFrameDuration is missing: the values hold for the start")
    image = ActivityImage(
        grid=grid,
        activity_mbq_ml=turned,
        reference_s_after_administration=float(elapsed_s),
        nuclide=given.nuclide,
        half_life_s=half_life,
        administered_activity_mbq=given.activity_mbq,
        administration_time=administration,
        acquisition_time=min(timing.start for timing in timings),
        frame_duration_s=length_s,
        decay_correction=correction or str(facts.decay_reference or ""),
        units=scale.units,
        modality="PT",
        patient=patient,
        input_sha256=volume_sha256(np.ascontiguousarray(turned), grid),
    )
    total = check_total(image.total_activity_mbq, given.activity_mbq, half_life, float(elapsed_s))
    return replace(image, notes=tuple(dict.fromkeys((*notes, *total))))


def _corrections(tags: Tags, facts: ActivityFacts) -> list[str]:
    """Judge which corrections were made to the image."""
    listed = tags.text("CorrectedImage").upper().split("\\")
    attenuation = tags.text("AttenuationCorrected").upper()
    if attenuation == "NO" or (listed != [""] and "ATTN" not in listed and attenuation != "YES"):
        raise InputError(
            "the PET image is not corrected for attenuation (0028,0051): its values are no"
            " activity; give the attenuation-corrected series"
        )
    if listed == [""]:
        if attenuation == "YES":
            return []
        return ["CorrectedImage (0028,0051) is missing: attenuation correction assumed"]
    method = tags.text("DecayCorrection").upper()
    if facts.decay_reference is None and method in ("START", "ADMIN") and "DECY" not in listed:
        raise InputError(
            f"DecayCorrection (0054,1102) says {method}, but CorrectedImage (0028,0051) names no"
            " decay correction; say decay_reference: start, middle, administration or none"
        )
    if facts.decay_reference is None and method == "NONE" and "DECY" in listed:
        raise InputError(
            "DecayCorrection (0054,1102) says NONE, but CorrectedImage (0028,0051) names a decay"
            " correction; say decay_reference: start, middle, administration or none"
        )
    if "SCAT" not in listed:
        return ["the PET image is not corrected for scatter: its activity is too high"]
    return []

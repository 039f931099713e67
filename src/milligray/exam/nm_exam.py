"""The nuclear-medicine job: organ doses of one administration from its images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from milligray.errors import InputError
from milligray.exam.nm_bladder import with_bladder_model
from milligray.exam.nm_effective_dose import exam_effective_dose
from milligray.exam.nm_effects import region_effects
from milligray.exam.nm_kinetics import integrate, shares_of_voxels
from milligray.exam.nm_lesions import SPHERES, lesions_as_spheres
from milligray.exam.nm_manifest import nm_manifest
from milligray.exam.nm_methods import MethodDose, dose_by_method
from milligray.exam.nm_settings import ONE_IMAGE_KINETICS, NmSettings
from milligray.exam.nm_uncertainty import imaging_facts, organ_budgets
from milligray.exam.nm_warnings import image_facts, nm_warnings
from milligray.exam.parts import StageClock, calibration_input, find_organs, read_calibration
from milligray.patient import build_patient
from milligray.patient.patient import Patient
from milligray.read.activity_series import ActivityImage, PatientKeys
from milligray.read.rrdsr import RadiopharmaceuticalReport
from milligray.read.series import CtSeries, LabelMap
from milligray.report.nm_result import NmResult
from milligray.report.result import ExamResult
from milligray.score.dose import OrganDoses
from milligray.score.dose_scoring import score_organ_dose
from milligray.score.dvh import organ_dose_volume_histograms
from milligray.score.internal_budget import ImagingFacts
from milligray.segment import organ_mass_weights
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.activity_on_patient import PatientActivity, activity_on_patient
from milligray.source.nuclide import Nuclide, load_nuclide
from milligray.source.partial_volume import RecoveryCurve, partial_volume_note
from milligray.source.registration import Registration
from milligray.source.time_points import check_time_points, compare_half_life
from milligray.transport.monte_carlo.goal import Progress
from milligray.typing import FloatArray

SECONDS_PER_HOUR = 3600.0
RATE_HISTORIES_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NmInput:
    """What an exam is computed from.

    Parameters
    ----------
    ct : CtSeries
    images : tuple of ActivityImage
        In the order of their times.
    labels : LabelMap or None
    ct_keys : PatientKeys or None
        Of the CT, where it is DICOM.
    registrations : tuple of Registration or None
        One an image, or none at all.
    report : RadiopharmaceuticalReport or None
    recovery : RecoveryCurve or None
    ct_dose : ExamResult or None
        Dose of the CT part, computed before.
    """

    ct: CtSeries
    images: tuple[ActivityImage, ...]
    labels: LabelMap | None = None
    ct_keys: PatientKeys | None = None
    registrations: tuple[Registration | None, ...] = ()
    report: RadiopharmaceuticalReport | None = None
    recovery: RecoveryCurve | None = None
    ct_dose: ExamResult | None = None


def compute_nm_exam(
    given: NmInput,
    settings: NmSettings,
    *,
    stage: Callable[[str], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> NmResult:
    """Dose map and organ doses of an administration, with all that explains them.

    Parameters
    ----------
    given : NmInput
    settings : NmSettings
    stage : callable, optional
        Told the name of each stage as it begins.
    progress : callable, optional
        Told the state of the transport.

    Returns
    -------
    NmResult

    Raises
    ------
    InputError
        If the inputs do not belong together or lack what is needed; see the readers.
    """
    clock = StageClock(stage)
    notes = list(check_time_points(given.images))
    nuclide = find_nuclide(given.images, settings.nuclide)
    for image in given.images:
        notes += compare_half_life(image, nuclide.half_life_s)
    times = image_times_s(given.images, settings)
    with clock("patient"):
        patient = build_patient(
            given.ct, calibration=read_calibration(settings.calibration),
            voxel_size_mm=settings.voxel_size_mm, couch=settings.couch,
        )  # fmt: skip
    with clock("organs"):
        organs, warnings = find_organs(
            patient, given.labels, settings.segmenter, ct_grid=given.ct.volume.grid,
            accept_labels=settings.accept_labels,
        )  # fmt: skip
        weights = organ_mass_weights(patient, organs)
    with clock("activity"):
        as_seen = _placed(given, patient, settings)
        shares = shares_of_voxels(weights, patient.mass_g)
        placed, recovery_notes = _recovered(as_seen, weights, shares, given.recovery)
        administered = given.images[0].administered_activity_mbq
        tia, regions = integrate(
            placed, times, nuclide, administered, shares, weights.names, settings
        )
        tia, regions = with_bladder_model(tia, regions, shares, weights.names, nuclide, settings)
    with clock("transport"):
        main = dose_by_method(
            settings.method, patient, nuclide, tia.tia_mbq_s, weights, settings, progress=progress
        )
    with clock("score"):
        organ_doses = score_organ_dose(main.dose, organs)
        dvh = organ_dose_volume_histograms(main.dose, organs, patient)
        rates = dose_rates(main, placed, times, tia.tia_mbq_s, patient, nuclide, weights, settings)
    compared: dict[str, OrganDoses] = {}
    for method in settings.compare:
        with clock(f"method {method}"):
            other = dose_by_method(method, patient, nuclide, tia.tia_mbq_s, weights, settings)
            compared[method] = score_organ_dose(other.dose, organs)
            notes += [f"{method}: {note}" for note in other.notes]
    lesions, lesion_notes = lesions_as_spheres(organ_doses, regions, nuclide)
    if lesions is not None and settings.compare:
        compared[SPHERES] = lesions
        notes += lesion_notes
    imaging = imaging_facts(given.images[0], given.ct.volume.grid, given.recovery, settings)
    effective, told = exam_effective_dose(
        organ_doses, regions, nuclide, given.images[0].patient.sex, administered
    )
    inputs = {"ct": given.ct.input_sha256} | calibration_input(settings.calibration)
    inputs |= {f"activity_{i}": image.input_sha256 for i, image in enumerate(given.images, 1)}
    if given.labels is not None:
        inputs["labels"] = given.labels.input_sha256
    return NmResult(
        dose=main.dose, organ_doses=organ_doses, patient=patient, organs=organs, nuclide=nuclide,
        tia=tia, kinetics=regions, dose_rates=rates, images=tuple(image_facts(p) for p in as_seen),
        budgets=organ_budgets(
            organ_doses, regions, imaging, nuclide,
            is_assumed=settings.kinetics in ("physical", "haenscheid", "prior"),
        ), dvh=dvh,
        effective_dose=effective,
        effects=region_effects(main.dose, organ_doses, regions, weights, nuclide, settings),
        compared=compared, ct=given.ct_dose,
        manifest=nm_manifest(
            settings, main, patient, nuclide, tia, inputs=inputs, seconds=clock.seconds,
            report=given.report,
        ),
        warnings=(*warnings, *nm_warnings(as_seen, patient, settings)),
        notes=tuple(dict.fromkeys((
            *given.ct.notes, *notes, *nuclide.notes, *weights.notes, *tia.notes, *recovery_notes,
            *main.notes, *told, *(n for p in placed for n in p.notes),
            *([] if given.recovery else [_partial_volume(organ_doses, imaging)]),
        ))),
    )  # fmt: skip


def find_nuclide(images: Sequence[ActivityImage], wanted: str | None) -> Nuclide:
    """Nuclide that the user or the images name; refused if they disagree."""
    told = {image.nuclide for image in images if image.nuclide}
    if wanted is None:
        if not told:
            raise InputError("the images do not tell the nuclide: give --nuclide, e.g. Lu-177")
        return load_nuclide(next(iter(told)))
    nuclide = load_nuclide(wanted)
    if told and told != {nuclide.name}:
        raise InputError(
            f"the images are of {', '.join(sorted(told))}, not of {nuclide.name}: leave out"
            " --nuclide, or give the images of that nuclide"
        )
    return nuclide


def image_times_s(images: Sequence[ActivityImage], settings: NmSettings) -> list[float]:
    """Times of the images after administration [s], refused where the kinetics need others."""
    times = [image.reference_s_after_administration for image in images]
    if not all(isfinite(t) for t in times):
        raise InputError(
            "the time of administration is not known, so activity cannot be integrated over time:"
            " give it in a sidecar file, or an image whose header has it"
        )
    if len(times) > 1 and settings.kinetics in ("physical", "haenscheid", "prior"):
        raise InputError(
            f"kinetics {settings.kinetics!r} is for one image, {len(times)} are given: choose"
            " trapezoid, mono or fit"
        )
    if len(times) == 1 and settings.kinetics not in ONE_IMAGE_KINETICS:
        raise InputError(
            f"kinetics {settings.kinetics!r} needs images of several times: choose"
            f" {', '.join(ONE_IMAGE_KINETICS)}"
        )
    return [float(t) for t in times]


def dose_rates(
    main: MethodDose,
    placed: Sequence[PatientActivity],
    times_s: Sequence[float],
    tia_mbq_s: FloatArray,
    patient: Patient,
    nuclide: Nuclide,
    weights: OrganMassWeights,
    settings: NmSettings,
) -> dict[float, FloatArray]:
    """Dose-rate maps at the times of the images [mGy/h], by the method of the dose.

    With one image whose activity falls alike everywhere the map is the dose map, scaled.
    """
    if not settings.dose_rates:
        return {}
    if len(placed) == 1:
        activity = float(placed[0].activity_mbq.sum())
        scale = activity * SECONDS_PER_HOUR / float(tia_mbq_s.sum())
        return {times_s[0]: main.dose.dose_mgy.astype(np.float64) * scale}
    histories = None
    if main.deposit is not None:
        histories = max(1000, int(RATE_HISTORIES_SHARE * main.deposit.histories))
    result: dict[float, FloatArray] = {}
    for time, place in zip(times_s, placed, strict=True):
        per_hour = place.activity_mbq * SECONDS_PER_HOUR
        at_time = dose_by_method(
            settings.method, patient, nuclide, per_hour, weights, settings, histories=histories
        )
        result[time] = at_time.dose.dose_mgy.astype(np.float64)
    return result


def _placed(given: NmInput, patient: Patient, settings: NmSettings) -> list[PatientActivity]:
    registrations = given.registrations or (None,) * len(given.images)
    return [
        activity_on_patient(
            image, patient, patient_keys=given.ct_keys, registration=registration,
            outside_body=settings.outside_body,
        )
        for image, registration in zip(given.images, registrations, strict=True)
    ]  # fmt: skip


def _recovered(
    placed: Sequence[PatientActivity],
    weights: OrganMassWeights,
    shares: Any,  # noqa: ANN401 - sparse
    recovery: RecoveryCurve | None,
) -> tuple[list[PatientActivity], tuple[str, ...]]:
    """Divide the activity of every organ by its recovery at every time, where a curve was given."""
    if recovery is None:
        return list(placed), ()
    seen = np.sum([shares @ p.activity_mbq.ravel() for p in placed], axis=0) > 0
    factors = np.array([
        1.0 / recovery.at(float(v)) if has_activity else 1.0
        for v, has_activity in zip(weights.volume_ml, seen, strict=True)
    ])  # fmt: skip
    scale = 1.0 + np.asarray(shares.T @ (factors - 1.0)).reshape(placed[0].grid.shape)
    note = "activity of every region divided by its recovery coefficient, by its volume"
    return [replace(p, activity_mbq=p.activity_mbq * scale) for p in placed], (note,)


def _partial_volume(doses: OrganDoses, imaging: ImagingFacts) -> str:
    volumes = {row.organ: row.volume_ml for row in doses.rows}
    return partial_volume_note(volumes, imaging.fwhm_mm)

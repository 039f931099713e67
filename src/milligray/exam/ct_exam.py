"""The main job: organ doses of one CT scan."""

from collections.abc import Callable

from milligray.exam.ct_warnings import (
    couch_warning,
    cut_image_mm,
    removed_mass_fraction,
    scan_warnings,
)
from milligray.exam.manifest import ct_manifest
from milligray.exam.memory import check_rest_of_exam
from milligray.exam.parts import (
    StageClock,
    calibration_input,
    check_ctdi_vol,
    find_organs,
    read_calibration,
    scale_record,
    size_and_indices,
)
from milligray.exam.settings import CtSettings
from milligray.patient import build_patient
from milligray.read.series import CtProtocol, CtSeries, LabelMap
from milligray.report.result import ExamResult
from milligray.report.sections import SMALL_ORGAN_ML
from milligray.score.budget import ct_budget
from milligray.score.ctdi import CtdiSimulation, photons_per_scan, simulate_ctdi
from milligray.score.dose_scoring import score_dose, score_organ_dose
from milligray.score.dvh import organ_dose_volume_histograms
from milligray.segment import organ_mass_weights
from milligray.source.ct_scan import choose_scanner, make_ct_source
from milligray.source.ct_source import CtSource
from milligray.transport.monte_carlo.batches import BatchPool
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.transport.monte_carlo.goal import Progress

PER_100_MAS = "mGy per 100 mAs"


def compute_ct_exam(
    ct: CtSeries,
    protocol: CtProtocol,
    labels: LabelMap | None,
    settings: CtSettings,
    *,
    stage: Callable[[str], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
    pool: BatchPool | None = None,
) -> ExamResult:
    """Dose map and organ doses of a CT scan, with all that explains them.

    Parameters
    ----------
    ct : CtSeries
    protocol : CtProtocol
    labels : LabelMap or None
        Organs; None: what the settings' segmenter gives.
    settings : CtSettings
    stage : callable, optional
        Told the name of each stage as it begins.
    progress : callable, optional
        Told the state of the transport.
    pool : BatchPool, optional
        Where the patient's batches are computed; default: threads of this process.

    Returns
    -------
    ExamResult

    Raises
    ------
    InputError
        Among others: no CTDIvol and no wish for doses per 100 mAs.
    """
    clock = StageClock(stage)
    check_scale(protocol, settings)
    scanner, bowtie, scanner_notes = choose_scanner(
        protocol, scanner=settings.scanner, bowtie=settings.bowtie
    )
    with clock("patient"):
        patient = build_patient(
            ct, calibration=read_calibration(settings.calibration),
            voxel_size_mm=settings.voxel_size_mm, couch=settings.couch,
            extend_mm=settings.extend_mm,
        )  # fmt: skip
        removed = removed_mass_fraction(ct, patient)
        inputs, reader_notes, ct_grid = {"ct": ct.input_sha256}, ct.notes, ct.volume.grid
        check_rest_of_exam(patient, labels, settings)
        del ct  # from here on the patient's own copy, without the couch, is all that is needed
    with clock("organs"):
        organs, label_warnings = find_organs(
            patient, labels, settings.segmenter, ct_grid=ct_grid,
            accept_labels=settings.accept_labels,
        )  # fmt: skip
        weights = organ_mass_weights(patient, organs)
    with clock("source"):
        source = make_ct_source(protocol, patient, scanner=scanner, bowtie=bowtie)
    with clock("calibration"):
        ctdi = _simulated_ctdi(protocol, source, settings)
    photons, unit = _scale(protocol, source, ctdi)
    with clock("transport"):
        deposit = transport_photons(
            patient, source, histories=settings.histories, precision=settings.precision,
            seed=settings.seed, organs=weights, threads=settings.threads, device=settings.device,
            max_seconds=settings.max_seconds, progress=progress, pool=pool,
        )  # fmt: skip
    with clock("score"):
        dose = score_dose(deposit, patient, photons=photons, unit=unit)
        organ_doses = score_organ_dose(dose, organs)
        dvh = organ_dose_volume_histograms(dose, organs, patient)
        diameter, ssde, dlp = size_and_indices(patient, protocol, source)
    judged = [row for row in organ_doses.rows if row.volume_ml >= SMALL_ORGAN_ML]
    worst = max(row.relative_uncertainty for row in judged or organ_doses.rows)
    if labels is not None:
        inputs["labels"] = labels.input_sha256
    inputs |= calibration_input(settings.calibration)
    return ExamResult(
        dose=dose, organ_doses=organ_doses, patient=patient, organs=organs, protocol=protocol,
        scanner=scanner, spectrum=source.field.spectrum, bowtie_name=bowtie,
        calibration=scale_record(protocol, ctdi, photons, source),
        budget=ct_budget(
            protocol, scanner, organs.method, statistics=worst,
            ctdi_statistics=ctdi.relative_uncertainty if ctdi else 0.0,
            scanner_model=scanner.model_relative_uncertainty or None,
            cut_image_mm=cut_image_mm(patient, settings.extend_mm),
            removed_mass_fraction=removed,
        ),
        manifest=ct_manifest(settings, deposit, inputs=inputs, seconds=clock.seconds),
        dvh=dvh, water_equivalent_diameter_mm=diameter, ssde_mgy=ssde, dlp_mgy_cm=dlp,
        notes=(*reader_notes, *weights.notes),
        warnings=(
            *label_warnings,
            *scanner_notes,
            *scan_warnings(organs, protocol, source, patient, settings.extend_mm),
            *couch_warning(removed),
        ),
    )  # fmt: skip


def check_scale(protocol: CtProtocol, settings: CtSettings) -> None:
    """Refuse a scan that gives no absolute dose, before any long computation."""
    if settings.per_100_mas:
        return
    check_ctdi_vol(protocol, otherwise=", or ask for doses per 100 mAs (--per-100-mas)")


def _simulated_ctdi(
    protocol: CtProtocol, source: CtSource, settings: CtSettings
) -> CtdiSimulation | None:
    if protocol.ctdi_vol_mgy is None or protocol.phantom_diameter_mm is None:
        return None
    return simulate_ctdi(
        source, protocol.phantom_diameter_mm, threads=settings.threads, device=settings.device
    )


def _scale(
    protocol: CtProtocol, source: CtSource, ctdi: CtdiSimulation | None
) -> tuple[float, str]:
    """Photons of the scan and the unit of the doses."""
    if ctdi is not None and protocol.ctdi_vol_mgy is not None:
        return photons_per_scan(source, ctdi, protocol.ctdi_vol_mgy), "mGy"
    # 100 effective mAs = 100 mAs x pitch in every rotation
    pitch = source.feed_mm / source.collimation_mm
    return 100.0 * pitch * source.rotations * source.field.photons_per_mas(), PER_100_MAS

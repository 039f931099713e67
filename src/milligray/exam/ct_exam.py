"""The main job: organ doses of one CT scan."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from milligray.errors import InputError
from milligray.exam.ct_warnings import (
    couch_warning,
    cut_image_mm,
    removed_mass_fraction,
    scan_warnings,
)
from milligray.exam.manifest import ct_manifest
from milligray.exam.memory import check_rest_of_exam
from milligray.exam.settings import CtSettings
from milligray.materials.hu_calibration import (
    HuCalibration,
    load_hu_calibration,
    read_hu_calibration,
)
from milligray.patient import build_patient, water_equivalent_diameter_mm
from milligray.patient.patient import Patient
from milligray.read.series import CtProtocol, CtSeries, LabelMap
from milligray.report.result import ExamResult
from milligray.report.sections import SMALL_ORGAN_ML
from milligray.score.budget import ct_budget
from milligray.score.ctdi import CtdiSimulation, photons_per_scan, simulate_ctdi
from milligray.score.dose_scoring import score_dose, score_organ_dose
from milligray.score.dvh import organ_dose_volume_histograms
from milligray.score.ssde import ssde_conversion_factor
from milligray.segment import organ_mass_weights, segment_organs
from milligray.segment.organs import OrganMap
from milligray.segment.total_segmentator import is_installed
from milligray.source.ct_scan import choose_scanner, make_ct_source
from milligray.source.ct_source import CtSource
from milligray.transport.monte_carlo.batches import BatchPool
from milligray.transport.monte_carlo.engine import Progress, transport_photons

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
    clock = _Clock(stage or (lambda _: None))
    check_scale(protocol, settings)
    scanner, bowtie, scanner_notes = choose_scanner(
        protocol, scanner=settings.scanner, bowtie=settings.bowtie
    )
    with clock("patient"):
        patient = build_patient(
            ct, calibration=_hu_calibration(settings), voxel_size_mm=settings.voxel_size_mm,
            couch=settings.couch, extend_mm=settings.extend_mm,
        )  # fmt: skip
        removed = removed_mass_fraction(ct, patient)
        inputs, reader_notes = {"ct": ct.input_sha256}, ct.notes
        check_rest_of_exam(patient, labels, settings)
        del ct  # from here on the patient's own copy, without the couch, is all that is needed
    with clock("organs"):
        organs = _organs(patient, labels, settings)
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
        diameter, ssde, dlp = _size_and_indices(patient, protocol, source)
    judged = [row for row in organ_doses.rows if row.volume_ml >= SMALL_ORGAN_ML]
    worst = max(row.relative_uncertainty for row in judged or organ_doses.rows)
    if labels is not None:
        inputs["labels"] = labels.input_sha256
    if _is_file_name(settings.calibration):
        inputs["calibration"] = sha256(Path(settings.calibration).read_bytes()).hexdigest()
    return ExamResult(
        dose=dose, organ_doses=organ_doses, patient=patient, organs=organs, protocol=protocol,
        scanner=scanner, spectrum=source.field.spectrum, bowtie_name=bowtie,
        calibration=_calibration(protocol, ctdi, photons, source),
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
            *scanner_notes,
            *scan_warnings(organs, protocol, source, patient, settings.extend_mm),
            *couch_warning(removed),
        ),
    )  # fmt: skip


class _Clock:
    """Wall time of the stages."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.tell(name)
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def check_scale(protocol: CtProtocol, settings: CtSettings) -> None:
    """Refuse a scan that gives no absolute dose, before any long computation."""
    if settings.per_100_mas:
        return
    if protocol.ctdi_vol_mgy is None:
        raise InputError(
            "the scan has no CTDIvol, so its dose has no absolute scale; give ctdi_vol_mgy and"
            " phantom_diameter_mm in a protocol file (--protocol), or ask for doses per 100 mAs"
            " (--per-100-mas)"
        )
    if protocol.phantom_diameter_mm is None:
        raise InputError(
            f"CTDIvol is {protocol.ctdi_vol_mgy:g} mGy, but not in which phantom; give"
            " phantom_diameter_mm = 160 or 320 in a protocol file (--protocol)"
        )


def _is_file_name(calibration: str) -> bool:
    return Path(calibration).suffix.lower() in (".csv", ".toml")


def _hu_calibration(settings: CtSettings) -> HuCalibration:
    """Return the named calibration, or the facility's own from a file."""
    if _is_file_name(settings.calibration):
        return read_hu_calibration(settings.calibration)
    return load_hu_calibration(settings.calibration)


def _organs(patient: Patient, labels: LabelMap | None, settings: CtSettings) -> OrganMap:
    if labels is not None:
        return segment_organs(patient, labels)
    segmenter = settings.segmenter
    if segmenter is None:
        segmenter = "totalsegmentator" if is_installed() else "threshold"
    return segment_organs(patient, segmenter=segmenter)


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


def _calibration(
    protocol: CtProtocol, ctdi: CtdiSimulation | None, photons: float, source: CtSource
) -> dict[str, Any]:
    common = {
        "factor": photons, "irradiated_length_mm": source.scan_length_mm,
        "rotations": source.rotations,
    }  # fmt: skip
    if ctdi is None:
        return {"basis": "tube output of the spectrum model, per 100 effective mAs"} | common
    return {
        "ctdi_vol_mgy": protocol.ctdi_vol_mgy,
        "phantom_diameter_mm": ctdi.phantom_diameter_mm,
        "simulated_ctdi_w_mgy_per_history": ctdi.weighted_mgy,
        "simulated_center_to_periphery": ctdi.center_mgy / ctdi.periphery_mgy,
        "relative_uncertainty": ctdi.relative_uncertainty,
        **common,
    }


def _size_and_indices(
    patient: Patient, protocol: CtProtocol, source: CtSource
) -> tuple[np.ndarray, float | None, float | None]:
    """Water-equivalent diameter by slice [mm], SSDE [mGy], DLP [mGy cm]."""
    if patient.ct is None:
        raise InputError("a CT exam needs a CT")
    diameter = water_equivalent_diameter_mm(patient.ct)
    if protocol.ctdi_vol_mgy is None or protocol.phantom_diameter_mm is None:
        return diameter, None, None
    z = patient.ct.grid.axis_centers_mm(0)
    current = np.interp(z, protocol.slice_position_mm, protocol.relative_current)
    inside = diameter > 0
    factor = ssde_conversion_factor(diameter[inside], protocol.phantom_diameter_mm)
    ssde = float(protocol.ctdi_vol_mgy * np.mean(current[inside] * factor))
    dlp = float(protocol.ctdi_vol_mgy * source.scan_length_mm * 0.1)
    return diameter, ssde, dlp

"""Organ doses of one CT scan by a network: no Monte Carlo, the same result."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from milligray.errors import InputError
from milligray.exam.ct_warnings import (
    couch_warning,
    cut_image_mm,
    removed_mass_fraction,
    scan_warnings,
)
from milligray.exam.parts import (
    StageClock,
    calibration_input,
    check_ctdi_vol,
    find_organs,
    read_calibration,
    scale_record,
    size_and_indices,
)
from milligray.exam.predict_manifest import predict_manifest
from milligray.exam.predict_settings import PredictSettings
from milligray.learn.card import ModelCard
from milligray.learn.network import Network
from milligray.learn.prediction import Prediction, predict_dose
from milligray.learn.scan import Scan
from milligray.patient import build_patient
from milligray.patient.regrid import regrid_ct
from milligray.read.series import CtProtocol, CtSeries, LabelMap
from milligray.report.result import ExamResult
from milligray.report.sections import SMALL_ORGAN_ML
from milligray.score.budget import ct_budget
from milligray.score.ctdi import photons_per_scan
from milligray.score.ctdi_response import ctdi_of_beam
from milligray.score.dose import BudgetEntry, DoseMap, OrganDose, OrganDoses
from milligray.score.dvh import organ_dose_volume_histograms
from milligray.score.network_budget import network_budget
from milligray.segment import organ_mass_weights
from milligray.segment.catalog import canonical_name
from milligray.segment.regions import region_of_organs
from milligray.source.ct_scan import choose_scanner, make_ct_source, nominal_range_mm

VOXEL_SIZE_MM = 4.0
"""Where neither user nor network says."""


def compute_predicted_exam(
    ct: CtSeries,
    protocol: CtProtocol,
    labels: LabelMap | None,
    settings: PredictSettings,
    network: Network,
    *,
    histograms: bool = True,
    stage: Callable[[str], None] | None = None,
) -> ExamResult:
    """Organ doses of a CT scan by a network, with all that explains them.

    Parameters
    ----------
    ct : CtSeries
    protocol : CtProtocol
    labels : LabelMap or None
        Organs; None: what the settings' segmenter gives.
    settings : PredictSettings
    network : Network
        Its card may say, in ``normalization``, the voxel size of its patients (``voxel_size_mm``)
        and that their CT is to be interpolated to it first (``regrid``).
    histograms : bool
        Dose-volume histograms of the organs, for the report.
    stage : callable, optional
        Told the name of each stage as it begins.

    Returns
    -------
    ExamResult
        As a Monte Carlo exam gives it; without dose map (and histograms) if the network has none.
        The uncertainty of an organ is the network's total; `manifest` holds its parts.

    Raises
    ------
    InputError
        Among others: no CTDIvol; a scan for which the network was not made; no organ it knows.
    """
    clock = StageClock(stage)
    check_ctdi_vol(protocol)
    scanner, bowtie, scanner_notes = choose_scanner(
        protocol, scanner=settings.scanner, bowtie=settings.bowtie
    )
    voxel_size_mm, is_regridded = patient_grid(settings, network.card)
    ct_grid = ct.volume.grid
    with clock("patient"):
        if is_regridded:
            ct = regrid_ct(ct, voxel_size_mm)
        patient = build_patient(
            ct, calibration=read_calibration(settings.calibration), voxel_size_mm=voxel_size_mm,
            couch=settings.couch, extend_mm=settings.extend_mm,
        )  # fmt: skip
        removed = removed_mass_fraction(ct, patient)
        inputs, reader_notes = {"ct": ct.input_sha256}, ct.notes
        del ct
    with clock("organs"):
        organs, label_warnings = find_organs(
            patient, labels, settings.segmenter, ct_grid=ct_grid,
            accept_labels=settings.accept_labels,
        )  # fmt: skip
        weights = organ_mass_weights(patient, organs)
    with clock("source"):
        source = make_ct_source(protocol, patient, scanner=scanner, bowtie=bowtie)
    with clock("calibration"):
        if protocol.ctdi_vol_mgy is None or protocol.phantom_diameter_mm is None:
            raise InputError("a prediction needs a CTDIvol")  # told better by check_ctdi_vol
        ctdi, ctdi_basis = ctdi_of_beam(source, protocol.phantom_diameter_mm)
        photons = photons_per_scan(source, ctdi, protocol.ctdi_vol_mgy)
    with clock("size"):
        diameter, ssde, dlp = size_and_indices(patient, protocol, source)
    with clock("network"):
        scan = Scan(
            patient=patient, organs=organs, weights=weights, protocol=protocol, source=source,
            scanner=scanner, bowtie=bowtie, photons=photons, diameter_mm=diameter,
            range_mm=nominal_range_mm(protocol),
        )  # fmt: skip
        region = settings.body_region or region_of_organs(canonical_name(n) for n in weights.names)
        prediction = predict_dose(
            scan, network, body_region=region, beyond_validity=settings.beyond_validity
        )
    with clock("score"):
        rows = _rows(scan, prediction)
        dose = _dose_map(prediction)
        dvh = {}
        if histograms and dose is not None:
            dvh = organ_dose_volume_histograms(dose, organs, patient)
    if labels is not None:
        inputs["labels"] = labels.input_sha256
    inputs |= calibration_input(settings.calibration)
    unknown = sorted(set(weights.names) - set(prediction.names))
    return ExamResult(
        dose=dose, organ_doses=OrganDoses(rows=rows), patient=patient, organs=organs,
        protocol=protocol, scanner=scanner, spectrum=source.field.spectrum, bowtie_name=bowtie,
        calibration=scale_record(protocol, ctdi, photons, source) | {"basis": ctdi_basis},
        budget=_budget(
            scan, prediction, ctdi_basis, ctdi.relative_uncertainty,
            cut_image_mm(patient, settings.extend_mm), removed,
        ),
        manifest=predict_manifest(
            settings, network, prediction, inputs=inputs, seconds=clock.seconds,
            ctdi_basis=ctdi_basis,
        ),
        dvh=dvh, water_equivalent_diameter_mm=diameter, ssde_mgy=ssde, dlp_mgy_cm=dlp,
        notes=(*reader_notes, *weights.notes, *prediction.notes),
        warnings=(
            *label_warnings,
            *prediction.warnings,
            *([f"NOT PREDICTED, as {network.card.name} does not know them: {', '.join(unknown)}"]
              if unknown else []),
            *scanner_notes,
            *scan_warnings(organs, protocol, source, patient, settings.extend_mm),
            *couch_warning(removed),
        ),
    )  # fmt: skip


def patient_grid(settings: PredictSettings, card: ModelCard) -> tuple[float, bool]:
    """Voxel size of the patient [mm], and whether the CT is interpolated to it."""
    own = card.normalization.get("voxel_size_mm")
    wanted = settings.voxel_size_mm or (
        float(own) if isinstance(own, int | float) else VOXEL_SIZE_MM
    )
    return wanted, bool(card.normalization.get("regrid", False))


def _rows(scan: Scan, prediction: Prediction) -> tuple[OrganDose, ...]:
    """Organ doses in the order of the organ map."""
    of_prediction = {name: i for i, name in enumerate(prediction.names)}
    rows = tuple(
        OrganDose(
            organ=name,
            mean_dose_mgy=float(prediction.mean_dose_mgy[of_prediction[name]]),
            relative_uncertainty=float(prediction.total[of_prediction[name]]),
            volume_ml=float(scan.weights.volume_ml[i]),
            mass_g=float(scan.weights.mass_g[i]),
            fraction_in_image=float(scan.organs.fraction_in_image.get(name, math.nan)),
            method=prediction.method,
        )
        for i, name in enumerate(scan.weights.names)
        if name in of_prediction
    )
    if not rows:
        shown = ", ".join(scan.weights.names[:8])
        raise InputError(
            f"{prediction.method} knows none of the organs of this patient ({shown}); give organ"
            " labels (--organs) with names of the catalog, or use another network"
        )
    return rows


def _dose_map(prediction: Prediction) -> DoseMap | None:
    if prediction.grid is None or prediction.dose_mgy is None:
        return None
    uncertainty = prediction.dose_relative_uncertainty
    if uncertainty is None:
        uncertainty = np.full(prediction.grid.shape, np.nan, dtype=np.float32)
    return DoseMap(
        grid=prediction.grid, dose_mgy=prediction.dose_mgy, relative_uncertainty=uncertainty,
        method=prediction.method,
    )  # fmt: skip


def _budget(
    scan: Scan,
    prediction: Prediction,
    ctdi_basis: str,
    ctdi_relative: float,
    cut_mm: float | None,
    removed: float,
) -> tuple[BudgetEntry, ...]:
    """Budget with the parts of the least certain organ of at least 10 mL."""
    volume = dict(zip(scan.weights.names, scan.weights.volume_ml, strict=True))
    large = [i for i, n in enumerate(prediction.names) if volume.get(n, 0.0) >= SMALL_ORGAN_ML]
    worst = max(large or range(len(prediction.names)), key=lambda i: prediction.total[i])
    shared = ct_budget(
        scan.protocol, scan.scanner, scan.organs.method, statistics=0.0,
        ctdi_statistics=ctdi_relative, cut_image_mm=cut_mm, removed_mass_fraction=removed,
        scanner_model=scan.scanner.model_relative_uncertainty or None,
    )  # fmt: skip
    return network_budget(
        (
            replace(entry, basis=ctdi_basis) if "CTDI phantom" in entry.component else entry
            for entry in shared
        ),
        aleatoric=float(prediction.aleatoric[worst]),
        epistemic=float(prediction.epistemic[worst]),
        total=float(prediction.total[worst]),
    )

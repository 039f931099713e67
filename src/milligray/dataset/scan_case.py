"""A sample's scan, ready for transport: patient, organs, protocol, source and absolute scale."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from milligray.anatomy.augment import augment_ct
from milligray.anatomy.augmentation import AugmentRanges, draw_augmentation
from milligray.dataset.distributions import parse_distributions
from milligray.dataset.patients import SampleSpec
from milligray.dataset.random_protocol import random_protocol
from milligray.draws import fraction
from milligray.errors import InputError
from milligray.exam.ct_exam import check_scale
from milligray.learn.scan import Scan
from milligray.materials.hu_calibration import (
    HuCalibration,
    load_hu_calibration,
    read_hu_calibration,
)
from milligray.patient import build_patient, water_equivalent_diameter_mm
from milligray.patient.regrid import regrid_ct
from milligray.read import find_ct, read_ct_nifti, read_ct_series, read_labels
from milligray.read.series import CtProtocol, CtSeries, LabelMap
from milligray.score.ctdi import CtdiSimulation, photons_per_scan, simulate_ctdi
from milligray.segment import organ_mass_weights, segment_organs
from milligray.segment.given_labels import resample_labels
from milligray.segment.label_check import check_labels
from milligray.source.ct_scan import choose_scanner, make_ct_source, nominal_range_mm
from milligray.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanCase(Scan):
    """The scan of a sample.

    Parameters
    ----------
    ctdi : CtdiSimulation
    attributes : dict
        Protocol, geometry and inputs as plain values.
    """

    ctdi: CtdiSimulation
    attributes: dict[str, Any]


def open_case(spec: SampleSpec, *, is_regridded: bool, threads: int) -> ScanCase:
    """Read a sample's files, make its scan, and simulate its absolute scale.

    Parameters
    ----------
    spec : SampleSpec
    is_regridded : bool
        Interpolate the CT first so that transport voxels are cubes of ``voxel_size_mm``; else
        they are the nearest whole number of CT voxels.
    threads : int
        Of the CTDI simulation, if this beam needs one.
    """
    scan, attributes = _make_scan(spec, is_regridded=is_regridded, photons=None)
    protocol = scan.protocol
    if protocol.ctdi_vol_mgy is None or protocol.phantom_diameter_mm is None:
        raise InputError("a sample needs a CTDIvol: its doses are in mGy")
    ctdi = simulate_ctdi(
        scan.source, protocol.phantom_diameter_mm, threads=threads,
        device=spec.exam.settings.device,
    )  # fmt: skip
    photons = photons_per_scan(scan.source, ctdi, protocol.ctdi_vol_mgy)
    parts = {field.name: getattr(scan, field.name) for field in fields(scan)}
    return ScanCase(
        **parts | {"photons": photons}, ctdi=ctdi,
        attributes=attributes | {
            "ctdi_relative_uncertainty": ctdi.relative_uncertainty, "photons": photons,
        },
    )  # fmt: skip


def open_scan(spec: SampleSpec, *, is_regridded: bool, photons: float) -> Scan:
    """Scan of a sample that was made before, with the number of photons that it stored.

    Parameters
    ----------
    spec : SampleSpec
        Of `milligray.dataset.recompute.spec_of`.
    is_regridded : bool
        As the sample's kind has it.
    photons : float
        Attribute ``photons`` of the sample.
    """
    return _make_scan(spec, is_regridded=is_regridded, photons=photons)[0]


def _make_scan(
    spec: SampleSpec, *, is_regridded: bool, photons: float | None
) -> tuple[Scan, dict[str, Any]]:
    """Scan and its plain values; NaN photons where they are yet to be simulated."""
    settings = spec.exam.settings
    own = spec.settings.protocols == "own"
    ct, protocol = read_scan(spec, own=own)
    inputs = {"ct": ct.input_sha256}
    labels = None
    if spec.exam.organs is not None:
        labels = read_labels(spec.exam.organs, names=spec.exam.organ_names)
        inputs["labels"] = labels.input_sha256
    augmentation: dict[str, Any] = {}
    if spec.augmented:
        ct, labels, augmentation = augmented(spec, ct, labels)
    ct_grid = ct.volume.grid
    if is_regridded:
        if settings.voxel_size_mm is None:
            raise InputError("samples of this kind need a voxel size")
        ct = regrid_ct(ct, settings.voxel_size_mm)
    patient = build_patient(
        ct, calibration=calibration_of(settings.calibration), voxel_size_mm=settings.voxel_size_mm,
        couch=settings.couch, extend_mm=settings.extend_mm,
    )  # fmt: skip
    del ct
    if patient.ct is None:
        raise InputError("a sample needs a CT")
    diameter = water_equivalent_diameter_mm(patient.ct)
    organs = segment_organs(
        patient, labels, segmenter=(settings.segmenter or "threshold") if labels is None else None
    )
    # a sample that was made before was judged then, by the limits of its version
    told = check_labels(
        patient, organs, ct_grid=ct_grid,
        accept=settings.accept_labels or photons is not None,
        labels_grid=None if labels is None else labels.volume.grid,
    )  # fmt: skip
    label_warnings = {"label_warnings": list(told)} if told else {}
    drawn: dict[str, Any] = {}
    if protocol is None:
        distributions = parse_distributions(spec.settings.protocols_text)
        occupied = patient.ct.values.reshape(diameter.size, -1).max(axis=1) > -900
        protocol, drawn = random_protocol(
            distributions, spec.key, patient.ct.grid, diameter * occupied, organs
        )
    check_scale(protocol, settings)
    scanner, bowtie, _ = choose_scanner(protocol, scanner=settings.scanner, bowtie=settings.bowtie)
    source = make_ct_source(protocol, patient, scanner=scanner, bowtie=bowtie)
    low, high = nominal_range_mm(protocol)
    scan = Scan(
        patient=patient, organs=organs, weights=organ_mass_weights(patient, organs),
        protocol=protocol, source=source, scanner=scanner, bowtie=bowtie,
        photons=float("nan") if photons is None else photons, diameter_mm=diameter,
        range_mm=(low, high),
    )  # fmt: skip
    return scan, {
        "sample": spec.name, "exam": spec.exam.exam, "patient": spec.patient,
        "kind_of_anatomy": spec.anatomy, "split": spec.split, "seed": spec.seed,
        "tube_voltage_kv": protocol.tube_voltage_kv, "scanner": scanner.name,
        "bowtie": bowtie, "scan_mode": protocol.scan_mode, "pitch": protocol.pitch,
        "collimation_mm": protocol.collimation_mm,
        "scan_low_mm": low, "scan_high_mm": high,
        "start_angle_rad": protocol.start_angle_rad,
        "isocenter_lps_mm": list(source.isocenter_lps_mm),
        "focal_radius_mm": source.field.focal_radius_mm,
        "ctdi_vol_mgy": protocol.ctdi_vol_mgy,
        "phantom_diameter_mm": protocol.phantom_diameter_mm,
        "rotations": source.rotations,
        "spectrum": source.field.spectrum.name,
        "mean_energy_kev": source.field.spectrum.mean_energy_kev,
        "half_value_layer_mm_al": source.field.spectrum.half_value_layer_mm_al,
        "organ_method": organs.method, "inputs": inputs, "augmentation": augmentation, **drawn,
        **label_warnings,
    }  # fmt: skip


def read_scan(spec: SampleSpec, *, own: bool) -> tuple[CtSeries, CtProtocol | None]:
    """CT of a sample, with its own protocol if that is asked for."""
    exam = spec.exam
    if own:
        return find_ct(exam.input, exam.protocol, exam.series).read()
    if exam.input.name.lower().endswith((".nii", ".nii.gz")):
        return read_ct_nifti(exam.input), None
    return read_ct_series(exam.input, series=exam.series), None


def augmented(
    spec: SampleSpec, ct: CtSeries, labels: LabelMap | None
) -> tuple[CtSeries, LabelMap | None, dict[str, Any]]:
    """Deformed copy of CT and labels; the samples of one copy share it."""
    grid = ct.volume.grid
    if labels is not None and not labels.volume.grid.is_same_as(grid):
        values = resample_labels(labels.volume, grid)
        labels = replace(labels, volume=Volume(grid=grid, values=values))
    drawn = draw_augmentation(
        AugmentRanges(), grid.shape[0], number=spec.augmented,
        seed=int(fraction(spec.settings.seed, spec.exam.exam, "augmentation") * 2**48),
    )  # fmt: skip
    made = augment_ct(ct, labels, drawn)
    return made.ct, made.labels, drawn.as_dict()


def calibration_of(name: str) -> HuCalibration:
    """Calibration by name, or from the file of a facility."""
    if Path(name).suffix.lower() in (".csv", ".toml"):
        return read_hu_calibration(name)
    return load_hu_calibration(name)

"""A sample's patient alone, without any scan: what sources inside the body need."""

from typing import Any

from milligray.dataset.patients import SampleSpec
from milligray.dataset.scan_case import augmented, calibration_of, read_scan
from milligray.errors import InputError
from milligray.patient import build_patient
from milligray.patient.patient import Patient
from milligray.patient.regrid import regrid_ct


def open_anatomy(spec: SampleSpec) -> tuple[Patient, dict[str, Any]]:
    """Read a sample's CT, and bring it to cubes of ``voxel_size_mm``.

    Parameters
    ----------
    spec : SampleSpec

    Returns
    -------
    patient : Patient
        Densities and tissues are those of the interpolated CT.
    attributes : dict
        Geometry and inputs as plain values.
    """
    settings = spec.exam.settings
    if settings.voxel_size_mm is None:
        raise InputError("samples of this kind need a voxel size")
    ct, _ = read_scan(spec, own=False)
    inputs = {"ct": ct.input_sha256}
    notes = list(ct.notes)
    augmentation: dict[str, Any] = {}
    if spec.augmented:
        ct, _, augmentation = augmented(spec, ct, None)
    spacing = ct.volume.grid.spacing_mm
    patient = build_patient(
        regrid_ct(ct, settings.voxel_size_mm), calibration=calibration_of(settings.calibration),
        voxel_size_mm=settings.voxel_size_mm, couch=settings.couch, extend_mm=settings.extend_mm,
    )  # fmt: skip
    return patient, {
        "sample": spec.name, "exam": spec.exam.exam, "patient": spec.patient,
        "kind_of_anatomy": spec.anatomy, "split": spec.split, "seed": spec.seed,
        "inputs": inputs, "augmentation": augmentation, "calibration": patient.calibration,
        "ct_spacing_zyx_mm": list(spacing), "transport_shape_zyx": list(patient.grid.shape),
        "patient_notes": [*notes, *patient.notes],
    }  # fmt: skip

"""A dose map as DICOM RT Dose."""

# ruff: noqa: PLC0415 - pydicom is loaded only when a file is written

import hashlib
import uuid
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.score.dose import DoseMap
from milligray.volume import Grid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from milligray.read.dicom_reference import DicomReference

MGY_PER_GY = 1000.0
_LARGEST = 2**32 - 1
_MAX_COMMENT = 64
_EMPTY_IF_ABSENT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip


def write_rtdose(
    dose: DoseMap,
    patient: Patient,
    reference: "DicomReference",
    path: Path,
    *,
    description: str,
    created: datetime | None = None,
) -> None:
    """Write ``dose.dcm``: the dose on the transport grid, in the frame of reference of the CT.

    Parameters
    ----------
    dose : DoseMap
        In mGy.
    patient : Patient
        Gives the body: the dose is 0 outside it, as in ``dose.nii.gz``.
    reference : DicomReference
        The CT that `patient` was made of.
    path : Path
    description : str
        Of the series, e.g. "CT dose"; at most 64 characters.
    created : datetime, optional
        Default: now.

    Raises
    ------
    InputError
        If the dose is not in mGy (a dose per 100 mAs would be read as that of the exam), has a
        voxel that is not finite, or is nowhere above 0.

    Notes
    -----
    32-bit unsigned, ``dose_gy = DoseGridScaling * stored``, so rounding is at most 1.2e-10 of the
    highest dose. The format has no negative doses: voxels whose Monte Carlo estimate lies below 0
    by noise (``dose.nii.gz`` keeps it) are 0. Frames go from inferior to superior;
    GridFrameOffsetVector is relative to ImagePositionPatient, the center of the first voxel.
    DoseType is PHYSICAL, DoseUnits GY.

    DoseSummationType is PLAN: of the values the standard has it is the one that means the whole
    of a treatment or exam, and the one that planning systems show. The standard wants a reference
    to an RT plan with it; an exam has none, and a reference to a plan that does not exist would be
    worse, so it is left out. A checker reports that one attribute.

    The object names the patient as the CT does: without that no archive would file it.

    References
    ----------
    DICOM PS3.3, RT Dose IOD and RT Dose module
    """
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, RTDoseStorage

    from milligray.read.dicom_tags import quiet_pydicom

    stored, scaling = _stored(dose, patient)
    moment = (created or datetime.now(UTC)).astimezone()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = RTDoseStorage
    meta.MediaStorageSOPInstanceUID = UID(_uid("instance", stored.tobytes(), reference, moment))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    with quiet_pydicom():
        dataset.update(reference.patient_and_study)
    for keyword in _EMPTY_IF_ABSENT:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    dataset.SOPClassUID = RTDoseStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = reference.study_uid
    dataset.SeriesInstanceUID = _uid("series", stored.tobytes(), reference, moment)
    _describe(dataset, dose, description, moment)
    _refer(dataset, reference)
    _place(dataset, dose.grid)
    dataset.DoseGridScaling = scaling
    dataset.PixelData = stored.tobytes()
    with quiet_pydicom():
        mode = pydicom.config.settings.writing_validation_mode
        pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
        try:  # untidy values of the CT's header are repeated as they are
            dataset.save_as(path, enforce_file_format=True)
        finally:
            pydicom.config.settings.writing_validation_mode = mode


def _stored(dose: DoseMap, patient: Patient) -> tuple[np.ndarray, str]:
    """Integers to store, shape of the grid, and the factor to Gy as DICOM writes it."""
    from pydicom.valuerep import format_number_as_ds

    if dose.unit != "mGy":
        raise InputError(f"RT Dose holds absolute doses; this one is in {dose.unit}")
    dose_gy = np.where(patient.body, dose.dose_mgy, np.float32(0.0)) / np.float64(MGY_PER_GY)
    highest = float(dose_gy.max())
    if not np.all(np.isfinite(dose_gy)) or highest <= 0:
        raise InputError("RT Dose needs finite doses, and one above 0")
    scaling = format_number_as_ds(highest / _LARGEST * (1.0 + 1e-9))
    return np.rint(np.maximum(dose_gy, 0.0) / float(scaling)).astype("<u4"), scaling


def _describe(dataset: "Dataset", dose: DoseMap, description: str, moment: datetime) -> None:
    try:
        own = version("milligray")
    except PackageNotFoundError:
        own = "unknown"
    dataset.Modality = "RTDOSE"
    dataset.Manufacturer = "milligray"
    dataset.ManufacturerModelName = "milligray"
    dataset.SoftwareVersions = own
    dataset.OperatorsName = ""
    dataset.SeriesNumber = None
    dataset.InstanceNumber = 1
    dataset.SeriesDescription = description[:_MAX_COMMENT]
    day, clock = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")
    dataset.InstanceCreationDate = dataset.SeriesDate = dataset.ContentDate = day
    dataset.InstanceCreationTime = dataset.SeriesTime = dataset.ContentTime = clock
    dataset.DoseUnits = "GY"
    dataset.DoseType = "PHYSICAL"
    dataset.DoseSummationType = "PLAN"
    dataset.TissueHeterogeneityCorrection = "IMAGE"
    dataset.DoseComment = f"not for clinical decisions; {dose.method}"[:_MAX_COMMENT]


def _refer(dataset: "Dataset", reference: "DicomReference") -> None:
    """Frame of reference and images of the CT."""
    from pydicom.dataset import Dataset

    dataset.FrameOfReferenceUID = reference.frame_of_reference_uid
    dataset.PositionReferenceIndicator = reference.position_reference_indicator
    images = []
    for sop_class, sop_instance in reference.instances:
        image = Dataset()
        image.ReferencedSOPClassUID = sop_class
        image.ReferencedSOPInstanceUID = sop_instance
        images.append(image)
    if not images:
        return
    dataset.ReferencedImageSequence = images
    series = Dataset()
    series.SeriesInstanceUID = reference.series_uid
    series.ReferencedInstanceSequence = images
    dataset.ReferencedSeriesSequence = [series]


def _place(dataset: "Dataset", grid: Grid) -> None:
    """Pixels and their places: rows to posterior, columns to left, frames to superior."""
    from pydicom.tag import Tag
    from pydicom.valuerep import format_number_as_ds

    n_z, n_y, n_x = grid.shape
    dz, dy, dx = grid.spacing_mm
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = n_y, n_x, n_z
    dataset.BitsAllocated = dataset.BitsStored = 32
    dataset.HighBit = 31
    dataset.PixelRepresentation = 0
    dataset.FrameIncrementPointer = Tag("GridFrameOffsetVector")
    dataset.GridFrameOffsetVector = [format_number_as_ds(float(k * dz)) for k in range(n_z)]
    dataset.PixelSpacing = [format_number_as_ds(dy), format_number_as_ds(dx)]
    dataset.SliceThickness = format_number_as_ds(dz)
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    first = grid.to_lps_mm([0.0, 0.0, 0.0])
    dataset.ImagePositionPatient = [format_number_as_ds(float(value)) for value in first]


def _uid(kind: str, pixels: bytes, reference: "DicomReference", moment: datetime) -> str:
    """Identifier of this content: the same result written twice is the same object."""
    digest = hashlib.sha256(pixels)
    digest.update(f"{kind} {reference.series_uid} {moment.isoformat()}".encode())
    return f"2.25.{uuid.UUID(bytes=digest.digest()[:16], version=5).int}"

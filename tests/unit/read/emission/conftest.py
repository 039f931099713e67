"""Synthetic PET and SPECT: one truth, written as the vendors write it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRLittleEndian,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

HALF_LIFE_S = 6586.2
GIVEN = datetime(2026, 2, 24, 10, 0, 0)
SCAN = datetime(2026, 2, 24, 11, 0, 0)
FRAME_S = 180.0
ORIGIN = (-20.0, -30.0, -100.0)
SPACING = (3.0, 4.0, 5.0)
ACTIVITY_MBQ = 300.0
WEIGHT_KG = 70.0


def code_item(value: str, scheme: str, meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


@pytest.fixture
def at_administration() -> np.ndarray:
    """Concentration at the administration [Bq/mL], shape (6, 5, 4), nothing biological."""
    values = np.random.default_rng(3).uniform(2e3, 2e4, (6, 5, 4))
    values[:, 0, :] = 0.0
    return values


def administered(**changes: Any) -> Sequence:
    item = Dataset()
    item.Radiopharmaceutical = "FDG"
    item.RadionuclideTotalDose = ACTIVITY_MBQ * 1e6
    item.RadionuclideHalfLife = HALF_LIFE_S
    item.RadiopharmaceuticalStartDateTime = GIVEN.strftime("%Y%m%d%H%M%S.00")
    item.RadiopharmaceuticalStartTime = GIVEN.strftime("%H%M%S")
    item.RadionuclideCodeSequence = code_item("C-111A1", "SRT", "^18^Fluorine")
    for name, value in changes.items():
        if value is None:
            delattr(item, name)
        else:
            setattr(item, name, value)
    return Sequence([item])


def base(sop_class: str, modality: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = modality
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = "Doe^Jane", "SECRET-1", "F"
    dataset.PatientBirthDate = "19700101"
    dataset.PatientWeight, dataset.PatientSize = WEIGHT_KG, 1.7
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.5"
    dataset.SeriesNumber, dataset.SeriesDescription = 5, "PET AC"
    dataset.FrameOfReferenceUID = "1.2.9"
    dataset.SeriesDate = dataset.AcquisitionDate = SCAN.strftime("%Y%m%d")
    dataset.SeriesTime = dataset.AcquisitionTime = SCAN.strftime("%H%M%S")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    return dataset


def store(dataset: Dataset, plane: np.ndarray, *, slope: float | None = None) -> None:
    """Pixels as 16-bit integers with the finest slope, as scanners do slice by slice."""
    if slope is None:
        slope = max(float(np.abs(plane).max()), 1e-9) / 32767.0
    dataset.Rows, dataset.Columns = plane.shape[-2:]
    dataset.RescaleSlope, dataset.RescaleIntercept = f"{slope:.10g}", 0
    stored = np.rint(plane / float(f"{slope:.10g}"))
    dataset.PixelData = np.ascontiguousarray(stored.astype("<i2")).tobytes()


@pytest.fixture
def write_pet(tmp_path: Path, save_slice: Callable[[Dataset, Path], Path]) -> Callable[..., Path]:
    """Write stored values [z, y, x] as a PET series of two bed positions; returns the folder.

    ``per_slice(k)`` gives attributes of one slice; attributes set to None are removed.
    """

    def write(
        values: np.ndarray,
        folder: str = "pet",
        *,
        per_slice: Callable[[int], dict[str, Any]] | None = None,
        alter: Callable[[Dataset], object] | None = None,
        **attributes: Any,
    ) -> Path:
        for k, plane in enumerate(values):
            start = SCAN + timedelta(seconds=FRAME_S * (k // 3))
            dataset = base(PositronEmissionTomographyImageStorage, "PT")
            dataset.ImageType = ["ORIGINAL", "PRIMARY"]
            dataset.SeriesType = ["WHOLE BODY", "IMAGE"]
            dataset.Units, dataset.DecayCorrection = "BQML", "START"
            dataset.CorrectedImage = ["DECY", "ATTN", "SCAT", "RAN", "NORM", "DTIM"]
            dataset.AcquisitionTime = start.strftime("%H%M%S")
            dataset.ActualFrameDuration = int(FRAME_S * 1000)
            dataset.FrameReferenceTime = 0
            dataset.InstanceNumber = k + 1
            dataset.SliceThickness = SPACING[0]
            dataset.PixelSpacing = [SPACING[1], SPACING[2]]
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            dataset.ImagePositionPatient = [*ORIGIN[:2], ORIGIN[2] + SPACING[0] * k]
            dataset.RadiopharmaceuticalInformationSequence = administered()
            store(dataset, plane)
            own = {} if per_slice is None else per_slice(k)
            for name, value in {**attributes, **own}.items():
                if value is None:
                    delattr(dataset, name)
                else:
                    setattr(dataset, name, value)
            if alter is not None:
                alter(dataset)
            save_slice(dataset, tmp_path / folder / f"im{len(values) - k}.dcm")
        return tmp_path / folder

    return write


@pytest.fixture
def write_spect(tmp_path: Path, save_slice: Callable[[Dataset, Path], Path]) -> Callable[..., Path]:
    """Write stored values [frame, row, column] as one RECON TOMO object; returns the file."""

    def write(
        values: np.ndarray,
        name: str = "spect.dcm",
        *,
        position: tuple[float, float, float] = ORIGIN,
        orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
        alter: Callable[[Dataset], object] | None = None,
        **attributes: Any,
    ) -> Path:
        dataset = base(NuclearMedicineImageStorage, "NM")
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
        dataset.NumberOfFrames = len(values)
        dataset.SpacingBetweenSlices, dataset.SliceThickness = SPACING[0], SPACING[0]
        dataset.PixelSpacing = [SPACING[1], SPACING[2]]
        dataset.CorrectedImage = ["ATTN", "SCAT"]
        dataset.PixelRepresentation = 0
        detector = Dataset()
        detector.ImagePositionPatient = list(position)
        detector.ImageOrientationPatient = list(orientation)
        dataset.DetectorInformationSequence = Sequence([detector])
        rotation = Dataset()
        rotation.ActualFrameDuration, rotation.NumberOfFramesInRotation = 15000, 60
        dataset.RotationInformationSequence = Sequence([rotation])
        dataset.RadiopharmaceuticalInformationSequence = administered(
            RadionuclideTotalDose=7400,
            RadionuclideCodeSequence=code_item("447553000", "SCT", "Lutetium-177"),
            RadiopharmaceuticalStartDateTime="20260223110000",
            RadiopharmaceuticalStartTime=None,
            RadionuclideHalfLife=None,
        )
        store(dataset, values, slope=1.0)
        for key, value in attributes.items():
            if value is None:
                delattr(dataset, key)
            else:
                setattr(dataset, key, value)
        if alter is not None:
            alter(dataset)
        return save_slice(dataset, tmp_path / name)

    return write

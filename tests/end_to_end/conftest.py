"""A small synthetic patient as NIfTI and as DICOM, and the command line called in process."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from milligray.cli.main import run
from milligray.exam import ct_exam
from milligray.score import ctdi
from milligray.transport.monte_carlo.regions import transport_to_regions

SHAPE = (30, 40, 40)  # z, y, x
SPACING_MM = (8.0, 6.0, 8.0)
NAMES = {1: "lung_left", 2: "lung_right", 3: "heart", 4: "spinal_cord"}

PROTOCOL = """
[scan]
tube_voltage_kv = 120
mode = "helical"
pitch = 1.0
collimation_mm = 40

[dose]
ctdi_vol_mgy = 10.0
phantom_diameter_mm = 160

[scanner]
name = "generic"
bowtie = "body"
"""


def synthetic_patient() -> tuple[np.ndarray, np.ndarray]:
    """HU and labels [z, y, x]: an ellipsoid with lungs, a heart and a spine."""
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")

    def ellipsoid(cz: float, cy: float, cx: float, rz: float, ry: float, rx: float) -> np.ndarray:
        return ((z - cz) / rz) ** 2 + ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1

    hu = np.full(SHAPE, -1000, dtype=np.int16)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    hu[ellipsoid(0, 0, 0, 1.6, 0.8, 0.85)] = 40
    parts = {
        1: (ellipsoid(0.1, 0, 0.42, 0.7, 0.5, 0.28), -750),
        2: (ellipsoid(0.1, 0, -0.42, 0.7, 0.5, 0.28), -750),
        3: (ellipsoid(0, -0.2, 0.05, 0.35, 0.3, 0.2), 50),
        4: (ellipsoid(0, 0.55, 0, 2.0, 0.1, 0.08), 30),
    }
    hu[ellipsoid(0, 0.55, 0, 2.0, 0.18, 0.16)] = 700
    for label, (inside, value) in parts.items():
        hu[inside] = value
        labels[inside] = label
    return hu, labels


def write_nifti(path: Path, array: np.ndarray) -> Path:
    """[z, y, x] with x to the left and y to the back, as RAS NIfTI."""
    dz, dy, dx = SPACING_MM
    affine = np.diag([-dx, -dy, dz, 1.0])
    affine[:3, 3] = 0.5 * (SHAPE[2] - 1) * dx, 0.5 * (SHAPE[1] - 1) * dy, -0.5 * (SHAPE[0] - 1) * dz
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(array.T), affine), path)
    return path


def write_dicom(
    folder: Path, hu: np.ndarray, *, series: str = "1", name: str = "A", **attributes: Any
) -> Path:
    """A CT series, one file a slice; an attribute given as None is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    dz, dy, dx = SPACING_MM
    for k, plane in enumerate(hu):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = f"1.2.3.{series}.{k + 1}"
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.Modality = "CT"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.PatientName = dataset.PatientID = name
        dataset.StudyInstanceUID = f"1.2.4.{sum(name.encode())}"
        dataset.SeriesInstanceUID = f"1.2.3.{series}"
        dataset.SeriesNumber = int(series)
        dataset.InstanceNumber = k + 1
        dataset.KVP = 120
        dataset.XRayTubeCurrent = 200
        dataset.SliceThickness = dz
        dataset.CTDIvol = 10.0
        dataset.SpiralPitchFactor = 1.0
        dataset.TotalCollimationWidth = 40.0
        dataset.PatientPosition = "HFS"
        dataset.ImagePositionPatient = [-0.5 * 39 * dx, -0.5 * 39 * dy, (k - 14.5) * dz]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [dy, dx]
        dataset.Rows, dataset.Columns = plane.shape
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.PixelData = np.ascontiguousarray((plane + 1024).astype("<u2")).tobytes()
        for keyword, value in attributes.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        dataset.save_as(folder / f"{series}_{k:02d}.dcm", enforce_file_format=True)
    return folder


@dataclass(frozen=True, kw_only=True)
class Case:
    """Files of the synthetic patient."""

    folder: Path
    hu: np.ndarray
    ct: Path
    labels: Path
    protocol: Path

    def changed_protocol(self, old: str, new: str) -> Path:
        assert old in PROTOCOL
        path = self.folder / f"changed_{abs(hash((old, new)))}.toml"
        path.write_text(PROTOCOL.replace(old, new))
        return path


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("synthetic")
    hu, labels = synthetic_patient()
    (folder / "labels.json").write_text(json.dumps({str(k): v for k, v in NAMES.items()}))
    (folder / "protocol.toml").write_text(PROTOCOL)
    return Case(
        folder=folder,
        hu=hu,
        ct=write_nifti(folder / "ct.nii.gz", hu),
        labels=write_nifti(folder / "labels.nii.gz", labels),
        protocol=folder / "protocol.toml",
    )


@pytest.fixture
def moved_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The organs of somebody who lay 8 cm further left, on the grid of this CT."""
    folder = tmp_path_factory.mktemp("moved")
    _, labels = synthetic_patient()
    (folder / "labels.json").write_text(json.dumps({str(k): v for k, v in NAMES.items()}))
    return write_nifti(folder / "labels.nii.gz", np.roll(labels, 10, axis=2))


@pytest.fixture
def dicom(case: Case, tmp_path: Path) -> Callable[..., Path]:
    """Write the synthetic patient as a DICOM series; keywords replace header values."""

    def write(folder: str = "dicom", **options: Any) -> Path:
        return write_dicom(tmp_path / folder, case.hu, **options)

    return write


@pytest.fixture
def quick_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """CTDI to 5 % instead of 0.4 %: a second, once per session and beam."""
    quick = partial(ctdi.simulate_ctdi, precision=0.05)
    monkeypatch.setattr(ct_exam, "simulate_ctdi", quick)
    monkeypatch.setattr(ctdi, "simulate_ctdi", quick)
    monkeypatch.setattr(
        ctdi, "transport_to_regions", partial(transport_to_regions, batch_histories=2500)
    )


@dataclass(frozen=True)
class Outcome:
    """What a call of the command line left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def milligray(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Call the command line in this process."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["milligray", *map(str, arguments)])
        code = 0
        try:
            run()
        except SystemExit as leave:
            code = int(leave.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call

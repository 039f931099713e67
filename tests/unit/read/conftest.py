"""Synthetic DICOM series: any orientation, any vendor's quirks, small."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SHAPE = (5, 12, 10)
SPACING = (2.5, 1.5, 1.25)
ORIGIN = (-40.0, -120.0, -300.0)


@pytest.fixture
def hu() -> np.ndarray:
    """Canonical volume [z, y, x], every voxel different from its mirror image."""
    volume = np.random.default_rng(7).integers(-1000, 1500, SHAPE).astype(np.int16)
    volume[0, 0, 0] = -1000
    return volume


def slice_dataset(
    plane: np.ndarray,
    z: float,
    *,
    row_direction: tuple[int, int] = (1, 0),
    column_direction: tuple[int, int] = (0, 1),
    spacing: tuple[float, float, float] = SPACING,
    origin: tuple[float, float, float] = ORIGIN,
    slope: float = 1.0,
    intercept: float = -1024.0,
    **attributes: Any,
) -> Dataset:
    """One CT slice showing a canonical plane [y, x], stored in the given directions."""
    _, dy, dx = spacing
    n_y, n_x = plane.shape
    transpose = row_direction[0] == 0
    stored = plane
    sign_x = column_direction[0] if transpose else row_direction[0]
    sign_y = row_direction[1] if transpose else column_direction[1]
    x = origin[0] if sign_x > 0 else origin[0] + (n_x - 1) * dx
    y = origin[1] if sign_y > 0 else origin[1] + (n_y - 1) * dy
    stored = stored[:, ::sign_x][::sign_y]
    stored = stored.T if transpose else stored
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PatientName = "Doe^Jane"
    dataset.PatientID = "SECRET-1"
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.4"
    dataset.SeriesNumber = 3
    dataset.SeriesDescription = "Thorax 2.5 soft"
    dataset.KVP = 120
    dataset.XRayTubeCurrent = 200
    dataset.SliceThickness = spacing[0]
    dataset.PatientPosition = "HFS"
    dataset.ImagePositionPatient = [x, y, z]
    dataset.ImageOrientationPatient = [*row_direction, 0, *column_direction, 0]
    dataset.PixelSpacing = [dx, dy] if transpose else [dy, dx]
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.RescaleSlope = slope
    dataset.RescaleIntercept = intercept
    values = np.rint((stored.astype(np.float64) - intercept) / slope)
    dataset.PixelData = np.ascontiguousarray(values.astype("<u2")).tobytes()
    for name, value in attributes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = dataset.file_meta
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or CTImageStorage
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or generate_uid()
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def make_slice() -> Callable[..., Dataset]:
    return slice_dataset


@pytest.fixture
def save_slice() -> Callable[[Dataset, Path], Path]:
    return save


@pytest.fixture
def write_series(tmp_path: Path) -> Callable[..., Path]:
    """Write a canonical volume as files in shuffled order; returns the folder.

    ``per_slice`` gets the slice number and returns attributes (or None to leave the slice out);
    ``alter`` changes the data set before it is saved.
    """

    def write(
        volume: np.ndarray,
        folder: str = "ct",
        *,
        z_mm: Any = None,
        per_slice: Callable[[int], dict[str, Any] | None] | None = None,
        alter: Callable[[Dataset], object] | None = None,
        ending: str = ".dcm",
        prefix: str = "im",
        **attributes: Any,
    ) -> Path:
        spacing = attributes.get("spacing", SPACING)
        origin = attributes.get("origin", ORIGIN)
        target = tmp_path / folder
        names = np.random.default_rng(1).permutation(len(volume))
        for k, plane in enumerate(volume):
            z = origin[2] + k * spacing[0] if z_mm is None else float(z_mm[k])
            own = {} if per_slice is None else per_slice(k)
            if own is None:
                continue
            dataset = slice_dataset(plane, z, **{"InstanceNumber": k + 1, **attributes, **own})
            if alter is not None:
                alter(dataset)
            save(dataset, target / f"{prefix}{names[k]}{ending}")
        return target

    return write


@pytest.fixture
def phantom_code() -> Callable[[str], Sequence]:
    def build(value: str) -> Sequence:
        item = Dataset()
        item.CodeValue = value
        item.CodingSchemeDesignator = "DCM"
        item.CodeMeaning = "IEC phantom"
        return Sequence([item])

    return build


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the repository; the test is skipped without it."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data folder ../shared/data is absent")
    return folder

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset

from milligray.errors import InputError
from milligray.read.dicom_reference import DicomReference
from milligray.report.rtdose import write_rtdose

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
CREATED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

# DICOM PS3.3 A.18.3: attributes of type 1, and of type 2 (may be empty), of the modules that an
# RT Dose with a grid must have: Patient, General Study, RT Series, Frame of Reference, General
# Equipment, General Image, Image Plane, Image Pixel, Multi-frame, RT Dose, SOP Common.
TYPE_1 = (
    "StudyInstanceUID", "Modality", "SeriesInstanceUID", "FrameOfReferenceUID", "PixelSpacing",
    "ImageOrientationPatient", "ImagePositionPatient", "SamplesPerPixel",
    "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelData", "NumberOfFrames", "FrameIncrementPointer", "DoseUnits",
    "DoseType", "DoseSummationType", "GridFrameOffsetVector", "DoseGridScaling", "SOPClassUID",
    "SOPInstanceUID",
)  # fmt: skip
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber", "SeriesNumber", "OperatorsName",
    "PositionReferenceIndicator", "Manufacturer", "InstanceNumber", "SliceThickness",
)  # fmt: skip


@pytest.fixture
def reference() -> DicomReference:
    own = Dataset()
    own.SpecificCharacterSet = "ISO_IR 192"
    own.PatientName = "Müller^Zoë"
    own.PatientID = "P-1"
    own.PatientSex = "F"
    own.StudyDate = "20260228"
    return DicomReference(
        patient_and_study=own, study_uid="1.2.3", series_uid="1.2.3.4",
        frame_of_reference_uid="1.2.3.9",
        instances=tuple((CT_IMAGE, f"1.2.3.4.{n}") for n in range(1, 10)),
    )  # fmt: skip


@pytest.fixture
def written(result, reference, tmp_path):
    path = tmp_path / "dose.dcm"
    write_rtdose(
        result.dose, result.patient, reference, path, description="CT dose", created=CREATED
    )
    return path


def test_every_obligatory_attribute_is_there(written):
    dataset = pydicom.dcmread(written)
    for keyword in TYPE_1:
        assert keyword in dataset, keyword
        assert dataset[keyword].value not in (None, ""), keyword
    for keyword in TYPE_2:
        assert keyword in dataset, keyword
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert dataset.file_meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.481.2"
    assert (dataset.DoseUnits, dataset.DoseType) == ("GY", "PHYSICAL")
    assert dataset.FrameIncrementPointer == pydicom.tag.Tag(0x3004, 0x000C)
    assert len(dataset.PixelData) == 4 * dataset.Rows * dataset.Columns * dataset.NumberOfFrames


def test_stored_dose_is_the_dose_in_gray(written, result):
    dataset = pydicom.dcmread(written)
    dose_gy = dataset.pixel_array * float(dataset.DoseGridScaling)
    expected = np.where(result.patient.body, result.dose.dose_mgy.astype(float), 0.0) / 1000.0
    assert dataset.pixel_array.dtype == np.uint32
    np.testing.assert_allclose(dose_gy, expected, rtol=0, atol=2e-10 * expected.max())
    assert len(str(dataset.DoseGridScaling)) <= 16


def test_every_voxel_lies_where_the_grid_says(written, result):
    """By the rules of the standard, without any help of the library's own grid."""
    dataset, grid = pydicom.dcmread(written), result.patient.grid
    first = np.array(dataset.ImagePositionPatient, dtype=float)
    along_row = np.array(dataset.ImageOrientationPatient[:3], dtype=float)
    along_column = np.array(dataset.ImageOrientationPatient[3:], dtype=float)
    row_step, column_step = (float(v) for v in dataset.PixelSpacing)
    normal = np.cross(along_row, along_column)
    offsets = [float(v) for v in dataset.GridFrameOffsetVector]
    assert offsets[0] == 0.0
    assert offsets == sorted(offsets)
    for k, j, i in np.ndindex(grid.shape):
        place = (
            first + i * column_step * along_row + j * row_step * along_column + offsets[k] * normal
        )
        np.testing.assert_allclose(place, grid.to_lps_mm([k, j, i]), atol=1e-6)


def test_another_program_finds_the_same_dose_at_the_same_place(written, result):
    image = SimpleITK.ReadImage(str(written))
    grid = result.patient.grid
    np.testing.assert_allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-9)
    np.testing.assert_allclose(image.GetSpacing(), grid.spacing_mm[::-1], rtol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), grid.to_lps_mm([0, 0, 0]), atol=1e-6)
    values = SimpleITK.GetArrayFromImage(image)
    # versions differ in whether they apply DoseGridScaling themselves
    scale = 1.0 if values.max() < 1.0 else float(pydicom.dcmread(written).DoseGridScaling)
    for index in ((1, 2, 3), (4, 4, 1)):
        place = [float(v) for v in grid.to_lps_mm(index)]
        i, j, k = image.TransformPhysicalPointToIndex(place)
        assert (k, j, i) == index
        assert values[index] * scale == pytest.approx(result.dose.dose_mgy[index] / 1e3, rel=1e-6)


def test_it_belongs_to_the_patient_study_and_frame_of_the_ct(written, reference):
    dataset = pydicom.dcmread(written)
    assert dataset.PatientName == "Müller^Zoë"
    assert dataset.PatientID == "P-1"
    assert dataset.StudyInstanceUID == "1.2.3"
    assert dataset.FrameOfReferenceUID == "1.2.3.9"
    assert dataset.SeriesInstanceUID != "1.2.3.4"
    images = dataset.ReferencedImageSequence
    assert [item.ReferencedSOPInstanceUID for item in images] == [
        uid for _, uid in reference.instances
    ]
    assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3.4"
    assert len(dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 9


def test_patient_is_named_nowhere_but_in_the_object(reference):
    assert "P-1" not in repr(reference)
    assert "ller" not in repr(reference)


def test_same_dose_is_the_same_object_and_another_is_not(result, reference, tmp_path):
    def uid(dose) -> tuple[str, bytes]:
        path = tmp_path / "again.dcm"
        write_rtdose(dose, result.patient, reference, path, description="x", created=CREATED)
        return pydicom.dcmread(path).SOPInstanceUID, path.read_bytes()

    changed = result.dose.dose_mgy.copy()
    changed[2, 2, 2] += 0.5
    first, other = uid(result.dose), uid(replace(result.dose, dose_mgy=changed))
    assert first == uid(result.dose)
    assert first[0] != other[0]
    assert len(first[0]) <= 64


def test_untidy_identity_is_repeated_as_it_is(result, reference, tmp_path):
    with pytest.warns(UserWarning, match="DA"):
        reference.patient_and_study.PatientBirthDate = "1950"
    path = tmp_path / "dose.dcm"
    write_rtdose(result.dose, result.patient, reference, path, description="x")
    dataset = pydicom.dcmread(path, specific_tags=["PatientBirthDate"])
    raw = dataset.get_item("PatientBirthDate").value
    assert raw.strip() == b"1950"


def test_noise_below_zero_is_stored_as_zero(result, reference, tmp_path):
    noisy = result.dose.dose_mgy.copy()
    noisy[2, 2, 2] = -0.3
    path = tmp_path / "dose.dcm"
    dose = replace(result.dose, dose_mgy=noisy)
    write_rtdose(dose, result.patient, reference, path, description="x")
    dataset = pydicom.dcmread(path)
    assert dataset.pixel_array[2, 2, 2] == 0
    assert (dataset.pixel_array == 0).sum() == 1 + (~result.patient.body).sum()
    assert dataset.pixel_array.max() * float(dataset.DoseGridScaling) == pytest.approx(
        noisy.max() / 1000.0
    )


def test_what_is_no_absolute_finite_dose_is_refused(build, result, reference, tmp_path):
    path = tmp_path / "dose.dcm"
    relative = build(unit="mGy per 100 mAs")
    nothing = replace(result.dose, dose_mgy=np.zeros(result.dose.grid.shape))
    broken = np.full(result.dose.grid.shape, math.nan)
    for dose, text in (
        (relative.dose, "per 100 mAs"),
        (nothing, "one above 0"),
        (replace(result.dose, dose_mgy=broken), "finite"),
    ):
        with pytest.raises(InputError, match=text):
            write_rtdose(dose, result.patient, reference, path, description="x")
    assert not path.exists()


def test_reference_without_identifiers_is_refused(reference):
    with pytest.raises(InputError, match="frame of reference"):
        replace(reference, frame_of_reference_uid="")

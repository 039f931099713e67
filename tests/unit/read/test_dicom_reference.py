import pydicom
import pytest

from milligray.errors import InputError
from milligray.read.dicom_reference import read_dicom_reference

from .conftest import slice_dataset

FRAME = "1.2.3.77"


def _write(folder, hu, **attributes):
    for k, plane in enumerate(hu):
        dataset = slice_dataset(plane, 2.5 * k, **attributes)
        dataset.InstanceNumber = k + 1
        dataset.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    return folder


def test_reference_names_the_study_the_frame_and_every_image(hu, tmp_path):
    folder = _write(tmp_path, hu, FrameOfReferenceUID=FRAME, StudyID="7")
    reference = read_dicom_reference(folder)
    assert reference.study_uid == "1.2.3"
    assert reference.series_uid == "1.2.3.4"
    assert reference.frame_of_reference_uid == FRAME
    assert {uid for _, uid in reference.instances} == {
        str(pydicom.dcmread(file).SOPInstanceUID) for file in folder.iterdir()
    }
    assert {sop for sop, _ in reference.instances} == {"1.2.840.10008.5.1.4.1.1.2"}
    assert reference.patient_and_study.PatientID == "SECRET-1"
    assert reference.patient_and_study.StudyID == "7"
    assert "KVP" not in reference.patient_and_study
    assert "SECRET" not in repr(reference)


def test_ct_without_a_frame_of_reference_is_refused(hu, tmp_path):
    folder = _write(tmp_path, hu)
    with pytest.raises(InputError, match="no frame of reference uid") as error:
        read_dicom_reference(folder)
    assert "SECRET" not in str(error.value)

"""Two patients are told apart without saying who they are; nuclide codes of all kinds."""

from datetime import datetime, time

import pytest
from pydicom.dataset import Dataset

from milligray.errors import InputError
from milligray.read import PatientKeys, check_same_patient, read_patient_keys
from milligray.read.dicom_tags import Tags
from milligray.read.dicom_times import clock_of, datetime_of
from milligray.read.patient_keys import patient_keys
from milligray.read.radionuclide_code import nuclide_of_code, nuclide_of_text


def keys(**attributes):
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return patient_keys(Tags([dataset]))


def test_case_and_spelling_of_a_name_do_not_matter():
    one = keys(PatientID="a 1", PatientName="Doe^Jane", PatientSex="F")
    assert check_same_patient(one, keys(PatientID="A 1", PatientName="DOE JANE")) == ()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"PatientID": "B"}, "PatientID"),
        ({"PatientID": "A", "PatientSex": "M"}, "PatientSex"),
        ({"PatientID": "A", "PatientBirthDate": "19700102"}, "PatientBirthDate"),
        ({"PatientName": "Roe"}, "PatientName"),
    ],
)
def test_two_patients_are_refused_and_not_named(other, words):
    one = keys(PatientID="A", PatientName="Doe", PatientSex="F", PatientBirthDate="19700101")
    with pytest.raises(InputError, match=f"different patients: {words} differ") as caught:
        check_same_patient(one, keys(**other))
    assert "Doe" not in str(caught.value)
    assert "1970" not in str(caught.value)


def test_replaced_identifiers_are_forgiven_within_a_study_only():
    one = keys(PatientID="A", StudyInstanceUID="1.2", PatientIdentityRemoved="YES")
    two = keys(PatientID="B", StudyInstanceUID="1.2")
    assert "taken as one patient" in check_same_patient(one, two)[0]
    with pytest.raises(InputError):
        check_same_patient(one, keys(PatientID="B", StudyInstanceUID="1.3"))
    with pytest.raises(InputError):
        check_same_patient(two, keys(PatientID="A", StudyInstanceUID="1.2"))


def test_what_could_not_be_compared_is_noted(tmp_path):
    assert read_patient_keys(tmp_path / "ct.nii.gz") == PatientKeys()
    notes = check_same_patient(PatientKeys(weight_kg=70.0), PatientKeys(weight_kg=90.0))
    assert any("without PatientID" in note for note in notes)
    assert any("weights differ" in note for note in notes)
    assert keys(PatientSize=178).height_m == pytest.approx(1.78)
    assert keys(PatientAge="018M").age_years == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("text", "nuclide"),
    [
        ("^18^Fluorine", "F-18"), ("18F", "F-18"), ("F^18^", "F-18"), ("F-18", "F-18"),
        ("99m Technetium", "Tc-99m"), ("Tc99m", "Tc-99m"), ("Lutetium-177", "Lu-177"),
        ("[68Ga]", "Ga-68"), ("^90^Yttrium", "Y-90"), ("I131", "I-131"), ("Iodine 123", "I-123"),
        ("FDG", None), ("", None), ("Fluorodeoxyglucose F^18^", None),
    ],
)  # fmt: skip
def test_nuclides_by_their_spelling(text, nuclide):
    assert nuclide_of_text(text) == nuclide


@pytest.mark.parametrize(
    ("value", "nuclide"),
    [("C-111A1", "F-18"), ("77004003", "F-18"), ("447553000", "Lu-177"), ("C-163A8", "Tc-99m"),
     ("C-131A3", "Ga-68"), ("C-114B1", "I-131"), ("X-1", None)],
)  # fmt: skip
def test_nuclides_by_code_value_alone(value, nuclide):
    item = Dataset()
    item.CodeValue = value
    item.CodeMeaning = "n/a"
    assert nuclide_of_code(Tags([item])) == nuclide


def test_times_as_scanners_write_them():
    assert clock_of("135100") == time(13, 51)
    assert clock_of("13:51:00.5") == time(13, 51, 0, 500000)
    assert clock_of("1351") == time(13, 51)
    assert clock_of("noon") is None
    assert datetime_of("20220224104830.000000") == datetime(2022, 2, 24, 10, 48, 30)
    assert datetime_of("20220224") is None
    assert datetime_of("20220224114830+0100", local_offset="+0000") == datetime(
        2022, 2, 24, 10, 48, 30
    )
    assert datetime_of("20220224114830+0100") == datetime(2022, 2, 24, 11, 48, 30)
    assert datetime_of("19000101000000") is None

"""A radiopharmaceutical dose report: what was given, and what the report says of doses."""

from datetime import datetime

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from milligray.errors import FormatError, InputError
from milligray.read import check_report, read_activity, read_rrdsr


def code(value, meaning, scheme="DCM"):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def content(kind, concept, value=None, unit=None, children=()):
    item = Dataset()
    item.ValueType = kind
    item.ConceptNameCodeSequence = code(*concept)
    if kind == "NUM":
        measured = Dataset()
        measured.NumericValue = value
        measured.MeasurementUnitsCodeSequence = code(unit, unit, "UCUM")
        item.MeasuredValueSequence = Sequence([measured])
    elif kind == "CODE":
        item.ConceptCodeSequence = code(*value)
    elif kind == "DATETIME":
        item.DateTime = value
    elif kind == "TEXT":
        item.TextValue = value
    if children:
        item.ContentSequence = Sequence(list(children))
    return item


def report(*event, n_events=1):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.68"
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "SR"
    dataset.PatientID = "A"
    dataset.ValueType = "CONTAINER"
    dataset.ConceptNameCodeSequence = code("113500", "Radiopharmaceutical Radiation Dose Report")
    events = [
        content("CONTAINER", ("113502", "Administration"), children=event) for _ in range(n_events)
    ]
    dataset.ContentSequence = Sequence(events)
    return dataset


AGENT = content(
    "CODE", ("349358000", "agent", "SCT"), ("126752", "Lutetium Lu 177 DOTATATE", "DCM"),
    children=[
        content("CODE", ("89457008", "Radionuclide", "SCT"), ("447553000", "^177^Lutetium", "SCT")),
        content("NUM", ("304283002", "half life", "SCT"), 159.5, "h"),
    ],
)  # fmt: skip
GIVEN = content("NUM", ("113507", "Administered activity"), 200.0, "mCi")
START = content("DATETIME", ("123003", "start"), "20260223110000")


@pytest.fixture
def write(save_slice, tmp_path):
    def save(dataset):
        return save_slice(dataset, tmp_path / "report.dcm")

    return save


def test_units_are_converted(write):
    found = read_rrdsr(write(report(AGENT, GIVEN, START)))
    assert found.administered_activity_mbq == pytest.approx(7400.0)
    assert found.half_life_s == pytest.approx(574200.0)
    assert found.nuclide == "Lu-177"
    assert found.start == datetime(2026, 2, 23, 11)
    assert found.facts.administered_activity_mbq == pytest.approx(7400.0)
    assert found.organ_doses == ()
    assert found.effective_dose_msv is None


def test_activity_before_minus_after_where_the_administered_is_missing(write):
    before = content("NUM", ("113508", "before"), 410.0, "MBq")
    after = content("NUM", ("113509", "after"), 9.0, "MBq")
    found = read_rrdsr(write(report(AGENT, before, after)))
    assert found.administered_activity_mbq == pytest.approx(401.0)
    assert any("before minus after" in note for note in found.notes)


def test_effective_dose_may_stand_in_the_administration_itself(write):
    effective = content("NUM", ("113839", "Effective Dose"), 0.007486, "Sv")
    found = read_rrdsr(write(report(AGENT, GIVEN, effective)))
    assert found.effective_dose_msv == pytest.approx(7.486)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (report(AGENT, START), "no administered activity"),
        (report(AGENT, GIVEN, n_events=2), "2 administrations"),
        (report(AGENT, content("NUM", ("113507", "x"), 3.0, "mg")), "in mg; known: MBq"),
        (report(AGENT, content("NUM", ("113507", "x"), 0.0, "MBq")), "is 0 MBq"),
    ],
)
def test_reports_that_tell_too_little_are_refused(write, dataset, words):
    with pytest.raises(InputError, match=words):
        read_rrdsr(write(dataset))


def test_damaged_and_missing_files(tmp_path):
    (tmp_path / "cut.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x08\x00\x16\x00UI\xff\xff12")
    with pytest.raises((FormatError, InputError), match=r"cut\.dcm"):
        read_rrdsr(tmp_path / "cut.dcm")
    with pytest.raises(InputError, match="does not exist"):
        read_rrdsr(tmp_path / "none.dcm")


def test_real_report_of_a_siemens_scanner(shared_data):
    """Biograph Vision 600: 394 MBq FDG, 22 organ doses, 7.486 mSv by ICRP 128."""
    found = read_rrdsr(shared_data / "dicom" / "rdsr_gpl3" / "NM-RRDSR-Siemens.dcm")
    assert (found.nuclide, found.administered_activity_mbq) == ("F-18", 394.0)
    assert found.half_life_s == 6586.2
    assert len(found.organ_doses) == 22
    doses = {dose.organ: dose.dose_mgy for dose in found.organ_doses}
    assert doses["Bladder"] == 51.22
    assert doses["Brain"] == 14.97
    assert {dose.authority for dose in found.organ_doses} == {"ICRP Publication 128"}
    assert found.effective_dose_msv == 7.486
    # ICRP 128 gives 0.019 mSv/MBq for FDG in adults, printed with two digits
    assert found.effective_dose_msv / 394.0 == pytest.approx(0.019, abs=5e-4)
    assert (found.patient.weight_kg, found.patient.height_m) == (110.0, 1.78)


def test_real_report_beside_its_image(shared_data):
    """Anonymized with different names; the report starts eight minutes before the image."""
    folder = shared_data / "dicom" / "rdsr_gpl3"
    found = read_rrdsr(folder / "NM-RRDSR-Siemens.dcm")
    notes = check_report(read_activity(folder / "NM-PetIm-Siemens.dcm"), found)
    assert any("8.0 min earlier" in note for note in notes)
    assert any("taken as one patient" in note for note in notes)
    with pytest.raises(InputError, match="different patients"):
        check_report(read_activity(folder / "NM-PetIm-GE.dcm"), found)


@pytest.mark.parametrize(
    "name", ["ESR_non-dose.dcm", "CT-RDSR-GEPixelMed.dcm", "NM-NmIm-Siemens.dcm", "LICENSE"]
)
def test_other_real_objects_are_no_such_report(shared_data, name):
    with pytest.raises(InputError, match="no radiopharmaceutical radiation dose report"):
        read_rrdsr(shared_data / "dicom" / "rdsr_gpl3" / name)

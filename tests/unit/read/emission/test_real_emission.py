"""Real PET and NM of three scanners; skipped where the data is not there."""

import nibabel as nib
import numpy as np
import pytest

from milligray.errors import InputError
from milligray.read import ActivityFacts, read_activity, read_ct_series, read_patient_keys
from milligray.read.patient_keys import check_same_patient


def left(image):
    return 2.0 ** (-image.reference_s_after_administration / image.half_life_s)


def test_suv_of_a_ge_scanner_closes_with_the_published_suv(shared_data):
    """GML back to activity and forth again: the SUV that IBSI computed from the raw counts."""
    image = read_activity(shared_data / "dicom" / "sts_002_petct")
    assert image.units == "GML"
    assert image.nuclide == "F-18"
    assert image.administered_activity_mbq == pytest.approx(433.344096)
    # 13:51:00 to 14:57:59 and half of 240 s; the header's date is a day after the scan
    assert image.reference_s_after_administration == 4019.0 + 120.0
    assert any("22.88 h AFTER the scan" in note for note in image.notes)
    suv = image.activity_mbq_ml / (433.344096 * left(image)) * 99000.0
    published = nib.load(shared_data / "petct" / "STS_002_pet_suv.nii.gz")
    ras = np.asarray(published.dataobj)
    np.testing.assert_allclose(suv, ras.transpose(2, 1, 0)[:, ::-1, ::-1], atol=1e-4)
    assert suv.max() == pytest.approx(21.68, abs=0.01)
    corner = published.affine @ [ras.shape[0] - 1, ras.shape[1] - 1, 0, 1]
    np.testing.assert_allclose(image.grid.to_lps_mm([0, 0, 0]), corner[:3] * [-1, -1, 1], atol=0.01)


def test_published_suv_as_nifti_gives_the_same_activity(shared_data):
    image = read_activity(shared_data / "dicom" / "sts_002_petct")
    facts = ActivityFacts(
        units="SUV", weight_kg=99.0, administered_activity_mbq=433.344096, half_life_s=6588.0,
        reference_s_after_administration=4139.0,
    )  # fmt: skip
    other = read_activity(shared_data / "petct" / "STS_002_pet_suv.nii.gz", facts=facts)
    assert other.grid.is_same_as(image.grid)
    np.testing.assert_allclose(other.activity_mbq_ml, image.activity_mbq_ml, atol=1e-6)


def test_ct_and_pet_of_one_patient(shared_data):
    folder = shared_data / "dicom" / "sts_002_petct"
    image = read_activity(folder)
    keys = read_patient_keys(folder)
    assert keys == read_patient_keys(folder / "CT" / "000000.dcm")
    assert check_same_patient(keys, image.patient) == ()
    assert keys.frame_of_reference_uid == image.patient.frame_of_reference_uid
    other = read_patient_keys(shared_data / "dicom" / "rdsr_gpl3" / "NM-PetIm-GE.dcm")
    with pytest.raises(InputError, match="different patients: PatientSex, PatientID differ"):
        check_same_patient(keys, other)
    assert read_ct_series(folder).volume.grid.shape[0] == image.grid.shape[0]


def test_slices_of_siemens_and_ge_in_becquerel(shared_data):
    """Decay factors in the headers agree with the series start that was taken."""
    folder = shared_data / "dicom" / "rdsr_gpl3"
    siemens = read_activity(folder / "NM-PetIm-Siemens.dcm")
    assert siemens.grid.shape == (1, 440, 440)
    assert siemens.administered_activity_mbq == 394.0
    # 10:48:30 to 11:55:59 and half of 119.449 s
    assert siemens.reference_s_after_administration == pytest.approx(4049.0 + 59.7245)
    # 65535 x 0.126478 Bq/mL at 11:56:00, decayed by 58.7 s
    at_start = 65535 * 0.126478e-6
    assert siemens.activity_mbq_ml.max() == pytest.approx(
        at_start * 2.0 ** (-58.7245 / 6586.2), rel=1e-6
    )
    ge = read_activity(folder / "NM-PetIm-GE.dcm")
    assert ge.administered_activity_mbq == pytest.approx(221.596288)
    assert ge.reference_s_after_administration == 3055.0 + 75.0
    assert ge.activity_mbq_ml.max() == pytest.approx(
        32767 * 0.190377e-6 * 2.0 ** (-75.0 / 6586.2), rel=1e-5
    )
    for image in (siemens, ge):
        assert not any("decay factor" in note for note in image.notes)


def test_planar_bone_scan_is_refused(shared_data):
    with pytest.raises(InputError, match="planar whole-body image"):
        read_activity(shared_data / "dicom" / "rdsr_gpl3" / "NM-NmIm-Siemens.dcm")

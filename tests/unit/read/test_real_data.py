"""Real scans of several vendors; skipped where the data is not there."""

import nibabel as nib
import numpy as np
import pytest

from milligray.errors import InputError
from milligray.read import open_ct, read_ct_series, read_labels

EXAMPLE_KEYS = "[scan]\ntube_voltage_kv = 120\npitch = 0.8\ncollimation_mm = 40\n"


def test_siemens_series_with_empty_uids(shared_data):
    ct, protocol = open_ct(shared_data / "dicom" / "siemens_biograph_ct")
    assert ct.volume.grid.shape == (20, 512, 512)
    assert ct.volume.grid.spacing_mm == pytest.approx((2.0, 0.9765625, 0.9765625))
    np.testing.assert_allclose(
        ct.volume.grid.to_lps_mm([0, 0, 0]), (-249.51171875, -437.51171875, -804.5)
    )
    assert ct.volume.values.dtype == np.int16
    assert ct.slice_thickness_mm == 3.0
    assert protocol.tube_voltage_kv == 120
    assert protocol.scan_mode == "helical"
    assert protocol.pitch == 0.8
    assert protocol.collimation_mm == 19.2
    assert protocol.ctdi_vol_mgy == pytest.approx(18.54, abs=0.005)
    assert protocol.phantom_diameter_mm == 320
    assert protocol.isocenter_lps_mm == (0.0, -188.0)
    assert protocol.effective_mas == pytest.approx(253.1)
    assert protocol.rotation_time_s == 0.33
    assert protocol.notes == ()


def test_siemens_labels_overlay_the_series(shared_data):
    folder = shared_data / "dicom"
    ct = read_ct_series(folder / "siemens_biograph_ct")
    labels = read_labels(folder / "siemens_biograph_ct_labels.nii.gz")
    assert labels.volume.grid.is_same_as(ct.volume.grid)
    assert len(labels.names) == 31
    number = {name: label for label, name in labels.names.items()}
    median = {
        name: np.median(ct.volume.values[labels.volume.values == number[name]])
        for name in ("liver", "aorta", "vertebrae_T12")
    }
    assert 30 < median["liver"] < 180
    assert 30 < median["aorta"] < 400
    assert median["vertebrae_T12"] > 80


def test_ge_slices_beside_segmentations(shared_data):
    ct, protocol = open_ct(shared_data / "dicom" / "ge_ct_3slice")
    assert ct.volume.grid.shape == (3, 512, 512)
    assert ct.volume.values.min() == -1024
    assert protocol.patient_position == "FFS"
    assert protocol.scan_mode == "helical"
    assert protocol.filter_type == "BODY FILTER"


def test_one_small_slice_beside_other_modalities(shared_data):
    ct, protocol = open_ct(shared_data / "dicom" / "pydicom_small" / "CT_small.dcm")
    assert ct.volume.grid.shape == (1, 128, 128)
    assert ct.volume.grid.spacing_mm[0] == 5.0
    assert protocol.rotation_time_s == 1.0


def test_petct_folder_gives_its_ct(shared_data):
    ct, protocol = open_ct(shared_data / "dicom" / "sts_002_petct")
    assert protocol.tube_voltage_kv == 140
    assert protocol.tube_current_ma == 90
    assert protocol.ctdi_vol_mgy is None
    assert any("CTDIvol" in note for note in protocol.notes)
    image = nib.load(shared_data / "petct" / "STS_002_ct.nii.gz")
    ras = np.asarray(image.dataobj)
    np.testing.assert_array_equal(ct.volume.values, ras.transpose(2, 1, 0)[:, ::-1, ::-1])
    first = ct.volume.grid.to_lps_mm([0, 0, 0])
    corner = image.affine @ [ras.shape[0] - 1, ras.shape[1] - 1, 0, 1]
    np.testing.assert_allclose(first, corner[:3] * [-1, -1, 1], atol=0.01)


def test_folder_of_positron_images_is_refused(shared_data):
    with pytest.raises(InputError, match=r"PT \(48 files\)"):
        read_ct_series(shared_data / "dicom" / "sts_002_petct" / "PET")


@pytest.mark.parametrize("patient", ["pt_99", "pt_2", "pt_41"])
def test_head_and_neck_with_organs(shared_data, tmp_path, patient):
    (tmp_path / "p.toml").write_text(EXAMPLE_KEYS)
    folder = shared_data / "headneck"
    ct, protocol = open_ct(folder / f"{patient}_ct.nii.gz", tmp_path / "p.toml")
    labels = read_labels(folder / f"{patient}_labels.nii.gz")
    assert labels.volume.grid.is_same_as(ct.volume.grid)
    assert len(protocol.slice_position_mm) == ct.volume.grid.shape[0]
    number = {name: label for label, name in labels.names.items()}
    assert {"SpinalCord", "RightParotid", "LeftParotid"} <= number.keys()

    def center(name):
        found = np.argwhere(labels.volume.values == number[name])
        return labels.volume.grid.to_lps_mm(found.mean(axis=0))

    assert center("RightParotid")[0] < center("LeftParotid")[0]
    if "Mandible" in number:
        assert center("Mandible")[1] < center("SpinalCord")[1]
    targets = read_labels(folder / f"{patient}_targets.nii.gz")
    assert set(targets.names.values()) <= {"PTV56", "PTV63", "PTV70"}


def test_torso_names_by_case(shared_data):
    folder = shared_data / "torso"
    assert read_labels(folder / "ts_abdomen_30_labels.nii.gz").names[5] == "liver"
    assert read_labels(folder / "lu177_dotatate_labels.nii.gz").names[2] == "liver"
    assert 1 in read_labels(folder / "ts_abdomen_30_tissue.nii.gz").names

"""`dose.dcm` beside the other files of `milligray ct-dose`."""

import json

import nibabel
import numpy as np
import pydicom
import pytest

pytestmark = pytest.mark.usefixtures("quick_calibration")

FRAME = "1.2.9"


@pytest.fixture
def compute(milligray, case, dicom, tmp_path):
    def call(*options, **attributes):
        folder = dicom(**attributes)
        outcome = milligray(
            "ct-dose", folder, "--protocol", case.protocol, "--organs", case.labels, "--out",
            tmp_path / "out", "--histories", 20_000, "--scanner", "generic", "--bowtie", "body",
            *options,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        return tmp_path / "out"

    return call


def _at(volume, points_lps_mm: np.ndarray) -> np.ndarray:
    """Values of a NIfTI image at points in LPS, nearest voxel."""
    ras = points_lps_mm * [-1.0, -1.0, 1.0]
    index = nibabel.affines.apply_affine(np.linalg.inv(volume.affine), ras)
    i, j, k = np.rint(index).astype(int).T
    return volume.get_fdata()[i, j, k]


def test_dicom_dose_is_the_nifti_dose_at_the_same_places(compute):
    out = compute(FrameOfReferenceUID=FRAME)
    dataset = pydicom.dcmread(out / "dose.dcm")
    nifti = nibabel.load(out / "dose.nii.gz")
    dose_mgy = 1000.0 * dataset.pixel_array * float(dataset.DoseGridScaling)
    x, y, z = (float(v) for v in dataset.ImagePositionPatient)
    dy, dx = (float(v) for v in dataset.PixelSpacing)
    k, j, i = np.nonzero(dose_mgy > 0)
    offsets = np.array([float(v) for v in dataset.GridFrameOffsetVector])
    places = np.column_stack([x + dx * i, y + dy * j, z + offsets[k]])
    assert k.size > 1000
    np.testing.assert_allclose(_at(nifti, places), dose_mgy[k, j, i], rtol=1e-5)
    assert dataset.FrameOfReferenceUID == FRAME
    assert dataset.PatientID == "A"
    assert len(dataset.ReferencedImageSequence) == 30


def test_ct_that_cannot_be_referred_to_gives_no_object_and_says_so(compute):
    out = compute()
    assert not (out / "dose.dcm").exists()
    notes = json.loads((out / "result.json").read_text())["notes"]
    assert any("no dose.dcm" in note and "frame of reference" in note for note in notes)


def test_option_leaves_it_out(compute):
    out = compute("--no-dicom", FrameOfReferenceUID=FRAME)
    assert not (out / "dose.dcm").exists()
    assert "dose.dcm" not in (out / "result.json").read_text()

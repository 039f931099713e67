from pathlib import Path

import numpy as np
import pytest

from milligray.patient import build_patient
from milligray.read import read_ct_nifti, read_labels
from milligray.read.series import CtSeries
from milligray.segment import segment_organs
from milligray.segment.organs import OrganMap
from milligray.segment.plausibility import implausible_organs
from milligray.volume import Grid, Volume

HEAD_NECK = Path(__file__).parents[3].parent / "shared" / "data" / "headneck"


def _patient_with(names, fill_hu):
    """Box of soft tissue; label 1 is a cube of the given CT number inside it."""
    grid = Grid.from_spacing((30, 40, 40), (5.0, 5.0, 5.0))
    hu = np.full(grid.shape, -1000, dtype=np.int16)
    hu[:, 4:36, 4:36] = 40
    hu[10:20, 15:25, 15:25] = fill_hu
    labels = np.zeros(grid.shape, dtype=np.uint16)
    labels[10:20, 15:25, 15:25] = 1
    ct = CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=5.0)
    patient = build_patient(ct, calibration="schneider2000")
    organs = OrganMap(
        grid=grid, labels=labels, names=names, method="labels given", fraction_in_image={}
    )
    return patient, organs


@pytest.mark.parametrize(
    ("name", "hu", "word"),
    [
        ("liver", -900, "air"),
        ("liver", 60, None),
        ("lung_upper_lobe_left", -850, None),
        ("mandible", 50, "not dense"),
        ("mandible", 700, None),
        ("stomach", -900, None),
        ("ear_canal_left", -950, None),
        ("mastoid_cells_right", -800, None),
        ("hip_cartilage_left", 70, None),
        ("intervertebral_discs", 70, None),
    ],
)
def test_organs_that_contradict_their_name_are_named(name, hu, word):
    found = implausible_organs(*_patient_with({1: name}, hu))
    if word is None:
        assert found == ()
    else:
        assert len(found) == 1
        assert word in found[0]
        assert name in found[0]


@pytest.mark.skipif(not HEAD_NECK.is_dir(), reason="head-and-neck data (../shared) are absent")
def test_labels_of_another_patient_are_noticed_and_own_ones_are_not():
    ct = read_ct_nifti(HEAD_NECK / "pt_2_ct.nii.gz")
    patient = build_patient(ct, calibration="schneider2000", voxel_size_mm=8)
    own = segment_organs(patient, labels=read_labels(HEAD_NECK / "pt_2_labels.nii.gz"))
    other = segment_organs(patient, labels=read_labels(HEAD_NECK / "pt_4_labels.nii.gz"))
    assert implausible_organs(patient, own) == ()
    assert any("mandible" in sentence for sentence in implausible_organs(patient, other))

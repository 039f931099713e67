"""Labels of another patient are refused; own ones pass, also on another grid of the same image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.patient import build_patient
from milligray.read import read_ct_nifti, read_labels
from milligray.read.series import CtSeries, LabelMap
from milligray.segment import segment_organs
from milligray.segment.given_labels import resample_labels
from milligray.segment.label_check import check_labels, covers_same_place
from milligray.volume import Grid, Volume

HEAD_NECK = Path(__file__).parents[3].parent / "shared" / "data" / "headneck"
needs_data = pytest.mark.skipif(
    not HEAD_NECK.is_dir(), reason="head-and-neck data (../shared) are absent"
)


def patient_with_cord(shift: int = 0, around: int = 500):
    """Soft box with a spine; labelled is its canal, moved by some voxels along x."""
    grid = Grid.from_spacing((20, 50, 50), (3.0, 3.0, 3.0))
    hu = np.full(grid.shape, -1000, dtype=np.int16)
    hu[:, 5:45, 5:45] = 40
    hu[:, 19:31, 19:31] = around
    hu[:, 23:27, 23:27] = 30
    values = np.zeros(grid.shape, dtype=np.uint16)
    values[:, 23:27, 23 + shift : 27 + shift] = 1
    patient = build_patient(
        CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=3.0),
        calibration="schneider2000",
    )
    return patient, LabelMap(volume=Volume(grid=grid, values=values), names={1: "spinal_cord"})


def moved(labels: LabelMap, z_mm: float) -> LabelMap:
    affine = labels.volume.grid.affine.copy()
    affine[2, 3] += z_mm
    grid = Grid(shape=labels.volume.grid.shape, affine=affine)
    return replace(labels, volume=Volume(grid=grid, values=labels.volume.values))


def check(patient, labels, **options):
    return check_labels(
        patient, segment_organs(patient, labels), labels_grid=labels.volume.grid, **options
    )


def test_a_cord_in_its_canal_passes_and_beside_it_does_not():
    assert check(*patient_with_cord()) == ()
    with pytest.raises(InputError, match=r"bone: spinal_cord \(100 % above 150 HU\).*--force"):
        check(*patient_with_cord(shift=4))
    with pytest.raises(InputError, match="without bone around it"):
        check(*patient_with_cord(shift=-15))
    (warning,) = check(*patient_with_cord(shift=4), accept=True)
    assert warning.startswith("LABELS CONTRADICT THE CT, accepted as asked")


def test_what_is_doubtful_is_told_and_on_another_grid_refused():
    patient, labels = patient_with_cord(around=140)  # a spine of little bone
    (warning,) = check(patient, labels)
    assert warning.startswith("LABELS DOUBTFUL: a spinal cord without bone around it")
    cropped = LabelMap(
        volume=Volume(
            grid=Grid(shape=(20, 50, 40), affine=labels.volume.grid.affine),
            values=labels.volume.values[:, :, :40],
        ),
        names=labels.names,
    )
    with pytest.raises(InputError, match="cover another part of space"):
        check(patient, cropped)


def test_labels_of_a_part_of_the_image_are_told_but_taken():
    patient, labels = patient_with_cord()
    (warning,) = check(patient, moved(labels, 6.0))
    assert "another part of space" in warning


def test_grids_of_one_image_are_known_whatever_their_voxels():
    grid = Grid.from_spacing((20, 50, 50), (3.0, 3.0, 3.0))
    assert covers_same_place(Grid.from_spacing((40, 100, 75), (1.5, 1.5, 2.0)), grid)
    assert covers_same_place(Grid.from_spacing((12, 30, 30), (5.0, 5.0, 5.0)), grid)
    assert not covers_same_place(Grid.from_spacing((12, 30, 26), (5.0, 5.0, 5.0)), grid)


def head_and_neck(name: str):
    ct = read_ct_nifti(HEAD_NECK / f"{name}_ct.nii.gz")
    patient = build_patient(ct, calibration="schneider2000", voxel_size_mm=4.0)
    return patient, read_labels(HEAD_NECK / f"{name}_labels.nii.gz")


@needs_data
@pytest.mark.parametrize(
    ("ct", "others"),
    [("pt_59", ("pt_4", "pt_17", "pt_67", "pt_83")), ("pt_4", ("pt_59", "pt_96", "pt_119"))],
)
def test_real_labels_of_others_are_refused_and_own_ones_are_not(ct, others):
    patient, own = head_and_neck(ct)
    assert check(patient, own) == ()
    for other in others:
        with pytest.raises(InputError, match="do not fit this CT"):
            check(patient, read_labels(HEAD_NECK / f"{other}_labels.nii.gz"))


@needs_data
def test_own_labels_on_a_finer_grid_pass():
    patient, own = head_and_neck("pt_59")
    grid = own.volume.grid
    nz, ny, nx = (round(n * s / 2.0) for n, s in zip(grid.shape, grid.spacing_mm, strict=True))
    middle = grid.to_lps_mm(0.5 * (np.array(grid.shape) - 1.0))
    origin = middle - np.array([nx - 1, ny - 1, nz - 1])
    fine = Grid.from_spacing((nz, ny, nx), (2.0, 2.0, 2.0), origin_lps_mm=tuple(origin))
    values = resample_labels(own.volume, fine)
    assert check(patient, replace(own, volume=Volume(grid=fine, values=values))) == ()

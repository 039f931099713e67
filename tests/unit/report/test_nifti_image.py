"""What is written comes back: the same values, places and names."""

from pathlib import Path

import numpy as np
import pytest

from milligray.read import read_ct_nifti, read_labels
from milligray.read.series import CtSeries, LabelMap
from milligray.report.nifti_image import write_ct_pair, write_image
from milligray.volume import Grid, Volume

GRID = Grid.from_spacing((7, 9, 11), (3.0, 1.25, 0.75), origin_lps_mm=(-12.5, 40.0, -301.0))


def pair(labels: np.ndarray, names: dict[int, str]) -> tuple[CtSeries, LabelMap]:
    chance = np.random.default_rng(1)
    hu = chance.integers(-1000, 2000, GRID.shape).astype(np.int16)
    ct = CtSeries(volume=Volume(grid=GRID, values=hu), slice_thickness_mm=3.0)
    return ct, LabelMap(volume=Volume(grid=GRID, values=labels), names=names)


@pytest.mark.parametrize("largest", [5, 255, 300])
def test_ct_and_labels_come_back(tmp_path: Path, largest: int) -> None:
    labels = np.zeros(GRID.shape, dtype=np.uint16)
    labels[2:4, 3:6, 4:9] = 1
    labels[4:6, 3:6, 4:9] = largest
    ct, given = pair(labels, {1: "liver", largest: "kidney_left"})
    write_ct_pair(ct, given, tmp_path, description="made by a test")
    read = read_ct_nifti(tmp_path / "ct.nii.gz")
    found = read_labels(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(read.volume.values, ct.volume.values)
    np.testing.assert_array_equal(found.volume.values, labels)
    assert found.names == given.names
    for grid in (read.volume.grid, found.volume.grid):
        assert grid.shape == GRID.shape
        np.testing.assert_allclose(grid.affine, GRID.affine, atol=1e-4)
    assert read.slice_thickness_mm == pytest.approx(3.0)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8])
def test_the_type_of_the_values_is_kept(tmp_path: Path, dtype: type) -> None:
    import nibabel

    values = np.arange(np.prod(GRID.shape)).reshape(GRID.shape) % 200
    write_image(values.astype(dtype), GRID, tmp_path / "a.nii.gz")
    image = nibabel.load(tmp_path / "a.nii.gz")
    assert image.get_data_dtype() == dtype
    np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), values)


def test_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    labels = np.ones(GRID.shape, dtype=np.uint16)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_ct_pair(*pair(labels, {1: "liver"}), tmp_path / name, description="ä" * 100)
    for name in ("ct.nii.gz", "labels.nii.gz", "labels.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

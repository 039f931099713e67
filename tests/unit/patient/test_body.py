from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from milligray.patient import find_body
from milligray.patient.body import block_mean, fill_slice
from milligray.volume import Grid, Volume

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def scan(*, couch_mm=6.0, gap_mm=0.0, arm=False, spacing=(5.0, 1.5, 1.5)):
    """Ellipse with a lung on a couch plate: HU and the true body."""
    shape = (8, 240, 320)
    y = (np.arange(shape[1]) - 100) * spacing[1]
    x = (np.arange(shape[2]) - 160) * spacing[2]
    inside = (y[:, None] / 110) ** 2 + (x[None] / 150) ** 2 < 1
    plane = np.full(shape[1:], -1000)
    plane[inside] = 30
    plane[((y[:, None]) / 60) ** 2 + ((x[None] - 70) / 40) ** 2 < 1] = -850
    if arm:
        limb = (y[:, None] - 20) ** 2 + (x[None] - 195) ** 2 < 35**2
        plane[limb] = 30
        inside |= limb
    top = 110 + gap_mm
    couch = (y > top) & (y < top + couch_mm)
    plane[couch] = np.where(inside[couch], plane[couch], 50)
    values = np.repeat(plane[np.newaxis], shape[0], axis=0).astype(np.int16)
    grid = Grid.from_spacing(shape, spacing)
    return Volume(grid=grid, values=values), np.repeat(inside[np.newaxis], shape[0], axis=0)


def dice(a, b):
    return 2 * np.sum(a & b) / (a.sum() + b.sum())


@pytest.mark.parametrize("couch_mm", [0.0, 3.0, 9.0])
@pytest.mark.parametrize("gap_mm", [0.0, 12.0])
def test_couch_is_cut_off_and_lungs_are_inside(couch_mm, gap_mm):
    ct, truth = scan(couch_mm=couch_mm, gap_mm=gap_mm)
    assert dice(find_body(ct), truth) > 0.995


def test_thick_couch_apart_is_a_plate_not_a_limb():
    ct, truth = scan(couch_mm=18.0, gap_mm=15.0, arm=True)
    body = find_body(ct)
    assert dice(body, truth) > 0.995


def test_arm_that_is_apart_stays():
    ct, truth = scan(arm=True)
    body = find_body(ct)
    assert body[4, 113, 160 + 130]
    assert dice(body, truth) > 0.995


def test_body_of_air_is_empty():
    grid = Grid.from_spacing((3, 8, 8), (3, 2, 2))
    assert not find_body(Volume(grid=grid, values=np.full(grid.shape, -1000, np.int16))).any()


def test_block_mean_takes_partial_blocks_as_they_are():
    values = np.arange(2 * 5 * 7, dtype=np.int16).reshape(2, 5, 7)
    mean = block_mean(values, (2, 2, 3))
    assert mean.shape == (1, 3, 3)
    assert mean[0, 0, 0] == pytest.approx(values[:, :2, :3].mean())
    assert mean[0, 2, 2] == pytest.approx(values[:, 4:, 6:].mean())


def test_holes_are_filled_and_bays_are_not():
    mask = np.zeros((7, 9), dtype=bool)
    mask[1:6, 1:8] = True
    mask[3, 3] = False
    mask[1:3, 6] = False
    filled = fill_slice(mask)
    assert filled[3, 3]
    assert not filled[1, 6]
    assert filled.sum() == mask.sum() + 1


@pytest.mark.parametrize("patient", ["pt_100", "pt_199", "pt_13"])
def test_real_heads_agree_with_the_masks_of_the_data(patient):
    path = DATA / "headneck" / f"{patient}_ct.nii.gz"
    if not path.is_file():
        pytest.skip("the head-and-neck CTs of ../shared are not here")
    ct = nib.load(path)
    labels = np.asanyarray(nib.load(str(path).replace("_ct.", "_labels.")).dataobj)
    spacing = [float(s) for s in ct.header.get_zooms()[::-1]]
    values = np.ascontiguousarray(np.asanyarray(ct.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1])
    truth = labels.transpose(2, 1, 0)[:, ::-1, ::-1] > 0
    body = find_body(Volume(grid=Grid.from_spacing(values.shape, spacing), values=values))
    assert dice(body, truth) > 0.98

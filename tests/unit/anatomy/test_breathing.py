"""Breathing: the emptier the lungs, the higher the diaphragm; nothing folds over."""

import numpy as np
import pytest

from milligray.anatomy import Anatomy, AnatomyParameters, build_anatomy
from milligray.anatomy.breathing import (
    MOTION,
    QUIET_DENSITY_G_CM3,
    breathed,
    chest_of_breath,
)
from milligray.anatomy.frame import VoxelFrame, body_frame

DENSITIES = (0.45, 0.32, 0.22)


def frame_of_heights(z: np.ndarray) -> VoxelFrame:
    one, zero = np.ones(z.size), np.zeros(z.size)
    return VoxelFrame(zc=z, ax=one, bx=zero, ay=one, by=zero, y=np.zeros(1), x=np.zeros(1))


@pytest.fixture(scope="module")
def breaths() -> list[Anatomy]:
    """The same woman, emptier to fuller lungs."""
    return [
        build_anatomy(AnatomyParameters(sex="female", lung_density_g_cm3=density), spacing_mm=6.0)
        for density in DENSITIES
    ]


def rows_of(anatomy: Anatomy, name: str) -> np.ndarray:
    label = next(v for v, n in anatomy.names.items() if n == name)
    z = anatomy.grid.axis_centers_mm(0)
    return np.repeat(z, np.count_nonzero(anatomy.structure == label, axis=(1, 2)))


def test_fuller_lungs_push_the_diaphragm_and_what_is_below_it_down(breaths: list[Anatomy]) -> None:
    for name in ("liver", "spleen", "stomach", "diaphragm"):
        heights = [rows_of(a, name).mean() for a in breaths]
        assert heights[0] > heights[1] > heights[2], name
        assert heights[0] - heights[2] < 90.0, name


def test_what_is_high_or_low_enough_stays(breaths: list[Anatomy]) -> None:
    for name in ("brain", "thyroid_gland", "urinary_bladder", "femur_left", "vertebrae_T8"):
        heights = [rows_of(a, name).mean() for a in breaths]
        assert np.ptp(heights) < 2.0, name


def test_organs_keep_their_volumes_in_every_breath(breaths: list[Anatomy]) -> None:
    for name in ("liver", "spleen", "heart_ventricle_left", "kidney_left"):
        volumes = [a.volume_ml()[name] for a in breaths]
        assert volumes == pytest.approx([volumes[0]] * 3, rel=0.005), name


@pytest.mark.parametrize("stage", [*MOTION, "skeleton"])
@pytest.mark.parametrize("descent", [-25.0, 0.0, 15.0, 45.0])
def test_moved_frames_do_not_fold_and_move_no_farther_than_the_diaphragm(
    stage: str, descent: float
) -> None:
    z = np.arange(0.0, 1760.0, 2.0)
    moved = breathed(frame_of_heights(z), stage, descent).zc
    assert np.all(np.diff(moved) > 0.0)
    assert np.abs(moved - z).max() <= abs(descent) + 1e-9
    if stage not in MOTION or descent == 0.0:
        np.testing.assert_array_equal(moved, z)
    else:
        np.testing.assert_array_equal(moved[z < 900.0], z[z < 900.0])


def test_a_structure_of_the_abdomen_goes_down_with_the_diaphragm() -> None:
    """What stood at 1240 mm is looked up from the voxels 30 mm below."""
    moved = breathed(frame_of_heights(np.array([1210.0])), "abdomen", 30.0)
    assert moved.zc[0] == pytest.approx(1240.0)


def test_the_chest_widens_with_the_breath_and_the_rest_does_not() -> None:
    frames = {}
    for density in (0.40, QUIET_DENSITY_G_CM3, 0.18):
        person = AnatomyParameters(sex="male", lung_density_g_cm3=density)
        frames[density] = body_frame(person), chest_of_breath(body_frame(person), person)
    plain, quiet = frames[QUIET_DENSITY_G_CM3]
    np.testing.assert_allclose(quiet.width, plain.width)
    z = np.array([1300.0])
    widths = [moved.scale_at(z)[0][0] for _, moved in frames.values()]
    depths = [moved.scale_at(z)[1][0] for _, moved in frames.values()]
    assert widths == sorted(widths)
    assert depths == sorted(depths)
    for plain, moved in frames.values():
        for height in (500.0, 1000.0, 1600.0):
            at = np.array([height])
            np.testing.assert_allclose(moved.scale_at(at), plain.scale_at(at))

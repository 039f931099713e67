"""Uncertainties of an ensemble by hand; tiles against the whole."""

import numpy as np
import pytest
from scipy.ndimage import convolve

from milligray.errors import InputError
from milligray.learn.dose_unet import partial_effective_dose_msv
from milligray.learn.ensemble import combine_members, correlated_mean
from milligray.learn.tiling import run_tiles, run_whole


def test_parts_of_the_uncertainty_by_hand() -> None:
    dose = np.array([[9.0, 4.0], [10.0, 4.0], [11.0, 4.0]])
    variance = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.3]])
    found = combine_members(dose, variance)
    np.testing.assert_allclose(found.dose, [10.0, 4.0])
    np.testing.assert_allclose(found.aleatoric, np.sqrt([2.0, 0.1]))
    np.testing.assert_allclose(found.epistemic, [1.0, 0.0])
    np.testing.assert_allclose(found.total, np.sqrt([3.0, 0.1]))


def test_one_member_has_no_epistemic_part() -> None:
    found = combine_members(np.ones((1, 3)), np.full((1, 3), 4.0))
    np.testing.assert_array_equal(found.epistemic, 0.0)
    np.testing.assert_allclose(found.total, 2.0)
    with pytest.raises(InputError, match="differ"):
        combine_members(np.ones((2, 3)), np.ones((2, 4)))


def test_full_correlation_is_the_mean_of_the_deviations_and_the_largest_there_is() -> None:
    mass, sigma = np.array([1.0, 2.0, 5.0]), np.array([4.0, 1.0, 2.0])
    assert correlated_mean(mass, sigma) == pytest.approx((4.0 + 2.0 + 10.0) / 8.0)
    share = mass / mass.sum()
    uncorrelated = np.sqrt((share**2 * sigma**2).sum())
    assert uncorrelated < correlated_mean(mass, sigma)


def test_the_total_of_an_organ_is_no_less_than_its_parts() -> None:
    random = np.random.default_rng(1)
    mass, a, e = random.random((3, 50))
    total = correlated_mean(mass, np.hypot(a, e))
    assert total >= np.hypot(correlated_mean(mass, a), correlated_mean(mass, e))


def test_partial_effective_dose_by_hand() -> None:
    names = ("parotid_gland_left", "parotid_gland_right", "esophagus", "mandible")
    dose, mass = np.array([10.0, 20.0, 5.0, 50.0]), np.array([1.0, 3.0, 2.0, 9.0])
    value, sigma, tissues = partial_effective_dose_msv(names, dose, 0.1 * dose, mass)
    assert value == pytest.approx(0.01 * 17.5 + 0.04 * 5.0)
    assert sigma == pytest.approx(0.1 * value)
    assert tissues == ("esophagus", "salivary glands")
    with pytest.raises(InputError, match="weight"):
        partial_effective_dose_msv(("mandible",), dose[:1], dose[:1], mass[:1])


def smoothed(block: np.ndarray) -> np.ndarray:
    """A network of one convolution that sees one voxel to all sides."""
    return np.stack([convolve(block[0], np.ones((3, 3, 3)), mode="constant"), block[1]])


def test_tiles_agree_with_the_whole_away_from_borders() -> None:
    volume = np.random.default_rng(2).random((2, 40, 25, 50)).astype(np.float32)
    whole = run_whole(volume, smoothed, multiple=8)
    tiles = run_tiles(volume, smoothed, tile=24, overlap=8, multiple=8)
    assert tiles.shape == whole.shape == volume.shape
    np.testing.assert_allclose(tiles[1], volume[1], rtol=1e-6)
    seams = np.zeros(volume.shape[1:], dtype=bool)
    for axis in range(3):
        for start in range(0, volume.shape[axis + 1], 16):
            for face in (start - 1, start, start + 23, start + 24):
                if 0 < face < volume.shape[axis + 1]:
                    seams[(slice(None),) * axis + (face,)] = True
    assert (~seams).mean() > 0.3
    np.testing.assert_allclose(tiles[0][~seams], whole[0][~seams], rtol=1e-5)


def test_tiles_without_anything_wanted_are_left_out() -> None:
    volume = np.ones((2, 32, 32, 64), dtype=np.float32)
    wanted = np.zeros(volume.shape[1:])
    wanted[5, 5, 5] = 1.0
    calls = []

    def run(block: np.ndarray) -> np.ndarray:
        calls.append(block.shape)
        return block

    out = run_tiles(volume, run, tile=32, overlap=16, multiple=16, wanted=wanted)
    assert len(calls) == 1
    assert out[0, 5, 5, 5] == pytest.approx(1.0)
    assert not out[:, :, :, 32:].any()
    with pytest.raises(InputError, match="wanted"):
        run_tiles(volume, run, tile=32, overlap=16, multiple=16, wanted=np.zeros_like(wanted))
    with pytest.raises(InputError, match="multiples"):
        run_tiles(volume, run, tile=30, overlap=16, multiple=16)

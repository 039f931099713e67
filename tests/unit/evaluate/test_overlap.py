import numpy as np
import pytest
from scipy import ndimage

from milligray.errors import GeometryError
from milligray.evaluate.overlap import compare_masks, surface_distances_mm

SPACING = (3.0, 1.0, 2.0)


def _box(low, high, shape=(12, 20, 20)):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def _ball(center, radius, shape=(24, 24, 24)):
    k, j, i = np.indices(shape)
    return (k - center[0]) ** 2 + (j - center[1]) ** 2 + (i - center[2]) ** 2 <= radius**2


def test_equal_masks():
    mask = _box((2, 3, 4), (8, 9, 10))
    found = compare_masks(mask, mask, SPACING)
    assert (found.dice, found.jaccard, found.precision, found.recall) == (1, 1, 1, 1)
    assert found.hausdorff_95_mm == found.mean_surface_distance_mm == 0.0
    assert found.volume_ratio == 1.0


def test_overlap_by_hand():
    reference, predicted = _box((2, 2, 2), (4, 4, 4)), _box((2, 2, 3), (4, 4, 6))
    # 8 and 12 voxels, 4 in both
    found = compare_masks(predicted, reference, SPACING)
    assert found.dice == pytest.approx(8 / 20)
    assert found.jaccard == pytest.approx(4 / 16)
    assert found.precision == pytest.approx(4 / 12)
    assert found.recall == pytest.approx(4 / 8)
    assert found.dice == pytest.approx(2 * found.jaccard / (1 + found.jaccard))


def test_roles_swap_precision_and_recall_only():
    a, b = _ball((11, 11, 11), 7), _ball((12, 10, 13), 6)
    there, back = compare_masks(a, b, SPACING), compare_masks(b, a, SPACING)
    assert (there.dice, there.jaccard) == (back.dice, back.jaccard)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    assert there.hausdorff_95_mm == pytest.approx(back.hausdorff_95_mm)
    assert there.mean_surface_distance_mm == pytest.approx(back.mean_surface_distance_mm)


def test_distances_are_in_mm():
    # slabs that fill the image: both surfaces are shifted by two slices of 3 mm
    a, b = _box((2, 0, 0), (5, 20, 20)), _box((4, 0, 0), (7, 20, 20))
    found = compare_masks(a, b, SPACING)
    assert found.hausdorff_95_mm == pytest.approx(6.0)
    doubled = compare_masks(a, b, tuple(2 * s for s in SPACING))
    assert doubled.mean_surface_distance_mm == pytest.approx(2 * found.mean_surface_distance_mm)


def test_against_all_pairs_of_surface_voxels():
    a, b = _ball((11, 11, 11), 6), _ball((13, 10, 12), 5)
    there, back = surface_distances_mm(a, b, SPACING)

    def surface(mask):
        inner = ndimage.binary_erosion(mask)
        return np.argwhere(mask & ~inner) * np.array(SPACING)

    pa, pb = surface(a), surface(b)
    every = np.sqrt(((pa[:, None] - pb[None]) ** 2).sum(-1))
    assert np.allclose(np.sort(there), np.sort(every.min(axis=1)))
    assert np.allclose(np.sort(back), np.sort(every.min(axis=0)))


def test_empty_masks_have_no_distance():
    some, none = _box((1, 1, 1), (3, 3, 3)), np.zeros((12, 20, 20), dtype=bool)
    missed = compare_masks(none, some, SPACING)
    assert (missed.dice, missed.recall) == (0.0, 0.0)
    assert np.isnan(missed.precision)
    assert np.isnan(missed.hausdorff_95_mm)
    assert np.isnan(compare_masks(none, none, SPACING).dice)


def test_masks_of_two_grids_are_refused():
    with pytest.raises(GeometryError, match="one grid"):
        compare_masks(np.ones((2, 2, 2), bool), np.ones((2, 2, 3), bool), SPACING)

"""Fields of view hold what they are named for; measures are those of the voxels."""

import numpy as np
import pytest

from milligray.anatomy import Anatomy, anatomy_ct
from milligray.errors import InputError
from milligray.population.fields_of_view import FIELDS, part_of
from milligray.population.measures import measures_of

HELD = {
    "whole": ({"brain", "foot_bones_left", "liver"}, set()),
    "head-neck": ({"brain", "mandible", "thyroid_gland"}, {"liver", "kidney_left"}),
    "torso": ({"liver", "urinary_bladder", "lung_upper_lobe_left"}, {"brain", "patella_left"}),
    "chest": ({"lung_upper_lobe_left", "heart_ventricle_left"}, {"brain", "urinary_bladder"}),
    "abdomen-pelvis": ({"liver", "kidney_left", "urinary_bladder"}, {"brain", "thyroid_gland"}),
}


def counts(anatomy: Anatomy) -> dict[str, int]:
    found = np.bincount(anatomy.structure.ravel(), minlength=max(anatomy.names) + 1)
    return {name: int(found[value]) for value, name in anatomy.names.items()}


@pytest.mark.parametrize("field", FIELDS)
def test_fields_hold_their_organs(small_woman: Anatomy, field: str) -> None:
    part = part_of(small_woman, field)
    whole, here = counts(small_woman), counts(part)
    held, absent = HELD[field]
    for name in held:
        # the top of the liver lies above T9 where the lungs are as empty as here
        assert here[name] >= (0.9 if name == "liver" else 1.0) * whole[name], name
    assert not absent & set(here)
    # what it shows lies where it did
    first = small_woman.grid.to_index_kji(part.grid.to_lps_mm((0, 0, 0))).round().astype(int)
    cut = tuple(slice(a, a + n) for a, n in zip(first, part.grid.shape, strict=True))
    np.testing.assert_array_equal(small_woman.structure[cut], part.structure)


def test_unknown_fields_are_refused(small_woman: Anatomy) -> None:
    with pytest.raises(InputError, match="no field of view 'nose'"):
        part_of(small_woman, "nose")


def test_measures_are_those_of_the_voxels(small_woman: Anatomy) -> None:
    ct, _ = anatomy_ct(small_woman)
    found = measures_of(small_woman, ct.volume)
    assert found["mass_kg"] == pytest.approx(small_woman.parameters.weight_kg, rel=0.015)
    assert 0.15 < found["fat_share"] < 0.4
    voxel = small_woman.grid.voxel_volume_cm3
    assert found["volume_ml"]["liver"] == pytest.approx(
        counts(small_woman)["liver"] * voxel, abs=1e-3
    )
    assert set(found["effective_diameter_mm"]) == {"head", "neck", "chest", "abdomen", "pelvis"}
    effective, water = found["effective_diameter_mm"], found["water_equivalent_diameter_mm"]
    # lungs attenuate less than water; a head with its skull more
    assert water["chest"] < effective["chest"]
    assert water["head"] > effective["head"]
    assert effective["neck"] < effective["head"] < effective["abdomen"]
    assert water["abdomen"] == pytest.approx(effective["abdomen"], rel=0.05)


def test_only_levels_on_the_grid_are_measured(small_woman: Anatomy) -> None:
    part = part_of(small_woman, "head-neck")
    ct, _ = anatomy_ct(part)
    assert set(measures_of(part, ct.volume)["effective_diameter_mm"]) == {"head", "neck"}

import pytest

from milligray.segment.regions import region_of_organs


@pytest.mark.parametrize(
    ("names", "region"),
    [
        (["brain", "parotid_gland_left", "mandible"], "head_neck"),
        (["liver", "spleen", "stomach"], "abdomen"),
        (["urinary_bladder", "sacrum", "hip_left", "liver"], "pelvis"),
        (["lung_left", "lung_right", "liver", "spleen"], "chest+abdomen"),
        (["spinal_cord", "skin"], None),
        ([], None),
    ],
)
def test_region_is_that_of_most_landmarks(names, region):
    assert region_of_organs(names) == region

import json
from pathlib import Path

import pytest

from milligray.segment import canonical_name, organ_catalog, reference_volume_ml

DATA = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("Brainstem", "brainstem"),
        ("SpinalCord", "spinal_cord"),
        ("RightParotid", "parotid_gland_right"),
        ("LeftParotid", "parotid_gland_left"),
        ("Esophagus", "esophagus"),
        ("Larynx", "larynx"),
        ("Mandible", "mandible"),
        ("Kidney_L", "kidney_left"),
        ("left lung", "lung_left"),
        ("Lung, Left", "lung_left"),
        ("oesophagus", "esophagus"),
        ("vertebrae_T10", "vertebrae_T10"),
        ("Vertebra L3", "vertebrae_L3"),
        ("Rib left 7", "rib_left_7"),
        ("tumour_1", "tumour_1"),
        ("PTV56", "PTV56"),
    ],
)
def test_names_become_those_of_the_catalog(given, canonical):
    assert canonical_name(given) == canonical


def test_canonical_names_are_fixed_points_and_codes_are_numbers():
    for name, organ in organ_catalog().items():
        assert canonical_name(name) == name
        assert organ.snomed_code is None or organ.snomed_code.isdigit()
        assert (organ.snomed_side_code is not None) == ("left" in name or "right" in name)


@pytest.mark.parametrize(
    ("name", "male_g", "female_g"),
    # ICRP 89, adults
    [("liver", 1800, 1400), ("spleen", 150, 130), ("brain", 1450, 1300), ("pancreas", 140, 120)],
)
def test_reference_masses(name, male_g, female_g):
    organ = organ_catalog()[name]
    assert (organ.reference_mass_male_g, organ.reference_mass_female_g) == (male_g, female_g)
    assert reference_volume_ml(name) == pytest.approx((male_g + female_g) / 2 / 1.05)


def test_sides_add_up_to_the_pair():
    catalog = organ_catalog()
    both = sum(catalog[f"lung_{s}"].reference_mass_male_g for s in ("left", "right"))
    assert both == 1200
    assert 2 * catalog["kidney_left"].reference_mass_female_g == 275


def test_organs_without_a_telling_mass_have_no_volume():
    for name in ("lung_left", "colon", "vertebrae_L1", "PTV70"):
        assert reference_volume_ml(name) is None


def test_names_of_total_segmentator_are_known():
    path = DATA / "torso" / "labels.json"
    if not path.is_file():
        pytest.skip("the torso CTs of ../shared are not here")
    names = json.loads(path.read_text())["ts_abdomen_pelvis"]["labels"].values()
    assert not [name for name in names if name not in organ_catalog()]

"""The blueprint refers only to what there is: names, tissues, regions, masses, bone sites."""

import pytest

from milligray.anatomy.blueprint import STAGES, Structure, load_blueprint
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.targets import (
    reference_mass_g,
    reference_of,
    target_of,
    tissue_density,
    tissue_rows,
)
from milligray.segment import canonical_name, organ_catalog

SEXES = ("male", "female")
MADE_BY_THE_BODY = ("skeletal_muscle", "subcutaneous_fat", "torso_fat", "skin")
BOUNDS_OF_THE_CANVAS = {"dome", "trunk_cavity"}
ONE_SIDED = {"fissure_horizontal_right"}
"""What the other side does not have."""


def named(structures: tuple[Structure, ...]) -> list[str]:
    """Names that label maps may hold."""
    lobes = [name for s in structures for name, _ in s.lobes]
    return [*(s.name for s in structures if not s.lobes), *lobes, *MADE_BY_THE_BODY]


@pytest.mark.parametrize("sex", SEXES)
def test_every_name_is_in_the_catalog_once(sex: str) -> None:
    _, structures = load_blueprint(sex)
    names = named(structures)
    assert len(set(names)) == len(names)
    wholes = [s.name for s in structures if s.lobes]
    for name in (*names, *wholes):
        assert name in organ_catalog(), name
        assert canonical_name(name) == name


@pytest.mark.parametrize("sex", SEXES)
def test_tissues_regions_and_stages_exist(sex: str) -> None:
    regions, structures = load_blueprint(sex)
    for s in structures:
        assert s.stage in STAGES, s.name
        for tissue in filter(None, (s.tissue, s.core)):
            assert tissue in tissue_rows(), (s.name, tissue)
            assert tissue_density(tissue) >= 0.0
        fissures = [fissure for _, fissure in s.lobes if fissure]
        for region in (*s.inside, *s.outside, *filter(None, [s.ordered_by]), *fissures):
            assert region in regions or region in BOUNDS_OF_THE_CANVAS, (s.name, region)
    for region in regions.values():
        assert region.follows in ("", *STAGES), region.name


@pytest.mark.parametrize("sex", SEXES)
def test_sides_come_in_pairs_of_the_same_target(sex: str) -> None:
    regions, structures = load_blueprint(sex)
    person = AnatomyParameters(sex=sex)  # type: ignore[arg-type]
    by_name = {**regions, **{s.name: s for s in structures}}
    for name, left in by_name.items():
        if "left" not in name:
            continue
        right = by_name[name.replace("left", "right")]
        assert (left.stage, left.tissue, left.core) == (right.stage, right.tissue, right.core)
        if left.site is not None:
            assert target_of(left, person) == target_of(right, person), name
    alone = {n for n in by_name if "right" in n and n.replace("right", "left") not in by_name}
    assert alone == ONE_SIDED


@pytest.mark.parametrize("masses", ["icrp89", "icrp145"])
@pytest.mark.parametrize("sex", SEXES)
def test_masses_and_bone_sites_exist_and_give_possible_volumes(sex: str, masses: str) -> None:
    _, structures = load_blueprint(sex)
    person = AnatomyParameters(sex=sex, masses=masses)  # type: ignore[arg-type]
    total = 0.0
    for s in structures:
        target = reference_of(s, person)
        for name, _ in s.lobes:
            assert reference_mass_g(name, "whole", person) > 0.0
        if target is None:
            continue
        assert target.volume_ml >= 0.0, s.name
        assert target.core_share is None or 0.0 <= target.core_share < 1.0, s.name
        assert 0.0 <= target.gas_share <= (target.core_share or 0.0), s.name
        total += target.volume_ml
    # organs and bones are less than half of the body
    assert 14e3 < total < 0.5 * person.weight_kg * 1e3


@pytest.mark.parametrize("sex", SEXES)
def test_bone_sites_are_shared_out_whole(sex: str) -> None:
    """Bones take no more than there is of a site; only of the mandible, some stays out."""
    _, structures = load_blueprint(sex)
    shares: dict[str, float] = {}
    for s in structures:
        for site, share in s.site or ():
            shares[site] = shares.get(site, 0.0) + share
    assert shares.pop("mandible") == pytest.approx(0.8)
    assert shares == pytest.approx(dict.fromkeys(shares, 1.0), abs=0.03)


def test_the_sexes_differ_only_where_they_do() -> None:
    male, female = ({s.name for s in load_blueprint(sex)[1]} for sex in SEXES)
    assert {"prostate", "testis_left", "testis_right"} <= male - female
    assert {"uterus", "ovary_left", "ovary_right", "vagina"} <= female - male
    assert len(male ^ female) <= 14

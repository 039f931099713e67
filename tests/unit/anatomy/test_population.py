"""Persons of a population: the same whoever else is drawn, within the stated limits."""

from pathlib import Path

import pytest

from milligray.anatomy.population import read_population, scaled_organs
from milligray.data.loader import load_toml
from milligray.errors import FormatError, InputError

PLAIN = """
sex = ["male", "female"]
height_mm = { uniform = [1600, 1900] }
bmi = 24
fat_scale = 1
organ_scale = { uniform = [0.9, 1.1] }
lung_density_g_cm3 = 0.3
arms = "down"
variation = 0
"""


def population_of(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["uniform", "realistic"])
def test_a_person_is_the_same_whoever_else_is_drawn(name: str) -> None:
    first, second = read_population(name), read_population(name)
    forward = {k: first.person(k, 5) for k in range(1, 9)}
    for k in (8, 3, 5):
        assert second.person(k, 5) == forward[k]
    assert second.person(3, 6) != forward[3]
    assert len({p.seed for p in forward.values()}) == len(forward)


@pytest.mark.parametrize("name", ["uniform", "realistic"])
def test_drawn_persons_keep_the_limits(name: str) -> None:
    table = load_toml("anatomy/populations.toml")[name]
    population = read_population(name)
    persons = [population.person(k, 1) for k in range(1, 121)]
    assert {p.sex for p in persons} == {"male", "female"}
    assert {p.arms for p in persons} == {"up", "down"}
    for p in persons:
        mine = {**table, **table.get(p.sex, {})}

        def inside(value: float, quantity: str, mine: dict = mine) -> bool:
            low, high = mine[quantity].get("limits") or mine[quantity]["uniform"]
            return low - 1e-9 <= value <= high + 1e-9

        assert inside(p.height_mm, "height_mm")
        assert inside(p.bmi, "bmi")
        assert inside(p.fat_scale, "fat_scale")
        assert inside(p.lung_density_g_cm3, "lung_density_g_cm3")
        assert all(inside(scale, "organ_scale") for scale in p.organ_scale.values())


def test_the_heart_scales_as_a_whole_and_pairs_by_side() -> None:
    person = read_population("uniform").person(1, 1)
    heart = {v for k, v in person.organ_scale.items() if k.startswith("heart")}
    assert len(heart) == 1
    assert person.organ_scale["kidney_left"] != person.organ_scale["kidney_right"]


def test_bones_and_lungs_have_no_factor_of_their_own() -> None:
    for sex in ("male", "female"):
        organs = scaled_organs(sex)
        assert {"liver", "brain", "urinary_bladder", "pancreas"} <= set(organs)
        assert not [o for o in organs if o.startswith(("rib", "vertebra", "lung", "femur"))]
    assert "prostate" in scaled_organs("male")
    assert "uterus" not in scaled_organs("male")


def test_a_file_of_one_s_own_can_differ_by_sex(tmp_path: Path) -> None:
    text = PLAIN + "[female]\nheight_mm = 1650\n"
    population = read_population(population_of(tmp_path, text))
    persons = [population.person(k, 2) for k in range(1, 20)]
    assert {p.height_mm for p in persons if p.sex == "female"} == {1650.0}
    assert len({p.height_mm for p in persons if p.sex == "male"}) > 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAIN + "age = 40\n", "unknown age"),
        (PLAIN.replace("bmi = 24", ""), "missing bmi"),
        (PLAIN.replace('["male", "female"]', '["male", "other"]'), "sex must be male or female"),
        (PLAIN.replace("bmi = 24", "bmi = { uniform = [30, 20] }"), "must ascend"),
        (PLAIN.replace("bmi = 24", "bmi = { mean = 20 }"), "unknown mean"),
    ],
)
def test_what_is_no_population_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_population(population_of(tmp_path, text))


def test_what_is_no_file_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a file nor one of uniform, realistic"):
        read_population("martians")
    with pytest.raises(FormatError, match="no TOML"):
        read_population(population_of(tmp_path, "sex = ["))

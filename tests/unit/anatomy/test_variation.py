"""Random differences: none without strength, the same in any order, within the body's limits."""

from dataclasses import replace

import numpy as np
import pytest

from milligray.anatomy.blueprint import Structure, load_blueprint
from milligray.anatomy.frame import body_frame
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.variation import (
    HEAD_WIDTH_SD,
    STILL_GROUPS,
    WIDTH_SD,
    generator,
    varied_frame,
    varied_structure,
)

PLAIN = AnatomyParameters(sex="male")
VARIED = [AnatomyParameters(sex="male", variation=1.0, seed=seed) for seed in range(25)]


def center(structure: Structure) -> np.ndarray:
    low, high = structure.bounds()
    return 0.5 * (low + high)


def test_without_strength_nothing_changes() -> None:
    regions, structures = load_blueprint("male")
    frame = body_frame(PLAIN)
    assert varied_frame(frame, PLAIN) is frame
    for s in (*regions.values(), *structures):
        assert varied_structure(s, PLAIN) is s


def test_bones_head_and_regions_keep_their_places() -> None:
    regions, structures = load_blueprint("male")
    for s in (*regions.values(), *(s for s in structures if s.group in STILL_GROUPS)):
        assert varied_structure(s, VARIED[0]) is s


def test_the_order_of_the_structures_does_not_matter() -> None:
    _, structures = load_blueprint("male")
    forward = {s.name: center(varied_structure(s, VARIED[3])) for s in structures}
    backward = {s.name: center(varied_structure(s, VARIED[3])) for s in structures[::-1]}
    for name, place in forward.items():
        np.testing.assert_array_equal(place, backward[name])
    one, other = generator(VARIED[3], "liver"), generator(VARIED[3], "liver")
    generator(VARIED[3], "frame").standard_normal(100)
    assert one.standard_normal() == other.standard_normal()


def test_organs_move_by_some_millimeters_another_way_for_another_seed() -> None:
    _, structures = load_blueprint("male")
    liver = next(s for s in structures if s.name == "liver")
    shifts = np.array([center(varied_structure(liver, p)) - center(liver) for p in VARIED])
    assert np.linalg.norm(shifts, axis=1).max() < 2.0 * 3.0 * np.sqrt(3.0) + 12.0
    assert np.all(shifts.std(axis=0) > 1.0)
    half = [replace(p, variation=0.5) for p in VARIED]
    smaller = np.array([center(varied_structure(liver, p)) - center(liver) for p in half])
    assert np.all(smaller.std(axis=0) < shifts.std(axis=0))


@pytest.mark.parametrize("sex", ["male", "female"])
def test_heights_stay_in_order_and_the_top_of_the_head_stays(sex: str) -> None:
    for seed in range(25):
        person = AnatomyParameters(sex=sex, variation=1.5, seed=seed)  # type: ignore[arg-type]
        plain, varied = body_frame(person), varied_frame(body_frame(person), person)
        assert np.all(np.diff(varied.body_z_mm) > 0.0)
        np.testing.assert_allclose(varied.body_z_mm[-2:], plain.body_z_mm[-2:])
        assert varied.body_z_mm[0] == pytest.approx(plain.body_z_mm[0])


def test_long_heads_are_narrow_and_keep_their_area() -> None:
    plain = body_frame(PLAIN)
    head = plain.width_z_mm >= plain.canonical_z_mm[-2]
    assert head.any()
    for person in VARIED:
        varied = varied_frame(plain, person)
        wider, deeper = varied.width / plain.width - 1.0, varied.depth / plain.depth - 1.0
        np.testing.assert_allclose(wider[head], -deeper[head], atol=1e-12)
        area = (1.0 + wider[head]) * (1.0 + deeper[head])
        assert np.all(area > 1.0 - (2.5 * HEAD_WIDTH_SD) ** 2)
        assert np.abs(wider[~head]).max() < 3.0 * WIDTH_SD


def test_differences_grow_with_the_strength() -> None:
    plain = body_frame(PLAIN)
    for person in VARIED[:5]:
        once = varied_frame(plain, person).width / plain.width - 1.0
        half = varied_frame(plain, replace(person, variation=0.5)).width / plain.width - 1.0
        np.testing.assert_allclose(half, 0.5 * once, atol=1e-12)

"""Poses are rigid motions of the limbs, the same on both sides."""

from dataclasses import fields

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from milligray.anatomy.blueprint import Structure, load_blueprint
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.pose import ARM_SPREAD_MAX_RAD, posed
from milligray.anatomy.shapes import Shape

UP = AnatomyParameters(sex="male", arms="up")
DOWN = AnatomyParameters(sex="male", weight_kg=60.0)
HEAVY = AnatomyParameters(sex="male", weight_kg=130.0)


def points_of(shape: Shape) -> np.ndarray:
    """What a motion moves: centers and points of a shape."""
    found = [
        np.atleast_2d(getattr(shape, f.name))
        for f in fields(shape)  # type: ignore[arg-type]  # all shapes are dataclasses
        if f.name in ("center_mm", "points_mm", "centers_mm", "point_mm")
    ]
    return np.concatenate(found)


def all_points(structures: list[Structure]) -> np.ndarray:
    return np.concatenate([points_of(s) for structure in structures for s in structure.shapes])


def limb(name: str) -> list[Structure]:
    regions, structures = load_blueprint("male")
    return [s for s in (*regions.values(), *structures) if s.limb == name]


@pytest.mark.parametrize("person", [UP, HEAVY], ids=["up", "heavy"])
@pytest.mark.parametrize("name", ["arm_left", "arm_right", "girdle_left", "clavicle_right"])
def test_distances_within_a_limb_are_kept(name: str, person: AnatomyParameters) -> None:
    before = limb(name)
    assert before
    after = all_points([posed(s, person) for s in before])
    np.testing.assert_allclose(pdist(after), pdist(all_points(before)), atol=1e-6)


@pytest.mark.parametrize("person", [UP, DOWN, HEAVY], ids=["up", "down", "heavy"])
@pytest.mark.parametrize("name", ["arm", "girdle", "clavicle"])
def test_left_and_right_are_mirror_images(name: str, person: AnatomyParameters) -> None:
    left = all_points([posed(s, person) for s in limb(f"{name}_left")])
    right = all_points([posed(s, person) for s in limb(f"{name}_right")])
    np.testing.assert_allclose(right, left * (-1.0, 1.0, 1.0), atol=1e-6)


def test_only_limbs_move() -> None:
    _, structures = load_blueprint("male")
    for s in structures:
        if not s.limb:
            assert posed(s, UP) is s
        assert posed(s, DOWN) is s


def test_raised_hands_are_above_the_head_and_hanging_ones_at_the_hips() -> None:
    hands = [s for s in limb("arm_left") if s.name == "hand_bones_left"]
    assert all_points([posed(s, UP) for s in hands])[:, 2].min() > 1760.0
    assert all_points([posed(s, DOWN) for s in hands])[:, 2].max() < 1000.0


def test_arms_stand_off_more_from_heavier_bodies_up_to_a_limit() -> None:
    hand = next(s for s in limb("arm_left") if s.name == "hand_bones_left")
    x = [
        all_points([posed(hand, AnatomyParameters(sex="male", weight_kg=kg))])[:, 0].mean()
        for kg in (60.0, 90.0, 120.0, 154.0)
    ]
    assert x == sorted(x)
    reach = 800.0
    assert x[-1] - x[0] < reach * np.sin(ARM_SPREAD_MAX_RAD)

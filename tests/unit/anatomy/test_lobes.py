"""Lobes share out the lungs: all of them, by mass, each in one piece and in its place."""

import numpy as np
import pytest
from scipy import ndimage

from milligray.anatomy import Anatomy
from milligray.anatomy.blueprint import load_blueprint
from milligray.anatomy.targets import reference_mass_g


@pytest.fixture(params=["man", "woman"])
def person(request: pytest.FixtureRequest) -> Anatomy:
    return request.getfixturevalue(request.param)


def lobes_of(person: Anatomy) -> dict[str, list[str]]:
    _, structures = load_blueprint(person.parameters.sex)
    return {s.name: [name for name, _ in s.lobes] for s in structures if s.lobes}


def is_in(person: Anatomy, name: str) -> np.ndarray:
    return person.structure == next(v for v, n in person.names.items() if n == name)


def test_lobes_are_all_of_the_lungs(person: Anatomy) -> None:
    lung = person.tissues.index("lung")
    values = {name: value for value, name in person.names.items()}
    lobes = [values[name] for names in lobes_of(person).values() for name in names]
    np.testing.assert_array_equal(np.isin(person.structure, lobes), person.tissue == lung)
    assert not {"lung_left", "lung_right"} & set(values)


def test_lobes_have_their_shares_of_the_mass(person: Anatomy) -> None:
    volumes = person.volume_ml()
    for names in lobes_of(person).values():
        masses = np.array([reference_mass_g(n, "whole", person.parameters) for n in names])
        found = np.array([volumes[n] for n in names])
        np.testing.assert_allclose(found / found.sum(), masses / masses.sum(), atol=0.005)


def test_every_lobe_is_one_piece(person: Anatomy) -> None:
    for names in lobes_of(person).values():
        for name in names:
            parts, _ = ndimage.label(is_in(person, name), np.ones((3, 3, 3)))
            sizes = np.bincount(parts.ravel())[1:]
            assert sizes.max() > 0.97 * sizes.sum(), name


def test_lobes_are_in_their_places(person: Anatomy) -> None:
    centers = {
        name: person.grid.to_lps_mm(np.argwhere(is_in(person, name)).mean(axis=0))
        for names in lobes_of(person).values()
        for name in names
    }
    for side in ("left", "right"):
        upper, lower = centers[f"lung_upper_lobe_{side}"], centers[f"lung_lower_lobe_{side}"]
        assert upper[2] > lower[2]
        assert upper[1] < lower[1]
    middle = centers["lung_middle_lobe_right"]
    assert middle[1] < centers["lung_lower_lobe_right"][1]
    assert middle[2] < centers["lung_upper_lobe_right"][2]

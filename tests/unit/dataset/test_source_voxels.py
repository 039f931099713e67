"""Source voxels are those of the strata asked for, as many of each as their weights say."""

from dataclasses import replace

import numpy as np
import pytest

from milligray.dataset.source_voxels import (
    DEFAULT_WEIGHTS,
    STRATA,
    draw_source_voxels,
    parse_weights,
    strata_of,
)
from milligray.errors import InputError
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.volume import Grid


@pytest.fixture(scope="module")
def patient() -> Patient:
    """Block of tissue in air with a lung, a bubble of gas and a bone."""
    shape = (24, 30, 40)
    density = np.full(shape, 1.2e-3, dtype=np.float32)
    body = np.zeros(shape, dtype=bool)
    body[:, 3:27, 3:37] = True
    density[body] = 1.0
    density[4:20, 8:22, 6:18] = 0.26
    density[6:12, 9:20, 28:33] = 1.5
    density[14:20, 10:18, 22:30] = 0.01
    return Patient(
        grid=Grid.from_spacing(shape, (3.0, 3.0, 3.0)), density_g_cm3=density,
        material_index=np.zeros(shape, dtype=np.uint8), body=body,
        materials=(load_material("soft_tissue"),),
    )  # fmt: skip


def test_strata_are_where_they_are_said_to_be(patient: Patient) -> None:
    strata = strata_of(patient)
    for place, name in {
        (12, 15, 12): "lung", (9, 14, 30): "bone", (16, 14, 26): "gas", (2, 15, 20): "soft_tissue",
        (12, 3, 20): "skin", (12, 4, 20): "skin", (12, 5, 20): "soft_tissue",
        (0, 15, 20): "soft_tissue",  # an end of the scan is no skin
        (12, 15, 6): "border", (12, 15, 5): "border", (12, 15, 7): "lung",
        (16, 14, 22): "border", (16, 14, 30): "border",
    }.items():  # fmt: skip
        assert STRATA[strata[place]] == name, place
    assert np.all(strata[~patient.body] == 255)
    assert strata[patient.body].max() < len(STRATA)


def test_numbers_follow_the_weights(patient: Patient) -> None:
    n = 40
    voxels, names, present = draw_source_voxels(
        patient, n, weights=DEFAULT_WEIGHTS, key=(1, "a", 0)
    )
    strata = strata_of(patient)
    assert len(set(voxels)) == n
    assert all(
        patient.body[v] and STRATA[strata[v]] == s for v, s in zip(voxels, names, strict=True)
    )
    for name, weight in zip(STRATA, DEFAULT_WEIGHTS, strict=True):
        assert abs(names.count(name) - weight * n) < 1.0 + 1e-9, name
    assert sum(present.values()) == patient.body.sum()
    again = draw_source_voxels(patient, n, weights=DEFAULT_WEIGHTS, key=(1, "a", 0))[0]
    other = draw_source_voxels(patient, n, weights=DEFAULT_WEIGHTS, key=(1, "a", 1))[0]
    assert again == voxels != other


def test_what_a_patient_has_not_is_shared_among_the_others(patient: Patient) -> None:
    solid = replace(patient, density_g_cm3=np.maximum(patient.density_g_cm3, 1.0))
    _, names, present = draw_source_voxels(solid, 34, weights=DEFAULT_WEIGHTS, key=(1,))
    assert present["lung"] == present["gas"] == present["border"] == 0
    assert set(names) == {"soft_tissue", "bone", "skin"}
    assert abs(names.count("soft_tissue") - 34 * 0.40 / 0.68) < 1.0
    with pytest.raises(InputError, match="no voxel of lung"):
        draw_source_voxels(solid, 2, weights=parse_weights("lung=1"), key=(1,))


def test_more_voxels_than_there_are_is_refused(patient: Patient) -> None:
    few = replace(patient, density_g_cm3=np.minimum(patient.density_g_cm3, 1.0))
    density = np.array(few.density_g_cm3)
    density[9, 14, 34] = 1.5
    few = replace(few, density_g_cm3=density)
    with pytest.raises(InputError, match="only 1 voxels of bone"):
        draw_source_voxels(few, 2, weights=parse_weights("bone=1"), key=(1,))


@pytest.mark.parametrize("text", ["lung", "lungs=1", "lung=-1", "lung=x", "lung=1,lung=2"])
def test_bad_weights_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="weights of source voxels"):
        parse_weights(text)

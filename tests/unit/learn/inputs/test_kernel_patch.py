"""The cube around a source voxel is the patient there, and air where there is no image."""

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.learn.inputs.kernel_patch import cut_patch, middle_of
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.volume import Grid


@pytest.fixture(scope="module")
def patient() -> Patient:
    """Every voxel has a density of its own; the two outermost columns are outside the body."""
    shape = (9, 10, 12)
    density = 0.5 + np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 2000.0
    body = np.ones(shape, dtype=bool)
    body[:, :, :2] = False
    return Patient(
        grid=Grid.from_spacing(shape, (3.0, 3.0, 3.0), origin_lps_mm=(10.0, -20.0, 30.0)),
        density_g_cm3=density, material_index=np.zeros(shape, dtype=np.uint8),
        materials=(load_material("soft_tissue"),), body=body,
    )  # fmt: skip


def test_the_source_voxel_is_in_the_middle_and_places_stay(patient: Patient) -> None:
    patch = cut_patch(patient, (4, 5, 6), 8)
    assert patch.grid.shape == (8, 8, 8)
    assert patch.density_g_cm3[4, 4, 4] == patient.density_g_cm3[4, 5, 6]
    assert patch.density_g_cm3[1, 6, 7] == patient.density_g_cm3[1, 7, 9]
    assert np.allclose(patch.grid.to_lps_mm([4, 4, 4]), patient.grid.to_lps_mm([4, 5, 6]))


def test_beyond_the_image_is_air_and_no_body(patient: Patient) -> None:
    patch = cut_patch(patient, (0, 9, 11), 6)
    outside = np.ones((6, 6, 6), dtype=bool)
    outside[3:, :4, :4] = False
    assert not patch.body[outside].any()
    assert np.all(patch.density_g_cm3[outside] < 1.3e-3)
    names = [m.name for m in patch.materials]
    assert {names[i] for i in np.unique(patch.material_index[outside])} == {"air"}
    assert patch.density_g_cm3[~outside].min() > 0.5
    inner = middle_of(patch, 4)
    assert np.array_equal(inner.density_g_cm3, patch.density_g_cm3[1:5, 1:5, 1:5])
    assert inner.materials == patch.materials


@pytest.mark.parametrize(
    ("place", "reason"),
    [((4, 5, 1), "outside the body"), ((9, 5, 6), "outside the patient's grid"),
     ((-1, 5, 6), "outside the patient's grid")],
)  # fmt: skip
def test_sources_outside_the_patient_are_refused(
    patient: Patient, place: tuple[int, int, int], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        cut_patch(patient, place, 8)

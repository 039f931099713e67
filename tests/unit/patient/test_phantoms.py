import numpy as np
import pytest

from milligray.errors import InputError
from milligray.patient import water_box, water_cylinder


@pytest.mark.parametrize(("diameter", "length", "voxel"), [(320, 150, 5.0), (160, 31, 3.0)])
def test_cylinder_has_the_mass_of_its_water(diameter, length, voxel):
    patient = water_cylinder(diameter, length, voxel, margin_voxels=1)
    water_g = np.pi / 4 * diameter**2 * length * 1e-3
    air_g = 1.205e-3 * (np.prod(patient.grid.shape) * voxel**3 * 1e-3 - water_g)
    assert patient.mass_g.sum(dtype=float) == pytest.approx(water_g + air_g, rel=2e-3)
    assert patient.material_index[0, 0, 0] == 0
    middle = tuple(n // 2 for n in patient.grid.shape)
    assert patient.density_g_cm3[middle] == 1.0
    assert patient.materials[patient.material_index[middle]].name == "water"


def test_box_is_exact_even_when_the_voxels_do_not_fit():
    patient = water_box((25.0, 40.0, 33.0), voxel_size_mm=10.0)
    assert patient.grid.shape == (3, 4, 4)
    air_g = 1.205e-3 * (48.0 - 33.0)
    assert patient.mass_g.sum(dtype=float) == pytest.approx(33.0 + air_g, rel=1e-6)
    assert patient.density_g_cm3[0, 0, 0] < patient.density_g_cm3[1, 1, 1] == 1.0


def test_phantoms_are_symmetric():
    patient = water_cylinder(100, 40, 7.0)
    for axis in range(3):
        np.testing.assert_array_equal(
            patient.density_g_cm3, np.flip(patient.density_g_cm3, axis=axis)
        )


def test_empty_shapes_are_refused():
    with pytest.raises(InputError):
        water_box((0, 1, 1), voxel_size_mm=1)
    with pytest.raises(InputError):
        water_cylinder(10, 10, -1)

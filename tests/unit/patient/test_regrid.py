import numpy as np

from milligray.learn.inputs.electron_density import relative_electron_density
from milligray.materials.tissues import load_material
from milligray.patient import build_patient
from milligray.patient.patient import Patient
from milligray.patient.regrid import regrid_ct
from milligray.read.series import CtSeries
from milligray.volume import Grid, Volume


def series(values: np.ndarray, spacing: tuple[float, float, float]) -> CtSeries:
    grid = Grid.from_spacing(values.shape, spacing)
    return CtSeries(volume=Volume(grid=grid, values=values), slice_thickness_mm=spacing[0])


def test_a_ct_that_fits_stays_as_it_is() -> None:
    values = np.random.default_rng(1).normal(0, 100, (5, 6, 7)).astype(np.float32)
    out = regrid_ct(series(values, (4.0, 2.0, 1.0)), 4.0)
    assert out.volume.grid.spacing_mm == (4.0, 2.0, 1.0)
    assert np.array_equal(out.volume.values, values)


def test_linear_gradients_are_kept_and_places_do_not_move() -> None:
    grid = Grid.from_spacing((12, 20, 22), (2.5, 4.6, 0.9))
    z, y, x = np.meshgrid(*(grid.axis_centers_mm(a) for a in range(3)), indexing="ij")
    ct = series((2 * z - y + 0.5 * x).astype(np.float32), grid.spacing_mm)
    out = regrid_ct(ct, 4.0).volume
    parts = 4.0 / np.array(out.grid.spacing_mm)
    assert np.allclose(parts, np.round(parts))
    z, y, x = np.meshgrid(*(out.grid.axis_centers_mm(a) for a in range(3)), indexing="ij")
    inside = np.s_[1:-1, 1:-1, 2:-2]  # the outermost voxels reach to the faces of the image
    assert np.allclose(out.values[inside], (2 * z - y + 0.5 * x)[inside], atol=1e-3)


def test_transport_voxels_become_cubes_and_keep_the_mass() -> None:
    grid = Grid.from_spacing((32, 50, 60), (3.0, 4.625, 4.625))
    _, y, x = np.meshgrid(*(grid.axis_centers_mm(a) for a in range(3)), indexing="ij")
    hu = np.where((x / 100) ** 2 + (y / 70) ** 2 <= 1, 0, -1000).astype(np.int16)
    ct = series(hu, grid.spacing_mm)
    before = build_patient(ct, calibration="schneider2000")
    after = build_patient(regrid_ct(ct, 4.0), calibration="schneider2000", voxel_size_mm=4.0)
    assert np.allclose(after.grid.spacing_mm, 4.0)
    assert abs(after.mass_g.sum() / before.mass_g.sum() - 1) < 0.005


def test_electron_density_of_water_is_one_and_of_bone_less_than_its_density() -> None:
    materials = (load_material("water"), load_material("cortical_bone"), load_material("air"))
    grid = Grid.from_spacing((1, 1, 3), (1.0, 1.0, 1.0))
    density = np.array([[[m.reference_density_g_cm3 for m in materials]]])
    patient = Patient(
        grid=grid, density_g_cm3=density, material_index=np.arange(3).reshape(1, 1, 3),
        materials=materials, body=np.ones(grid.shape, dtype=bool),
    )  # fmt: skip
    water, bone, air = relative_electron_density(patient).ravel()
    assert abs(water - 1.0) < 1e-6
    # ICRU 44: 1.92 g/cm3 and 3.10e23 electrons per gram, water 3.343e23
    assert abs(bone - 1.92 * 3.10 / 3.343) < 0.01
    assert 0.0010 < air < 0.0011

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milligray.errors import GeometryError, InputError
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.patient import Patient, water_box
from milligray.patient.blocks import block_tissues
from milligray.segment import OrganMap, organ_mass_weights
from milligray.volume import Grid, Volume

CURVE = load_hu_calibration("schneider2000")


def make_patient(shape, block, offset, seed=0):
    hu = np.random.default_rng(seed).integers(-1024, 1500, shape).astype(np.int16)
    cells = tuple(max(1, -(-(n + o) // b)) for n, o, b in zip(shape, offset, block, strict=True))
    density, index, body = block_tissues(
        hu, np.ones(shape, bool), CURVE, shape=cells, block=block, ct_offset=offset
    )
    ct = Volume(grid=Grid.from_spacing(shape, (2.0, 1.5, 1.0)), values=hu)
    spacing = [b * s for b, s in zip(block, (2.0, 1.5, 1.0), strict=True)]
    return Patient(
        grid=Grid.from_spacing(cells, spacing), density_g_cm3=density, material_index=index,
        materials=CURVE.materials, body=body, ct=ct, block=block, ct_offset=offset,
        calibration=CURVE.name, hu_calibration=CURVE,
    )  # fmt: skip


def organ_map(grid, labels, names):
    return OrganMap(
        grid=grid, labels=labels, names=names, method="labels given", fraction_in_image={}
    )


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(1, 8)),
    block=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    offset=st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(-2, 2)),
    seed=st.integers(0, 2**16),
)
def test_weights_equal_the_plain_sum_over_ct_voxels(shape, block, offset, seed):
    shape = tuple(n + 2 for n in shape)  # so that a cropped grid still holds voxels
    patient = make_patient(shape, block, offset, seed)
    labels = np.random.default_rng(seed + 1).integers(0, 4, shape).astype(np.uint16)
    names = {1: "a", 2: "b", 3: "c", 7: "absent"}
    k, j, i = ((np.arange(n) + o) // b for n, o, b in zip(shape, offset, block, strict=True))
    mz, my, mx = patient.grid.shape
    mass = CURVE.density_g_cm3(patient.ct.values) * patient.ct.grid.voxel_volume_cm3
    inside = (
        ((k >= 0) & (k < mz))[:, None, None]
        & ((j >= 0) & (j < my))[None, :, None]
        & ((i >= 0) & (i < mx))
    )
    if not np.any(inside & (labels > 0)):
        return
    result = organ_mass_weights(patient, organ_map(patient.ct.grid, labels, names))
    for row, name in enumerate(result.names):
        label = {n: v for v, n in names.items()}[name]
        plain = np.zeros(patient.grid.shape)
        for c, b, a in np.argwhere(inside & (labels == label)):
            plain[k[c], j[b], i[a]] += mass[c, b, a]
        np.testing.assert_allclose(result.weights_g[row].toarray().ravel(), plain.ravel())
        assert result.mass_g[row] == pytest.approx(plain.sum())
    assert "absent" not in result.names
    assert any("absent" in note for note in result.notes)


def test_organs_that_fill_the_patient_have_the_mass_of_its_voxels():
    patient = make_patient((6, 8, 8), (2, 4, 2), (0, 0, 0))
    labels = np.random.default_rng(2).integers(1, 4, (6, 8, 8)).astype(np.uint16)
    result = organ_mass_weights(
        patient, organ_map(patient.ct.grid, labels, {1: "a", 2: "b", 3: "c"})
    )
    together = np.asarray(result.weights_g.sum(axis=0)).ravel()
    np.testing.assert_allclose(together, patient.mass_g.ravel(), rtol=3e-7)
    assert result.volume_ml.sum() == pytest.approx(6 * 8 * 8 * 3e-3)


def test_uniform_dose_gives_that_organ_dose():
    patient = make_patient((6, 8, 8), (2, 3, 3), (1, 1, 0))
    labels = np.random.default_rng(4).integers(0, 3, (6, 8, 8)).astype(np.uint16)
    result = organ_mass_weights(patient, organ_map(patient.ct.grid, labels, {1: "a", 2: "b"}))
    dose = np.full(int(np.prod(patient.grid.shape)), 3.5)
    np.testing.assert_allclose(result.weights_g @ dose / result.mass_g, 3.5)


def test_phantom_of_shapes_uses_its_own_density():
    patient = water_box((20.0, 20.0, 20.0), voxel_size_mm=10.0, margin_voxels=1)
    labels = np.zeros(patient.grid.shape, dtype=np.uint16)
    labels[1:3, 1:3, 1] = 5
    result = organ_mass_weights(patient, organ_map(patient.grid, labels, {5: "half"}))
    assert result.mass_g[0] == pytest.approx(4.0)
    assert result.volume_ml[0] == pytest.approx(4.0)


def test_other_grids_and_empty_maps_are_refused():
    patient = make_patient((4, 4, 4), (2, 2, 2), (0, 0, 0))
    other = Grid.from_spacing((4, 4, 4), (9, 9, 9))
    with pytest.raises(GeometryError, match="segment_organs"):
        organ_mass_weights(patient, organ_map(other, np.ones((4, 4, 4), np.uint16), {1: "a"}))
    empty = np.zeros((4, 4, 4), np.uint16)
    with pytest.raises(InputError, match="no organ"):
        organ_mass_weights(patient, organ_map(patient.ct.grid, empty, {1: "a"}))

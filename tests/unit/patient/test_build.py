import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milligray.constants import AIR_DENSITY_G_CM3
from milligray.errors import InputError
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.patient import build_patient
from milligray.patient.blocks import block_tissues
from milligray.read.series import CtSeries
from milligray.volume import Grid, Volume

CURVE = load_hu_calibration("schneider2000")


def make_ct(values, spacing_mm=(3.0, 2.0, 2.0), **where):
    values = np.asarray(values, dtype=np.int16)
    grid = Grid.from_spacing(values.shape, spacing_mm, **where)
    return CtSeries(
        volume=Volume(grid=grid, values=values), slice_thickness_mm=spacing_mm[0], input_sha256="0"
    )


def trunk(shape=(12, 60, 80), *, couch=False, seed=3):
    """Noisy ellipse with lungs, a spine and, if asked, a couch that touches the back."""
    rng = np.random.default_rng(seed)
    _, ny, nx = shape
    y, x = np.mgrid[:ny, :nx]
    u, v = (y - 0.45 * ny) / (0.36 * ny), (x - (nx - 1) / 2) / (0.42 * nx)
    plane = np.full((ny, nx), -1000.0)
    plane[u**2 + v**2 < 1] = 40
    for side in (-1, 1):
        plane[(u / 0.6) ** 2 + ((v - 0.45 * side) / 0.3) ** 2 < 1] = -800
    plane[(u - 0.6) ** 2 + v**2 < 0.04] = 700
    if couch:
        bottom = int(0.45 * ny + 0.36 * ny)
        plane[bottom + 1 : bottom + 3] = 100
    values = np.repeat(plane[np.newaxis], shape[0], axis=0)
    noise = rng.normal(0, 12, shape) * (values > -900)
    return (values + noise).astype(np.int16)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 9)),
    block=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    begin=st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    seed=st.integers(0, 2**16),
)
def test_mass_is_conserved_for_any_block_and_padding(shape, block, begin, seed):
    hu = np.random.default_rng(seed).integers(-1024, 3072, shape).astype(np.int16)
    cells = tuple(-(-(n + o) // b) for n, o, b in zip(shape, begin, block, strict=True))
    density, index, _ = block_tissues(
        hu,
        np.ones(shape, dtype=np.bool_),
        CURVE,
        shape=cells,
        block=block,
        ct_offset=begin,
    )
    padded = np.full([c * b for c, b in zip(cells, block, strict=True)], AIR_DENSITY_G_CM3)
    window = tuple(slice(o, o + n) for o, n in zip(begin, shape, strict=True))
    padded[window] = CURVE.density_g_cm3(hu)
    split = padded.reshape(cells[0], block[0], cells[1], block[1], cells[2], block[2])
    # a plain twin: equal voxel by voxel to the rounding of float32
    np.testing.assert_allclose(density, split.mean(axis=(1, 3, 5)), rtol=2e-7)
    assert density.sum(dtype=np.float64) * np.prod(block) == pytest.approx(padded.sum(), rel=1e-6)
    assert index.max() < len(CURVE.materials)


def test_unblocked_voxels_are_the_calibration_itself():
    hu = np.arange(-1024, 3072, dtype=np.int16).reshape(1, 64, 64)
    density, index, _ = block_tissues(
        hu, np.ones(hu.shape, bool), CURVE, shape=hu.shape, block=(1, 1, 1), ct_offset=(0, 0, 0)
    )
    np.testing.assert_allclose(density, CURVE.density_g_cm3(hu), rtol=1e-7)
    np.testing.assert_array_equal(index, CURVE.material_index(hu))


@pytest.mark.parametrize("voxel_size_mm", [None, 3.0, 6.0, 11.0])
def test_patient_keeps_the_mass_of_its_ct(voxel_size_mm):
    ct = make_ct(trunk(couch=True))
    patient = build_patient(ct, calibration="schneider2000", voxel_size_mm=voxel_size_mm)
    inside = patient.ct.values > -1000
    body_g = CURVE.density_g_cm3(patient.ct.values[inside]).sum() * patient.ct.grid.voxel_volume_cm3
    volume = patient.grid.voxel_volume_cm3 * np.prod(patient.grid.shape)
    gas_g = AIR_DENSITY_G_CM3 * (volume - inside.sum() * patient.ct.grid.voxel_volume_cm3)
    assert patient.mass_g.sum(dtype=np.float64) == pytest.approx(body_g + gas_g, rel=1e-6)


def test_transport_voxels_lie_on_their_ct_voxels():
    ct = make_ct(trunk(), origin_lps_mm=(10.0, -20.0, 300.0))
    patient = build_patient(ct, calibration="schneider2000", voxel_size_mm=6.0)
    assert patient.block == (2, 3, 3)
    index = np.array([3, 4, 5])
    first = np.array(patient.block) * index - np.array(patient.ct_offset)
    center = first + 0.5 * (np.array(patient.block) - 1)
    np.testing.assert_allclose(
        patient.grid.to_lps_mm(index), ct.volume.grid.to_lps_mm(center), atol=1e-9
    )
    window = tuple(slice(f, f + b) for f, b in zip(first, patient.block, strict=True))
    mean = CURVE.density_g_cm3(patient.ct.values[window]).mean()
    assert patient.density_g_cm3[tuple(index)] == pytest.approx(mean, rel=1e-6)


def test_mirrored_ct_gives_the_mirrored_patient():
    values = trunk()
    a = build_patient(make_ct(values), calibration="schneider2000", voxel_size_mm=4.0)
    b = build_patient(make_ct(values[:, :, ::-1]), calibration="schneider2000", voxel_size_mm=4.0)
    np.testing.assert_array_equal(a.density_g_cm3, b.density_g_cm3[:, :, ::-1])
    np.testing.assert_array_equal(a.material_index, b.material_index[:, :, ::-1])
    np.testing.assert_array_equal(a.body, b.body[:, :, ::-1])


def test_couch_is_removed_or_kept_as_asked():
    ct = make_ct(trunk(couch=True))
    off = build_patient(ct, calibration="schneider2000")
    on = build_patient(ct, calibration="schneider2000", couch="keep")
    couch_g = 1.076 * 12 * 2 * 80 * ct.volume.grid.voxel_volume_cm3
    difference = on.mass_g.sum(dtype=float) - off.mass_g.sum(dtype=float)
    # where the plate touches the back, what lies within some mm of the skin stays
    assert 0.6 * couch_g < difference < 1.05 * couch_g
    assert on.grid.shape == ct.volume.grid.shape
    assert off.grid.shape[1] < on.grid.shape[1]
    assert "set to air" in off.notes[0]


def test_extension_adds_matter_beyond_the_scan_but_no_body():
    ct = make_ct(trunk())
    plain = build_patient(ct, calibration="schneider2000", couch="keep")
    longer = build_patient(ct, calibration="schneider2000", couch="keep", extend_mm=8.0)
    assert longer.grid.shape[0] == plain.grid.shape[0] + 6
    assert longer.ct_offset[0] == 3
    np.testing.assert_array_equal(longer.density_g_cm3[3:-3], plain.density_g_cm3)
    np.testing.assert_array_equal(longer.density_g_cm3[0], plain.density_g_cm3[0])
    assert not longer.body[:3].any()
    assert not longer.body[-3:].any()
    assert longer.body.sum() == plain.body.sum()


def test_air_comes_first_and_fills_the_outside():
    patient = build_patient(make_ct(trunk()), calibration="schneider2000")
    assert patient.materials[0].name == "air"
    assert patient.material_index[0, 0, 0] == 0
    assert patient.density_g_cm3[0, 0, 0] == np.float32(AIR_DENSITY_G_CM3)
    lung = patient.material_index[(patient.density_g_cm3 > 0.15) & (patient.density_g_cm3 < 0.25)]
    assert set(np.unique(lung)) <= {0, 1}


def test_metal_is_stated():
    values = trunk()
    values[5, 20:23, 38:41] = 3071
    patient = build_patient(make_ct(values), calibration="schneider2000")
    assert any("metal" in note for note in patient.notes)
    assert patient.density_g_cm3.max() == np.float32(4.54)


def test_bad_input_is_refused():
    air = make_ct(np.full((3, 9, 9), -1000))
    with pytest.raises(InputError, match="Hounsfield"):
        build_patient(air, calibration="schneider2000")
    with pytest.raises(InputError, match="voxel_size_mm"):
        build_patient(make_ct(trunk()), calibration="schneider2000", voxel_size_mm=0)
    with pytest.raises(InputError, match="schneider2000"):
        build_patient(make_ct(trunk()), calibration="stoichiometric")
    broken = make_ct(trunk())
    values = broken.volume.values.astype(np.float32)
    values[3, 3, 3] = np.nan
    volume = Volume(grid=broken.volume.grid, values=values)
    with pytest.raises(InputError, match="no numbers"):
        build_patient(
            CtSeries(volume=volume, slice_thickness_mm=3.0, input_sha256="0"),
            calibration="schneider2000",
        )

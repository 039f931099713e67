import numpy as np
import pytest
import xraylib
from hypothesis import given
from hypothesis import strategies as st

from milligray.errors import FormatError, InputError
from milligray.materials.hu_calibration import (
    HuCalibration,
    load_hu_calibration,
    read_hu_calibration,
)

# jumps of the curve [HU: g/cm3]: the paper's own, and titanium
STEPS = {-98: 0.0005, 15: -0.0014, 23: -0.0001, 101: -0.0443, 3000: 1.747}


@pytest.mark.parametrize(
    ("hu", "density"),
    [
        (-1024, 0.001205),
        (-1000, 0.001205),
        (-98, 0.930486),
        (0, 1.018),
        (14, 1.030502),
        (20, 1.03),
        (23, 1.029887),
        (100, 1.1199),
        (101, 1.076792),
        (1600, 1.9642),
        (3071, 4.54),
    ],
)
def test_density_is_that_of_the_paper(hu, density):
    assert load_hu_calibration("schneider2000").density_g_cm3(hu) == pytest.approx(
        density, abs=2e-6
    )


def test_density_rises_inside_every_ramp_and_steps_only_where_stated():
    curve = load_hu_calibration("schneider2000")
    hu = np.arange(-1100, 3100)
    rise = np.diff(curve.density_g_cm3(hu))
    slope = curve.ramp_slope_g_cm3_per_hu.max()
    for at, step in zip(hu[1:], rise, strict=True):
        if int(at) in STEPS:
            # the step is at the edge; the table of whole HU has one slope more or less
            assert step == pytest.approx(STEPS[int(at)], abs=1.1 * slope)
        else:
            assert -1e-12 <= step <= 1.01 * slope


def test_24_tissues_are_complete_and_titanium_follows():
    curve = load_hu_calibration("schneider2000")
    assert len(curve.materials) == 25
    assert curve.materials[0].name == "air"
    assert dict(curve.materials[-1].mass_fractions) == {"Ti": 1.0}
    bone = curve.materials[int(curve.material_index(2500))]
    assert bone.mass_fractions["Ca"] == pytest.approx(0.225)
    assert curve.material_index([-1000, -951, -950, 19, 79, 80, 2999, 3000]).tolist() == [
        0, 0, 1, 7, 7, 8, 23, 24,
    ]  # fmt: skip


def test_metal_as_bone_keeps_the_density_of_3000_hu():
    curve = load_hu_calibration("schneider2000", metal="bone")
    assert len(curve.materials) == 24
    assert curve.density_g_cm3(3071) == pytest.approx(1.017 + 0.592 * 3, abs=1e-9)


def test_soft_tissue_attenuates_like_its_ct_number():
    """mu of the Schneider tissues against (HU / 1000 + 1) mu_water at a CT's mean energy."""
    curve = load_hu_calibration("schneider2000")
    water = xraylib.CS_Total_CP("H2O", 70.0)
    for hu in (-700, -300, -100, -50, 0, 30, 60):
        material = curve.materials[int(curve.material_index(hu))]
        mu_rho = sum(
            w * xraylib.CS_Total(xraylib.SymbolToAtomicNumber(e), 70.0)
            for e, w in material.mass_fractions.items()
        )
        mu = float(curve.density_g_cm3(hu)) * mu_rho
        assert mu / water == pytest.approx(hu / 1000 + 1, abs=0.035)


@given(st.lists(st.integers(0, 4000), min_size=2, max_size=12, unique=True))
def test_facility_curve_goes_through_its_points_and_never_falls(steps):
    hu = np.sort(np.array(steps)) - 1000
    density = (hu + 1000) * 7e-4
    curve = HuCalibration.from_points("ours", hu, density)
    np.testing.assert_allclose(curve.density_g_cm3(hu), density, atol=1e-9)
    every = curve.density_g_cm3(np.linspace(-1200, 3200, 997))
    assert np.all(np.diff(every) >= -1e-9)


def test_facility_curve_is_read_from_csv_and_toml(tmp_path):
    csv = tmp_path / "scanner_a.csv"
    csv.write_text("# our scanner\nhu,density_g_cm3\n-1000,0.001205\n0,1.0\n1000,1.6\n")
    toml = tmp_path / "b.toml"
    toml.write_text('name = "ours"\nhu = [-1000, 0, 1000]\ndensity_g_cm3 = [0.001205, 1.0, 1.6]\n')
    a, b = read_hu_calibration(csv), read_hu_calibration(toml)
    assert (a.name, b.name) == ("scanner_a", "ours")
    assert a.density_g_cm3(500) == b.density_g_cm3(500) == pytest.approx(1.3)
    assert len(a.materials) == 24


def test_bad_calibrations_are_refused(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("ct,rho\n1,2\n")
    with pytest.raises(FormatError, match="'hu' and"):
        read_hu_calibration(bad)
    with pytest.raises(InputError, match="schneider2000"):
        load_hu_calibration("schneider")
    with pytest.raises(InputError, match="ascend"):
        HuCalibration.from_points("x", [0, 0], [1, 1])
    with pytest.raises(InputError, match="not fall"):
        HuCalibration.from_points("x", [0, 1], [1, 0.5])

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milligray.errors import InputError
from milligray.patient.phantoms import water_cylinder
from milligray.read.series import CtProtocol
from milligray.source.ct_scan import (
    body_center_lps_mm,
    choose_scanner,
    make_ct_source,
    make_fan_field,
    nominal_range_mm,
    over_ranging_mm,
)
from milligray.source.scanner import Scanner
from milligray.source.scanner_library import load_scanner

BODY = water_cylinder(200.0, 300.0, 10.0, margin_voxels=1)
Z = np.arange(-100.0, 100.0, 5.0) + 2.5


def protocol(**changes) -> CtProtocol:
    given = {
        "tube_voltage_kv": 120.0,
        "slice_position_mm": Z,
        "relative_current": np.ones(Z.size),
        "scan_mode": "helical",
        "pitch": 0.8,
        "collimation_mm": 40.0,
        "ctdi_vol_mgy": 10.0,
        "phantom_diameter_mm": 320,
        "slice_thickness_mm": 5.0,
    }
    return CtProtocol(**(given | changes))


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return load_scanner("generic")


@pytest.fixture
def make(scanner):
    def build(patient=BODY, **changes):
        return make_ct_source(protocol(**changes), patient, scanner=scanner, bowtie="body")

    return build


def test_nominal_range_is_the_images_with_its_half_slices():
    assert nominal_range_mm(protocol()) == (-100.0, 100.0)


def test_nominal_range_given_in_either_order():
    down = protocol(scan_start_mm=80.0, scan_end_mm=-40.0)
    assert nominal_range_mm(down) == (-40.0, 80.0)


def test_a_range_without_length_is_refused():
    with pytest.raises(InputError, match="no length"):
        nominal_range_mm(protocol(scan_start_mm=5.0, scan_end_mm=5.0))


@given(st.floats(0.3, 1.6), st.floats(5.0, 160.0))
def test_helical_scans_over_range_by_half_a_turn_and_half_a_beam(pitch, collimation):
    scan = protocol(pitch=pitch, collimation_mm=collimation)
    feed = pitch * collimation
    assert over_ranging_mm(scan) == pytest.approx(feed + 0.5 * collimation)


def test_axial_scans_do_not_over_range():
    assert over_ranging_mm(protocol(scan_mode="axial")) == 0.0


@pytest.mark.parametrize("pitch", [0.5, 0.984, 1.5])
def test_rotations_times_feed_is_the_irradiated_length(make, pitch):
    source = make(pitch=pitch)
    expected = 200.0 + 40.0 * (0.5 + pitch)
    assert source.z_bins_mm[0, 0] == pytest.approx(-0.5 * expected)
    assert source.z_bins_mm[-1, 1] == pytest.approx(0.5 * expected)
    assert source.feed_mm == pytest.approx(40.0 * pitch)
    assert source.scan_length_mm == pytest.approx(expected)
    assert np.all(source.z_bins_mm[1:, 0] == source.z_bins_mm[:-1, 1])  # no gap


def test_axial_stations_are_one_feed_apart_about_the_middle(make):
    source = make(scan_mode="axial", pitch=1.0)
    stations = source.z_bins_mm.mean(axis=1)
    assert np.all(np.ptp(source.z_bins_mm, axis=1) == 0)
    assert np.diff(stations) == pytest.approx(40.0)
    assert stations.size == source.rotations == 5
    assert stations.mean() == pytest.approx(0.0)
    assert source.scan_length_mm == pytest.approx(200.0)


def test_axial_beams_cover_a_range_that_is_no_multiple_of_the_feed(make):
    source = make(scan_mode="axial", pitch=1.0, scan_start_mm=-70.0, scan_end_mm=70.0)
    stations = source.z_bins_mm.mean(axis=1)
    assert stations.size == 4
    assert stations[0] - 20.0 <= -70.0
    assert stations[-1] + 20.0 >= 70.0


def test_weights_carry_the_shape_of_the_current(make):
    current = 1.0 + 0.5 * np.sin(Z / 30.0)
    source = make(relative_current=current / current.mean())
    middle = source.z_bins_mm.mean(axis=1)
    inside = np.abs(middle) < 97.0
    expected = (1.0 + 0.5 * np.sin(middle / 30.0)) / current.mean()
    assert source.z_weights[inside] == pytest.approx(expected[inside], abs=0.005)
    assert np.all(source.z_weights[middle > 98.0] == source.z_weights[-1])  # held constant beyond
    assert source.z_weights[-1] == pytest.approx(current[-1] / current.mean())


def test_photons_follow_the_integral_of_the_current(make):
    """DLP / CTDIvol: the integral of the relative current over the irradiated length."""
    current = np.where(Z > 0, 1.5, 0.5)
    source = make(relative_current=current)
    assert source.scan_length_mm == pytest.approx(200.0 + 40.0 * 1.3, rel=1e-3)
    only_low = make(relative_current=current, scan_start_mm=-100.0, scan_end_mm=-30.0)
    assert only_low.scan_length_mm == pytest.approx(0.5 * (70.0 + 52.0), rel=0.02)


def test_the_isocenter_is_the_protocols_else_the_middle_of_the_body(make):
    assert make(isocenter_lps_mm=(3.0, -8.0)).isocenter_lps_mm == (3.0, -8.0)
    assert make().isocenter_lps_mm == body_center_lps_mm(BODY) == pytest.approx((0.0, 0.0))


def test_the_beam_is_the_scanners(make, scanner):
    field = make().field
    assert field.focal_radius_mm == scanner.focal_radius_mm
    assert field.width_mm == scanner.fan_fov_mm
    assert field.height_mm == 40.0 + scanner.over_beaming_mm
    hvl = scanner.half_value_layer_at("body", 120.0)
    assert field.spectrum.half_value_layer_mm_al == pytest.approx(hvl, rel=1e-3)


def test_unknown_start_angle_stays_unknown(make):
    assert make().start_angle_rad is None


def angle_at(source, z_mm: float) -> float:
    """Tube angle [degrees] at a place of the helix."""
    turn = (z_mm - source.z_bins_mm[0, 0]) / source.feed_mm
    angle = np.rad2deg(source.start_angle_rad) + 360.0 * source.angle_sense * turn
    return float(angle % 360.0)


@pytest.mark.parametrize(
    ("position", "at_gantry_top", "at_gantry_90"),
    [  # 0: front, 90: right, 180: back, 270: left of the patient
        ("HFS", 0, 90),
        ("HFP", 180, 270),
        ("HFDL", 90, 180),  # left side down: the right is up
        ("HFDR", 270, 0),
        ("FFS", 0, 270),
        ("FFP", 180, 90),
        ("FFDL", 90, 0),
        ("FFDR", 270, 180),
    ],
)
def test_start_angle_is_turned_into_the_patients_frame(make, position, at_gantry_top, at_gantry_90):
    for degrees, expected in ((0, at_gantry_top), (90, at_gantry_90)):
        source = make(
            start_angle_rad=np.deg2rad(degrees),
            patient_position=position,
            scan_start_mm=-60.0,
            scan_end_mm=60.0,
        )
        difference = angle_at(source, -60.0) - expected
        assert (difference + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("start", "end"), [(-60.0, 60.0), (60.0, -60.0)])
@pytest.mark.parametrize(("position", "sense"), [("HFS", 1), ("FFS", -1)])
def test_start_angle_holds_at_the_nominal_start_and_turns_with_time(
    make, start, end, position, sense
):
    source = make(
        start_angle_rad=0.5, scan_start_mm=start, scan_end_mm=end, patient_position=position
    )
    assert angle_at(source, start) == pytest.approx(np.rad2deg(sense * 0.5) % 360.0)
    a_bit_later = start + 0.01 * source.feed_mm * np.sign(end - start)
    assert angle_at(source, a_bit_later) == pytest.approx(
        (np.rad2deg(sense * 0.5) + sense * 3.6) % 360.0
    )


def test_a_bowtie_that_the_scanner_lacks_is_named(scanner):
    with pytest.raises(InputError, match=r"no bowtie 'chest'.*body"):
        make_fan_field(scanner, "chest", tube_voltage_kv=120.0, collimation_mm=40.0)


def test_an_unknown_scanner_is_generic_and_said_to_be_so():
    scanner, bowtie, notes = choose_scanner(protocol(manufacturer="ACME", model="X1"))
    assert scanner.is_generic
    assert bowtie == "body"
    assert any("GENERIC SCANNER" in note and "ACME X1" in note for note in notes)


def test_a_named_scanner_wins_over_the_header():
    scanner, *_ = choose_scanner(
        protocol(manufacturer="SIEMENS", model="Force"), scanner="ge-revolution-ct"
    )
    assert scanner.name == "ge-revolution-ct"


def test_a_scanner_that_is_not_in_the_library_is_refused():
    with pytest.raises(InputError, match="generic"):
        choose_scanner(protocol(), scanner="no-such-scanner")

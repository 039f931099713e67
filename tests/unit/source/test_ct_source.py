from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate

from milligray.errors import InputError
from milligray.source.ct_source import N_FAN_BINS, CtSource, FanField, open_fan
from milligray.source.spectrum import Spectrum

SPECTRUM = Spectrum(
    edges_kev=np.array([30.0, 50.0, 100.0]),
    weights=np.array([2.0, 3.0]),
    name="two bins",
    fluence_per_cm2_mas=1e6,
)


def field(**changes) -> FanField:
    base = open_fan(focal_radius_mm=550.0, width_mm=500.0, height_mm=40.0, spectrum=SPECTRUM)
    return replace(base, **changes)


def source(**changes) -> CtSource:
    given = {
        "field": field(),
        "isocenter_lps_mm": (0.0, 0.0),
        "z_bins_mm": np.array([[0.0, 1.0], [1.0, 2.0]]),
        "z_weights": np.array([1.0, 2.0]),
        "rotations": 3.0,
        "feed_mm": 32.0,
        "collimation_mm": 40.0,
        "start_angle_rad": 0.5,
        "mode": "helical",
    }
    return CtSource(**(given | changes))


def test_open_fan_emits_one_in_all_with_the_spectrum_everywhere():
    photons = field().photons()
    assert photons.shape == (N_FAN_BINS, 2)
    assert photons.sum() == pytest.approx(1.0)
    assert np.allclose(photons[:, 0] / photons[:, 1], 2.0 / 3.0)


def test_fan_bins_hold_their_solid_angle():
    share = field().photons().sum(axis=1)
    edges = np.linspace(-250.0, 250.0, N_FAN_BINS + 1)

    def element(z, x):
        return 550.0 / (550.0**2 + x**2 + z**2) ** 1.5

    exact = [
        integrate.dblquad(element, edges[i], edges[i + 1], -20.0, 20.0)[0] for i in (0, 64, 128)
    ]
    assert share[[0, 64, 128]] / share[128] == pytest.approx(np.array(exact) / exact[2], rel=1e-5)


def test_bowtie_attenuates_by_its_thickness_at_the_fan_angle():
    mu = np.array([0.05, 0.03])
    shaped = field(
        filter_mu_per_mm=mu,
        filter_fan_angle_rad=np.array([0.0, 0.5]),
        filter_thickness_mm=np.array([0.0, 50.0]),
    )
    ratio = shaped.photons() / field().photons()
    thickness = 100.0 * np.arctan(np.abs(shaped.lateral_centers_mm()) / 550.0)
    assert ratio == pytest.approx(np.exp(-thickness[:, None] * mu))
    assert ratio[0] == pytest.approx(ratio[-1])  # symmetric


def test_photons_per_mas_is_fluence_times_solid_angle():
    small = field(width_mm=10.0, height_mm=10.0)
    expected = 1e6 * (10.0 / 550.0 * 100.0) ** 2  # area of the field at 1 m [cm2]
    assert small.photons_per_mas() == pytest.approx(expected, rel=2e-3)
    doubled = replace(SPECTRUM, fluence_per_cm2_mas=2e6)
    assert field(spectrum=doubled).photons_per_mas() == 2 * field().photons_per_mas()


def test_photons_per_mas_needs_a_tube_output():
    with pytest.raises(InputError, match="tube output"):
        field(spectrum=Spectrum.monoenergetic(60.0)).photons_per_mas()


def test_single_rotation_keeps_the_beam_and_forgets_the_scan():
    one = source(isocenter_lps_mm=(30.0, 40.0)).single_rotation(5.0)
    assert one.field is not None
    assert one.isocenter_lps_mm == (0.0, 0.0)
    assert one.z_bins_mm.tolist() == [[5.0, 5.0]]
    assert (one.rotations, one.feed_mm, one.mode) == (1.0, 40.0, "axial")
    assert one.start_angle_rad is None


def test_scan_length_is_rotations_times_feed():
    assert source().scan_length_mm == 96.0


@pytest.mark.parametrize("bins", [np.zeros((2, 3)), np.zeros(2), np.zeros((3, 2))])
def test_bins_and_weights_must_fit(bins):
    with pytest.raises(InputError, match="z_bins_mm"):
        source(z_bins_mm=bins)


@pytest.mark.parametrize("name", ["focal_radius_mm", "width_mm", "height_mm"])
@pytest.mark.parametrize("value", [0.0, -17.0, float("nan")])
def test_fields_have_an_extent(name, value):
    with pytest.raises(InputError, match=name):
        field(**{name: value})

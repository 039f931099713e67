"""Primary photons against their definition. Bounds: false alarm below 1e-7 a test."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from milligray.physics.random import uniform4
from milligray.source.beams import FieldBeam
from milligray.source.ct_source import CtSource, FanField, open_fan
from milligray.source.emission import emit
from milligray.source.spectrum import Spectrum

FALSE_ALARM = 1e-7
N = 200_000
SPECTRUM = Spectrum(
    edges_kev=np.array([20.0, 40.0, 50.0, 80.0, 120.0]),
    weights=np.array([0.1, 0.3, 0.4, 0.2]),
    name="test",
)
RADIUS_MM, WIDTH_MM, HEIGHT_MM = 600.0, 500.0, 80.0
CORNER_MM = np.array([-100.0, -150.0, -200.0])


@njit
def emit_many(tables, seed, n):
    out = np.empty((n, 8))
    for i in range(n):
        x, y, z, u, v, w, e, d = emit(tables, np.uint64(seed), np.uint64(i))
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = x, y, z, u
        out[i, 4], out[i, 5], out[i, 6], out[i, 7] = v, w, e, d
    return out


def bowtie_field() -> FanField:
    angle = np.linspace(0.0, 0.45, 10)
    return FanField(
        focal_radius_mm=RADIUS_MM,
        width_mm=WIDTH_MM,
        height_mm=HEIGHT_MM,
        spectrum=SPECTRUM,
        filter_mu_per_mm=np.array([0.2, 0.08, 0.05, 0.03]),
        filter_fan_angle_rad=angle,
        filter_thickness_mm=150.0 * angle**2,
    )


def ct_source(**changes) -> CtSource:
    given = {
        "field": open_fan(
            focal_radius_mm=RADIUS_MM, width_mm=WIDTH_MM, height_mm=HEIGHT_MM, spectrum=SPECTRUM
        ),
        "isocenter_lps_mm": (12.0, -7.0),
        "z_bins_mm": np.array([[0.0, 10.0], [10.0, 20.0], [20.0, 30.0], [30.0, 40.0]]),
        "z_weights": np.array([1.0, 3.0, 0.0, 2.0]),
        "rotations": 1.0,
        "feed_mm": 40.0,
        "collimation_mm": 40.0,
        "start_angle_rad": None,
        "mode": "helical",
    }
    return CtSource(**(given | changes))


def photons(source, *, corner=CORNER_MM, seed=1, n=N) -> dict[str, np.ndarray]:
    """Photons in patient coordinates [mm], and in the frame of the tube."""
    raw = emit_many(source.emission_tables(corner), seed, n)
    position = 10.0 * raw[:, :3] + corner
    return {"position": position, "direction": raw[:, 3:6], "energy": raw[:, 6], "draw": raw[:, 7]}


def in_tube_frame(sample, source) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tube angle, and place on the plane through the axis: lateral and axial [mm]."""
    offset = sample["position"][:, :2] - np.array(source.isocenter_lps_mm)
    angle = np.arctan2(-offset[:, 0], -offset[:, 1])
    u, v, w = sample["direction"].T
    forward = u * np.sin(angle) + v * np.cos(angle)
    across = u * np.cos(angle) - v * np.sin(angle)
    assert np.all(forward > 0)
    return angle, RADIUS_MM * across / forward, RADIUS_MM * w / forward


def test_tube_is_on_its_circle_and_directions_are_unit_vectors():
    source = ct_source()
    sample = photons(source)
    offset = sample["position"][:, :2] - np.array(source.isocenter_lps_mm)
    assert np.allclose(np.hypot(*offset.T), RADIUS_MM, rtol=1e-12)
    assert np.allclose(np.linalg.norm(sample["direction"], axis=1), 1.0, atol=1e-14)
    assert np.all(sample["draw"] == 2)


def test_directions_stay_inside_the_field_and_fill_it():
    source = ct_source()
    _, lateral, axial = in_tube_frame(photons(source), source)
    # a point on the plane at distance RADIUS, seen from the focal spot
    assert np.abs(lateral).max() <= 0.5 * WIDTH_MM * (1 + 1e-9)
    assert np.abs(axial).max() <= 0.5 * HEIGHT_MM * (1 + 1e-9)
    assert np.abs(lateral).max() > 0.499 * WIDTH_MM
    assert np.abs(axial).max() > 0.499 * HEIGHT_MM


def test_open_field_is_uniform_in_solid_angle():
    source = ct_source()
    _, lateral, axial = in_tube_frame(photons(source), source)
    n_x, n_z = 16, 6
    x_edges = np.linspace(-0.5 * WIDTH_MM, 0.5 * WIDTH_MM, n_x + 1)
    z_edges = np.linspace(-0.5 * HEIGHT_MM, 0.5 * HEIGHT_MM, n_z + 1)

    def corner_angle(x, z):  # solid angle of the rectangle from (0, 0) to (x, z)
        return np.arctan(x * z / (RADIUS_MM * np.sqrt(RADIUS_MM**2 + x**2 + z**2)))

    corners = corner_angle(x_edges[:, None], z_edges[None])
    expected = np.diff(np.diff(corners, axis=0), axis=1)
    counts = np.histogram2d(lateral, axial, bins=[x_edges, z_edges])[0]
    result = stats.chisquare(counts.ravel(), (expected / expected.sum() * N).ravel())
    assert result.pvalue > FALSE_ALARM


def test_fan_and_energy_follow_the_bowtie():
    field = bowtie_field()
    source = ct_source(field=field)
    sample = photons(source)
    _, lateral, _ = in_tube_frame(sample, source)
    expected = field.photons().reshape(32, 8, -1).sum(axis=1)
    counts = np.histogram2d(
        lateral,
        sample["energy"],
        bins=[np.linspace(-0.5 * WIDTH_MM, 0.5 * WIDTH_MM, 33), SPECTRUM.edges_kev],
    )[0]
    result = stats.chisquare(counts.ravel(), (expected / expected.sum() * N).ravel())
    assert result.pvalue > FALSE_ALARM


def test_energy_is_uniform_within_its_bin():
    energy = photons(ct_source())["energy"]
    for low, high in zip(SPECTRUM.edges_kev[:-1], SPECTRUM.edges_kev[1:], strict=True):
        inside = energy[(energy >= low) & (energy < high)]
        assert stats.kstest(inside, stats.uniform(low, high - low).cdf).pvalue > FALSE_ALARM


def test_z_follows_the_tube_current():
    source = ct_source()
    z = photons(source)["position"][:, 2]
    counts = np.histogram(z, bins=[0.0, 10.0, 20.0, 30.0, 40.0])[0]
    assert counts.sum() == N
    assert counts[2] == 0
    expected = np.array([1.0, 3.0, 2.0]) / 6.0 * N
    assert stats.chisquare(counts[[0, 1, 3]], expected).pvalue > FALSE_ALARM
    first = z[z < 10.0]
    assert stats.kstest(first, stats.uniform(0.0, 10.0).cdf).pvalue > FALSE_ALARM


def test_segments_follow_each_other_with_equal_photons():
    source = ct_source()
    tables = source.emission_tables(CORNER_MM)._replace(batch_histories=N, segments=8)
    z = 10.0 * emit_many(tables, 1, N)[:, 2] + CORNER_MM[2]
    by_segment = z.reshape(8, -1)
    assert np.all(by_segment.max(axis=1)[:-1] <= by_segment.min(axis=1)[1:] + 1e-9)
    # the current is 1, 3, 0, 2 in bins of 10 mm: segments end at equal shares of it
    edges = np.interp(np.arange(9) / 8, [0, 1 / 6, 4 / 6, 4 / 6, 1], [0, 10, 20, 30, 40])
    for segment, low, high in zip(by_segment, edges[:-1], edges[1:], strict=True):
        assert segment.min() >= low - 1e-9
        assert segment.max() <= high + 10.0 * (low <= 20.0 < high) + 1e-9
    assert not np.any((z > 20.0 + 1e-9) & (z < 30.0 - 1e-9))
    plain = photons(source)["position"][:, 2]
    assert stats.ks_2samp(z, plain).pvalue > 1e-7


def test_unknown_start_angle_gives_all_angles_alike_and_independent_of_z():
    source = ct_source()
    sample = photons(source)
    turn = in_tube_frame(sample, source)[0] / (2 * np.pi) % 1.0
    assert stats.kstest(turn, "uniform").pvalue > FALSE_ALARM
    z = sample["position"][:, 2]
    z_edges = [0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 35.0, 40.0]
    counts = np.histogram2d(turn, z, bins=[np.linspace(0, 1, 9), z_edges])[0]
    counts = counts[:, counts.sum(axis=0) > 0]
    assert stats.chi2_contingency(counts).pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("degrees", "offset_mm"),
    [
        (0.0, (0.0, -RADIUS_MM)),  # in front of the patient
        (90.0, (-RADIUS_MM, 0.0)),  # at the patient's right
        (180.0, (0.0, RADIUS_MM)),
        (270.0, (RADIUS_MM, 0.0)),
    ],
)
def test_tube_angles_have_the_stated_sense(degrees, offset_mm):
    source = ct_source(
        z_bins_mm=np.array([[5.0, 5.0]]),
        z_weights=np.ones(1),
        start_angle_rad=np.deg2rad(degrees),
    )
    sample = photons(source, n=100)
    tube = np.array([*source.isocenter_lps_mm, 5.0]) + np.array([*offset_mm, 0.0])
    assert np.allclose(sample["position"], tube, atol=1e-9)
    mean = sample["direction"].mean(axis=0)
    assert mean[:2] @ np.array(offset_mm) < 0  # towards the axis


def test_helix_advances_one_turn_per_feed():
    source = ct_source(start_angle_rad=0.7, feed_mm=25.0)
    sample = photons(source)
    angle, *_ = in_tube_frame(sample, source)
    expected = 0.7 + 2 * np.pi * sample["position"][:, 2] / 25.0
    assert np.allclose(np.exp(1j * angle), np.exp(1j * expected), atol=1e-9)


def test_axial_scan_turns_fully_at_every_station():
    source = ct_source(
        z_bins_mm=np.array([[0.0, 0.0], [40.0, 40.0]]),
        z_weights=np.ones(2),
        mode="axial",
        start_angle_rad=1.0,
    )
    sample = photons(source)
    assert set(np.round(sample["position"][:, 2], 9)) == {0.0, 40.0}
    turn = in_tube_frame(sample, source)[0] / (2 * np.pi) % 1.0
    assert stats.kstest(turn, "uniform").pvalue > FALSE_ALARM


def test_photons_do_not_depend_on_the_box():
    one, other = (photons(ct_source(), corner=np.array(c), n=500) for c in ((0, 0, 0), (-9, 5, 80)))
    assert np.allclose(one["position"], other["position"], atol=1e-9)
    assert np.array_equal(one["direction"], other["direction"])
    assert np.array_equal(one["energy"], other["energy"])


def alias_draw(probability, alias, xi):
    """What Walker's table gives for an array of numbers, in plain NumPy."""
    index = np.minimum((xi * probability.shape[-1]).astype(int), probability.shape[-1] - 1)
    keep = xi * probability.shape[-1] - index < np.take_along_axis(probability, index, -1)
    return np.where(keep, index, np.take_along_axis(alias, index, -1))


def test_ct_photons_equal_their_slow_twin():
    source = ct_source(field=bowtie_field(), start_angle_rad=0.3)
    tables = source.emission_tables(CORNER_MM)
    n = 400
    fast = emit_many(tables, 9, n)
    xi = np.array(
        [[uniform4(np.uint64(9), np.uint64(i), d) for d in (0, 1)] for i in range(n)]
    ).reshape(n, 8)
    bins = alias_draw(tables.z_probability, tables.z_alias, xi[:, 0])
    low, high = tables.z_bins[bins].T
    z = low + xi[:, 1] * (high - low)
    angle = 0.3 + 2 * np.pi * z / 4.0  # feed 40 mm; the first bin begins at z = 0
    fan = alias_draw(tables.fan_probability, tables.fan_alias, xi[:, 3])
    lateral = WIDTH_MM / 10 * ((fan + xi[:, 4]) / 256 - 0.5)
    # solid angle at a fixed lateral place: sine of the elevation is uniform
    distance = np.hypot(RADIUS_MM / 10, lateral)
    sine_max = np.sin(np.arctan(HEIGHT_MM / 20 / distance))
    elevation = np.arcsin((2 * xi[:, 5] - 1) * sine_max)
    fan_angle = np.arctan(lateral / (RADIUS_MM / 10))
    direction = np.stack(
        [
            np.cos(elevation) * np.sin(angle + fan_angle),
            np.cos(elevation) * np.cos(angle + fan_angle),
            np.sin(elevation),
        ],
        axis=1,
    )
    index = alias_draw(tables.energy_probability[fan], tables.energy_alias[fan], xi[:, 6:7])[:, 0]
    edges = tables.energy_edges[index]
    energy = edges[:, 0] + xi[:, 7] * (edges[:, 1] - edges[:, 0])
    assert np.allclose(fast[:, 2], tables.origin[2] + z, atol=1e-12)
    assert np.allclose(fast[:, 3:6], direction, atol=1e-12)
    assert np.allclose(fast[:, 6], energy, atol=1e-11)


def field_beam(**changes) -> FieldBeam:
    given = {
        "focal_spot_lps_mm": (0.0, -400.0, 0.0),
        "field_center_lps_mm": (0.0, 100.0, 0.0),
        "field_axes": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        "field_size_mm": (300.0, 200.0),
        "spectrum": SPECTRUM,
    }
    return FieldBeam(**(given | changes))


def test_point_source_is_uniform_in_solid_angle_within_its_field():
    sample = photons(field_beam())
    assert np.allclose(sample["position"], (0.0, -400.0, 0.0))
    u, v, w = sample["direction"].T
    x, z = 500.0 * u / v, 500.0 * w / v
    x_edges, z_edges = np.linspace(-150, 150, 9), np.linspace(-100, 100, 7)
    corners = np.arctan(
        x_edges[:, None] * z_edges / (500 * np.sqrt(500**2 + x_edges[:, None] ** 2 + z_edges**2))
    )
    expected = np.diff(np.diff(corners, axis=0), axis=1)
    counts = np.histogram2d(x, z, bins=[x_edges, z_edges])[0]
    assert counts.sum() == N
    result = stats.chisquare(counts.ravel(), (expected / expected.sum() * N).ravel())
    assert result.pvalue > FALSE_ALARM
    energies = np.histogram(sample["energy"], bins=SPECTRUM.edges_kev)[0]
    assert stats.chisquare(energies, SPECTRUM.weights * N).pvalue > FALSE_ALARM


def test_parallel_beam_is_uniform_over_its_field_and_follows_its_normal():
    sample = photons(field_beam(focal_spot_lps_mm=None))
    assert np.allclose(sample["direction"], np.cross((1, 0, 0), (0, 0, 1)))
    x, y, z = sample["position"].T
    assert np.allclose(y, 100.0)
    counts = np.histogram2d(x, z, bins=[8, 6], range=[[-150, 150], [-100, 100]])[0]
    assert counts.sum() == N
    assert stats.chisquare(counts.ravel()).pvalue > FALSE_ALARM

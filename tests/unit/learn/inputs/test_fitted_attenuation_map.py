"""Air-kerma maps that fit the patient, against the map of the cylinder and against geometry."""

from dataclasses import replace

import numpy as np
import pytest

from milligray.learn.inputs.attenuation_map import attenuation_map_mgy
from milligray.learn.inputs.fitted_attenuation_map import (
    fitted_attenuation_map_mgy,
    traced_ratio,
)
from milligray.learn.inputs.water_ellipses import water_ellipses_mm, water_equivalent
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.spectrum import Spectrum
from milligray.volume import Grid


def scan(n: int = 80, angle: float | None = None) -> CtSource:
    """Open fan whose tube moves n mm along z, 40 mm a turn."""
    field = open_fan(
        focal_radius_mm=600.0, width_mm=500.0, height_mm=20.0,
        spectrum=Spectrum.monoenergetic(60.0),
    )  # fmt: skip
    edges = np.arange(n + 1) - 0.5 * n
    return CtSource(
        field=field, isocenter_lps_mm=(0.0, 0.0), z_bins_mm=np.stack([edges[:-1], edges[1:]], 1),
        z_weights=np.ones(n), rotations=n / 40.0, feed_mm=40.0, collimation_mm=40.0,
        start_angle_rad=angle, mode="helical",
    )  # fmt: skip


def ellipse(
    grid: Grid, half_x: float, half_y: float, center: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """Share of every pixel inside an ellipse, by 4 x 4 points."""
    share = np.zeros(grid.shape[1:])
    for dy in (-1.5, -0.5, 0.5, 1.5):
        for dx in (-1.5, -0.5, 0.5, 1.5):
            y = grid.axis_centers_mm(1) + dy - center[1]
            x = grid.axis_centers_mm(2) + dx - center[0]
            share += ((x[None] / half_x) ** 2 + (y[:, None] / half_y) ** 2 <= 1.0) / 16.0
    return np.broadcast_to(share, grid.shape).astype(np.float32).copy()


GRID = Grid.from_spacing((15, 84, 84), (4.0, 4.0, 4.0))


def test_a_homogeneous_ellipse_comes_back() -> None:
    density = ellipse(GRID, 140.0, 80.0, (12.0, -20.0))
    density[3] = 0.0
    found = water_ellipses_mm(density, density > 0, GRID)
    np.testing.assert_allclose(found[5], [12.0, -20.0, 140.0, 80.0], atol=0.5)
    np.testing.assert_array_equal(found[3, 2:], 0.0)


def test_denser_tissue_makes_a_larger_ellipse_of_water() -> None:
    density = ellipse(GRID, 100.0, 80.0)
    a = water_ellipses_mm(density, density > 0, GRID)[5]
    b = water_ellipses_mm(1.1 * density, density > 0, GRID)[5]
    assert b[2] * b[3] == pytest.approx(1.1 * a[2] * a[3], rel=1e-6)


def test_in_a_cylinder_of_32_cm_it_is_the_published_map() -> None:
    body = ellipse(GRID, 160.0, 160.0) > 0.5
    density = body.astype(np.float32)
    source = scan()
    found = fitted_attenuation_map_mgy(source, GRID, density, body, photons=1e12)
    wanted = attenuation_map_mgy(source, GRID, photons=1e12)
    inside = body & (ellipse(GRID, 150.0, 150.0) > 0.99)
    ratio = found[inside] / wanted[inside]
    assert ratio.mean() == pytest.approx(1.0, abs=0.01)
    assert ratio.std() < 0.02
    np.testing.assert_array_equal(found[~body], 0.0)


def test_in_an_ellipse_of_water_tracing_changes_nothing() -> None:
    body = ellipse(GRID, 130.0, 90.0) > 0.5
    ratio = traced_ratio(scan(), GRID, body.astype(np.float32), body)
    inside = ellipse(GRID, 110.0, 75.0) > 0.99
    assert ratio[inside].mean() == pytest.approx(1.0, abs=0.02)
    assert ratio[inside].std() < 0.03


def test_behind_a_ring_of_bone_there_is_less_than_its_ellipse_tells() -> None:
    body = ellipse(GRID, 90.0, 90.0) > 0.5
    density = body.astype(np.float32)
    density[(ellipse(GRID, 80.0, 80.0) < 0.5) & body] = 1.6
    ratio = traced_ratio(scan(), GRID, density, body)
    assert ratio[7, 42, 42] < 0.93


def test_a_slimmer_patient_gets_more() -> None:
    wide, slim = ellipse(GRID, 150.0, 110.0), ellipse(GRID, 75.0, 75.0)
    source = scan()
    a, b = (
        fitted_attenuation_map_mgy(source, GRID, one, one > 0.5, photons=1e12)[7, 42, 42]
        for one in (wide, slim)
    )
    assert b > 1.5 * a


def test_it_is_linear_in_the_photons_and_zero_beyond_the_beam() -> None:
    density = ellipse(GRID, 90.0, 90.0)
    source = scan(n=10)
    one = fitted_attenuation_map_mgy(source, GRID, density, density > 0.5, photons=1e9)
    two = fitted_attenuation_map_mgy(source, GRID, density, density > 0.5, photons=2e9)
    np.testing.assert_array_equal(two, 2.0 * one)
    # at 100 mm beyond the axis the beam of 20 mm, moved by 10 mm, is 33.3 mm wide at most
    assert not one[np.abs(GRID.axis_centers_mm(0)) > 20.0].any()
    assert (one[7][density[7] > 0.5] > 0).all()


def test_start_angles_average_to_the_unknown_one() -> None:
    density = ellipse(GRID, 90.0, 70.0)
    body = density > 0.5
    unknown = fitted_attenuation_map_mgy(scan(), GRID, density, body, photons=1e12)
    base = scan(angle=0.0)
    angles = 2.0 * np.pi * np.arange(9) / 9
    known = np.mean([
        fitted_attenuation_map_mgy(
            replace(base, start_angle_rad=a), GRID, density, body, photons=1e12
        )
        for a in angles
    ], axis=0)  # fmt: skip
    np.testing.assert_allclose(known[body], unknown[body], rtol=0.02)


def test_cortical_bone_attenuates_three_times_as_water() -> None:
    np.testing.assert_allclose(
        water_equivalent(np.array([0.0, 1.0, 1.78])), [0, 1, 2.94], atol=0.02
    )

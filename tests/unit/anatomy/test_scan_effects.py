from functools import lru_cache

import numpy as np
import pytest

from milligray.anatomy.beam_errors import bone_error_cm, metal_error_cm, split_bone
from milligray.anatomy.ct_options import CtAppearance
from milligray.anatomy.parallel_beam import Detector, Filter, project
from milligray.anatomy.scan_effects import add_scan_effects
from milligray.volume import Grid


def _disc(grid: Grid, radius_mm: float, x_mm: float = 0.0) -> np.ndarray:
    y, x = np.meshgrid(grid.axis_centers_mm(1), grid.axis_centers_mm(2), indexing="ij")
    return (x - x_mm) ** 2 + y**2 <= radius_mm**2


def _water(radius_mm: float, n_slices: int, spacing_mm: float = 2.0) -> tuple[np.ndarray, Grid]:
    n = int(340 / spacing_mm)
    grid = Grid.from_spacing((n_slices, n, n), (spacing_mm,) * 3)
    hu = np.full(grid.shape, -1000.0, dtype=np.float32)
    hu[:, _disc(grid, radius_mm)] = 0.0
    return hu, grid


@lru_cache(maxsize=4)
def _noise(radius_mm: float, modulation: float = 0.0) -> tuple[np.ndarray, Grid]:
    hu, grid = _water(radius_mm, 24)
    before = hu.copy()
    add_scan_effects(
        hu,
        grid,
        CtAppearance(noise_hu=20.0, current_modulation=modulation, resolution_mm=3.0),
        seed=2,
    )
    return hu - before, grid


def _sd(noise: np.ndarray, mask: np.ndarray) -> float:
    return float(noise[:, mask].std())


def test_projections_of_a_disc_are_its_chords_and_come_back_as_one() -> None:
    grid = Grid.from_spacing((1, 120, 140), (2.5, 2.5, 2.0))
    disc = _disc(grid, 90.0)
    detector = Detector.around(grid, 3.0)
    sinogram = project(disc.astype(np.float32), grid, detector)
    middle = sinogram[:, detector.n_bins // 2 - 1 : detector.n_bins // 2 + 2].mean()
    assert float(middle) == pytest.approx(18.0, rel=0.02)
    image = Filter.ramp(detector, 3.0).reconstruct(sinogram, grid, detector)
    inner = _disc(grid, 70.0)
    assert float(image[inner].mean()) == pytest.approx(1.0, abs=0.01)
    assert float(image[~_disc(grid, 105.0) & _disc(grid, 115.0)].mean()) == pytest.approx(
        0, abs=0.01
    )


def test_noise_in_the_middle_of_300_mm_of_water_is_as_asked() -> None:
    noise, grid = _noise(150.0)
    assert _sd(noise, _disc(grid, 25.0)) == pytest.approx(20.0, rel=0.06)
    assert abs(float(noise[:, _disc(grid, 140.0)].mean())) < 0.1


def test_noise_falls_towards_the_rim_and_with_the_diameter() -> None:
    noise, grid = _noise(150.0)
    ring = _disc(grid, 145.0) & ~_disc(grid, 130.0)
    assert _sd(noise, ring) < 0.75 * _sd(noise, _disc(grid, 25.0))
    small, _ = _noise(100.0)
    ratio = _sd(small, _disc(grid, 25.0)) / _sd(noise, _disc(grid, 25.0))
    # exp(mu (200 - 300 mm) / 2), and some electronic noise less
    assert ratio == pytest.approx(np.exp(-0.19 * 10.0 / 2.0), rel=0.12)


def test_full_current_modulation_keeps_the_noise_of_all_diameters() -> None:
    small, grid = _noise(100.0, 1.0)
    assert _sd(small, _disc(grid, 25.0)) == pytest.approx(20.0, rel=0.12)


def test_noise_power_peaks_where_the_ramp_meets_the_point_spread() -> None:
    noise, _ = _noise(150.0)
    n = noise.shape[1]
    roi = noise[:, n // 2 - 32 : n // 2 + 32, n // 2 - 32 : n // 2 + 32]
    power = (np.abs(np.fft.fft2(roi - roi.mean(axis=(1, 2), keepdims=True))) ** 2).mean(axis=0)
    f = np.fft.fftfreq(64, 2.0)
    radius = np.hypot(f[:, None], f[None])
    edges = np.arange(0.0, 0.25, 0.02)
    profile = np.array([
        power[(radius >= low) & (radius < low + 0.02)].mean() for low in edges
    ])  # fmt: skip
    peak = float(edges[int(np.argmax(profile))] + 0.01)
    assert peak == pytest.approx(0.265 / 3.0, abs=0.03)
    assert profile[0] < 0.35 * profile.max()
    assert profile[-1] < 0.35 * profile.max()


def test_noise_is_streaky_along_the_long_axis() -> None:
    grid = Grid.from_spacing((16, 90, 200), (2.5, 2.5, 2.5))
    y, x = np.meshgrid(grid.axis_centers_mm(1), grid.axis_centers_mm(2), indexing="ij")
    body = (x / 220) ** 2 + (y / 90) ** 2 <= 1.0
    hu = np.full(grid.shape, -1000.0, dtype=np.float32)
    hu[:, body] = 0.0
    before = hu.copy()
    add_scan_effects(hu, grid, CtAppearance(noise_hu=10.0), seed=5)
    noise = (hu - before)[:, 30:60, 80:120]
    along_x = np.mean(noise[:, :, 1:] * noise[:, :, :-1])
    along_y = np.mean(noise[:, 1:] * noise[:, :-1])
    assert along_x > along_y + 0.1 * noise.var()


def test_slice_width_correlates_neighbors() -> None:
    correlations = []
    for width in (0.0, 5.0):
        hu, grid = _water(80.0, 30)
        before = hu.copy()
        add_scan_effects(hu, grid, CtAppearance(noise_hu=20.0, slice_width_mm=width), seed=5)
        noise = (hu - before)[:, _disc(grid, 70.0)]
        correlations.append(np.mean(noise[1:] * noise[:-1]) / noise.var())
    sigma = 5.0 / 2.3548 / 2.0
    assert abs(correlations[0]) < 0.02
    assert correlations[1] == pytest.approx(np.exp(-1.0 / (4.0 * sigma**2)), abs=0.05)


def test_cupping_is_as_deep_as_asked_and_keeps_the_mean() -> None:
    hu, grid = _water(150.0, 2)
    add_scan_effects(hu, grid, CtAppearance(cupping_hu=10.0))
    middle = float(hu[:, _disc(grid, 20.0)].mean())
    rim = float(hu[:, _disc(grid, 140.0) & ~_disc(grid, 110.0)].mean())
    assert rim - middle == pytest.approx(10.0, rel=0.1)
    assert float(hu[:, _disc(grid, 140.0)].mean()) == pytest.approx(0.0, abs=0.5)


def test_beam_hardening_darkens_between_bones() -> None:
    hu, grid = _water(140.0, 2)
    for x_mm in (-75.0, 75.0):
        hu[:, _disc(grid, 22.0, x_mm)] = 1000.0
    before = hu.copy()
    add_scan_effects(hu, grid, CtAppearance(beam_hardening=1.0))
    change = hu - before
    between = float(change[:, _disc(grid, 15.0)].mean())
    y, x = np.meshgrid(grid.axis_centers_mm(1), grid.axis_centers_mm(2), indexing="ij")
    aside = float(change[:, (np.abs(x) < 15) & (np.abs(y + 100) < 15)].mean())
    assert between < -5.0
    assert between < aside - 5.0


def test_water_alone_has_no_beam_hardening_error() -> None:
    hu, grid = _water(150.0, 1)
    before = hu.copy()
    add_scan_effects(hu, grid, CtAppearance(beam_hardening=1.0))
    assert float(np.abs(hu - before).max()) < 1e-3


def test_errors_grow_with_the_path_and_vanish_without_bone() -> None:
    water = np.full(4, 20.0, dtype=np.float32)
    bone = np.array([0.0, 1.0, 3.0, 6.0], dtype=np.float32)
    error = bone_error_cm(water, bone)
    assert error[0] == 0.0
    assert (np.diff(error) < 0).all()
    assert error[2] == pytest.approx(-0.4627, abs=1e-3)
    for metal in ("titanium", "cobalt_chromium", "amalgam"):
        assert (np.diff(metal_error_cm(metal, np.array([0.0, 0.5, 1.0, 4.0]))) < 0).all()


def test_bone_is_split_off_above_100_hu_only() -> None:
    water, bone = split_bone(np.array([-1000.0, 0.0, 99.0, 1604.0], dtype=np.float32))
    assert bone.tolist()[:3] == [0.0, 0.0, 0.0]
    assert bone[3] == pytest.approx(1.0, abs=1e-3)
    assert water == pytest.approx([0.0, 1.0, 1.099, 0.0], abs=1e-3)

"""The attenuation map against plain geometry, a slow twin, and Monte Carlo in air."""

import math
from dataclasses import replace

import numpy as np
import pytest

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.learn.inputs.attenuation_map import attenuation_map_mgy
from milligray.materials.cross_sections import mu_rho_cm2_g
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.score.dose_scoring import score_dose
from milligray.source.ct_scan import make_fan_field
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.position_source import make_position_source
from milligray.source.scanner_library import load_scanner
from milligray.source.spectrum import Spectrum, air_mu_en_rho_cm2_g
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.volume import Grid

R, WIDTH, HEIGHT = 600.0, 500.0, 40.0


def rotation(
    spectrum: Spectrum | None = None, *, n: int = 1, start: float | None = None
) -> CtSource:
    """Open fan: one rotation, or a path of n bins of 1 mm."""
    field = open_fan(
        focal_radius_mm=R, width_mm=WIDTH, height_mm=HEIGHT,
        spectrum=spectrum or Spectrum.monoenergetic(60.0),
    )  # fmt: skip
    edges = np.arange(n + 1) - 0.5 * n
    bins = np.stack([edges[:-1], edges[1:]], axis=1) if n > 1 else np.zeros((1, 2))
    return CtSource(
        field=field, isocenter_lps_mm=(0.0, 0.0), z_bins_mm=bins, z_weights=np.ones(n),
        rotations=1.0, feed_mm=40.0, collimation_mm=40.0, start_angle_rad=start,
        mode="helical" if n > 1 or start is not None else "axial",
    )  # fmt: skip


def kerma_at_isocenter(path_cm: float) -> float:
    """MGy per photon of the open fan on the axis, by hand."""
    half_w, half_h = WIDTH / 2, HEIGHT / 2
    omega = 4 * math.atan(half_w * half_h / (R * math.sqrt(R**2 + half_w**2 + half_h**2)))
    mu = mu_rho_cm2_g(load_material("water"), [60.0])[0]
    mu_en = air_mu_en_rho_cm2_g(np.array([60.0]))[0]
    fluence = 1.0 / (omega * (R / 10) ** 2)
    return float(fluence * 60.0 * mu_en * math.exp(-mu * path_cm) * MGY_PER_KEV_PER_G)


def test_on_the_axis_it_is_the_inverse_square_and_the_radius_of_water() -> None:
    point = Grid.from_spacing((1, 1, 1), (1.0, 1.0, 1.0))
    free = attenuation_map_mgy(rotation(), point, photons=1e12, cylinder_diameter_mm=0.0)
    water = attenuation_map_mgy(rotation(), point, photons=1e12)
    assert float(free[0, 0, 0]) == pytest.approx(1e12 * kerma_at_isocenter(0.0), rel=2e-4)
    assert float(water[0, 0, 0]) == pytest.approx(1e12 * kerma_at_isocenter(16.0), rel=1e-3)


def test_free_in_air_one_position_follows_the_inverse_square_along_its_ray() -> None:
    source = make_position_source(rotation(), angle_rad=0.0, z_mm=0.0)
    line = Grid.from_spacing((1, 41, 1), (1.0, 10.0, 1.0))  # y, away from the tube at -y
    kerma = attenuation_map_mgy(source, line, photons=1.0, cylinder_diameter_mm=0.0)[0, :, 0]
    distance = R + line.axis_centers_mm(1)
    assert np.allclose(kerma * distance**2, kerma[20] * R**2, rtol=1e-4)


def test_a_turned_tube_turns_the_map() -> None:
    grid = Grid.from_spacing((3, 21, 21), (4.0, 15.0, 15.0))
    front = make_position_source(rotation(), angle_rad=0.0, z_mm=0.0)
    right = make_position_source(rotation(), angle_rad=0.5 * np.pi, z_mm=0.0)
    a = attenuation_map_mgy(front, grid, photons=1.0)
    b = attenuation_map_mgy(right, grid, photons=1.0)
    # the tube in front is at low y, the one at the patient's right at low x
    assert np.allclose(a, b.transpose(0, 2, 1), rtol=1e-5)
    assert a[1, 2, 10] > a[1, 18, 10]


def test_many_start_angles_average_to_the_map_of_the_unknown_one() -> None:
    grid = Grid.from_spacing((5, 9, 9), (4.0, 40.0, 40.0))
    n = 24
    helices = [
        attenuation_map_mgy(
            rotation(n=80, start=2 * np.pi * (a + 0.5) / n), grid, photons=1.0
        ).astype(np.float64)
        for a in range(n)
    ]
    unknown = attenuation_map_mgy(rotation(n=80), grid, photons=1.0)
    assert np.allclose(np.mean(helices, axis=0), unknown, rtol=0.02)


def test_it_is_linear_in_the_current_and_ignores_its_scale() -> None:
    grid = Grid.from_spacing((30, 3, 3), (4.0, 40.0, 40.0))
    base = rotation(n=80)
    low = np.where(np.arange(80) < 40, 1.0, 0.0)
    parts = [
        attenuation_map_mgy(replace(base, z_weights=w), grid, photons=float(w.sum()))
        for w in (low, 3.0 * (1.0 - low))
    ]
    both = attenuation_map_mgy(
        replace(base, z_weights=low + 3.0 * (1.0 - low)), grid, photons=160.0
    )
    assert np.allclose(parts[0] + parts[1], both, rtol=1e-5, atol=1e-12)


def test_outside_the_beam_there_is_no_primary_kerma() -> None:
    grid = Grid.from_spacing((41, 1, 1), (4.0, 4.0, 4.0))
    kerma = attenuation_map_mgy(rotation(), grid, photons=1e12)[:, 0, 0]
    z = np.abs(grid.axis_centers_mm(0))
    assert np.all(kerma[z > 24] == 0)
    assert np.all(kerma[z < 16] > 0)


def test_free_in_air_it_is_what_monte_carlo_scores_in_air() -> None:
    """Bowtie, spectrum, fan and cone: dose to thin air is collision kerma free in air."""
    field = make_fan_field(
        load_scanner("generic"), "body", tube_voltage_kv=120, collimation_mm=40.0
    )
    source = replace(rotation(), field=field)
    grid = Grid.from_spacing((4, 10, 10), (5.0, 30.0, 30.0))
    air = load_material("air")
    patient = Patient(
        grid=grid, density_g_cm3=np.full(grid.shape, 1e-6),
        material_index=np.zeros(grid.shape, dtype=np.uint8), materials=(air,),
        body=np.ones(grid.shape, dtype=bool),
    )  # fmt: skip
    deposit = transport_photons(patient, source, histories=1_500_000, seed=5, threads=2)
    dose = score_dose(deposit, patient, photons=1.0)
    kerma = attenuation_map_mgy(source, grid, photons=1.0, cylinder_diameter_mm=0.0)
    ratio = dose.dose_mgy / kerma
    pixels = ratio.mean(axis=0)
    sigma = dose.relative_uncertainty.mean()
    # 400 voxels; voxel means against values at the centers: within 1 % of each other on average
    assert abs(float(ratio.mean()) - 1) < 0.01
    assert np.abs(pixels - 1).max() < 0.04 + 5 * sigma

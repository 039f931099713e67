"""Spheres against analytic limits, a direct simulation of the ball, and what must always hold."""

import numpy as np
import pytest
import scipy.sparse

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.data import data_path
from milligray.errors import InputError, TableRangeError
from milligray.materials.cross_sections import mu_en_rho_cm2_g
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.score.organ_level_mird import sphere_dose
from milligray.score.sphere_s_values import (
    DENSITY_G_CM3,
    absorbed_energies_kev,
    load_sphere_s_values,
    overlap,
    photons_of,
    sphere_radius_cm,
)
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import EmissionLines, Nuclide, load_nuclide
from milligray.transport.monte_carlo.decay_engine import transport_decays
from milligray.volume import Grid

SOFT = load_material("soft_tissue")
SHIPPED = sorted(
    p.name.removesuffix(".csv") for p in data_path("spheres").iterdir() if p.name.endswith(".csv")
)


def line(particle: str, energy_kev: float) -> Nuclide:
    lines = EmissionLines(
        particle=particle, edges_kev=np.full((1, 2), energy_kev), yields=np.array([1.0])
    )
    return Nuclide(name="line", half_life_s=1.0, emissions=(lines,))


def test_overlap_is_that_of_random_pairs_of_points():
    rng = np.random.default_rng(1)
    direction = rng.normal(size=(200_000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points = direction * rng.random((200_000, 1)) ** (1 / 3) * 2.0
    for distance in (0.3, 1.0, 2.5, 3.9, 4.5):
        moved = points + distance * np.array([0.0, 0.0, 1.0])
        share = np.mean(np.linalg.norm(moved, axis=1) < 2.0)
        assert overlap(np.array(distance), 2.0) == pytest.approx(share, abs=0.005)
    r = np.linspace(0.0, 4.0, 2001)
    assert np.trapezoid(overlap(r, 2.0), r) == pytest.approx(1.5, rel=1e-5)


@pytest.mark.slow
def test_small_spheres_absorb_photons_by_their_mean_chord():
    """First collisions only: absorbed fraction = mu_en 3 R / 4; scatter and the way of the
    electrons are a few percent."""
    masses = np.array([0.3, 0.8])
    energy, sigma = absorbed_energies_kev(line("photon", 300.0), SOFT, masses, histories=60_000)
    coefficient = mu_en_rho_cm2_g(SOFT, np.array([300.0]))[0] * DENSITY_G_CM3
    limit = 300.0 * coefficient * 0.75 * np.array([sphere_radius_cm(m) for m in masses])
    assert np.all(sigma < 0.02 * energy)
    np.testing.assert_allclose(energy, limit, rtol=0.05)


def test_large_spheres_lose_electrons_at_their_surface_only():
    """Electrons of 200 keV end within 0.43 mm (CSDA): 1 - 3 <r> / (4 R), <r> below 0.43 mm."""
    masses = np.array([0.01, 0.1, 0.8])
    energy, _ = absorbed_energies_kev(line("electron", 200.0), SOFT, masses, histories=40_000)
    loss = 1.0 - energy / 200.0
    radius = np.array([sphere_radius_cm(m) for m in masses])
    mean_mm = 10.0 * loss * radius / 0.75
    assert np.all(loss > 0)
    assert np.all((mean_mm > 0.08) & (mean_mm < 0.43))
    # the same mean distance whatever the sphere
    assert np.ptp(mean_mm) < 0.15 * mean_mm.mean()


@pytest.mark.slow
def test_pairs_of_points_agree_with_decays_spread_over_a_ball():
    """The other way: Y-90 everywhere in 2 g of tissue, energy counted inside."""
    mass = 2.0
    radius = 10.0 * sphere_radius_cm(mass)
    grid = Grid.from_spacing((49, 49, 49), (0.5, 0.5, 0.5))
    box = Patient(
        grid=grid, density_g_cm3=np.full(grid.shape, DENSITY_G_CM3),
        material_index=np.zeros(grid.shape, dtype=np.uint8), materials=(SOFT,),
        body=np.ones(grid.shape, dtype=bool),
    )  # fmt: skip
    axis = (np.arange(49 * 5) - 122) * 0.1
    fine = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 < radius**2
    inside = fine.reshape(49, 5, 49, 5, 49, 5).mean(axis=(1, 3, 5))
    weights = scipy.sparse.csr_matrix((inside * box.mass_g).reshape(1, -1))
    ball = OrganMassWeights(
        names=("ball",), weights_g=weights, mass_g=np.array([mass]), volume_ml=np.array([mass])
    )
    nuclide = load_nuclide("Y-90")
    source = DecaySource(
        nuclide=nuclide, center_lps_mm=(0.0, 0.0, 0.0), radius_mm=radius, photon_share=0.1
    )
    deposit = transport_decays(box, source, electrons="all", histories=60_000, organs=ball)
    direct = float(deposit.organ_batches_kev_g.mean() * deposit.organ_mass_g[0])
    sigma = float(deposit.organ_batches_kev_g.std(ddof=1) / np.sqrt(deposit.batches))
    energy, other = absorbed_energies_kev(nuclide, SOFT, np.array([mass]), histories=60_000)
    spread = np.hypot(sigma * deposit.organ_mass_g[0], other[0])
    assert spread < 0.01 * direct
    # 0.5 %: the border of the ball in voxels
    assert abs(energy[0] - direct) < 4.0 * spread + 0.005 * direct


def test_common_nuclides_ship():
    assert {"F-18", "Lu-177"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_spheres_absorb_more_of_the_energy_the_larger_they_are(name):
    spheres, nuclide = load_sphere_s_values(name), load_nuclide(name)
    scale = spheres.masses_g / (MGY_PER_KEV_PER_G * 1e6)
    charged = spheres.charged_mgy_per_mbq_s * scale
    photon = spheres.photon_mgy_per_mbq_s * scale
    kinetic = sum(nuclide.energy_per_decay_kev(p) for p in ("electron", "positron"))
    lines = photons_of(nuclide)
    assert lines is not None
    noise = 1.0 + 3.0 * spheres.relative_uncertainty
    total = charged + photon
    assert np.all(np.diff(total) > -0.01 * total[1:])
    assert np.all(charged < kinetic * noise)
    assert charged[-1] > 0.95 * kinetic
    assert np.all(photon < lines.energy_per_decay_kev() * noise)
    assert np.all(np.diff(total / spheres.masses_g) < 0)
    assert spheres.relative_uncertainty < 0.02


def test_a_lesion_is_a_sphere_between_two_of_the_table():
    spheres = load_sphere_s_values("Lu-177")
    dose = sphere_dose("lesion", 100.0, 7.0, spheres)
    around = [sphere_dose("lesion", 100.0, m, spheres).dose_mgy for m in (5.0, 10.0)]
    assert around[1] < dose.dose_mgy < around[0]
    # betas stay, photons leave: nearly all of 147 keV per decay
    assert dose.dose_mgy == pytest.approx(100e6 * 147.0 * MGY_PER_KEV_PER_G / 7.0, rel=0.04)
    with pytest.raises(TableRangeError, match=r"tabulated from 0\.01 to 1000 g"):
        sphere_dose("lesion", 100.0, 2000.0, spheres)


def test_a_nuclide_without_a_table_is_refused():
    with pytest.raises(InputError, match="no table of spheres ships for P-32"):
        load_sphere_s_values("P-32")

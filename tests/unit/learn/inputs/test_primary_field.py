"""The primary beam in the patient, against plain geometry and against the map of a cylinder."""

import numpy as np
import pytest

from milligray.errors import GeometryError
from milligray.learn.inputs.attenuation_map import attenuation_map_mgy
from milligray.learn.inputs.basis_materials import basis_coefficients_cm2_g, basis_fractions
from milligray.learn.inputs.primary_field import kerma_per_photon_mgy_cm2, primary_kerma_mgy
from milligray.materials.cross_sections import mu_en_rho_cm2_g, mu_rho_cm2_g
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.materials.tissues import load_material
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.spectrum import Spectrum, air_mu_en_rho_cm2_g
from milligray.volume import Grid

R = 600.0
TWO_LINES = Spectrum(
    name="two lines", edges_kev=np.array([39.0, 41.0, 79.0, 81.0]),
    weights=np.array([0.5, 0.0, 0.5]),
)  # fmt: skip


def scan(spectrum: Spectrum | None = None, *, n: int = 60, height: float = 40.0) -> CtSource:
    """Open fan whose tube moves n mm along z."""
    field = open_fan(
        focal_radius_mm=R, width_mm=500.0, height_mm=height,
        spectrum=spectrum or Spectrum.monoenergetic(60.0),
    )  # fmt: skip
    edges = np.arange(n + 1) - 0.5 * n
    return CtSource(
        field=field, isocenter_lps_mm=(0.0, 0.0), z_bins_mm=np.stack([edges[:-1], edges[1:]], 1),
        z_weights=np.ones(n), rotations=1.0, feed_mm=40.0, collimation_mm=40.0,
        start_angle_rad=None, mode="helical",
    )  # fmt: skip


def cylinder(
    grid: Grid, radius_mm: float, *, core_mm: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Water around a core of bone: densities of the basis, body; edges by 5 x 5 points."""
    shares = []
    offsets = (np.arange(5) - 2.0) / 5.0
    for radius in (radius_mm, core_mm):
        share = np.zeros(grid.shape[1:])
        for dy in offsets * grid.spacing_mm[1]:
            for dx in offsets * grid.spacing_mm[2]:
                y, x = grid.axis_centers_mm(1) + dy, grid.axis_centers_mm(2) + dx
                share += (y[:, None] ** 2 + x[None] ** 2 <= radius**2) / 25.0
        shares.append(np.broadcast_to(share, grid.shape))
    density = np.stack([shares[0] - shares[1], 1.92 * shares[1]]).astype(np.float32)
    return density, shares[0] > 0.5


def test_a_water_cylinder_has_the_kerma_of_the_attenuation_map() -> None:
    grid = Grid.from_spacing((37, 84, 84), (4.0, 4.0, 4.0))
    density, body = cylinder(grid, 160.0)
    source = scan()
    found = primary_kerma_mgy(source, grid, density, body, photons=1e9)[0]
    water = mu_en_rho_cm2_g(load_material("water"), [60.0])[0]
    ratio = water / air_mu_en_rho_cm2_g(np.array([60.0]))[0]
    wanted = ratio * attenuation_map_mgy(source, grid, photons=1e9)
    y, x = (grid.axis_centers_mm(a) for a in (1, 2))
    inner = np.broadcast_to(np.hypot(y[:, None], x[None]) < 150.0, grid.shape)
    lit = inner & (wanted > 0.05 * wanted.max())
    deviation = found[lit] / wanted[lit] - 1.0
    assert abs(deviation.mean()) < 0.003
    assert np.sqrt(np.mean(deviation**2)) < 0.01
    dark = inner & (wanted == 0.0)
    assert dark.any()
    assert found[dark].max() < 0.01 * wanted.max()


def test_beam_hardening_behind_water_and_bone_is_that_of_the_spectrum() -> None:
    grid = Grid.from_spacing((3, 61, 61), (4.0, 3.0, 3.0))
    density, body = cylinder(grid, 80.0, core_mm=30.0)
    source = scan(TWO_LINES, height=80.0)
    found = primary_kerma_mgy(source, grid, density, body, photons=1.0, n_angles=72)
    energy = np.array([40.0, 80.0])
    water, bone = load_material("water"), load_material("cortical_bone")
    through = np.exp(-5.0 * mu_rho_cm2_g(water, energy) - 3.0 * 1.92 * mu_rho_cm2_g(bone, energy))
    covered = 1.0  # the beam of 80 mm covers the middle from all of the 60 mm
    for row, basis in enumerate((water, bone)):
        per_photon = 0.5 * (energy * mu_en_rho_cm2_g(basis, energy) * through).sum()
        wanted = covered * per_photon / (R / 10.0) ** 2 * kerma_per_photon_mgy_cm2(source.field)
        assert found[row, 1, 30, 30] == pytest.approx(wanted, rel=0.015)


def test_kerma_goes_with_the_photons_and_a_mirrored_patient_has_a_mirrored_kerma() -> None:
    grid = Grid.from_spacing((3, 40, 40), (8.0, 8.0, 8.0))
    density, body = cylinder(grid, 120.0)
    density = density.copy()
    density[1, :, 10:16, 22:28] = 1.0
    one = primary_kerma_mgy(scan(), grid, density, body, photons=1.0, n_angles=72)
    many = primary_kerma_mgy(scan(), grid, density, body, photons=1e3, n_angles=72)
    np.testing.assert_allclose(many, 1e3 * one, rtol=1e-5)
    turned = primary_kerma_mgy(
        scan(), grid, density[..., ::-1], body[..., ::-1], photons=1.0, n_angles=72
    )[..., ::-1]
    inside = np.broadcast_to(body, one.shape)
    # angles are not mirrored, so edges of the bone's shadow differ a little
    deviation = turned[inside] / one[inside] - 1.0
    assert np.sqrt(np.mean(deviation**2)) < 0.01
    assert abs(deviation.mean()) < 1e-3


def test_other_shapes_are_refused() -> None:
    grid = Grid.from_spacing((2, 4, 4), (4.0, 4.0, 4.0))
    with pytest.raises(GeometryError, match="grid of the field"):
        primary_kerma_mgy(
            scan(), grid, np.ones((2, 2, 4, 5)), np.ones(grid.shape, dtype=bool), photons=1.0
        )


def test_tissues_are_water_and_bone() -> None:
    materials = load_hu_calibration("schneider2000").materials
    found = basis_fractions(materials)
    tissues = [i for i, m in enumerate(materials) if m.name != "titanium"]
    assert found.residual[tissues, 0].max() < 0.003  # attenuation
    assert found.residual[tissues, 1].max() < 0.04  # absorption, fat at 30 keV
    names = [m.name for m in materials]
    soft, bone = names.index("soft_tissue"), names.index("marrow_bone_15")
    assert found.attenuation[soft].sum() == pytest.approx(1.0, abs=0.02)
    assert found.attenuation[bone] == pytest.approx([0.0, 1.0], abs=0.05)
    own = basis_fractions((load_material("water"), load_material("cortical_bone")))
    np.testing.assert_allclose(own.attenuation, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(own.absorption, np.eye(2), atol=1e-6)


def test_interpolated_coefficients_are_those_of_the_basis() -> None:
    energy = np.linspace(12.3, 148.7, 41)
    mu, mu_en = basis_coefficients_cm2_g(energy)
    for row, name in enumerate(("water", "cortical_bone")):
        material = load_material(name)
        np.testing.assert_allclose(mu[row], mu_rho_cm2_g(material, energy), rtol=1e-3)
        np.testing.assert_allclose(mu_en[row], mu_en_rho_cm2_g(material, energy), rtol=1e-3)
    far = basis_coefficients_cm2_g(np.array([5.0, 400.0]))[0]
    np.testing.assert_allclose(far[0], mu_rho_cm2_g(load_material("water"), [5.0, 400.0]))

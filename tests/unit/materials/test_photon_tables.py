import numpy as np
import pytest

from milligray.errors import InputError
from milligray.materials import cross_sections as xs
from milligray.materials.material import Material
from milligray.materials.photon_tables import build_photon_tables
from milligray.materials.tissues import load_material
from milligray.physics.interactions import grid_position, interpolate

WATER = load_material("water")
BONE = load_material("cortical_bone")
LUNG = load_material("lung")
CALCIUM = Material(name="calcium", mass_fractions={"Ca": 1.0})


def column(tables, material, energies, number):
    values = []
    for energy in energies:
        row, fraction = grid_position(tables, energy)
        values.append(interpolate(tables.mu_rho, row, fraction, material, number))
    return np.array(values)


@pytest.mark.parametrize("material", [WATER, BONE, LUNG, CALCIUM], ids=lambda m: m.name)
def test_interpolated_coefficients_are_the_exact_ones(material):
    tables = build_photon_tables([material])
    energies = np.random.default_rng(2).uniform(5.0, 160.0, 300)
    exact = {
        0: xs.mu_rho_cm2_g(material, energies),
        2: xs.material_cm2_g("photo", material, energies),
        3: xs.material_cm2_g("compton", material, energies),
    }
    for number, values in exact.items():
        assert column(tables, 0, energies, number) == pytest.approx(values, rel=2e-4)


@pytest.mark.parametrize("material", [WATER, BONE, LUNG, CALCIUM], ids=lambda m: m.name)
def test_energy_transfer_of_the_tables_is_the_exact_one(material):
    tables = build_photon_tables([material])
    energies = np.random.default_rng(3).uniform(8.0, 160.0, 60)
    exact = xs.mu_tr_rho_cm2_g(material, energies)
    assert column(tables, 0, energies, 1) == pytest.approx(exact, rel=5e-4)


def test_total_is_the_sum_of_the_processes():
    tables = build_photon_tables([WATER, BONE])
    total, transfer, photo, compton = np.moveaxis(tables.mu_rho[..., 0], 2, 0)
    assert np.all(total - photo - compton >= -1e-6 * total)
    assert np.all(transfer <= total)


def test_differences_lead_to_the_next_row():
    tables = build_photon_tables([WATER, BONE])
    value, difference = np.moveaxis(tables.mu_rho, 3, 0)
    assert np.allclose(value[:-1] + difference[:-1], value[1:], rtol=1e-6)


def test_cosines_cover_the_sphere_and_descend():
    tables = build_photon_tables([WATER, CALCIUM])
    for quantiles in (tables.compton_cos, tables.rayleigh_cos):
        assert np.allclose(quantiles[..., 0], 1.0)
        assert np.allclose(quantiles[..., -1], -1.0)
        assert np.all(np.diff(quantiles, axis=-1) <= 0)


def test_lines_are_cumulative_and_below_the_photoelectric_coefficient():
    tables = build_photon_tables([WATER, BONE, CALCIUM])
    lines = tables.line_cumulative
    assert np.all(np.diff(lines, axis=-1) >= 0)
    assert lines.min() >= 0
    assert np.all(lines[..., -1] < tables.mu_rho[..., 2, 0])
    assert not lines[:, 0].any()  # the lines of water lie below the cutoff


def test_tables_do_not_depend_on_the_company_or_the_density():
    alone = build_photon_tables([BONE])
    denser = Material(
        name="denser", mass_fractions=BONE.mass_fractions, reference_density_g_cm3=9.0
    )
    together = build_photon_tables([WATER, denser])
    assert np.array_equal(alone.mu_rho[:, 0], together.mu_rho[:, 1])
    assert np.array_equal(alone.compton_cos[:, 0], together.compton_cos[:, 1])


@pytest.mark.parametrize("max_energy_kev", [0.5, 3001.0])
def test_energies_that_the_tables_cannot_hold_are_refused(max_energy_kev):
    with pytest.raises(InputError, match="max_energy_kev"):
        build_photon_tables([WATER], max_energy_kev=max_energy_kev)

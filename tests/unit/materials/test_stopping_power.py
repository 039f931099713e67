import numpy as np
import pytest

from milligray.constants import ELECTRON_REST_ENERGY_KEV
from milligray.data import load_csv
from milligray.errors import InputError
from milligray.materials import stopping_power as sp
from milligray.materials.charged_tables import build_charged_tables
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.physics import charged

WATER = load_material("water")
BONE = Material(  # ICRP cortical bone, the material of ESTAR's table
    name="cortical bone (ICRP)",
    mass_fractions={
        "H": 0.047234, "C": 0.14433, "N": 0.04199, "O": 0.446096, "Mg": 0.0022, "P": 0.10497,
        "S": 0.00315, "Ca": 0.20993, "Zn": 0.0001,
    },
    reference_density_g_cm3=1.85,
)  # fmt: skip


def estar(material: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rows = [r for r in load_csv("electrons/estar.csv") if r["material"] == material]
    names = ("energy_kev", "collision_mev_cm2_g", "radiative_mev_cm2_g", "csda_range_g_cm2")
    return tuple(np.array([float(r[n]) for r in rows]) for n in names)


@pytest.mark.parametrize(
    ("name", "material", "bound"),
    [
        ("water", WATER, 0.001),
        ("bone_cortical_icrp", BONE, 0.001),
        # air's mean excitation energy here is that of the condensed elements, 88 eV and not 85.7
        ("air", load_material("air"), 0.006),
    ],
)
def test_collision_stopping_power_is_that_of_estar(name, material, bound):
    energy, collision, _, _ = estar(name)
    ours = sp.collision_stopping_power(material, energy) * 1e-3
    assert np.max(np.abs(ours / collision - 1)) < bound


@pytest.mark.parametrize(
    ("name", "material", "bound"),
    [("water", WATER, 0.025), ("bone_cortical_icrp", BONE, 0.07)],
)
def test_radiative_stopping_power_is_near_that_of_estar(name, material, bound):
    energy, _, radiative, _ = estar(name)
    ours = sp.radiative_stopping_power(material, energy) * 1e-3
    assert np.max(np.abs(ours / radiative - 1)) < bound


def test_range_is_that_of_estar():
    energy, _, _, csda = estar("water")
    tables = build_charged_tables([WATER], max_energy_kev=3500.0)
    grid = np.exp(
        tables.log_energy_min + np.arange(tables.values.shape[1]) / tables.inverse_log_step
    )
    ours = np.interp(energy, grid, tables.values[charged.ELECTRON, :, 0, charged.RANGE])
    assert np.max(np.abs(ours / csda - 1)[energy >= 20]) < 0.01


@pytest.mark.parametrize("particle", [sp.ELECTRON, sp.POSITRON])
@pytest.mark.parametrize("energy", [50.0, 600.0, 2500.0])
def test_restricted_and_hard_losses_make_up_the_whole(particle, energy):
    """The restricted formula and the cross section that is sampled belong together."""
    electrons = sp.electrons_per_gram(WATER)
    largest = energy / 2 if particle == sp.ELECTRON else energy
    loss = np.geomspace(10.0, largest, 20001)
    shape = np.array([charged.collision_shape(particle, energy, w / energy) for w in loss])
    section = sp.CONSTANT_KEV_CM2_PER_MOL * electrons / sp.beta_squared(energy) * shape / loss**2
    hard = np.trapezoid(loss * section, loss)
    kinetic = np.array([energy])
    whole = sp.collision_stopping_power(WATER, kinetic, particle=particle)[0]
    restricted = sp.collision_stopping_power(WATER, kinetic, particle=particle, cutoff_kev=10.0)[0]
    assert whole - restricted == pytest.approx(hard, rel=1e-6)


def test_density_effect_of_water_is_that_of_estar():
    """ESTAR prints 0 at 500 keV, 0.2428 at 1 MeV and 1.288 at 3 MeV."""
    delta = sp.density_effect(WATER, np.array([500.0, 1000.0, 3000.0]), 1.0)
    assert delta == pytest.approx([0.0, 0.2428, 1.288], abs=0.006)


def test_dense_matter_is_polarized_more():
    energy = np.array([1000.0])
    thin = sp.collision_stopping_power(WATER, energy, density_g_cm3=0.26)
    assert thin > sp.collision_stopping_power(WATER, energy, density_g_cm3=1.0)


def test_photon_energies_follow_the_cross_section():
    tables = build_charged_tables([WATER], max_energy_kev=2500.0)
    row, fraction = charged.charged_position(tables, 1000.0)
    levels = (np.arange(4000) + 0.5) / 4000
    sampled = [charged.sample_photon_kev(tables, row, fraction, 1000.0, x, 0.99) for x in levels]
    share, scaled = sp.bremsstrahlung_shape(1000.0)
    fine = np.linspace(tables.photon_cutoff_kev / 1000.0, 1.0, 5001)
    density = np.interp(fine, share, scaled)
    expected = np.trapezoid(density, fine) / np.trapezoid(density / fine, fine) * 1000.0
    assert np.mean(sampled) == pytest.approx(expected, rel=0.02)


def test_soft_and_hard_deflection_make_up_the_transport_cross_section():
    """Whatever the cut between them is, all deflections together are the screened Rutherford's."""
    tables = build_charged_tables([WATER], max_energy_kev=2500.0)
    row, fraction = charged.charged_position(tables, 300.0)

    def value(column):
        return charged.charged_value(tables, charged.ELECTRON, row, fraction, 0, column)

    screening, cut = value(charged.SCREENING), value(charged.CUT_ANGLE)
    cosines = [
        charged.sample_hard_deflection(screening, cut, x) for x in (np.arange(20000) + 0.5) / 20000
    ]
    together = value(charged.SOFT_TRANSPORT_1) + value(charged.HARD_ELASTIC) * np.mean(
        1 - np.array(cosines)
    )
    tau = 300.0 / ELECTRON_REST_ENERGY_KEV
    beta2 = sp.beta_squared(np.array(300.0))
    # integral of (1 - cos) over the screened Rutherford cross section, oxygen and hydrogen
    total = 0.0
    for z, a, w in ((1, 1.008, 0.111898), (8, 15.999, 0.888102)):
        chi2 = (z ** (1 / 3) / 137.036 / 0.88534) ** 2 / (tau * (tau + 2))
        eta = chi2 / 4 * (1.13 + 3.76 * (z / 137.036) ** 2 / beta2)
        bracket = np.log1p(1 / eta) - 1 / (1 + eta)
        total += w / a * z * (z + 1) * bracket
    total *= 2 * np.pi * 0.60221408 * (2.8179403e-13) ** 2 * 1e24 * (1 - beta2) / beta2**2
    # hard collisions with electrons deflect by themselves: up to a tenth is theirs
    assert 0.9 * total < together < 1.001 * total


def test_energies_beyond_the_tables_are_refused():
    with pytest.raises(InputError, match="10-4000 keV"):
        build_charged_tables([WATER], max_energy_kev=5000.0)

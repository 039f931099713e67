import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milligray.data.loader import load_csv, load_json
from milligray.errors import InputError, TableRangeError
from milligray.materials import cross_sections as xs
from milligray.materials.material import Material

NIST = {
    name: Material(name=name, mass_fractions=entry["mass_fractions"])
    for name, entry in load_json("nist/materials.json").items()
}
WATER = NIST["water"]
IODINE = Material(name="iodine", mass_fractions={"I": 1.0})


def nist_column(material: str, column: str) -> tuple[np.ndarray, np.ndarray]:
    rows = [row for row in load_csv("nist/coefficients.csv") if row["material"] == material]
    energies = np.array([float(row["energy_kev"]) for row in rows])
    return energies, np.array([float(row[column]) for row in rows])


@pytest.mark.parametrize("material", NIST)
def test_attenuation_agrees_with_nist(material):
    energy, published = nist_column(material, "mu_rho_cm2_g")
    assert (energy[0], energy[-1]) == (10.0, 1000.0)
    deviation = xs.mu_rho_cm2_g(NIST[material], energy) / published - 1.0
    assert np.abs(deviation).max() < 0.005
    assert abs(deviation.mean()) < 0.002


@pytest.mark.parametrize("material", NIST)
def test_energy_absorption_agrees_with_nist(material):
    energy, published = nist_column(material, "mu_en_rho_cm2_g")
    deviation = xs.mu_en_rho_cm2_g(NIST[material], energy) / published - 1.0
    assert np.abs(deviation).max() < 0.005
    assert abs(deviation.mean()) < 0.002


@pytest.mark.parametrize("symbol", ["H", "C", "N", "O", "Ca", "I", "Pb"])
@pytest.mark.parametrize("process", ["photo", "compton", "rayleigh"])
def test_cross_sections_are_continuous_where_the_libraries_join(process, symbol):
    z = xs.atomic_number(symbol)
    below, at, above = xs.element_cm2_g(process, z, [799.999, 800.0, 800.001])
    assert below == pytest.approx(at, rel=2e-5)
    assert above == pytest.approx(at, rel=2e-5)


@pytest.mark.parametrize("process", ["photo", "compton", "rayleigh"])
def test_cross_sections_fall_with_energy_across_the_join(process):
    energy = np.geomspace(500.0, 3000.0, 100)
    for material in (WATER, NIST["cortical_bone"], IODINE):
        assert np.all(np.diff(xs.material_cm2_g(process, material, energy)) < 0)


def test_pair_production_begins_at_its_threshold():
    energy = np.array([500.0, 1021.9, 1100.0, 2000.0, 3000.0])
    pair = xs.material_cm2_g("pair", WATER, energy)
    assert np.all(pair[:2] == 0)
    assert np.all(np.diff(pair[1:]) > 0)


@pytest.mark.parametrize("energy", [0.99, 3000.1, np.array([10.0, 4000.0])])
def test_energies_outside_the_range_are_refused(energy):
    with pytest.raises(TableRangeError, match="1-3000 keV"):
        xs.mu_rho_cm2_g(WATER, energy)


def test_energy_transfer_above_pair_production_is_refused():
    with pytest.raises(TableRangeError, match="1022"):
        xs.mu_tr_rho_cm2_g(WATER, 1100.0)


def test_unknown_elements_are_named():
    with pytest.raises(InputError, match="Xx"):
        xs.mu_rho_cm2_g(Material(name="odd", mass_fractions={"Xx": 1.0}), 60.0)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(5.0, 500.0))
def test_mixtures_are_additive_by_mass(share, energy):
    bone = NIST["cortical_bone"]
    elements = set(WATER.mass_fractions) | set(bone.mass_fractions)
    mixture = Material(
        name="mixture",
        mass_fractions={
            e: share * WATER.mass_fractions.get(e, 0.0)
            + (1 - share) * bone.mass_fractions.get(e, 0.0)
            for e in elements
        },
    )
    parts = share * xs.mu_rho_cm2_g(WATER, energy) + (1 - share) * xs.mu_rho_cm2_g(bone, energy)
    assert xs.mu_rho_cm2_g(mixture, energy) == pytest.approx(parts, rel=1e-9)


@pytest.mark.parametrize("material", ["water", "cortical_bone", "air"])
def test_absorption_lies_below_transfer_and_transfer_below_attenuation(material):
    energy = np.geomspace(2.0, 1000.0, 60)
    absorbed = xs.mu_en_rho_cm2_g(NIST[material], energy)
    transferred = xs.mu_tr_rho_cm2_g(NIST[material], energy)
    assert np.all(absorbed <= transferred)
    assert np.all(transferred < xs.mu_rho_cm2_g(NIST[material], energy))


def test_the_k_edge_lets_fluorescence_escape():
    below, above = xs.mu_tr_rho_cm2_g(IODINE, [33.0, 33.5])
    tau_below, tau_above = xs.material_cm2_g("photo", IODINE, [33.0, 33.5])
    assert tau_above / tau_below > 5.0
    assert above / below < 0.6 * tau_above / tau_below
    assert [p[0] for _, p in xs.k_fluorescence(53, 33.0)] == [0.0, 0.0]


def test_form_factor_and_scattering_function_have_their_limits():
    momentum = np.array([0.0, 100.0])
    for symbol, z in (("O", 8), ("Ca", 20)):
        material = Material(name=symbol, mass_fractions={symbol: 1.0})
        ((_, moles),) = xs.moles_per_gram(material)
        form = xs.squared_form_factor(material, momentum)
        bound = xs.scattering_function(material, momentum)
        assert form == pytest.approx([moles * z**2, 0.0], rel=1e-6, abs=1e-3 * moles)
        assert bound == pytest.approx([0.0, moles * z], rel=2e-3)


def test_free_compton_transfer_is_the_klein_nishina_mean():
    # far above the binding energies; the exact mean fraction at 1 m c2 is 0.4402
    # (integral of the Klein-Nishina energy transfer, Attix 1986, table of sigma_tr / sigma)
    energy = 510.99895
    cos_polar = np.linspace(-1.0, 1.0, 200_001)
    density = xs.klein_nishina(energy, cos_polar)
    ratio = 1.0 / (2.0 - cos_polar)
    free = energy * np.trapezoid(density * (1 - ratio), cos_polar)
    free /= np.trapezoid(density, cos_polar)
    assert xs.mean_compton_transfer_kev(WATER, energy) == pytest.approx(free, rel=2e-3)
    assert xs.mean_compton_transfer_kev(WATER, energy) > free  # binding hinders small transfers

"""Emissions against what is independent of ICRP 107: mass differences, EGSnrc's sums, ENSDF."""

import json

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.source.decay_chain import follow_chain
from milligray.source.emission_data import nuclide_names, read_emissions
from milligray.source.nuclide import EmissionLines, Nuclide, load_nuclide

KEV_PER_U = 931494.10242  # CODATA 2018
PAIR_KEV = 2 * 510.99895
HELIUM_U = 4.00260325413  # AME2020

MEDICAL = (
    "F-18 Ga-68 Cu-64 Zr-89 Tc-99m In-111 I-123 I-124 I-131 Lu-177 Y-90 Ho-166 Re-188 Sm-153 Ra-223"
    " Ac-225 Bi-213 Tb-161 Pb-212 C-11 N-13 O-15 Rb-82 Tl-201 Ga-67 Xe-133 Sr-89 I-125 P-32 Er-169"
)


def _mass_u(name: str) -> float:
    import radioactivedecay

    return float(radioactivedecay.Nuclide(name).atomic_mass)


@pytest.mark.parametrize(
    ("parent", "daughter", "tolerance"),
    [
        ("Ac-225", "Fr-221", 1e-3),
        ("Fr-221", "At-217", 1e-3),
        ("Po-213", "Pb-209", 1e-3),
        ("Po-212", "Pb-208", 1e-4),
        ("Po-210", "Pb-206", 1e-4),
        ("Ra-224", "Rn-220", 1e-3),
        ("Ra-226", "Rn-222", 1e-3),
        ("Rn-219", "Po-215", 1e-3),
        ("Po-215", "Pb-211", 1e-4),
        ("Am-241", "Np-237", 1e-3),
        ("Ra-223", "Rn-219", 2e-3),
    ],
)
def test_alpha_decay_releases_the_mass_difference(parent, daughter, tolerance):
    """No neutrino: alpha, recoil, photons and electrons are all of Q (AME2020 masses)."""
    q_kev = (_mass_u(parent) - _mass_u(daughter) - HELIUM_U) * KEV_PER_U
    emitted = load_nuclide(parent, progeny=False).energy_per_decay_kev()
    assert emitted == pytest.approx(q_kev, rel=tolerance)


@pytest.mark.parametrize(
    ("parent", "daughter", "particle"),
    [
        ("F-18", "O-18", "positron"),
        ("C-11", "B-11", "positron"),
        ("N-13", "C-13", "positron"),
        ("O-15", "N-15", "positron"),
        ("P-32", "S-32", "electron"),
        ("C-14", "N-14", "electron"),
        ("Y-90", "Zr-90", "electron"),
        ("Sr-89", "Y-89", "electron"),
    ],
)
def test_beta_spectrum_ends_at_the_mass_difference(parent, daughter, particle):
    q_kev = (_mass_u(parent) - _mass_u(daughter)) * KEV_PER_U
    q_kev -= PAIR_KEV if particle == "positron" else 0.0
    lines = load_nuclide(parent, progeny=False).lines(particle)
    is_bin = np.diff(lines.edges_kev)[:, 0] > 0
    assert lines.edges_kev[is_bin].max() == pytest.approx(q_kev, rel=6e-3)


def test_isomeric_transition_releases_its_level_energy():
    """Tc-99m: 142.68 keV (ENSDF, A = 99); the beta branch of 4e-5 adds 4 eV."""
    assert load_nuclide("Tc-99m").energy_per_decay_kev() == pytest.approx(142.68, rel=1e-3)


@pytest.mark.parametrize("name", MEDICAL.split())
def test_beta_bins_keep_yield_and_mean_energy_of_the_branches(name):
    """The branch table of ICRP 107 was computed apart from the tabulated spectrum."""
    import importlib.resources

    file = importlib.resources.files("icrp107_database") / "icrp107" / f"{name}.json"
    emitted = json.loads(json.loads(file.read_text()))["emissions"]
    data = read_emissions(name)
    for key, particle in (("beta-", "electron"), ("beta+", "positron")):
        table = np.array(emitted[key]).reshape(-1, 2)
        if table[:, 1].sum() < 1e-3:
            continue
        lines = next(found for found in data.emissions if found.particle == particle)
        is_bin = np.diff(lines.edges_kev)[:, 0] > 0
        yields = lines.yields[is_bin]
        energy = float(yields @ lines.edges_kev[is_bin].mean(axis=1))
        assert yields.sum() == pytest.approx(table[:, 1].sum(), rel=1e-9)
        expected = 1e3 * float(table[:, 0] @ table[:, 1])
        # Cu-64: the two signs are divided by computed shapes
        assert energy == pytest.approx(expected, rel=5e-3 if name == "Cu-64" else 1.2e-3)


def test_mean_energies_of_medicine():
    """F-18 249.8 keV; Lu-177 147 keV of electrons per decay (MIRD tables of decay data)."""
    assert load_nuclide("F-18").lines("positron").mean_energy_kev == pytest.approx(249.8, abs=0.5)
    assert load_nuclide("Lu-177").energy_per_decay_kev("electron") == pytest.approx(147, abs=1.5)
    assert load_nuclide("Y-90").energy_per_decay_kev("electron") == pytest.approx(933, abs=1.5)


@pytest.mark.parametrize("name", ["F-18", "Lu-177", "Y-90", "I-131"])
def test_sums_agree_with_the_source_of_egsnrc(name, shared_reference):
    """That source left the spectra unscaled, as straight histograms: up to 0.5 % more energy."""
    file = shared_reference / "egsnrc" / "D_svalues_soft_tissue.json"
    entry = json.loads(file.read_text())["entries"][f"{name} SOFT full"]
    stated = entry["source_info"]
    nuclide = load_nuclide(name, progeny=False)
    photons = nuclide.energy_per_decay_kev("photon")
    assert photons == pytest.approx(1e3 * stated["photon_energy_per_decay_MeV"], rel=2e-4)
    total = nuclide.energy_per_decay_kev()
    assert total == pytest.approx(1e3 * stated["energy_per_decay_MeV"], rel=6e-3)
    if nuclide.lines("positron") is None:
        betas = nuclide.lines("electron")
        is_bin = np.diff(betas.edges_kev)[:, 0] > 0
        assert betas.yields[is_bin].sum() == pytest.approx(stated["beta_yield"], rel=2e-3)


@pytest.mark.parametrize("name", MEDICAL.split())
def test_every_medical_nuclide_loads(name):
    nuclide = load_nuclide(name)
    assert nuclide.name == name
    assert nuclide.energy_per_decay_kev() > 0
    assert nuclide.decay_constant_per_s == pytest.approx(np.log(2) / nuclide.half_life_s)


def test_annihilation_photons_are_left_to_the_transport():
    for name in ("F-18", "Ga-68", "Zr-89", "I-124", "Rb-82"):
        photons = load_nuclide(name).lines("photon")
        near = [] if photons is None else np.abs(photons.edges_kev[:, 0] - 511.0) < 0.2
        assert not np.any(near)


def test_zirconium_has_its_909_kev_line():
    photons = load_nuclide("Zr-89").lines("photon")
    line = np.abs(photons.edges_kev[:, 0] - 909.0) < 1.0
    assert photons.yields[line].sum() == pytest.approx(0.990, abs=0.01)  # ENSDF, A = 89


@pytest.mark.parametrize(
    ("parent", "alphas", "members"),
    [
        ("Ra-223", 4.0, {"Rn-219", "Po-215", "Pb-211", "Bi-211", "Tl-207", "Po-211"}),
        ("Ac-225", 4.0, {"Fr-221", "At-217", "Bi-213", "Po-213", "Tl-209", "Pb-209"}),
        ("Pb-212", 1.0, {"Bi-212", "Po-212", "Tl-208"}),
    ],
)
def test_alpha_chains_are_whole(parent, alphas, members):
    """Mass numbers fix the alphas: 223 to 207 is four, 225 to 209 four, 212 to 208 one."""
    nuclide = load_nuclide(parent)
    assert {progeny.name for progeny in nuclide.progeny} == members
    assert nuclide.lines("alpha").total_yield == pytest.approx(alphas, abs=5e-4)
    assert nuclide.lines("recoil").total_yield == pytest.approx(alphas, abs=5e-4)
    moving = [note for note in nuclide.notes if "may move away" in note]
    assert len(moving) >= 2


def test_decays_of_progeny_are_those_of_the_decay_equations():
    """Bateman: integrate the inventory of one decaying mother until nothing is left."""
    import radioactivedecay

    progeny, _ = follow_chain("Ac-225")
    inventory = radioactivedecay.Inventory({"Ac-225": 1.0}, "num")
    decays = inventory.cumulative_decays(1000.0, "d")
    for member in progeny:
        assert member.decays_per_decay == pytest.approx(decays[member.name], rel=1e-5)


@pytest.mark.parametrize(("parent", "left_out"), [("Tc-99m", "Tc-99 "), ("I-123", "Te-123m")])
def test_long_lived_progeny_are_left_out_and_noted(parent, left_out):
    nuclide = load_nuclide(parent)
    assert nuclide.progeny == ()
    assert any(note.startswith(left_out) and "left out" in note for note in nuclide.notes)


def test_xenon_after_iodine_is_counted_and_noted():
    nuclide = load_nuclide("I-131")
    assert [p.name for p in nuclide.progeny] == ["Xe-131m"]
    assert any("noble gas" in note for note in nuclide.notes)
    alone = load_nuclide("I-131", progeny=False)
    extra = nuclide.energy_per_decay_kev() - alone.energy_per_decay_kev()
    # level energy of Xe-131m 163.93 keV (ENSDF, A = 131); the tables emit 167.6 keV
    assert extra == pytest.approx(163.93 * nuclide.progeny[0].decays_per_decay, rel=0.03)


def test_half_lives_agree_with_the_other_package():
    import radioactivedecay

    for name in nuclide_names()[::25]:
        if not name.startswith(("Cf", "Cm", "Es", "Fm", "Pu", "U-238")):  # fission: not read
            stated = radioactivedecay.Nuclide(name).half_life("s")
            assert read_emissions(name).half_life_s == pytest.approx(stated, rel=1e-6)


def test_fission_is_refused():
    with pytest.raises(InputError, match="fission"):
        load_nuclide("Cf-252")


def test_half_valid_nouns_cannot_exist():
    with pytest.raises(InputError, match="yields"):
        EmissionLines(particle="photon", edges_kev=[[1.0, 1.0]], yields=[0.1, 0.2])
    with pytest.raises(InputError, match="low"):
        EmissionLines(particle="photon", edges_kev=[[2.0, 1.0]], yields=[0.1])
    lines = EmissionLines(particle="photon", edges_kev=[[1.0, 1.0]], yields=[0.1])
    with pytest.raises(InputError, match="half-life"):
        Nuclide(name="X", half_life_s=0.0, emissions=(lines,))
    with pytest.raises(InputError, match="one EmissionLines"):
        Nuclide(name="X", half_life_s=1.0, emissions=(lines, lines))
    with pytest.raises(ValueError, match="read-only"):
        lines.yields[0] = 1.0

"""Decays in matter: energy, symmetry, independence of what must not matter."""

from dataclasses import replace

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.segment.organs import OrganMap
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import EmissionLines, Nuclide, load_nuclide
from milligray.transport.monte_carlo.decay_engine import transport_decays
from milligray.volume import Grid

WATER = load_material("water")
LUNG = load_material("lung")


def box(density=1.0, n=21, spacing=3.0, material=WATER):
    grid = Grid.from_spacing((n, n, n), (spacing,) * 3)
    return Patient(
        grid=grid, density_g_cm3=np.full(grid.shape, density),
        material_index=np.zeros(grid.shape, dtype=np.uint8), materials=(material,),
        body=np.ones(grid.shape, dtype=bool),
    )  # fmt: skip


def centered(patient, nuclide, **options):
    decays = np.zeros(patient.grid.shape)
    decays[tuple(n // 2 for n in patient.grid.shape)] = 1.0
    return DecaySource(nuclide=nuclide, grid=patient.grid, decays=decays, **options)


def mono(particle, energy):
    lines = EmissionLines(
        particle=particle, edges_kev=np.array([[energy, energy]]), yields=np.ones(1)
    )
    return Nuclide(name=f"{energy:g} keV {particle}", half_life_s=1.0, emissions=(lines,))


def emitted_kev(nuclide):
    positrons = nuclide.lines("positron")
    pairs = 0.0 if positrons is None else positrons.total_yield
    return nuclide.energy_per_decay_kev() + 2 * 510.99895 * pairs


@pytest.mark.parametrize("electrons", ["local", "primaries", "all"])
@pytest.mark.parametrize(
    ("particle", "energy"), [("photon", 140.0), ("photon", 2000.0), ("electron", 1500.0),
                             ("positron", 600.0)],
)  # fmt: skip
def test_all_of_the_energy_is_found_in_a_box_that_lets_nothing_out(particle, energy, electrons):
    """A particle of one energy in 280 g/cm2 of water: what is missing is an error of the books."""
    patient = box(density=16.0, n=35, spacing=10.0)
    nuclide = mono(particle, energy)
    everything = OrganMap(
        grid=patient.grid, labels=np.ones(patient.grid.shape, dtype=np.uint16),
        names={1: "all"}, method="shapes", fraction_in_image={},
    )  # fmt: skip
    deposit = transport_decays(
        patient, centered(patient, nuclide), electrons=electrons, histories=64_000,
        organs=everything,
    )  # fmt: skip
    # the track-length estimator spreads about the truth
    batches = deposit.organ_batches_kev_g[:, 0] * deposit.organ_mass_g[0]
    spread = batches.std(ddof=1) / np.sqrt(batches.size)
    assert spread < 0.004 * energy
    assert abs(batches.mean() - emitted_kev(nuclide)) < 5 * spread + 1e-4 * energy
    if particle == "electron" and electrons != "local":
        assert deposit.energy_kev.sum() == pytest.approx(energy, rel=1e-4)


@pytest.mark.parametrize("name", ["F-18", "Lu-177", "Ac-225"])
def test_a_nuclide_deposits_what_it_emits(name):
    patient = box(density=16.0, n=35, spacing=10.0)
    nuclide = load_nuclide(name)
    deposit = transport_decays(patient, centered(patient, nuclide), histories=160_000)
    assert deposit.energy_kev.sum() == pytest.approx(emitted_kev(nuclide), rel=0.01)


def test_alphas_and_soft_electrons_stay_exactly_where_they_are_emitted():
    patient = box(n=5)
    alpha = EmissionLines(
        particle="alpha", edges_kev=np.array([[5000.0, 5000.0]]), yields=np.array([2.0])
    )
    gamma = EmissionLines(
        particle="photon", edges_kev=np.array([[100.0, 100.0]]), yields=np.array([1e-9])
    )
    nuclide = Nuclide(name="alpha", half_life_s=1.0, emissions=(alpha, gamma))
    deposit = transport_decays(patient, centered(patient, nuclide), histories=1000)
    assert deposit.energy_kev[2, 2, 2] == pytest.approx(10_000.0, rel=1e-9)


def test_same_result_for_any_number_of_threads():
    patient = box()
    source = centered(patient, load_nuclide("F-18"))
    one, two = (
        transport_decays(patient, source, histories=40_000, threads=n, electrons="all")
        for n in (1, 2)
    )
    assert np.array_equal(one.energy_kev, two.energy_kev)


def test_the_share_of_photons_changes_the_noise_only():
    patient = box()
    few, many = (
        transport_decays(
            patient, centered(patient, load_nuclide("I-131"), photon_share=share),
            histories=300_000, seed=seed,
        )
        for share, seed in ((0.2, 1), (0.9, 2))
    )  # fmt: skip
    total = few.energy_kev.sum()
    assert many.energy_kev.sum() == pytest.approx(total, rel=0.01)
    assert many.energy_kev[10, 10, 10] == pytest.approx(few.energy_kev[10, 10, 10], rel=0.01)


def test_electrons_of_photons_matter_where_they_leave_their_voxel():
    """511 keV in 3 mm voxels: local deposition overstates the self dose, hardly the far dose."""
    patient = box()
    source = centered(patient, mono("photon", 511.0))
    local, full = (
        transport_decays(patient, source, electrons=e, histories=400_000)
        for e in ("primaries", "all")
    )
    # EGSnrc, soft tissue, 3 mm (Gy per photon): 1.3337e-11 and 1.1324e-11 +- 0.6 %
    ratio = full.energy_kev[10, 10, 10] / local.energy_kev[10, 10, 10]
    assert ratio == pytest.approx(1.13244 / 1.33371, rel=0.02)
    shell = np.s_[4:17, 4:17, 4]
    assert full.energy_kev[shell].sum() == pytest.approx(local.energy_kev[shell].sum(), rel=0.02)


def test_dose_is_symmetric_about_a_symmetric_source():
    patient = box()
    deposit = transport_decays(
        patient, centered(patient, load_nuclide("F-18")), histories=400_000, electrons="all"
    )
    e = deposit.energy_kev
    faces = np.array([e[9, 10, 10], e[11, 10, 10], e[10, 9, 10], e[10, 11, 10], e[10, 10, 9]])
    assert faces / faces.mean() == pytest.approx(1.0, abs=0.02)


def test_lung_lets_electrons_go_farther():
    dense, thin = box(), box(density=0.26, material=LUNG)
    nuclide = load_nuclide("Y-90")
    shares = []
    for patient in (dense, thin):
        e = transport_decays(patient, centered(patient, nuclide), histories=40_000).energy_kev
        shares.append(e[10, 10, 10] / e.sum())
    assert shares[1] < 0.4 * shares[0]


def test_a_ball_and_its_voxels_agree():
    patient = box(n=15, spacing=2.0)
    nuclide = load_nuclide("Lu-177")
    ball = DecaySource(nuclide=nuclide, center_lps_mm=(0.0, 0.0, 0.0), radius_mm=6.0)
    deposit = transport_decays(patient, ball, histories=100_000)
    z, y, x = np.indices(patient.grid.shape) - 7.0
    inside = np.sqrt(x**2 + y**2 + z**2) * 2.0 < 8.0
    assert deposit.energy_kev[inside].sum() / deposit.energy_kev.sum() > 0.9
    along = deposit.energy_kev.sum(axis=(1, 2))
    assert np.sum(along * (np.arange(15) - 7.0)) / along.sum() == pytest.approx(0.0, abs=0.02)


def test_precision_of_organs_is_reached_and_told():
    patient = box()
    labels = np.zeros(patient.grid.shape, dtype=np.uint16)
    labels[8:13, 8:13, 8:13] = 1
    labels[:, :, :4] = 2
    organs = OrganMap(
        grid=patient.grid, labels=labels, names={1: "near", 2: "far"}, method="shapes",
        fraction_in_image={},
    )  # fmt: skip
    seen = []
    deposit = transport_decays(
        patient, centered(patient, load_nuclide("F-18")), precision=0.02, organs=organs,
        progress=seen.append,
    )  # fmt: skip
    assert deposit.converged
    assert seen[-1].worst_organ == "far"
    spread = deposit.organ_batches_kev_g.std(axis=0, ddof=1) / np.sqrt(deposit.batches)
    assert np.all(spread / deposit.organ_batches_kev_g.mean(axis=0) <= 0.02)


def test_what_cannot_be_is_refused():
    patient = box(n=5)
    nuclide = load_nuclide("F-18")
    source = centered(patient, nuclide)
    with pytest.raises(InputError, match="either histories or precision"):
        transport_decays(patient, source)
    with pytest.raises(InputError, match="electrons must be one of"):
        transport_decays(patient, source, histories=1000, electrons="some")
    with pytest.raises(InputError, match="outside the patient's grid"):
        transport_decays(
            patient, DecaySource(nuclide=nuclide, center_lps_mm=(50.0, 0.0, 0.0), radius_mm=1.0),
            histories=1000,
        )  # fmt: skip
    other = box(n=7)
    with pytest.raises(InputError, match="not on the patient's grid"):
        transport_decays(patient, centered(other, nuclide), histories=1000)
    with pytest.raises(InputError, match="no decay anywhere"):
        replace(source, decays=np.zeros((5, 5, 5)))


def test_energies_beyond_the_tables_are_refused_unless_they_are_nothing():
    """Rb-82: positrons of 3.4 MeV, a photon line above 3 MeV in a hundred thousand decays."""
    patient = box(n=5)
    with pytest.raises(InputError, match="no cross sections"):
        transport_decays(patient, centered(patient, mono("photon", 3500.0)), histories=1000)
    with pytest.raises(InputError, match="10-4000 keV"):
        transport_decays(patient, centered(patient, mono("electron", 4500.0)), histories=1000)
    nuclide = load_nuclide("Rb-82")
    deposit = transport_decays(patient, centered(patient, nuclide), histories=2000)
    assert 0 < deposit.energy_kev.sum() < emitted_kev(nuclide)

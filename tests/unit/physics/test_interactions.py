"""Sampled interactions against the analytic densities. Bounds: false alarm below 1e-7 a test."""

from functools import lru_cache

import numpy as np
import pytest
from numba import njit
from scipy import integrate, stats

from milligray.materials import cross_sections as xs
from milligray.materials.material import Material
from milligray.materials.photon_tables import ANGLE_ROWS_PER_EFOLD, build_photon_tables
from milligray.materials.tissues import load_material
from milligray.physics.interactions import (
    compton_energy_kev,
    grid_position,
    interact,
    interpolate,
    sample_cosine,
    sample_fluorescence_kev,
)
from milligray.physics.random import uniform4

FALSE_ALARM = 1e-7
SIGMAS = 5.5  # two-sided normal: 4e-8
N = 400_000
MATERIALS = (
    load_material("water"),
    load_material("cortical_bone"),
    Material(name="iodine solution", mass_fractions={"H": 0.1, "O": 0.8, "I": 0.1}),
)
# the middle energy of each pair of rows of the angle tables is the worst place
BETWEEN_ROWS = [float(np.exp((n + 0.5) / ANGLE_ROWS_PER_EFOLD)) for n in (48, 62, 77)]
ENERGIES = [12.0, 60.0, *BETWEEN_ROWS, 150.0]


@lru_cache(maxsize=1)
def tables():
    return build_photon_tables(MATERIALS)


@njit
def sample_cosines(quantiles, position, material, n, seed):
    out = np.empty(n)
    for i in range(n):
        a, b, _, _ = uniform4(np.uint64(seed), np.uint64(i), 0)
        out[i] = sample_cosine(quantiles, position, material, a, b)
    return out


@njit
def collide(tables, energy, material, n, seed):
    row, fraction = grid_position(tables, energy)
    out = np.empty((n, 2))
    for i in range(n):
        a, b, c, _ = uniform4(np.uint64(seed), np.uint64(i), 0)
        out[i, 0], out[i, 1] = interact(tables, energy, row, fraction, material, a, b, c)
    return out


def coefficients(energy: float, material: int) -> np.ndarray:
    row, fraction = grid_position(tables(), energy)
    return np.array(
        [interpolate(tables().mu_rho, row, fraction, material, column) for column in range(4)]
    )


def check_cosines(cosines: np.ndarray, density, n_bins: int = 50) -> None:
    """Chi-square against a density of the cosine, in bins of equal probability."""
    s = np.linspace(0.0, 1.0, 20_001)  # cos = 1 - 2 s^4 resolves the forward peak
    cos_polar = 1.0 - 2.0 * s**4
    cumulative = integrate.cumulative_simpson(density(cos_polar) * 8.0 * s**3, x=s, initial=0.0)
    share = np.linspace(0.0, 1.0, n_bins + 1)
    edges = np.interp(share, cumulative / cumulative[-1], cos_polar)[::-1]
    edges[0], edges[-1] = -1.0 - 1e-6, 1.0 + 1e-6
    counts = np.histogram(cosines, bins=edges)[0]
    assert counts.sum() == cosines.size
    assert stats.chisquare(counts).pvalue > FALSE_ALARM


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("material", range(len(MATERIALS)))
def test_compton_cosines_follow_klein_nishina_times_scattering_function(material, energy):
    row, fraction = grid_position(tables(), energy)
    position = (row + fraction) * tables().angle_rows_per_row
    cosines = sample_cosines(tables().compton_cos, position, material, N, seed=material + 1)

    def density(cos_polar):
        momentum = xs.momentum_transfer_per_angstrom(energy, cos_polar)
        bound = xs.scattering_function(MATERIALS[material], momentum)
        return xs.klein_nishina(energy, cos_polar) * bound

    check_cosines(cosines, density)


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("material", range(len(MATERIALS)))
def test_rayleigh_cosines_follow_thomson_times_squared_form_factor(material, energy):
    row, fraction = grid_position(tables(), energy)
    position = (row + fraction) * tables().angle_rows_per_row
    cosines = sample_cosines(tables().rayleigh_cos, position, material, N, seed=material + 11)

    def density(cos_polar):
        momentum = xs.momentum_transfer_per_angstrom(energy, cos_polar)
        return (1.0 + cos_polar**2) * xs.squared_form_factor(MATERIALS[material], momentum)

    check_cosines(cosines, density)


@pytest.mark.parametrize("energy", [*ENERGIES, 15.0, 30.0, 100.0])
@pytest.mark.parametrize("material", range(len(MATERIALS)))
def test_mean_compton_transfer_of_the_tables_is_the_exact_one(material, energy):
    row, fraction = grid_position(tables(), energy)
    position = (row + fraction) * tables().angle_rows_per_row
    mean = 0.0
    for angle_row, share in (
        (int(position), 1 - position % 1.0),
        (int(position) + 1, position % 1.0),
    ):
        quantiles = tables().compton_cos[angle_row, material].astype(float)
        fine = np.linspace(0.0, 1.0, 65)
        cos_polar = quantiles[:-1, None] + np.diff(quantiles)[:, None] * fine
        transfer = energy - energy / (1 + energy / xs.ELECTRON_REST_ENERGY_KEV * (1 - cos_polar))
        mean += share * np.trapezoid(transfer, fine, axis=1).mean()
    assert mean == pytest.approx(
        xs.mean_compton_transfer_kev(MATERIALS[material], energy), rel=5e-4
    )


def test_compton_energy_conserves_energy_and_momentum():
    cos_polar = np.linspace(-1.0, 1.0, 41)
    for energy in (10.0, 60.0, 511.0, 2000.0):
        scattered = np.array([compton_energy_kev(energy, c) for c in cos_polar])
        electron_kinetic = energy - scattered
        momentum2 = energy**2 + scattered**2 - 2.0 * energy * scattered * cos_polar
        rest = 510.99895
        total2 = (electron_kinetic + rest) ** 2
        assert np.allclose(total2 - momentum2, rest**2, rtol=1e-12)


@pytest.mark.parametrize("energy", [20.0, 40.0, 90.0])
@pytest.mark.parametrize("material", range(len(MATERIALS)))
def test_processes_occur_in_proportion_to_their_cross_sections(material, energy):
    outcome, _ = collide(tables(), energy, material, N, 3).T
    lines = tables().line_energy_kev[material]
    is_line = np.isin(outcome.astype(np.float32), lines[lines > 0])
    counts = {
        "rayleigh": np.count_nonzero(outcome == energy),
        "photo": np.count_nonzero((outcome == 0) | is_line),
    }
    counts["compton"] = N - counts["rayleigh"] - counts["photo"]
    total = float(xs.mu_rho_cm2_g(MATERIALS[material], energy)[0])
    for process, count in counts.items():
        p = float(xs.material_cm2_g(process, MATERIALS[material], energy)[0]) / total
        sigma = np.sqrt(N * p * (1 - p))
        assert abs(count - N * p) < SIGMAS * sigma + 3e-4 * N * p  # 3e-4: interpolation


@pytest.mark.parametrize("energy", [10.0, 32.5, 33.17, 33.3, 36.0, 60.0, 140.0])  # K edge: 33.17
@pytest.mark.parametrize("material", range(len(MATERIALS)))
def test_a_collision_deposits_the_energy_that_the_track_length_scores(material, energy):
    outcome, _ = collide(tables(), energy, material, N, 4).T
    deposited = energy - outcome
    mu = coefficients(energy, material)
    sigma = deposited.std() / np.sqrt(N)
    assert abs(deposited.mean() - energy * mu[1] / mu[0]) < SIGMAS * sigma


@pytest.mark.parametrize("energy", [36.0, 60.0, 120.0])
def test_fluorescence_occurs_with_its_yield_and_is_isotropic(energy):
    material = 2
    row, fraction = grid_position(tables(), energy)
    xi = (np.arange(N) + 0.5) / N  # a lattice: exact to 1/N
    photo = interpolate(tables().mu_rho, row, fraction, material, 2)
    kev = np.array(
        [sample_fluorescence_kev(tables(), row, fraction, material, photo, x) for x in xi[::20]]
    )
    tau = float(xs.material_cm2_g("photo", MATERIALS[material], energy)[0])
    tau_iodine = 0.1 * float(xs.element_cm2_g("photo", 53, energy)[0])
    for line_kev, probability in xs.k_fluorescence(53, energy):
        frequency = np.mean(np.isclose(kev, line_kev, rtol=1e-6))
        assert frequency == pytest.approx(probability[0] * tau_iodine / tau, abs=5e-4)
    outcome, cosine = collide(tables(), energy, material, N, 5).T
    k_alpha = xs.k_fluorescence(53, energy)[0][0]
    cosine = cosine[np.isclose(outcome, k_alpha, rtol=1e-6)]
    assert cosine.size > 0.05 * N
    assert stats.kstest(cosine, stats.uniform(-1.0, 2.0).cdf).pvalue > FALSE_ALARM


def test_no_fluorescence_below_the_edge():
    outcome, _ = collide(tables(), 32.0, 2, N, 6).T
    lines = tables().line_energy_kev[2]
    assert not np.isin(outcome.astype(np.float32), lines[lines > 0]).any()


@pytest.mark.parametrize("material", range(len(MATERIALS)))
def test_photons_below_the_cutoff_are_absorbed(material):
    outcome, _ = collide(tables(), 1.003, material, 20_000, 7).T
    assert np.all((outcome == 0.0) | (outcome >= tables().cutoff_kev))


def test_interpreted_collisions_equal_compiled_ones():
    rng = np.random.default_rng(1)
    for energy, *xi in rng.uniform(0.0, 1.0, (300, 4)):
        kev = 5.0 + 150.0 * energy
        row, fraction = grid_position(tables(), kev)
        assert (row, fraction) == grid_position.py_func(tables(), kev)
        arguments = tables(), kev, row, np.float64(fraction), 1, *xi
        assert np.allclose(interact(*arguments), interact.py_func(*arguments), rtol=1e-7)

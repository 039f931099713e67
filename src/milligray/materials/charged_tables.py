"""Build the kernel's tables of electrons and positrons for a set of materials.

Elastic deflection by the screened Rutherford cross section with Moliere's screening angle; hard
collisions by the Moller and Bhabha cross sections; bremsstrahlung by the cross section of Seltzer
and Berger; annihilation in flight by Heitler's. What lies below the cutoffs goes into continuous
losses and into the soft deflection, so that stopping power and transport cross section are the
exact ones.

References
----------
Moliere G. Z Naturforsch 2a (1947) 133-145 and 3a (1948) 78-97. Salvat F. PENELOPE-2018, NEA (2019).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from milligray.constants import (
    AVOGADRO_PER_MOL,
    CLASSICAL_ELECTRON_RADIUS_CM,
    ELECTRON_REST_ENERGY_KEV,
    FINE_STRUCTURE,
)
from milligray.errors import InputError
from milligray.materials import stopping_power as sp
from milligray.materials.cross_sections import atomic_number, atomic_weight
from milligray.materials.material import Material
from milligray.physics import charged
from milligray.physics.charged import ChargedTables
from milligray.typing import FloatArray

MIN_KEV, MAX_KEV = 1.0, 4000.0
ROWS_PER_EFOLD = 24
COLLISION_CUTOFF_KEV = 20.0
PHOTON_CUTOFF_KEV = 5.0
ABSORPTION_KEV = 10.0
ELASTIC_SHARE = 0.1
"""Mean path between hard deflections over the first transport mean free path."""
LOSS_SHARE = 0.1
"""Largest mean share of the energy that is lost in a step."""
N_PHOTON_QUANTILES = 128
MAX_COPIES = 16
_THOMAS_FERMI = 0.88534


def _energies(max_kev: float) -> FloatArray:
    n = int(np.ceil(np.log(max_kev / MIN_KEV) * ROWS_PER_EFOLD)) + 1
    return np.geomspace(MIN_KEV, max_kev, n)


def screened_rutherford(
    material: Material, kinetic_kev: FloatArray, electron_weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Elastic cross section per mass and screening parameter of a mixture.

    Parameters
    ----------
    material : Material
    kinetic_kev : ndarray, shape (n,) [keV]
    electron_weight : ndarray, shape (n,)
        Weight of the atomic electrons beside the nucleus: ``Z (Z + weight)``.

    Returns
    -------
    cross_section : ndarray, shape (n,) [cm2/g]
    screening : ndarray, shape (n,)
        ``eta`` of ``dsigma/dcos ~ 1 / (1 - cos + 2 eta)^2``:
        ``eta = (chi / 2)^2 (1.13 + 3.76 (alpha Z / beta)^2)``,
        ``chi = alpha mc Z^(1/3) / (0.88534 p)``; averaged over the elements in its logarithm.
    """
    tau = kinetic_kev / ELECTRON_REST_ENERGY_KEV
    beta2 = sp.beta_squared(kinetic_kev)
    momentum2 = tau * (tau + 2.0)
    strength = np.zeros_like(kinetic_kev)
    log_screening = np.zeros_like(kinetic_kev)
    for symbol, fraction in material.mass_fractions.items():
        z = atomic_number(symbol)
        chi2 = (FINE_STRUCTURE * z ** (1.0 / 3.0) / _THOMAS_FERMI) ** 2 / momentum2
        eta = 0.25 * chi2 * (1.13 + 3.76 * (FINE_STRUCTURE * z) ** 2 / beta2)
        weight = fraction / atomic_weight(z) * z * (z + electron_weight)
        strength += weight
        log_screening += weight * np.log(eta)
    screening = np.exp(log_screening / strength)
    factor = AVOGADRO_PER_MOL * CLASSICAL_ELECTRON_RADIUS_CM**2 * (1.0 - beta2) / beta2**2
    section = np.pi * factor * strength / (screening * (1.0 + screening))
    return section, screening


def _moments(screening: FloatArray, cut: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means of m and m^2 over deflections with ``m = (1 - cos) / 2 < cut``, per collision."""
    a, c = screening, cut
    norm = a * (1.0 + a)
    logarithm = np.log1p(c / a)
    first = norm * (logarithm - c / (c + a))
    second = norm * (c - 2.0 * a * logarithm + a * c / (c + a))
    return first, second


def _hard_collisions(
    particle: int, kinetic: FloatArray, electrons: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Section above the cutoff [cm2/g], deflection it brings, soft straggling [keV2 cm2/g]."""
    section, deflection = np.zeros_like(kinetic), np.zeros_like(kinetic)
    straggling = np.zeros_like(kinetic)
    for i, t in enumerate(kinetic):
        constant = sp.CONSTANT_KEV_CM2_PER_MOL * electrons / sp.beta_squared(t)
        largest = 0.5 * t if particle == charged.ELECTRON else t
        soft = min(COLLISION_CUTOFF_KEV, largest)
        shares = np.linspace(1e-6, soft, 201) / t
        shape = np.array([charged.collision_shape(particle, t, s) for s in shares])
        straggling[i] = constant * np.trapezoid(shape, shares) * t
        if largest <= COLLISION_CUTOFF_KEV:
            continue
        loss = np.geomspace(COLLISION_CUTOFF_KEV, largest, 401)
        shape = np.array([charged.collision_shape(particle, t, w / t) for w in loss])
        density = constant * shape / loss**2
        cosine = np.array([charged.collision_cosines(t, w)[0] for w in loss])
        section[i] = np.trapezoid(density * loss, np.log(loss))
        deflection[i] = np.trapezoid(density * (1.0 - cosine) * loss, np.log(loss))
    return section, deflection, straggling


def _annihilation(kinetic: FloatArray, electrons: float) -> FloatArray:
    """Cross section of annihilation in flight per mass (Heitler), shape of `kinetic` [cm2/g]."""
    gamma = kinetic / ELECTRON_REST_ENERGY_KEV + 1.0
    root = np.sqrt(gamma**2 - 1.0)
    bracket = (gamma**2 + 4.0 * gamma + 1.0) * np.log(gamma + root) - (3.0 + gamma) * root
    radius2 = CLASSICAL_ELECTRON_RADIUS_CM**2
    per_electron = np.pi * radius2 / ((gamma + 1.0) * (gamma**2 - 1.0)) * bracket
    return np.asarray(AVOGADRO_PER_MOL * electrons * per_electron)


def _photons(material: Material, kinetic: FloatArray) -> FloatArray:
    """Cross section of photons above the cutoff, shape of `kinetic` [cm2/g]."""
    result = np.zeros_like(kinetic)
    for i, t in enumerate(kinetic):
        if t <= PHOTON_CUTOFF_KEV:
            continue
        share, scaled = sp.bremsstrahlung_shape(float(t))
        fine = np.geomspace(PHOTON_CUTOFF_KEV / t, 1.0, 401)
        result[i] = np.trapezoid(np.interp(fine, share, scaled), np.log(fine))
    return np.asarray(sp.bremsstrahlung_strength(material) / sp.beta_squared(kinetic) * result)


def _photon_shares(kinetic: FloatArray) -> npt.NDArray[np.float64]:
    """Quantiles of the photon energy over the kinetic energy, (n_energy, n_quantile + 1)."""
    levels = np.linspace(0.0, 1.0, N_PHOTON_QUANTILES + 1)
    table = np.ones((kinetic.size, levels.size))
    for i, t in enumerate(kinetic):
        if t <= PHOTON_CUTOFF_KEV:
            continue
        share, scaled = sp.bremsstrahlung_shape(float(t))
        fine = np.geomspace(PHOTON_CUTOFF_KEV / t, 1.0, 2001)
        steps = np.diff(np.log(fine))
        density = np.interp(fine, share, scaled)
        cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * steps)])
        table[i] = np.interp(levels, cumulative / cumulative[-1], fine)
    return table


def _to_rest(kinetic: FloatArray, density: FloatArray, low: float) -> FloatArray:
    """Integral of a density over the kinetic energy from `low` on, by the trapezoid rule."""
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(kinetic)
    total = np.concatenate([[0.0], np.cumsum(np.where(kinetic[:-1] >= low, steps, 0.0))])
    return np.asarray(total)


@lru_cache(maxsize=256)
def _material_values(
    key: tuple[tuple[str, float], ...], density_g_cm3: float, max_kev: float
) -> FloatArray:
    material = Material(
        name="table", mass_fractions=dict(key), reference_density_g_cm3=density_g_cm3
    )
    kinetic = _energies(max_kev)
    electrons = sp.electrons_per_gram(material)
    values = np.zeros((2, kinetic.size, charged.N_COLUMNS))
    photons = _photons(material, kinetic)
    soft_photons = sp.radiative_stopping_power(material, kinetic, cutoff_kev=PHOTON_CUTOFF_KEV)
    for particle in (charged.ELECTRON, charged.POSITRON):
        section, deflection, straggling = _hard_collisions(particle, kinetic, electrons)
        whole = sp.collision_stopping_power(material, kinetic, particle=particle)
        whole = whole + sp.radiative_stopping_power(material, kinetic)
        soft = soft_photons + sp.collision_stopping_power(
            material, kinetic, particle=particle, cutoff_kev=COLLISION_CUTOFF_KEV
        )
        weight = _electron_weight(material, kinetic, deflection, electrons)
        elastic, screening = screened_rutherford(material, kinetic, weight)
        first, _ = _moments(screening, np.ones_like(kinetic))
        transport = 2.0 * elastic * first
        longest = np.minimum(ELASTIC_SHARE / transport, ELASTIC_SHARE * kinetic / whole)
        probability = np.clip(1.0 / (elastic * longest), 0.0, 1.0)
        cut = screening * (1.0 - probability) / (screening + probability)
        soft_first, soft_second = _moments(screening, cut)
        annihilation = np.zeros_like(kinetic)
        if particle == charged.POSITRON:
            annihilation = _annihilation(kinetic, electrons)
        hard = elastic * probability + section + photons + annihilation
        reach = int(np.ceil(1.5 * LOSS_SHARE * ROWS_PER_EFOLD)) + 2
        majorant = np.array([hard[max(0, i - reach) : i + 2].max() for i in range(kinetic.size)])
        csda = kinetic[0] / whole[0] * 0.5 + _to_rest(kinetic, 1.0 / whole, 0.0)
        columns = {
            charged.SOFT_LOSS: soft,
            charged.SOFT_STRAGGLING: straggling,
            charged.HARD_ELASTIC: elastic * probability,
            charged.HARD_COLLISION: section,
            charged.BREMSSTRAHLUNG: photons,
            charged.ANNIHILATION: annihilation,
            charged.MAJORANT: majorant * 1.02,
            charged.SCREENING: screening,
            charged.CUT_ANGLE: cut,
            charged.SOFT_TRANSPORT_1: 2.0 * elastic * soft_first,
            charged.SOFT_TRANSPORT_2: 6.0 * elastic * (soft_first - soft_second),
            charged.RANGE: csda,
            charged.PHOTONS_TO_STOP: _to_rest(kinetic, photons / whole, PHOTON_CUTOFF_KEV),
            charged.ANNIHILATIONS_TO_STOP: _to_rest(kinetic, annihilation / whole, 0.0),
            charged.STEP: LOSS_SHARE * kinetic / whole,
        }
        for column, array in columns.items():
            values[particle, :, column] = array
    return values


def _electron_weight(
    material: Material, kinetic: FloatArray, deflection: FloatArray, electrons: float
) -> FloatArray:
    """Share of the deflection by atomic electrons that hard collisions do not bring themselves."""
    _, screening = screened_rutherford(material, kinetic, np.ones_like(kinetic))
    beta2 = sp.beta_squared(kinetic)
    radius2 = CLASSICAL_ELECTRON_RADIUS_CM**2
    bracket = np.log1p(1.0 / screening) - 1.0 / (1.0 + screening)
    by_electrons = (
        2.0 * np.pi * radius2 * AVOGADRO_PER_MOL * electrons * (1.0 - beta2) / beta2**2 * bracket
    )
    return np.asarray(np.clip(1.0 - deflection / by_electrons, 0.0, 1.0))


def build_charged_tables(
    materials: Sequence[Material],
    *,
    max_energy_kev: float = MAX_KEV,
    annihilation_copies: int = 1,
) -> ChargedTables:
    """Tables of electrons and positrons of the materials, in their order.

    Parameters
    ----------
    materials : sequence of Material
        Their reference densities enter the density effect.
    max_energy_kev : float [keV]
        Highest kinetic energy of the source; at most 4000.
    annihilation_copies : int
        Pairs of photons of a positron at rest, 1 to 16; more save time where photons decide the
        noise, the mean is the same.

    Returns
    -------
    ChargedTables
    """
    if not 1 <= annihilation_copies <= MAX_COPIES:
        raise InputError(f"annihilation_copies must lie in 1-{MAX_COPIES}")
    if not ABSORPTION_KEV < max_energy_kev <= MAX_KEV:
        raise InputError(
            f"kinetic energies must lie in {ABSORPTION_KEV:g}-{MAX_KEV:g} keV,"
            f" got {max_energy_kev:g}"
        )
    parts = [
        _material_values(
            tuple(sorted(m.mass_fractions.items())), m.reference_density_g_cm3, max_energy_kev
        )
        for m in materials
    ]
    kinetic = _energies(max_energy_kev)
    return ChargedTables(
        log_energy_min=float(np.log(MIN_KEV)),
        inverse_log_step=(kinetic.size - 1) / float(np.log(max_energy_kev / MIN_KEV)),
        values=np.ascontiguousarray(np.stack(parts, axis=2)),
        photon_share=_photon_shares(kinetic),
        collision_cutoff_kev=COLLISION_CUTOFF_KEV,
        photon_cutoff_kev=PHOTON_CUTOFF_KEV,
        absorption_kev=ABSORPTION_KEV,
        annihilation_copies=annihilation_copies,
    )

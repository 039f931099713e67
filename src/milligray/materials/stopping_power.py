"""Stopping power of electrons and positrons: collisions (restricted or not) and bremsstrahlung.

Collisions by the Bethe formula in the form of Berger and Seltzer, with the density effect of
Sternheimer's oscillators, one for every atomic shell. Bremsstrahlung by the cross section of
Seltzer and Berger. Kinetic energies in keV, stopping powers per mass in keV cm2/g.

References
----------
ICRU Report 37, Stopping powers for electrons and positrons (1984). Sternheimer RM, Berger MJ,
Seltzer SM. Density effect for the ionization loss of charged particles in various substances. At.
Data Nucl. Data Tables 30 (1984) 261-271. Seltzer SM, Berger MJ. Bremsstrahlung energy spectra. At.
Data Nucl. Data Tables 35 (1986) 345-418.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from milligray.constants import (
    AVOGADRO_PER_MOL,
    CLASSICAL_ELECTRON_RADIUS_CM,
    ELECTRON_REST_ENERGY_KEV,
)
from milligray.data import load_csv
from milligray.errors import InputError
from milligray.materials.cross_sections import atomic_number, atomic_weight
from milligray.materials.material import Material
from milligray.typing import FloatArray

ELECTRON, POSITRON = 0, 1
CONSTANT_KEV_CM2_PER_MOL = (
    2.0 * np.pi * CLASSICAL_ELECTRON_RADIUS_CM**2 * ELECTRON_REST_ENERGY_KEV * AVOGADRO_PER_MOL
)
"""``2 pi r_e^2 m c^2 N_A`` [keV cm2/mol]."""
WATER_EXCITATION_EV = 75.0
_PLASMA_EV = 28.816
"""Plasma energy of 1 mol of electrons per cm3 [eV]."""
CM2_PER_MILLIBARN = 1e-27
_KEV_PER_EV = 1e-3
_SAME_SHELL = 0.05


def beta_squared(kinetic_kev: FloatArray) -> FloatArray:
    """Square of the speed in units of that of light."""
    tau = np.asarray(kinetic_kev) / ELECTRON_REST_ENERGY_KEV
    return np.asarray(tau * (tau + 2.0) / (tau + 1.0) ** 2)


def electrons_per_gram(material: Material) -> float:
    """Electrons per mass [mol/g], the usual Z/A."""
    return sum(
        fraction * atomic_number(symbol) / atomic_weight(atomic_number(symbol))
        for symbol, fraction in material.mass_fractions.items()
    )


def mean_excitation_ev(material: Material) -> float:
    """Mean excitation energy of a mixture [eV], by Bragg's rule with the values for compounds.

    Water is 75 eV, as measured.
    """
    if _is_water(material):
        return WATER_EXCITATION_EV
    table = {r["element"]: r for r in load_csv("electrons/excitation_energies.csv")}
    column = "element_ev" if len(material.mass_fractions) == 1 else "compound_ev"
    total = 0.0
    for symbol, fraction in material.mass_fractions.items():
        z = atomic_number(symbol)
        value = float(table[symbol][column]) if symbol in table else 10.0 * z
        total += fraction * z / atomic_weight(z) * np.log(value)
    return float(np.exp(total / electrons_per_gram(material)))


def _is_water(material: Material) -> bool:
    fractions = material.mass_fractions
    return set(fractions) == {"H", "O"} and abs(fractions["H"] - 0.1119) < 1e-3


@dataclass(frozen=True, slots=True)
class _Oscillators:
    strength: FloatArray
    binding_ev: FloatArray


@lru_cache(maxsize=256)
def _shells(symbol: str) -> tuple[tuple[float, float], ...]:
    """Electrons and binding energy [eV] of the shells of an element, outermost last.

    The outermost is bound by the ionization energy; subshells of one energy are one oscillator.
    """
    import xraylib  # noqa: PLC0415

    z = atomic_number(symbol)
    shells: list[tuple[float, float]] = []
    for shell in range(31):
        try:
            n = float(xraylib.ElectronConfig(z, shell))
            energy = 1e3 * float(xraylib.EdgeEnergy(z, shell))
        except ValueError:
            continue
        if n <= 0 or energy <= 0:
            continue
        if shells and abs(shells[-1][1] / energy - 1.0) < _SAME_SHELL:
            shells[-1] = (shells[-1][0] + n, energy)
        else:
            shells.append((n, energy))
    for row in load_csv("electrons/excitation_energies.csv"):
        if row["element"] == symbol and shells:
            shells[-1] = (shells[-1][0], float(row["ionization_ev"]))
    return tuple(shells)


def _oscillators(material: Material) -> _Oscillators:
    strength, binding = [], []
    for symbol, fraction in material.mass_fractions.items():
        z = atomic_number(symbol)
        shells = _shells(symbol)
        counted = sum(n for n, _ in shells)
        if counted <= 0:
            raise InputError(f"no atomic shells known of {symbol}")
        for n, energy in shells:
            strength.append(fraction / atomic_weight(z) * z * n / counted)
            binding.append(energy)
    values = np.array(strength)
    return _Oscillators(values / values.sum(), np.array(binding))


def density_effect(material: Material, kinetic_kev: FloatArray, density_g_cm3: float) -> FloatArray:
    """Density-effect correction delta of an insulator, shape of `kinetic_kev`.

    Notes
    -----
    Oscillators of strength ``f_i`` at ``l_i^2 = (w E_i / P)^2 + 2/3 f_i`` in units of the plasma
    energy ``P``; ``w`` is such that ``ln I = sum f_i ln (P l_i)``. With ``L`` from
    ``1 / beta^2 - 1 = sum f_i / ((w E_i / P)^2 + L^2)``:
    ``delta = sum f_i ln(1 + L^2 / l_i^2) - L^2 (1 - beta^2)``.
    """
    oscillators = _oscillators(material)
    plasma = _PLASMA_EV * np.sqrt(density_g_cm3 * electrons_per_gram(material))
    log_i = np.log(mean_excitation_ev(material))
    f, relative = oscillators.strength, (oscillators.binding_ev / plasma) ** 2

    def excess(factor: float) -> float:
        level = 0.5 * np.log(factor**2 * relative + 2.0 / 3.0 * f) + np.log(plasma)
        return float(np.sum(f * level) - log_i)

    # denser than its levels allow: the weakest binding
    factor = 1e-3 if excess(1e-3) > 0.0 else brentq(excess, 1e-3, 1e3)
    level = factor**2 * relative
    l_squared = level + 2.0 / 3.0 * f
    beta2 = beta_squared(kinetic_kev)
    delta = np.zeros_like(beta2)
    for index in np.ndindex(beta2.shape):
        target = 1.0 / beta2[index] - 1.0
        if np.sum(f / level) <= target:
            continue
        root = brentq(lambda x, t=target: float(np.sum(f / (level + x)) - t), 0.0, 1e12)
        delta[index] = np.sum(f * np.log1p(root / l_squared)) - root * (1.0 - beta2[index])
    return np.maximum(delta, 0.0)


def collision_stopping_power(
    material: Material,
    kinetic_kev: FloatArray,
    *,
    particle: int = ELECTRON,
    cutoff_kev: float = np.inf,
    density_g_cm3: float | None = None,
) -> FloatArray:
    """Collision stopping power per mass, restricted to losses up to a cutoff.

    Parameters
    ----------
    material : Material
    kinetic_kev : ndarray [keV]
    particle : {ELECTRON, POSITRON}
    cutoff_kev : float [keV]
        Largest energy loss that counts; above the largest possible one (half the energy of an
        electron, all of a positron's) the stopping power is unrestricted.
    density_g_cm3 : float, optional [g/cm3]
        For the density effect; default: the material's reference density.

    Returns
    -------
    ndarray [keV cm2/g]

    Notes
    -----
    ``S = C (Z/A) / beta^2 (ln(2 (tau + 2) / (I / mc^2)^2) + F - delta)``, with ``d`` the cutoff and
    ``tau`` the kinetic energy in units of ``mc^2``; electrons:
    ``F = -1 - beta^2 + ln((tau - d) d) + tau / (tau - d)
    + (d^2 / 2 + (2 tau + 1) ln(1 - d / tau)) / (tau + 1)^2``.
    """
    kinetic = np.asarray(kinetic_kev, dtype=np.float64)
    tau = kinetic / ELECTRON_REST_ENERGY_KEV
    beta2 = beta_squared(kinetic)
    limit = cutoff_kev / ELECTRON_REST_ENERGY_KEV
    if particle == ELECTRON:
        d = np.minimum(limit, 0.5 * tau)
        f = (
            -1.0 - beta2 + np.log((tau - d) * d) + tau / (tau - d)
            + (0.5 * d**2 + (2.0 * tau + 1.0) * np.log1p(-d / tau)) / (tau + 1.0) ** 2
        )  # fmt: skip
    else:
        d = np.minimum(limit, tau)
        y = 1.0 / (tau + 2.0)
        f = np.log(tau * d) - beta2 / tau * (
            tau + 2.0 * d - 1.5 * d**2 * y - (d - d**3 / 3.0) * y**2
            - (0.5 * d**2 - tau * d**3 / 3.0 + 0.25 * d**4) * y**3
        )  # fmt: skip
    excitation = mean_excitation_ev(material) * _KEV_PER_EV / ELECTRON_REST_ENERGY_KEV
    density = material.reference_density_g_cm3 if density_g_cm3 is None else density_g_cm3
    number = np.log(2.0 * (tau + 2.0) / excitation**2) + f
    number -= density_effect(material, kinetic, density)
    return np.asarray(CONSTANT_KEV_CM2_PER_MOL * electrons_per_gram(material) / beta2 * number)


@lru_cache(maxsize=1)
def _oxygen_bremsstrahlung() -> tuple[FloatArray, FloatArray, FloatArray]:
    rows = load_csv("electrons/bremsstrahlung_oxygen.csv")
    kinetic = np.array(sorted({float(r["electron_kev"]) for r in rows}))
    share = np.array(sorted({float(r["reduced_photon_energy"]) for r in rows}))
    values = np.array([float(r["scaled_mb"]) for r in rows]).reshape(kinetic.size, share.size)
    return kinetic, share, values


def bremsstrahlung_shape(kinetic_kev: float) -> tuple[FloatArray, FloatArray]:
    """Scaled cross section ``(beta^2 / Z^2) k dsigma/dk`` of oxygen against ``k / T``.

    Returns
    -------
    reduced_photon_energy, scaled_mb : ndarray, shape (n,) [1, mb]
        Below 10 keV as at 10 keV.
    """
    kinetic, share, values = _oxygen_bremsstrahlung()
    log_energy = np.log(np.clip(kinetic_kev, kinetic[0], kinetic[-1]))
    scaled = np.array(
        [np.interp(log_energy, np.log(kinetic), values[:, i]) for i in range(share.size)]
    )
    return share, scaled


def bremsstrahlung_strength(material: Material) -> float:
    """Factor of `bremsstrahlung_shape`, times ``1 / beta^2``, per mass [cm2/(g mb)].

    ``sum_i w_i / A_i Z_i (Z_i + 1) (8 / 9)``: nucleus and electrons, both in the oxygen table.
    """
    total = sum(
        fraction / atomic_weight(z) * z * (z + 1.0)
        for z, fraction in (
            (atomic_number(symbol), f) for symbol, f in material.mass_fractions.items()
        )
    )
    return float(AVOGADRO_PER_MOL * total * 8.0 / 9.0 * CM2_PER_MILLIBARN)


def radiative_stopping_power(
    material: Material, kinetic_kev: FloatArray, *, cutoff_kev: float = np.inf
) -> FloatArray:
    """Energy lost to bremsstrahlung per mass path, photons up to a cutoff [keV cm2/g]."""
    kinetic = np.asarray(kinetic_kev, dtype=np.float64)
    result = np.empty_like(kinetic)
    for index in np.ndindex(kinetic.shape):
        t = float(kinetic[index])
        share, scaled = bremsstrahlung_shape(t)
        fine = np.linspace(0.0, min(1.0, cutoff_kev / t), 401)
        result[index] = t * np.trapezoid(np.interp(fine, share, scaled), fine)
    return np.asarray(bremsstrahlung_strength(material) / beta_squared(kinetic) * result)

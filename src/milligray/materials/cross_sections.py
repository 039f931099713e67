"""Cross sections of elements and mixtures, from xraylib up to 800 keV and mucoeff above.

xraylib carries the photoelectric, Rayleigh and incoherent cross sections, form factors and
incoherent scattering functions of the evaluated libraries behind NIST XCOM; it stops at
800 keV. Above, the shape of mucoeff (Boone and Chavez 1996) is joined to it continuously, and
pair production is mucoeff's.

References
----------
Schoonjans T et al. The xraylib library for X-ray-matter interactions. Spectrochim Acta B 66
(2011) 776-784.
Boone JM, Chavez AE. Comparison of x-ray cross sections for diagnostic and therapeutic medical
physics. Med Phys 23 (1996) 1997-2005.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from milligray.constants import ELECTRON_REST_ENERGY_KEV, KEV_ANGSTROM
from milligray.errors import InputError, TableRangeError
from milligray.materials.material import Material
from milligray.typing import FloatArray

Process = Literal["photo", "compton", "rayleigh", "pair"]
PROCESSES: tuple[Process, ...] = ("photo", "compton", "rayleigh", "pair")

XRAYLIB_MAX_KEV = 800.0
KISSEL_MAX_KEV = 190.0
ENERGY_RANGE_KEV = (1.0, 3000.0)
K_LINE_GROUPS = (("KL3", "KL2"), ("KM3", "KM2"))
"""K-alpha and K-beta; each group is one line at its mean energy."""


def _xraylib() -> object:
    import xraylib_np  # noqa: PLC0415 - 0.2 s, only when cross sections are needed

    return xraylib_np


def atomic_number(symbol: str) -> int:
    """Atomic number of an element symbol."""
    import xraylib  # noqa: PLC0415

    try:
        return int(xraylib.SymbolToAtomicNumber(symbol))
    except ValueError as error:
        raise InputError(f"{symbol!r} is not a chemical element symbol") from error


def atomic_weight(z: int) -> float:
    """Standard atomic weight [g/mol]."""
    import xraylib  # noqa: PLC0415

    return float(xraylib.AtomicWeight(z))


def _check_energies(energy_kev: npt.ArrayLike) -> FloatArray:
    energies = np.atleast_1d(np.asarray(energy_kev, dtype=np.float64))
    low, high = ENERGY_RANGE_KEV
    if energies.size and (energies.min() < low or energies.max() > high):
        raise TableRangeError(
            f"photon energies must lie within {low:g}-{high:g} keV,"
            f" got {energies.min():g}-{energies.max():g} keV"
        )
    return energies


def _mucoeff_cm2_g(process: Process, z: int, energies: FloatArray) -> FloatArray:
    import mucoeff  # noqa: PLC0415

    flags = {
        "photo": mucoeff.Flag.MU_PHOTO,
        "compton": mucoeff.Flag.MU_COMPTON,
        "rayleigh": mucoeff.Flag.MU_RAYLEIGH,
        "pair": mucoeff.Flag.MU_PAIR,
    }
    return np.atleast_1d(np.asarray(mucoeff.mu(flags[process], z, energies), dtype=np.float64))


@lru_cache(maxsize=1024)
def _xraylib_cm2_g(process: Process, z: int, energies: bytes) -> FloatArray:
    """Kept, since the tissues of one patient ask for the same elements at the same energies."""
    function: Callable[..., FloatArray] = getattr(
        _xraylib(), {"photo": "CS_Photo", "compton": "CS_Compt", "rayleigh": "CS_Rayl"}[process]
    )
    return np.asarray(function(np.array([z]), np.frombuffer(energies))).reshape(-1)


def element_cm2_g(process: Process, z: int, energy_kev: npt.ArrayLike) -> FloatArray:
    """Cross section per mass of one element.

    Parameters
    ----------
    process : {"photo", "compton", "rayleigh", "pair"}
    z : int
        Atomic number.
    energy_kev : array, shape (n,) [keV], 1-3000

    Returns
    -------
    ndarray, shape (n,) [cm2/g]
    """
    energies = _check_energies(energy_kev)
    if process == "pair":
        return _mucoeff_cm2_g("pair", z, energies) * (energies > 1022.0)
    below = np.minimum(energies, XRAYLIB_MAX_KEV)
    result = _xraylib_cm2_g(process, z, below.tobytes()).copy()
    above = energies > XRAYLIB_MAX_KEV
    if np.any(above):
        joint = _mucoeff_cm2_g(process, z, np.array([XRAYLIB_MAX_KEV]))[0]
        result[above] *= _mucoeff_cm2_g(process, z, energies[above]) / joint
    return result


@lru_cache(maxsize=256)
def _scattering_function_table(z: int) -> tuple[FloatArray, FloatArray]:
    momentum = np.concatenate([[0.0], np.geomspace(1e-4, 400.0, 1200)])
    values = np.asarray(_call("SF_Compt", z, momentum[1:]))
    return momentum, np.concatenate([[0.0], values])


@lru_cache(maxsize=256)
def _form_factor_table(z: int) -> tuple[FloatArray, FloatArray]:
    momentum = np.concatenate([[0.0], np.geomspace(1e-4, 400.0, 1200)])
    values = np.asarray(_call("FF_Rayl", z, momentum[1:]))
    return momentum, np.concatenate([[float(z)], values])


def _call(name: str, z: int, argument: FloatArray) -> FloatArray:
    function: Callable[..., FloatArray] = getattr(_xraylib(), name)
    return np.asarray(function(np.array([z]), argument)).reshape(-1)


def momentum_transfer_per_angstrom(energy_kev: float, cos_polar: FloatArray) -> FloatArray:
    """Momentum transfer ``x = sin(theta / 2) / lambda`` [1/angstrom]."""
    return np.asarray(energy_kev / KEV_ANGSTROM * np.sqrt(0.5 * (1.0 - cos_polar)))


def moles_per_gram(material: Material) -> list[tuple[int, float]]:
    """Atomic number and amount of substance per mass [mol/g] of every element."""
    numbers = ((atomic_number(symbol), f) for symbol, f in material.mass_fractions.items())
    return [(z, fraction / atomic_weight(z)) for z, fraction in numbers]


def scattering_function(material: Material, momentum: FloatArray) -> FloatArray:
    """Incoherent scattering function S(x) summed over the atoms of a mixture, per gram [mol/g].

    Independent atoms: no molecular or solid-state correction.
    """
    total = np.zeros_like(momentum)
    for z, moles in moles_per_gram(material):
        total += moles * np.interp(momentum, *_scattering_function_table(z))
    return total


def squared_form_factor(material: Material, momentum: FloatArray) -> FloatArray:
    """Squared atomic form factor F(x)^2 summed over the atoms of a mixture [mol/g]."""
    total = np.zeros_like(momentum)
    for z, moles in moles_per_gram(material):
        total += moles * np.interp(momentum, *_form_factor_table(z)) ** 2
    return total


def material_cm2_g(process: Process, material: Material, energy_kev: npt.ArrayLike) -> FloatArray:
    """Cross section per mass of a mixture by the additivity rule, shape (n,) [cm2/g]."""
    energies = _check_energies(energy_kev)
    total = np.zeros_like(energies)
    for symbol, fraction in material.mass_fractions.items():
        total += fraction * element_cm2_g(process, atomic_number(symbol), energies)
    return total


def mu_rho_cm2_g(material: Material, energy_kev: npt.ArrayLike) -> FloatArray:
    """Mass attenuation coefficient with coherent scattering, shape (n,) [cm2/g]."""
    energies = _check_energies(energy_kev)
    return np.asarray(sum(material_cm2_g(process, material, energies) for process in PROCESSES))


def klein_nishina(energy_kev: float, cos_polar: FloatArray) -> FloatArray:
    """Klein-Nishina cross section per solid angle, in units of r_e^2 / 2, free electron at rest."""
    ratio = 1.0 / (1.0 + energy_kev / ELECTRON_REST_ENERGY_KEV * (1.0 - cos_polar))
    return np.asarray(ratio**2 * (ratio + 1.0 / ratio - 1.0 + cos_polar**2))


@lru_cache(maxsize=1)
def _gauss_nodes() -> tuple[FloatArray, FloatArray]:
    nodes, gauss = np.polynomial.legendre.leggauss(400)
    return np.asarray(nodes), np.asarray(gauss)


def mean_compton_transfer_kev(material: Material, energy_kev: float) -> float:
    """Mean energy given to the electron in a bound Compton collision [keV].

    Mean of ``E - E'(cos)`` over ``klein_nishina(E, cos) S(x)``; no Doppler broadening.
    """
    # cos = 1 - 2 s^2 with Gauss nodes in s = sin(theta / 2), dense in the forward direction
    nodes, gauss = _gauss_nodes()
    s = 0.5 * (nodes + 1.0)
    cos_polar = 1.0 - 2.0 * s**2
    momentum = momentum_transfer_per_angstrom(energy_kev, cos_polar)
    density = klein_nishina(energy_kev, cos_polar) * scattering_function(material, momentum)
    weight = density * gauss * s
    ratio = 1.0 / (1.0 + energy_kev / ELECTRON_REST_ENERGY_KEV * (1.0 - cos_polar))
    return float(np.sum(weight * energy_kev * (1.0 - ratio)) / np.sum(weight))


def k_fluorescence(z: int, energy_kev: npt.ArrayLike) -> list[tuple[float, FloatArray]]:
    """K lines of one element: energy [keV] and emission probability per photoelectric event.

    ``probability = (tau_K / tau) omega_K (radiative rate of the line)``; the shell share is the
    ratio of Kissel's partial to Kissel's total photoelectric cross section.

    Returns
    -------
    list of (energy_kev, probability with shape (n,))
        K-alpha and K-beta; empty for elements whose K edge lies below 1 keV.
    """
    import xraylib  # noqa: PLC0415

    energies = _check_energies(energy_kev)
    try:
        edge = float(xraylib.EdgeEnergy(z, xraylib.K_SHELL))
        fluorescence_yield = float(xraylib.FluorYield(z, xraylib.K_SHELL))
    except ValueError:
        return []
    if edge < ENERGY_RANGE_KEV[0]:
        return []
    share = np.zeros_like(energies)
    for i in np.flatnonzero(energies > edge):
        energy = min(float(energies[i]), KISSEL_MAX_KEV)
        partial = xraylib.CS_Photo_Partial(z, xraylib.K_SHELL, energy)
        share[i] = partial / xraylib.CS_Photo_Total(z, energy)
    lines = []
    for group in K_LINE_GROUPS:
        rates, energies_of_lines = [], []
        for name in group:
            line = getattr(xraylib, f"{name}_LINE")
            try:
                rates.append(float(xraylib.RadRate(z, line)))
                energies_of_lines.append(float(xraylib.LineEnergy(z, line)))
            except ValueError:
                continue
        if rates and sum(rates) > 0:
            mean = float(np.average(energies_of_lines, weights=rates))
            lines.append((mean, share * fluorescence_yield * sum(rates)))
    return lines


def mu_tr_rho_cm2_g(material: Material, energy_kev: npt.ArrayLike) -> FloatArray:
    """Mass energy-transfer coefficient below 1.022 MeV, shape (n,) [cm2/g].

    ``mu_tr = (tau (E - E_fluorescence) + sigma_compton <T>) / E``: K fluorescence leaves,
    everything else of a photoelectric event stays.
    """
    energies = _check_energies(energy_kev)
    if energies.max() > 2.0 * ELECTRON_REST_ENERGY_KEV:
        raise TableRangeError(
            "mu_tr_rho_cm2_g is defined here below 1022 keV, without pair production"
        )
    escape_kev = np.zeros_like(energies)
    for symbol, fraction in material.mass_fractions.items():
        z = atomic_number(symbol)
        tau = fraction * element_cm2_g("photo", z, energies)
        for line_kev, probability in k_fluorescence(z, energies):
            escape_kev += tau * probability * line_kev
    transfer = np.array([mean_compton_transfer_kev(material, float(e)) for e in energies])
    photo = material_cm2_g("photo", material, energies)
    compton = material_cm2_g("compton", material, energies)
    return np.asarray(photo + (compton * transfer - escape_kev) / energies)


def mu_en_rho_cm2_g(material: Material, energy_kev: npt.ArrayLike) -> FloatArray:
    """Mass energy-absorption coefficient below 1.022 MeV, shape (n,) [cm2/g].

    ``mu_en = mu_tr (1 - g)`` with the radiative fraction of the secondary electrons from their
    mean energy T [MeV], ``g = 6e-4 Z T / (1 + 6e-4 Z T)`` and the mass-weighted Z (Attix 1986,
    chapter 8): at most 0.3 % here, uncertain by a third of itself.
    """
    energies = _check_energies(energy_kev)
    transferred = mu_tr_rho_cm2_g(material, energies)
    photo = material_cm2_g("photo", material, energies)
    compton = material_cm2_g("compton", material, energies)
    z_mean = sum(atomic_number(s) * f for s, f in material.mass_fractions.items())
    electron_mev = 1e-3 * transferred * energies / (photo + compton)
    y = 6e-4 * z_mean * electron_mev
    return np.asarray(transferred * (1.0 - y / (1.0 + y)))

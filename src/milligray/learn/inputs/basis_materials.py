"""Tissues as mixtures of water and cortical bone: what X rays can tell apart."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from milligray.materials.cross_sections import mu_en_rho_cm2_g, mu_rho_cm2_g
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.typing import FloatArray

BASIS = ("water", "cortical_bone")
FIT_KEV = (30.0, 120.0)
_FIT_POINTS = 19
_TABLE_KEV = (10.0, 160.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BasisFractions:
    """Tissues in terms of the basis, by mass; rows are materials, columns `BASIS`.

    Parameters
    ----------
    attenuation : ndarray, shape (n_materials, 2)
        ``mu/rho = sum_b attenuation_b (mu/rho)_b``.
    absorption : ndarray, shape (n_materials, 2)
        ``mu_en/rho = sum_b absorption_b (mu_en/rho)_b``.
    residual : ndarray, shape (n_materials, 2)
        Largest relative deviation of the two sums within `FIT_KEV`.
    """

    attenuation: FloatArray
    absorption: FloatArray
    residual: FloatArray


def basis_fractions(materials: tuple[Material, ...]) -> BasisFractions:
    """Fit materials by the basis, relative deviations of 30 to 120 keV in least squares.

    Parameters
    ----------
    materials : tuple of Material

    Returns
    -------
    BasisFractions

    References
    ----------
    Alvarez RE, Macovski A. Energy-selective reconstructions in X-ray computerised tomography. Phys
    Med Biol 21 (1976) 733-744.
    """
    rows = [_fit(m.name, tuple(sorted(m.mass_fractions.items()))) for m in materials]
    return BasisFractions(
        attenuation=np.array([row[0] for row in rows]),
        absorption=np.array([row[1] for row in rows]),
        residual=np.array([row[2] for row in rows]),
    )


@lru_cache(maxsize=256)
def _fit(
    name: str, fractions: tuple[tuple[str, float], ...]
) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
    material = Material(name=name, mass_fractions=dict(fractions))
    energy = np.geomspace(*FIT_KEV, _FIT_POINTS)
    basis = [load_material(b) for b in BASIS]
    found, residuals = [], []
    for coefficient in (mu_rho_cm2_g, mu_en_rho_cm2_g):
        wanted = coefficient(material, energy)
        columns = np.stack([coefficient(b, energy) for b in basis], axis=1) / wanted[:, None]
        fit = np.linalg.lstsq(columns, np.ones(energy.size), rcond=None)[0]
        found.append(fit)
        residuals.append(float(np.abs(columns @ fit - 1.0).max()))
    return found[0], found[1], (residuals[0], residuals[1])


def basis_coefficients_cm2_g(energy_kev: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``mu/rho`` and ``mu_en/rho`` of the basis, shape (2, n_energy) each [cm2/g].

    Parameters
    ----------
    energy_kev : ndarray, shape (n_energy,) [keV]

    Notes
    -----
    Between 64 energies a decade, logarithmically: within 1e-3 (no edge lies above 5 keV).
    """
    logarithm = np.log(energy_kev)
    low, high = float(energy_kev.min()), float(energy_kev.max())
    if low < _TABLE_KEV[0] or high > _TABLE_KEV[1]:
        basis = [load_material(name) for name in BASIS]
        mu = np.stack([mu_rho_cm2_g(b, energy_kev) for b in basis])
        return mu, np.stack([mu_en_rho_cm2_g(b, energy_kev) for b in basis])
    places, table = _basis_table()
    found = np.exp([[np.interp(logarithm, places, row) for row in rows] for rows in table])
    return found[0], found[1]


@lru_cache(maxsize=1)
def _basis_table() -> tuple[FloatArray, FloatArray]:
    """Logarithms of energies, and of the coefficients, shape (2, 2, n)."""
    n = round(64 * np.log10(_TABLE_KEV[1] / _TABLE_KEV[0]))
    energy = np.geomspace(*_TABLE_KEV, n)
    basis = [load_material(name) for name in BASIS]
    rows = [[of(b, energy) for b in basis] for of in (mu_rho_cm2_g, mu_en_rho_cm2_g)]
    return np.log(energy), np.log(rows)


def basis_densities(patient: Patient) -> tuple[FloatArray, FloatArray]:
    """Patient as densities of the basis.

    Parameters
    ----------
    patient : Patient

    Returns
    -------
    attenuating, absorbing : ndarray, shape (2, *patient.grid.shape), float32 [g/cm3]
        ``mu = sum_b attenuating_b (mu/rho)_b``; collision kerma of a photon field is
        ``sum_b absorbing_b K_b / density`` with ``K_b`` that in the basis material.
    """
    fractions = basis_fractions(patient.materials)
    density = patient.density_g_cm3
    index = patient.material_index
    attenuating, absorbing = (
        np.stack([density * table[:, b].astype(np.float32)[index] for b in (0, 1)])
        for table in (fractions.attenuation, fractions.absorption)
    )
    return attenuating, absorbing

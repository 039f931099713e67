"""Total Compton cross section of water: scattering function against impulse approximation.

Usage: python tools/compare_compton_models.py

milligray takes S(x, Z) and the incoherent cross section of NIST XCOM (by xraylib). EGSnrc samples
the impulse approximation (IA), whose total is what is left of Klein-Nishina after its binding
rejections: ``sigma_IA = integral of KN(theta) sum_i Z_i n_i(p_max(theta))``, ``n_i`` the integral
of the Compton profile of shell i up to the momentum that its binding energy allows.
"""

import sys

import numpy as np
import xraylib

from milligray.constants import ELECTRON_REST_ENERGY_KEV as MC2
from milligray.materials.cross_sections import (
    klein_nishina,
    material_cm2_g,
    moles_per_gram,
    mu_rho_cm2_g,
)
from milligray.materials.tissues import load_material

ATOMIC_UNITS_PER_MC = 137.035999
SHELLS = {
    1: [("K", 1)],
    8: [("K", 2), ("L1", 2), ("L2", 2), ("L3", 2)],
}
"""Electrons per shell; oxygen's four 2p electrons are split over L2 and L3."""
P_MAX = 100.0


def cumulative_profile(z: int, shell: str) -> tuple[np.ndarray, np.ndarray]:
    """Integral of the normalized Compton profile from -P_MAX to p [atomic units]."""
    p = np.concatenate([-np.geomspace(P_MAX, 1e-3, 600), [0.0], np.geomspace(1e-3, P_MAX, 600)])
    index = getattr(xraylib, f"{shell}_SHELL")
    profile = np.array([xraylib.ComptonProfile_Partial(z, index, abs(float(v))) for v in p])
    total = np.concatenate([[0.0], np.cumsum(0.5 * (profile[1:] + profile[:-1]) * np.diff(p))])
    return p, total / total[-1]


def incoherent_function(z: int, energy_kev: float, cos_polar: np.ndarray) -> np.ndarray:
    """Sum over shells of electrons times the share that can be set free at this angle."""
    total = np.zeros_like(cos_polar)
    for shell, electrons in SHELLS[z]:
        binding = xraylib.EdgeEnergy(z, getattr(xraylib, f"{shell}_SHELL"))
        left = energy_kev - binding
        product = energy_kev * left * (1.0 - cos_polar)
        p_max = (product - MC2 * binding) / np.sqrt(2.0 * product + binding**2) / MC2
        p, share = cumulative_profile(z, shell)
        total += electrons * np.interp(p_max * ATOMIC_UNITS_PER_MC, p, share)
    return total


def main() -> None:
    """Print the ratio of the two totals."""
    water = load_material("water")
    nodes, weights = np.polynomial.legendre.leggauss(400)
    out = sys.stdout
    out.write("energy keV   sigma_S / KN   sigma_IA / KN   IA/S - 1 %   in mu of water %\n")
    for energy in (20.0, 30.0, 60.0, 100.0):
        kn = free = ia = 0.0
        for z, moles in moles_per_gram(water):
            density = klein_nishina(energy, nodes) * weights
            free += moles * z * float(density.sum())
            ia += moles * float(np.sum(density * incoherent_function(z, energy, nodes)))
        # absolute Klein-Nishina per gram from the constants: r_e^2 / 2 x 2 pi x N_A
        kn = free * np.pi * 2.8179403262e-13**2 * 6.02214076e23
        xcom = float(material_cm2_g("compton", water, energy)[0])
        sigma_ia = kn * ia / free
        mu = float(mu_rho_cm2_g(water, energy)[0])
        out.write(
            f"{energy:9.0f}   {xcom / kn:12.4f}   {ia / free:13.4f}"
            f"   {100 * (sigma_ia / xcom - 1):+10.2f}   {100 * (sigma_ia - xcom) / mu:+10.2f}\n"
        )


if __name__ == "__main__":
    main()

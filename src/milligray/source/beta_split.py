"""Divides a tabulated beta spectrum that holds electrons and positrons (Cu-64, I-126)."""

import numpy as np

from milligray.constants import ELECTRON_REST_ENERGY_KEV
from milligray.errors import InputError
from milligray.source.elements import atomic_number
from milligray.typing import FloatArray

FINE_STRUCTURE = 7.2973525693e-3
KEV_PER_MEV = 1e3
_SEARCH_STEPS = 60


def split_beta_spectrum(
    name: str,
    edges_kev: FloatArray,
    counts: FloatArray,
    minus: FloatArray,
    plus: FloatArray,
) -> dict[str, FloatArray]:
    """Share each bin between beta- and beta+.

    Parameters
    ----------
    name : str
        Nuclide, for its atomic and mass number.
    edges_kev : ndarray, shape (n, 2) [keV]
    counts : ndarray, shape (n,)
        Betas of both signs in each bin.
    minus, plus : ndarray, shape (m, 2) [MeV, 1/decay]
        Mean energy and yield of each branch.

    Returns
    -------
    dict
        "beta-" and "beta+": ndarray, shape (n,); their sum is `counts`.

    Notes
    -----
    ``share = shape / (shape_minus + shape_plus)`` in each bin, with the shapes of allowed decay
    (`allowed_spectrum`), the end of each branch chosen so that its mean energy is the tabulated
    one. Only the ratio of the shapes enters; their sum is the tabulated spectrum.
    """
    element, _, mass = name.partition("-")
    z, a = atomic_number(element), int(mass.rstrip("mn"))
    centers = edges_kev.mean(axis=1)
    widths = np.diff(edges_kev, axis=1)[:, 0]
    shape = {}
    for key, branches, daughter_z in (("beta-", minus, z + 1), ("beta+", plus, -(z - 1))):
        total = np.zeros_like(centers)
        for mean_mev, share in branches:
            end_kev = end_of_mean_energy_kev(KEV_PER_MEV * mean_mev, daughter_z, a)
            one = allowed_spectrum(centers, end_kev, daughter_z, a) * widths
            if one.sum() > 0:
                total += share * one / one.sum()
        shape[key] = total
    both = shape["beta-"] + shape["beta+"]
    # beyond both ends (the tabulated spectrum ends elsewhere): to the one that reaches farther
    far = np.argmax([np.flatnonzero(shape[key] > 0)[-1] for key in ("beta-", "beta+")])
    known = both > 0
    fraction = np.full_like(centers, 1.0 if far == 0 else 0.0)
    fraction[known] = shape["beta-"][known] / both[known]
    return {"beta-": counts * fraction, "beta+": counts * (1.0 - fraction)}


def allowed_spectrum(
    energy_kev: FloatArray, end_kev: float, daughter_z: int, mass_number: int
) -> FloatArray:
    """Shape of an allowed beta spectrum, any scale.

    Parameters
    ----------
    energy_kev : ndarray [keV]
        Kinetic energy.
    end_kev : float [keV]
    daughter_z : int
        Atomic number of the daughter; negative for positrons.
    mass_number : int

    Returns
    -------
    ndarray
        0 at and beyond the end.

    Notes
    -----
    ``N = F p W (W0 - W)**2`` with the Fermi function of the point nucleus at the nuclear radius
    ``F = 2 (1 + g) (2 p R)**(2 g - 2) exp(pi y) |Gamma(g + i y)|**2 / Gamma(2 g + 1)**2``,
    ``g = sqrt(1 - (alpha Z)**2)``, ``y = alpha Z W / p``, ``R = 1.2 fm A**(1/3)``, in units of the
    electron's mass. No screening.

    References
    ----------
    Fermi, Z. Phys. 88 (1934) 161; Evans, The Atomic Nucleus (1955), ch. 17
    """
    from scipy.special import loggamma  # noqa: PLC0415 - slow to import

    energy = np.asarray(energy_kev, dtype=np.float64)
    w = 1.0 + np.maximum(energy, 1e-3) / ELECTRON_REST_ENERGY_KEV
    end = 1.0 + end_kev / ELECTRON_REST_ENERGY_KEV
    p = np.sqrt(w * w - 1.0)
    charge = FINE_STRUCTURE * daughter_z
    gamma = np.sqrt(1.0 - charge * charge)
    y = charge * w / p
    radius = 1.2 / 386.15926796 * mass_number ** (1.0 / 3.0)  # in Compton lengths of the electron
    log_fermi = (
        np.log(2.0 * (1.0 + gamma))
        + (2.0 * gamma - 2.0) * np.log(2.0 * p * radius)
        + np.pi * y
        + 2.0 * loggamma(gamma + 1j * y).real
        - 2.0 * loggamma(2.0 * gamma + 1.0).real
    )
    shape = np.exp(log_fermi) * p * w * (end - w) ** 2
    return np.where(w < end, shape, 0.0)


def end_of_mean_energy_kev(mean_kev: float, daughter_z: int, mass_number: int) -> float:
    """End of the allowed spectrum that has this mean energy [keV]."""
    if not mean_kev > 0:
        raise InputError(f"mean beta energy must be > 0, got {mean_kev}")
    low, high = mean_kev, 5.0 * mean_kev
    for _ in range(_SEARCH_STEPS):
        end = 0.5 * (low + high)
        if _mean_energy_kev(end, daughter_z, mass_number) < mean_kev:
            low = end
        else:
            high = end
    return 0.5 * (low + high)


def _mean_energy_kev(end_kev: float, daughter_z: int, mass_number: int) -> float:
    energy = end_kev * (np.arange(400) + 0.5) / 400
    shape = allowed_spectrum(energy, end_kev, daughter_z, mass_number)
    return float(shape @ energy / shape.sum())

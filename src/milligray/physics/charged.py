"""Electrons and positrons: tables, and the sampling of what they do.

Mixed simulation: collisions with large losses or deflections one by one, the many small ones
together. All functions are scalar and read one set of tables, `ChargedTables`, that
`milligray.materials.charged_tables` builds. Energies in keV, cross sections per mass in cm2/g,
paths as mass per area in g/cm2, so that only the material of a voxel matters, not its density.

References
----------
Salvat F. PENELOPE-2018: a code system for Monte Carlo simulation of electron and photon transport.
OECD/NEA (2019), chapters 3 and 4 (mixed simulation, random hinge, Møller and Bhabha collisions).
Heitler W. The quantum theory of radiation. Oxford (1954), section 27 (annihilation in flight).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import physics
from milligray.physics.interactions import ELECTRON_REST_KEV

ELECTRON, POSITRON = 0, 1
"""First axis of the tables."""

(
    SOFT_LOSS, SOFT_STRAGGLING, HARD_ELASTIC, HARD_COLLISION, BREMSSTRAHLUNG, ANNIHILATION,
    MAJORANT, SCREENING, CUT_ANGLE, SOFT_TRANSPORT_1, SOFT_TRANSPORT_2, RANGE,
    PHOTONS_TO_STOP, ANNIHILATIONS_TO_STOP, STEP,
) = range(15)  # fmt: skip
"""Columns of ``ChargedTables.values``."""
N_COLUMNS = 15


class ChargedTables(NamedTuple):
    """Transport data of electrons and positrons in a set of materials, ready for a kernel.

    Parameters
    ----------
    log_energy_min : float
        Natural logarithm of the lowest kinetic energy [keV].
    inverse_log_step : float
        1 / step of the logarithmic energy grid.
    values : ndarray, shape (2, n_energy, n_material, N_COLUMNS)
        By particle: soft energy loss [keV cm2/g] and its straggling [keV2 cm2/g]; cross sections of
        hard elastic deflection, hard collision, bremsstrahlung and annihilation [cm2/g]; their
        largest sum over a step; screening parameter; largest soft ``(1 - cos) / 2``; soft inverse
        transport lengths of orders 1 and 2 [cm2/g]; range [g/cm2]; mean number of photons, and of
        annihilations, on the way to rest; longest step [g/cm2].
    photon_share : ndarray, shape (n_energy, n_quantile + 1)
        Energy of a bremsstrahlung photon over the kinetic energy, at equally probable quantiles;
        the same in all materials.
    collision_cutoff_kev, photon_cutoff_kev : float
        Smallest hard energy loss in a collision, and to a photon.
    absorption_kev : float
        Charged particles below stop on the spot.
    annihilation_copies : int
        Pairs of photons, of so much less weight, that one positron at rest gives.
    """

    log_energy_min: float
    inverse_log_step: float
    values: npt.NDArray[np.float64]
    photon_share: npt.NDArray[np.float64]
    collision_cutoff_kev: float
    photon_cutoff_kev: float
    absorption_kev: float
    annihilation_copies: int


@physics
def charged_position(tables: ChargedTables, energy_kev: float) -> tuple[int, float]:
    """Row of the energy grid below a kinetic energy, and the fraction of the way to the next."""
    position = (math.log(energy_kev) - tables.log_energy_min) * tables.inverse_log_step
    row = min(max(int(position), 0), tables.values.shape[1] - 2)
    return row, min(max(position - row, 0.0), 1.0)


@physics
def charged_value(
    tables: ChargedTables, particle: int, row: int, fraction: float, material: int, column: int
) -> float:
    """Linear interpolation of one column between two energy rows."""
    low = tables.values[particle, row, material, column]
    high = tables.values[particle, row + 1, material, column]
    return float(low + fraction * (high - low))


@physics
def sample_soft_loss_kev(mean_kev: float, variance_kev2: float, xi: float) -> float:
    """Energy lost in many small collisions: a simple distribution of the right mean and variance.

    Uniform about the mean; if that would reach below zero, zero or uniform from zero.
    """
    if 3.0 * variance_kev2 <= mean_kev * mean_kev:
        return mean_kev + math.sqrt(3.0 * variance_kev2) * (2.0 * xi - 1.0)
    square = mean_kev * mean_kev
    nothing = (3.0 * variance_kev2 - square) / (3.0 * variance_kev2 + 3.0 * square)
    if xi < nothing:
        return 0.0
    largest = (3.0 * variance_kev2 + 3.0 * square) / (2.0 * mean_kev)
    return largest * (xi - nothing) / (1.0 - nothing)


@physics
def sample_soft_deflection(
    path: float, inverse_1: float, inverse_2: float, xi_part: float, xi: float
) -> float:
    """Polar cosine after many small deflections along a path.

    Two uniform parts of ``m = (1 - cos) / 2`` with the exact first two moments
    ``<m> = (1 - exp(-path / l1)) / 2``, ``<m^2> = <m> - (1 - exp(-path / l2)) / 6``.
    """
    mean = -0.5 * math.expm1(-path * inverse_1)
    square = mean + math.expm1(-path * inverse_2) / 6.0
    if mean >= 0.4999:
        return 2.0 * xi - 1.0
    edge = (2.0 * mean - 3.0 * square) / (1.0 - 2.0 * mean)
    edge = min(max(edge, 0.0), 1.0)
    inner = 1.0 - 2.0 * mean + edge
    m = edge * xi if xi_part < inner else edge + (1.0 - edge) * xi
    return 1.0 - 2.0 * m


@physics
def sample_hard_deflection(screening: float, cut: float, xi: float) -> float:
    """Polar cosine of a screened Rutherford collision with ``m = (1 - cos) / 2 > cut``."""
    low, high = 1.0 / (cut + screening), 1.0 / (1.0 + screening)
    m = 1.0 / (low - xi * (low - high)) - screening
    return 1.0 - 2.0 * min(max(m, 0.0), 1.0)


@physics
def collision_shape(particle: int, energy_kev: float, share: float) -> float:
    """Moller or Bhabha cross section over the Rutherford one, ``share`` the loss over T."""
    tau = energy_kev / ELECTRON_REST_KEV
    if particle == 0:
        rest = share / (1.0 - share)
        a = tau / (tau + 1.0)
        return (
            1.0 + rest * rest + a * a * share * share
            - (2.0 * tau + 1.0) / ((tau + 1.0) * (tau + 1.0)) * rest
        )  # fmt: skip
    gamma = tau + 1.0
    a = tau / gamma
    a *= a
    plus = (gamma + 1.0) * (gamma + 1.0)
    b1 = a * (2.0 * plus - 1.0) / (gamma * gamma - 1.0)
    b2 = a * (3.0 * plus + 1.0) / plus
    b3 = a * 2.0 * gamma * (gamma - 1.0) / plus
    b4 = a * (gamma - 1.0) * (gamma - 1.0) / plus
    return 1.0 - share * (b1 - share * (b2 - share * (b3 - share * b4)))


@physics
def hard_collision_kev(
    particle: int, energy_kev: float, cutoff_kev: float, xi_loss: float, xi_accept: float
) -> float:
    """One trial for the energy loss of a hard collision with an electron [keV]; 0: rejected."""
    low = cutoff_kev / energy_kev
    high = 0.5 if particle == 0 else 1.0
    share = low / (1.0 - xi_loss * (1.0 - low / high))
    largest = max(1.0, collision_shape(particle, energy_kev, high))
    if xi_accept * largest < collision_shape(particle, energy_kev, share):
        return share * energy_kev
    return 0.0


@physics
def collision_cosines(energy_kev: float, loss_kev: float) -> tuple[float, float]:
    """Polar cosines of the projectile and of the electron set free, from free kinematics."""
    plus = energy_kev + 2.0 * ELECTRON_REST_KEV
    left = energy_kev - loss_kev
    primary = math.sqrt(
        max(0.0, left / energy_kev * plus / max(left + 2.0 * ELECTRON_REST_KEV, 1e-9))
    )
    secondary = math.sqrt(loss_kev / energy_kev * plus / (loss_kev + 2.0 * ELECTRON_REST_KEV))
    return min(primary, 1.0), min(secondary, 1.0)


@physics
def sample_photon_kev(
    tables: ChargedTables, row: int, fraction: float, energy_kev: float, xi: float, xi_row: float
) -> float:
    """Energy of a bremsstrahlung photon [keV]."""
    table = tables.photon_share
    n_bins = table.shape[1] - 1
    at = row + 1 if xi_row < fraction else row
    position = xi * n_bins
    index = min(int(position), n_bins - 1)
    low = table[at, index]
    share = low + (position - index) * (table[at, index + 1] - low)
    return float(max(share * energy_kev, tables.photon_cutoff_kev))


@physics
def photon_cosine(energy_kev: float, xi: float) -> float:
    """Polar cosine of a bremsstrahlung photon: isotropic in the frame of the electron."""
    gamma = energy_kev / ELECTRON_REST_KEV + 1.0
    beta = math.sqrt(1.0 - 1.0 / (gamma * gamma))
    cosine = 2.0 * xi - 1.0
    return (cosine + beta) / (1.0 + beta * cosine)


@physics
def annihilation_shape(gamma: float, share: float) -> float:
    """Cross section per ``share`` of annihilation in flight, without its constant (Heitler)."""
    return (
        -(gamma + 1.0) * (gamma + 1.0)
        + (gamma * gamma + 4.0 * gamma + 1.0) / share
        - 1.0 / (share * share)
    )


@physics
def annihilation_photons(
    energy_kev: float, xi_share: float, xi_accept: float
) -> tuple[float, float, float, float]:
    """One trial of the two photons of a positron that annihilates in flight.

    Returns
    -------
    energy_1_kev, energy_2_kev : float
        0 and 0: the trial was rejected.
    cos_1, cos_2 : float
        Polar cosines; their azimuths are opposite.
    """
    gamma = energy_kev / ELECTRON_REST_KEV + 1.0
    total = energy_kev + 2.0 * ELECTRON_REST_KEV
    root = math.sqrt(gamma * gamma - 1.0)
    low = 1.0 / (gamma + 1.0 + root)
    # by the law 1 / share on (low, 1/2), accepted with what is left of the cross section
    share = low * (0.5 / low) ** xi_share
    there = share * (annihilation_shape(gamma, share) + annihilation_shape(gamma, 1.0 - share))
    largest = low * (annihilation_shape(gamma, low) + annihilation_shape(gamma, 1.0 - low))
    largest = max(largest, annihilation_shape(gamma, 0.5))
    if xi_accept * largest >= there:
        return 0.0, 0.0, 0.0, 0.0
    small = share * total
    cos_small = (gamma + 1.0 - 1.0 / share) / root
    cos_large = (gamma + 1.0 - 1.0 / (1.0 - share)) / root
    return (
        total - small,
        small,
        min(max(cos_large, -1.0), 1.0),
        min(max(cos_small, -1.0), 1.0),
    )

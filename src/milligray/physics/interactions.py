"""Photon interactions: coefficients by interpolation, angles by inverse cumulative tables.

All functions are scalar and read one set of tables, `PhotonTables`, that
`milligray.materials.photon_tables` builds. Energies in keV, coefficients in cm2/g.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import physics

ELECTRON_REST_KEV = 510.99895

TOTAL, TRANSFER, PHOTO, COMPTON = 0, 1, 2, 3
"""Columns of ``PhotonTables.mu_rho``."""


class PhotonTables(NamedTuple):
    """Interaction data of a set of materials, ready for a kernel.

    Parameters
    ----------
    log_energy_min : float
        Natural logarithm of the lowest energy [keV].
    inverse_log_step : float
        1 / step of the fine, logarithmic energy grid.
    mu_rho : ndarray, shape (n_energy, n_material, 4, 2), float32 [cm2/g]
        Total; energy transfer (fluorescence excluded); photoelectric; Compton. Each as its value
        and its difference to the next row, so that one cache line holds what an interpolation
        needs.
    angle_rows_per_row : float
        Step of the fine energy grid / step of the coarse one of the angle tables (same start).
    compton_cos, rayleigh_cos : ndarray, shape (n_angle_energy, n_material, n_quantile + 1), float32
        Cosine of the polar angle at equally probable quantiles.
    line_cumulative : ndarray, shape (n_energy, n_material, n_line), float32 [cm2/g]
        Cumulative over the K lines: photoelectric coefficient times the probability that such an
        event emits the line. As coefficients, not probabilities, they mean the same between two
        rows as the energy transfer does, also across an edge.
    line_energy_kev : ndarray, shape (n_material, n_line), float32 [keV]
    cutoff_kev : float
        Photons below are absorbed on the spot.
    pair_rho : ndarray, shape (n_energy, n_material) or (0, 0), float32 [cm2/g]
        Pair production, a part of the total; empty below its threshold.
    """

    log_energy_min: float
    inverse_log_step: float
    mu_rho: npt.NDArray[np.float32]
    angle_rows_per_row: float
    compton_cos: npt.NDArray[np.float32]
    rayleigh_cos: npt.NDArray[np.float32]
    line_cumulative: npt.NDArray[np.float32]
    line_energy_kev: npt.NDArray[np.float32]
    cutoff_kev: float
    pair_rho: npt.NDArray[np.float32]


@physics
def grid_position(tables: PhotonTables, energy_kev: float) -> tuple[int, float]:
    """Row of the fine energy grid below an energy, and the fraction of the way to the next."""
    position = (math.log(energy_kev) - tables.log_energy_min) * tables.inverse_log_step
    row = min(max(int(position), 0), tables.mu_rho.shape[0] - 2)
    return row, min(max(position - row, 0.0), 1.0)


@physics
def interpolate(
    table: npt.NDArray[np.float32], row: int, fraction: float, material: int, column: int
) -> float:
    """Linear interpolation of one column of ``mu_rho`` between two energy rows, in float32."""
    # unsigned: Numba then leaves out the test for negative indices
    i, j = np.uint64(row), np.uint64(material)
    low = table[i, j, column, 0]
    return low + np.float32(fraction) * table[i, j, column, 1]  # type: ignore[no-any-return]


@physics
def compton_energy_kev(energy_kev: float, cos_polar: float) -> float:
    """Scattered photon energy for a free electron at rest: ``E / (1 + E / mc2 (1 - cos))``."""
    return energy_kev / (1.0 + energy_kev / ELECTRON_REST_KEV * (1.0 - cos_polar))


@physics
def sample_cosine(
    quantiles: npt.NDArray[np.float32],
    position: float,
    material: int,
    xi_angle: float,
    xi_row: float,
) -> float:
    """Polar cosine from inverse cumulative tables, at a fractional row of their energy grid.

    The row above or below is taken with the probability of its nearness, so that the
    distribution is the linear interpolation of the two tabulated ones.
    """
    row = int(position + xi_row)
    row = min(row, quantiles.shape[0] - 1)
    n_bins = quantiles.shape[2] - 1
    bin_position = xi_angle * n_bins
    index = min(int(bin_position), n_bins - 1)
    low = float(quantiles[row, material, index])
    high = float(quantiles[row, material, index + 1])
    return float(low + (bin_position - index) * (high - low))


@physics
def sample_fluorescence_kev(
    tables: PhotonTables, row: int, fraction: float, material: int, photo: float, xi: float
) -> float:
    """Energy of the K photon that follows a photoelectric event [keV]; 0 if there is none.

    `photo` is the photoelectric coefficient there.
    """
    lines = tables.line_cumulative
    n_lines = lines.shape[2]
    choice = xi * photo
    low = lines[row, material, n_lines - 1]
    if choice >= low + fraction * (lines[row + 1, material, n_lines - 1] - low):
        return 0.0
    for line in range(n_lines):
        low = lines[row, material, line]
        if choice < low + fraction * (lines[row + 1, material, line] - low):
            return float(tables.line_energy_kev[material, line])
    return 0.0


@physics
def interact(
    tables: PhotonTables, energy_kev: float, row: int, fraction: float, material: int,
    xi_type: float, xi_angle: float, xi_row: float,
) -> tuple[float, float]:  # fmt: skip
    """One collision of a photon whose place on the energy grid is known; pair production apart.

    Returns
    -------
    energy_kev : float
        Energy of the photon that goes on; 0 if it was absorbed. The rest is deposited here.
    cos_polar : float
        Polar cosine of its deflection (fluorescence: isotropic).
    """
    total = interpolate(tables.mu_rho, row, fraction, material, 0)
    photo = interpolate(tables.mu_rho, row, fraction, material, 2)
    compton = interpolate(tables.mu_rho, row, fraction, material, 3)
    angle_position = (row + fraction) * tables.angle_rows_per_row
    choice = xi_type * total
    if choice < compton:
        cos_polar = sample_cosine(tables.compton_cos, angle_position, material, xi_angle, xi_row)
        energy_new = compton_energy_kev(energy_kev, cos_polar)
    elif choice < compton + photo:
        energy_new = sample_fluorescence_kev(tables, row, fraction, material, photo, xi_row)
        cos_polar = 2.0 * xi_angle - 1.0
    else:
        cos_polar = sample_cosine(tables.rayleigh_cos, angle_position, material, xi_angle, xi_row)
        energy_new = energy_kev
    if energy_new < tables.cutoff_kev:
        energy_new = 0.0
    return energy_new, cos_polar

"""Build the kernel's interaction tables for a set of materials.

The energy-transfer column is the mean of the very distribution that the kernel samples, so that
the track-length estimator and the analogue one have the same expectation whatever the quantile
tables leave out; the difference to the exact integral is tested. The one exception is the grid
row (0.8 % wide) that holds a K edge within the spectrum (iodine, metals): there the estimators
interpolate a product and a product of interpolations.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from milligray.constants import ELECTRON_REST_ENERGY_KEV
from milligray.errors import InputError
from milligray.materials import cross_sections as xs
from milligray.materials.material import Material
from milligray.physics.interactions import PhotonTables
from milligray.typing import FloatArray

CUTOFF_KEV = 1.0
N_QUANTILES = 256
ROWS_PER_EFOLD = 120
"""Fine energy grid: a step of 0.83 %, for which linear interpolation of E^-3 errs by < 0.01 %."""
ANGLE_ROWS_PER_EFOLD = 16
MAX_LINES = 16


def _log_grid(low_kev: float, high_kev: float, rows_per_efold: int) -> tuple[FloatArray, float]:
    n = int(np.ceil(np.log(high_kev / low_kev) * rows_per_efold)) + 1
    grid = np.geomspace(low_kev, high_kev, n)
    return grid, (n - 1) / float(np.log(high_kev / low_kev))


def _quantiles(cos_descending: FloatArray, density: FloatArray) -> FloatArray:
    """Cosines at equal steps of the cumulative distribution; forward direction first."""
    steps = 0.5 * (density[1:] + density[:-1]) * -np.diff(cos_descending)
    cumulative = np.concatenate([[0.0], np.cumsum(steps)])
    cumulative /= cumulative[-1]
    # a strictly rising abscissa for the inverse
    keep = np.concatenate([[True], np.diff(cumulative) > 0])
    levels = np.linspace(0.0, 1.0, N_QUANTILES + 1)
    return np.asarray(np.interp(levels, cumulative[keep], cos_descending[keep]))


def _angle_tables(material: Material, energies: FloatArray) -> tuple[FloatArray, FloatArray]:
    # sin^2(theta/2) graded so that forward peaks of Rayleigh scattering are resolved
    s = np.linspace(0.0, 1.0, 6001) ** 2
    cos_polar = 1.0 - 2.0 * s**2
    compton = np.empty((energies.size, N_QUANTILES + 1))
    rayleigh = np.empty_like(compton)
    for row, energy in enumerate(energies):
        momentum = xs.momentum_transfer_per_angstrom(float(energy), cos_polar)
        bound = xs.scattering_function(material, momentum)
        compton[row] = _quantiles(cos_polar, xs.klein_nishina(float(energy), cos_polar) * bound)
        form = xs.squared_form_factor(material, momentum)
        rayleigh[row] = _quantiles(cos_polar, (1.0 + cos_polar**2) * form)
    return compton, rayleigh


def _mean_transfer_kev(energy_kev: float, cos_polar: FloatArray, weights: FloatArray) -> float:
    ratio = 1.0 / (1.0 + energy_kev / ELECTRON_REST_ENERGY_KEV * (1.0 - cos_polar))
    return float(np.sum(energy_kev * (1.0 - ratio) * weights))


def _sampled_transfer_kev(
    energies: FloatArray, angle_energies: FloatArray, quantiles: FloatArray
) -> FloatArray:
    """Mean energy transfer of the sampled Compton distribution at each fine energy [keV]."""
    nodes, gauss = np.polynomial.legendre.leggauss(4)
    low, high = quantiles[:, :-1], quantiles[:, 1:]
    cos_polar = low[..., None] + (high - low)[..., None] * 0.5 * (nodes + 1.0)
    gauss = 0.5 * gauss / N_QUANTILES
    position = np.interp(np.log(energies), np.log(angle_energies), np.arange(angle_energies.size))
    row = np.minimum(position.astype(int), angle_energies.size - 2)
    fraction = position - row
    transfer = np.empty_like(energies)
    for i, energy in enumerate(energies):
        means = [_mean_transfer_kev(energy, cos_polar[r], gauss) for r in (row[i], row[i] + 1)]
        transfer[i] = (1.0 - fraction[i]) * means[0] + fraction[i] * means[1]
    return transfer


def _fluorescence(material: Material, energies: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cumulative line emission (n_energy, MAX_LINES) [cm2/g], line energies (MAX_LINES,)."""
    lines: list[tuple[float, FloatArray]] = []
    for symbol, fraction in material.mass_fractions.items():
        z = xs.atomic_number(symbol)
        tau = fraction * xs.element_cm2_g("photo", z, energies)
        lines += [
            (line_kev, probability * tau)
            for line_kev, probability in xs.k_fluorescence(z, energies)
            if line_kev > CUTOFF_KEV
        ]
    # the strongest lines first; what does not fit is absorbed on the spot
    lines.sort(key=lambda line: -float(np.max(line[0] * line[1])))
    emission = np.zeros((energies.size, MAX_LINES))
    energy = np.zeros(MAX_LINES)
    for i, (line_kev, mu_rho) in enumerate(lines[:MAX_LINES]):
        emission[:, i] = mu_rho
        energy[i] = line_kev
    return np.cumsum(emission, axis=1), energy


@lru_cache(maxsize=128)
def _material_tables(
    key: tuple[tuple[str, float], ...], max_energy_kev: float
) -> dict[str, FloatArray]:
    material = Material(name="table", mass_fractions=dict(key))
    energies, _ = _log_grid(CUTOFF_KEV, max_energy_kev, ROWS_PER_EFOLD)
    angle_energies, _ = _log_grid(CUTOFF_KEV, max_energy_kev, ANGLE_ROWS_PER_EFOLD)
    compton_cos, rayleigh_cos = _angle_tables(material, angle_energies)
    photo = xs.material_cm2_g("photo", material, energies)
    compton = xs.material_cm2_g("compton", material, energies)
    rayleigh = xs.material_cm2_g("rayleigh", material, energies)
    cumulative, line_energy = _fluorescence(material, energies)
    escape = np.diff(cumulative, axis=1, prepend=0.0) @ line_energy
    compton_float32 = compton_cos.astype(np.float32).astype(np.float64)
    transferred = _sampled_transfer_kev(energies, angle_energies, compton_float32)
    transfer = photo - escape / energies + compton * transferred / energies
    pair = xs.material_cm2_g("pair", material, energies)
    transfer += pair * np.maximum(0.0, 1.0 - 2.0 * ELECTRON_REST_ENERGY_KEV / energies)
    return {
        "mu_rho": np.stack([photo + compton + rayleigh + pair, transfer, photo, compton], axis=-1),
        "pair_rho": pair,
        "compton_cos": compton_cos,
        "rayleigh_cos": rayleigh_cos,
        "line_cumulative": cumulative,
        "line_energy_kev": line_energy,
    }


def build_photon_tables(
    materials: Sequence[Material], *, max_energy_kev: float = 160.0
) -> PhotonTables:
    """Interaction tables of the materials, in their order.

    Parameters
    ----------
    materials : sequence of Material
    max_energy_kev : float [keV]
        Highest photon energy of the source; at most 3000.

    Returns
    -------
    PhotonTables
    """
    if not CUTOFF_KEV < max_energy_kev <= xs.ENERGY_RANGE_KEV[1]:
        raise InputError(
            f"max_energy_kev must lie in {CUTOFF_KEV:g}-{xs.ENERGY_RANGE_KEV[1]:g},"
            f" got {max_energy_kev:g}"
        )
    _, inverse_step = _log_grid(CUTOFF_KEV, max_energy_kev, ROWS_PER_EFOLD)
    _, angle_inverse_step = _log_grid(CUTOFF_KEV, max_energy_kev, ANGLE_ROWS_PER_EFOLD)
    parts = [
        _material_tables(tuple(sorted(m.mass_fractions.items())), max_energy_kev) for m in materials
    ]

    has_pairs = max_energy_kev > 2.0 * ELECTRON_REST_ENERGY_KEV

    def stacked(name: str) -> np.ndarray:  # material axis second, except for line energies
        axis = 0 if name == "line_energy_kev" else 1
        return np.ascontiguousarray(np.stack([p[name] for p in parts], axis=axis), dtype=np.float32)

    return PhotonTables(
        log_energy_min=float(np.log(CUTOFF_KEV)),
        inverse_log_step=inverse_step,
        mu_rho=_with_differences(stacked("mu_rho")),
        angle_rows_per_row=angle_inverse_step / inverse_step,
        compton_cos=stacked("compton_cos"),
        rayleigh_cos=stacked("rayleigh_cos"),
        line_cumulative=stacked("line_cumulative"),
        line_energy_kev=stacked("line_energy_kev"),
        cutoff_kev=CUTOFF_KEV,
        pair_rho=stacked("pair_rho") if has_pairs else np.zeros((0, 0), dtype=np.float32),
    )


def _with_differences(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Values and their differences to the next energy row, along a new last axis."""
    difference = np.zeros_like(values)
    difference[:-1] = np.diff(values, axis=0)
    return np.ascontiguousarray(np.stack([values, difference], axis=-1))

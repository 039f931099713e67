"""X-ray spectra: the noun, its half-value layer, and the reader of measured ones.

`make_spectrum` (tube model) stands in `tube.py`.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from milligray.constants import CM_PER_MM
from milligray.data.loader import load_csv
from milligray.errors import FormatError, InputError, TableRangeError
from milligray.materials.cross_sections import mu_rho_cm2_g
from milligray.materials.tissues import load_material
from milligray.typing import FloatArray

AIR_TABLE_MIN_KEV = 10.0
ALUMINUM_DENSITY_G_CM3 = 2.699
_LOW_ENERGY_SHARE = 1e-3
_MAX_ALUMINUM_MM = 100.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """Photon energy distribution as a histogram.

    Parameters
    ----------
    edges_kev : ndarray, shape (n + 1,) [keV]
        Bin edges, ascending; the energy is uniform within a bin. A bin of no width is a line.
    weights : ndarray, shape (n,)
        Photons per bin (not per keV); normalized to a sum of one on construction.
    name : str
    half_value_layer_mm_al : float or None [mm Al]
        First half-value layer on the central ray, if known.
    fluence_per_cm2_mas : float or None [1/(cm2 mAs)]
        Photons on the central ray at 1 m from the focal spot, if the tube model gives them.
    """

    edges_kev: FloatArray
    weights: FloatArray
    name: str
    half_value_layer_mm_al: float | None = None
    fluence_per_cm2_mas: float | None = None

    def __post_init__(self) -> None:
        edges = np.array(self.edges_kev, dtype=np.float64)
        weights = np.array(self.weights, dtype=np.float64)
        if edges.ndim != 1 or edges.shape[0] != weights.shape[0] + 1:
            raise InputError("edges_kev must have one entry more than weights")
        if np.any(np.diff(edges) < 0) or np.any(weights < 0) or weights.sum() <= 0:
            raise InputError("spectrum edges must ascend and weights be >= 0 with a positive sum")
        weights /= weights.sum()
        for array in (edges, weights):
            array.setflags(write=False)
        object.__setattr__(self, "edges_kev", edges)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def monoenergetic(cls, energy_kev: float) -> "Spectrum":
        """One line."""
        return cls(
            edges_kev=np.array([energy_kev, energy_kev]),
            weights=np.array([1.0]),
            name=f"{energy_kev:g} keV",
        )

    @property
    def centers_kev(self) -> FloatArray:
        """Bin centers [keV], shape (n,)."""
        return np.asarray(0.5 * (self.edges_kev[1:] + self.edges_kev[:-1]))

    @property
    def mean_energy_kev(self) -> float:
        """Mean photon energy by number [keV]."""
        return float(np.sum(self.centers_kev * self.weights))


@lru_cache(maxsize=1)
def _air_table() -> tuple[FloatArray, FloatArray]:
    rows = [row for row in load_csv("nist/coefficients.csv") if row["material"] == "air"]
    energy = np.array([float(row["energy_kev"]) for row in rows])
    return np.log(energy), np.log([float(row["mu_en_rho_cm2_g"]) for row in rows])


def air_mu_en_rho_cm2_g(energy_kev: FloatArray) -> FloatArray:
    """Mass energy-absorption coefficient of dry air.

    Parameters
    ----------
    energy_kev : ndarray [keV]
        10 to 1000.

    Returns
    -------
    ndarray [cm2/g]

    Raises
    ------
    TableRangeError
        Outside 10-1000 keV.

    Notes
    -----
    Cubic spline in log-log through the values of :cite:`nistir5632`. (Straight lines in log-log
    would err by up to 4 % midway between the tabulated 20, 30 and 40 keV.)
    """
    from scipy.interpolate import CubicSpline  # noqa: PLC0415 - slow to import

    log_energy, log_value = _air_table()
    energy = np.asarray(energy_kev, dtype=np.float64)
    low, high = np.exp(log_energy[[0, -1]])
    if np.any(energy < low * (1 - 1e-9)) or np.any(energy > high * (1 + 1e-9)):
        raise TableRangeError(f"mu_en/rho of air is tabulated from {low:g} to {high:g} keV")
    return np.asarray(np.exp(CubicSpline(log_energy, log_value)(np.log(energy))))


def aluminum_mu_per_cm(energy_kev: FloatArray) -> FloatArray:
    """Linear attenuation coefficient of aluminum, 2.699 g/cm3, with coherent scattering.

    Parameters
    ----------
    energy_kev : ndarray [keV]
        1 to 800 (range of xraylib).

    Returns
    -------
    ndarray [1/cm]
    """
    import xraylib  # noqa: PLC0415 - slow to import

    energy = np.asarray(energy_kev, dtype=np.float64)
    mu_rho = [xraylib.CS_Total(13, float(e)) for e in energy.ravel()]
    return np.asarray(ALUMINUM_DENSITY_G_CM3 * np.reshape(mu_rho, energy.shape))


def half_value_layer_mm_al(spectrum: Spectrum) -> float:
    """First half-value layer of a narrow beam in aluminum, from air kerma.

    Parameters
    ----------
    spectrum : Spectrum

    Returns
    -------
    float [mm Al]

    Raises
    ------
    InputError
        If more than 0.1 % of the photons lie below 10 keV, where the table of air ends, or if the
        half-value layer exceeds 100 mm.

    Notes
    -----
    ``K(t) = sum_i weight_i E_i (mu_en/rho)_i exp(-mu_i t)`` and ``K(hvl) = K(0) / 2``.
    Photons below 10 keV (at most 0.1 %) are left out; each bin counts with its center.
    Data sets for aluminum and air differ: on one spectrum this lies between spekpy's two (0.7 %
    above its "nist", 0.0 to 1.0 % below its default "pene").

    Examples
    --------
    >>> from milligray.source.spectrum import Spectrum, half_value_layer_mm_al
    >>> round(half_value_layer_mm_al(Spectrum.monoenergetic(60.0)), 2)
    9.24
    """
    energy, weights = spectrum.centers_kev, spectrum.weights
    known = energy >= AIR_TABLE_MIN_KEV
    if weights[~known].sum() > _LOW_ENERGY_SHARE or not np.any(weights[known] > 0):
        raise InputError(
            f"spectrum {spectrum.name!r} has {weights[~known].sum():.2%} of its photons below"
            f" {AIR_TABLE_MIN_KEV:g} keV; at most {_LOW_ENERGY_SHARE:.1%} is allowed for its"
            " half-value layer: add filtration or cut it off there"
        )
    energy, weights = energy[known], weights[known]
    kerma = weights * energy * air_mu_en_rho_cm2_g(energy)
    return solve_half_value_layer_mm_al(kerma, aluminum_mu_per_cm(energy))


def solve_half_value_layer_mm_al(kerma: FloatArray, mu_per_cm: FloatArray) -> float:
    """Thickness of aluminum that halves ``sum(kerma exp(-mu t))``.

    Parameters
    ----------
    kerma : ndarray, shape (n,)
        Air kerma in each energy bin, any unit.
    mu_per_cm : ndarray, shape (n,) [1/cm]
        Linear attenuation coefficient of aluminum.

    Returns
    -------
    float [mm Al]
    """
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to import

    total = kerma.sum()

    def excess(thickness_mm: float) -> float:
        transmitted = np.sum(kerma * np.exp(-mu_per_cm * thickness_mm * CM_PER_MM))
        return float(transmitted / total - 0.5)

    if excess(_MAX_ALUMINUM_MM) > 0:
        raise InputError(f"half-value layer exceeds {_MAX_ALUMINUM_MM:g} mm Al")
    return float(brentq(excess, 0.0, _MAX_ALUMINUM_MM, xtol=1e-9))


def read_spectrum_csv(path: str | Path, *, name: str | None = None) -> Spectrum:
    """Read a measured or own spectrum.

    Parameters
    ----------
    path : str or Path
        CSV with a header line and the columns ``energy_kev`` (bin center) and ``photons`` (number
        in the bin, any scale); lines that begin with ``#`` are notes.
    name : str, optional
        Default: the file's stem.

    Returns
    -------
    Spectrum
        Bin edges lie midway between the centers; its half-value layer is computed where possible.

    Raises
    ------
    FormatError
        If a column is missing, a value is no number, or the energies do not ascend.
    """
    path = Path(path)
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    reader = csv.DictReader(line for line in lines if not line.startswith("#"))
    wanted = ("energy_kev", "photons")
    if not set(wanted) <= set(reader.fieldnames or ()):
        raise FormatError(f"{path.name}: needs the columns energy_kev and photons")
    try:
        table = np.array([[float(row[key]) for key in wanted] for row in reader])
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path.name}: every value must be a number ({error})") from error
    if table.shape[0] < 2 or np.any(np.diff(table[:, 0]) <= 0) or not np.all(np.isfinite(table)):
        raise FormatError(f"{path.name}: needs at least two rows of ascending energy")
    center = table[:, 0]
    middle = 0.5 * (center[1:] + center[:-1])
    edges = np.concatenate(([2 * center[0] - middle[0]], middle, [2 * center[-1] - middle[-1]]))
    if edges[0] <= 0 or np.any(table[:, 1] < 0) or table[:, 1].sum() <= 0:
        raise FormatError(f"{path.name}: energies and photons must be positive")
    spectrum = Spectrum(edges_kev=edges, weights=table[:, 1], name=name or path.stem)
    try:
        hvl: float | None = half_value_layer_mm_al(spectrum)
    except (InputError, TableRangeError):
        hvl = None
    return Spectrum(
        edges_kev=edges, weights=table[:, 1], name=spectrum.name, half_value_layer_mm_al=hvl
    )


def effective_water_mu_per_mm(spectrum: Spectrum) -> float:
    """Attenuation coefficient of water at the mean energy of a beam [1/mm]."""
    water = load_material("water")
    mu = mu_rho_cm2_g(water, [spectrum.mean_energy_kev])[0]
    return float(mu * water.reference_density_g_cm3 * CM_PER_MM)

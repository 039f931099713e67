"""S-values: dose per decay, of organs and of spheres, with charged particles and photons apart."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError, TableRangeError
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SValueTable:
    """Absorbed dose per decay of organs from organs of one phantom or patient.

    Parameters
    ----------
    nuclide : str
    phantom : str
        Whose anatomy, in words for the report.
    targets, sources : tuple of str
        Organ names.
    charged_mgy_per_mbq_s : ndarray, shape (n_targets, n_sources) [mGy/(MBq s)]
        By electrons, positrons, alphas and recoils.
    photon_mgy_per_mbq_s : ndarray, shape (n_targets, n_sources) [mGy/(MBq s)]
        By photons, annihilation and bremsstrahlung included.
    masses_g : dict of str to float [g]
        Of every target and source organ.
    relative_uncertainty : ndarray, shape (n_targets, n_sources)
        k = 1, of the sum, statistics of the transport.
    notes : tuple of str
    """

    nuclide: str
    phantom: str
    targets: tuple[str, ...]
    sources: tuple[str, ...]
    charged_mgy_per_mbq_s: FloatArray
    photon_mgy_per_mbq_s: FloatArray
    masses_g: dict[str, float]
    relative_uncertainty: FloatArray
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.targets), len(self.sources))
        for name in ("targets", "sources"):
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise InputError(f"{name} of an S-value table must be unique")
        for name in ("charged_mgy_per_mbq_s", "photon_mgy_per_mbq_s", "relative_uncertainty"):
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != shape or not np.all(np.isfinite(array)) or np.any(array < 0):
                raise InputError(f"{name} must be finite, >= 0 and of shape {shape}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        for organ in {*self.targets, *self.sources}:
            if not self.masses_g.get(organ, 0.0) > 0:
                raise InputError(f"the S-value table lacks the mass of {organ}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SphereSValues:
    """Self-dose per decay of uniform spheres, by mass.

    Parameters
    ----------
    nuclide : str
    material : str
    masses_g : ndarray, shape (n,) [g]
        Ascending.
    charged_mgy_per_mbq_s, photon_mgy_per_mbq_s : ndarray, shape (n,) [mGy/(MBq s)]
    relative_uncertainty : float
        k = 1, of an S-value.
    """

    nuclide: str
    material: str
    masses_g: FloatArray
    charged_mgy_per_mbq_s: FloatArray
    photon_mgy_per_mbq_s: FloatArray
    relative_uncertainty: float

    def __post_init__(self) -> None:
        masses = np.array(self.masses_g, dtype=np.float64)
        if masses.ndim != 1 or masses.size < 2 or np.any(np.diff(masses) <= 0) or masses[0] <= 0:
            raise InputError("sphere masses must be > 0 and ascend, two at least")
        masses.setflags(write=False)
        object.__setattr__(self, "masses_g", masses)
        for name in ("charged_mgy_per_mbq_s", "photon_mgy_per_mbq_s"):
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != masses.shape or not np.all(np.isfinite(array)) or np.any(array < 0):
                raise InputError(f"{name} must be finite, >= 0, one per mass")
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def at_mass_mgy_per_mbq_s(self, mass_g: float) -> tuple[float, float]:
        """S-value of a sphere by charged particles and by photons [mGy/(MBq s)].

        Parameters
        ----------
        mass_g : float [g]

        Raises
        ------
        TableRangeError
            If the mass lies outside the table: nothing is extrapolated.

        Notes
        -----
        ``ln(S m)``, the absorbed energy per decay, is linear in ``ln m`` between the masses: it
        varies slowly (absorbed fractions), while ``S`` itself spans decades. Where it is 0 at one
        of two neighbors, linear in ``ln m``.
        """
        low, high = float(self.masses_g[0]), float(self.masses_g[-1])
        if not low <= mass_g <= high:
            raise TableRangeError(
                f"spheres of {self.nuclide} are tabulated from {low:g} to {high:g} g,"
                f" got {mass_g:g} g"
            )
        return (
            _absorbed(self.masses_g, self.charged_mgy_per_mbq_s, mass_g) / mass_g,
            _absorbed(self.masses_g, self.photon_mgy_per_mbq_s, mass_g) / mass_g,
        )

    def mass_exponent(self, mass_g: float) -> float:
        """``d ln S / d ln m``, about -1 for electrons: how the mass's uncertainty enters."""
        step = 1.02
        low = max(mass_g / step, float(self.masses_g[0]))
        high = min(mass_g * step, float(self.masses_g[-1]))
        s_low = sum(self.at_mass_mgy_per_mbq_s(low))
        s_high = sum(self.at_mass_mgy_per_mbq_s(high))
        return float(np.log(s_high / s_low) / np.log(high / low))


def _absorbed(masses_g: FloatArray, s_values: FloatArray, mass_g: float) -> float:
    energy = masses_g * s_values
    at = int(np.clip(np.searchsorted(masses_g, mass_g), 1, masses_g.size - 1))
    low, high = float(energy[at - 1]), float(energy[at])
    share = float(np.log(mass_g / masses_g[at - 1]) / np.log(masses_g[at] / masses_g[at - 1]))
    if low > 0 and high > 0:
        return float(np.exp((1.0 - share) * np.log(low) + share * np.log(high)))
    return (1.0 - share) * low + share * high

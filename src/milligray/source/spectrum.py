"""X-ray spectra: the noun. `make_spectrum` (tube model) stands in `tube.py`."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray


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
    """

    edges_kev: FloatArray
    weights: FloatArray
    name: str
    half_value_layer_mm_al: float | None = None

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

"""The noun: specific energy around a source voxel in a uniform medium (voxel S-value kernel)."""

from dataclasses import dataclass

import numpy as np

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.errors import InputError
from milligray.typing import FloatArray

DECAYS_PER_MBQ_S = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelKernel:
    """Specific energy per decay in the voxels around a source voxel (Bolch et al. 1999).

    Parameters
    ----------
    nuclide : str
    medium : str
    density_g_cm3 : float [g/cm3]
    spacing_mm : tuple of float (z, y, x) [mm]
    near_kev_g : ndarray, shape (2 m + 1,) * 3, float64 [keV/g per decay]
        Around the source voxel, which is its middle.
    tail_mm : ndarray, shape (n,) [mm]
        Distances of the smooth rest, beyond the near part.
    tail_kev_g : ndarray, shape (n,) [keV/g per decay]
    relative_uncertainty : float
        k = 1, of the source voxel and its neighbors, weighted by their energy.
    histories : int
    electrons : {"all", "primaries", "local"}

    References
    ----------
    Bolch WE et al. MIRD Pamphlet No. 17: the dosimetry of nonuniform activity distributions.
    J Nucl Med 40 (1999) 11S-36S.
    """

    nuclide: str
    medium: str
    density_g_cm3: float
    spacing_mm: tuple[float, float, float]
    near_kev_g: FloatArray
    tail_mm: FloatArray
    tail_kev_g: FloatArray
    relative_uncertainty: float
    histories: int
    electrons: str

    def __post_init__(self) -> None:
        near = np.asarray(self.near_kev_g, dtype=np.float64)
        if near.ndim != 3 or len(set(near.shape)) != 1 or near.shape[0] % 2 == 0:
            raise InputError(f"the near part must be an odd cube, got {near.shape}")
        if len(self.tail_mm) != len(self.tail_kev_g) or np.any(np.diff(self.tail_mm) <= 0):
            raise InputError("distances of the tail must rise, one for each value")

    def on_offsets(self, half: tuple[int, int, int]) -> FloatArray:
        """Kernel for displacements of up to `half` voxels, shape ``2 half + 1`` [keV/g per decay].

        Notes
        -----
        Beyond the near part the specific energy times the squared distance is interpolated in its
        logarithm, and falls on exponentially beyond the last distance.
        """
        reach = self.near_kev_g.shape[0] // 2
        axes = [np.arange(-h, h + 1) for h in half]
        result: FloatArray = np.zeros([a.size for a in axes])
        if len(self.tail_mm):
            squares = [(a * s) ** 2 for a, s in zip(axes, self.spacing_mm, strict=True)]
            r2 = squares[0][:, None, None] + squares[1][:, None] + squares[2]
            result = self.tail(np.sqrt(r2))
        inner = [min(h, reach) for h in half]
        here = tuple(slice(h - n, h + n + 1) for h, n in zip(half, inner, strict=True))
        there = tuple(slice(reach - n, reach + n + 1) for n in inner)
        result[here] = self.near_kev_g[there]
        return np.asarray(result)

    def tail(self, distance_mm: FloatArray) -> FloatArray:
        """Specific energy of the smooth part at distances [keV/g per decay]."""
        if not len(self.tail_mm):
            return np.zeros_like(distance_mm)
        tail_mm, values = np.asarray(self.tail_mm), np.asarray(self.tail_kev_g)
        logarithm = np.log(np.maximum(values, 1e-300) * tail_mm**2)
        n = max(2, tail_mm.size // 4)
        slope = min(float(np.polyfit(tail_mm[-n:], logarithm[-n:], 1)[0]), 0.0)
        inside = np.interp(distance_mm, tail_mm, logarithm)
        beyond = np.maximum(distance_mm - tail_mm[-1], 0.0)
        r2 = np.maximum(distance_mm, tail_mm[0]) ** 2
        return np.asarray(np.exp(inside + slope * beyond) / r2)

    @property
    def s_value_self_mgy_per_mbq_s(self) -> float:
        """S-value of the source voxel [mGy/(MBq s)]."""
        middle = self.near_kev_g.shape[0] // 2
        return float(self.near_kev_g[middle, middle, middle] * MGY_PER_KEV_PER_G * DECAYS_PER_MBQ_S)

"""Photons from the voxels of an image: activity in a patient."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.constants import CM_PER_MM
from milligray.errors import GeometryError, InputError
from milligray.source.beams import energy_tables
from milligray.source.emission_tables import VOXELS, EmissionTables
from milligray.source.spectrum import Spectrum
from milligray.typing import FloatArray
from milligray.volume import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelSource:
    """Isotropic photons, uniform within each voxel of a grid.

    Parameters
    ----------
    grid : Grid
        Axis-aligned; need not be the transport grid.
    emission : ndarray, shape ``grid.shape``
        Photons from each voxel, in any unit, >= 0.
    spectrum : Spectrum
    is_stratified : bool
        Spread places and directions evenly over every batch instead of at random.
    """

    grid: Grid
    emission: FloatArray
    spectrum: Spectrum
    is_stratified: bool = True

    def __post_init__(self) -> None:
        emission = np.asarray(self.emission, dtype=np.float64)
        if emission.shape != self.grid.shape:
            raise InputError(f"emission has shape {emission.shape}, the grid has {self.grid.shape}")
        if not np.all(np.isfinite(emission)) or float(emission.min()) < 0:
            raise InputError("emission must be finite and >= 0")
        if not np.any(emission > 0):
            raise InputError("emission is 0 everywhere")
        if not self.grid.is_axis_aligned:
            raise GeometryError("the grid of a source must be axis-aligned")
        object.__setattr__(self, "emission", emission)

    @property
    def max_energy_kev(self) -> float:
        """Highest photon energy [keV]."""
        return float(self.spectrum.edges_kev[-1])

    @property
    def irradiated_z_mm(self) -> tuple[float, float] | None:
        """Range along z (LPS) that it irradiates directly: all of it, so none is named."""
        return None

    def emission_tables(self, corner_lps_mm: FloatArray) -> EmissionTables:
        """Kernel tables in the coordinates of a box whose outer corner is given [mm]."""
        edges, probability, alias = energy_tables(self.spectrum)
        spacing_z, spacing_y, spacing_x = self.grid.spacing_mm
        return EmissionTables(
            kind=VOXELS,
            origin=(self.grid.corner_lps_mm - corner_lps_mm) * CM_PER_MM,
            energy_edges=edges,
            energy_probability=probability,
            energy_alias=alias,
            cumulative_z=cumulative_shares(self.emission.sum(axis=(1, 2))),
            cumulative_y=cumulative_shares(self.emission.sum(axis=2)),
            cumulative_x=cumulative_shares(self.emission),
            voxel_size=np.array([spacing_x, spacing_y, spacing_z]) * CM_PER_MM,
            is_stratified=self.is_stratified,
        )


def cumulative_shares(emission: FloatArray) -> npt.NDArray[np.float32]:
    """Cumulative shares along the last axis; rows without emission are never asked for."""
    total = emission.sum(axis=-1, keepdims=True)
    share = np.divide(emission, total, out=np.zeros_like(emission), where=total > 0)
    cumulative = np.cumsum(share, axis=-1).astype(np.float32)
    # rounding must leave no gap below 1, and no voxel without emission at the end may fill it
    cumulative[cumulative >= cumulative[..., -1:]] = 1.0
    return cumulative

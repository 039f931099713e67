"""Radioactive decay in a patient: a nuclide, and where it decays."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from milligray.constants import CM_PER_MM
from milligray.errors import GeometryError, InputError
from milligray.source.alias import alias_table
from milligray.source.decay_tables import (
    BALL_PLACES,
    EMITTED_ELECTRON,
    EMITTED_PHOTON,
    EMITTED_POSITRON,
    VOXEL_PLACES,
    DecayTables,
)
from milligray.source.emission_tables import VOXELS, EmissionTables
from milligray.source.nuclide import Nuclide, Particle
from milligray.source.voxel_source import cumulative_shares
from milligray.typing import FloatArray
from milligray.volume import Grid

KINDS: dict[Particle, int] = {
    "electron": EMITTED_ELECTRON, "positron": EMITTED_POSITRON, "photon": EMITTED_PHOTON,
}  # fmt: skip
MIN_PHOTON_KEV = 1.0
"""Photons below are absorbed where they are made."""
MIN_ELECTRON_KEV = 10.0
ANNIHILATION_KEV = 1022.0
DEFAULT_PHOTON_SHARE = 0.6
"""Share of the histories that begin with a photon, where there are both."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecaySource:
    """Decays, uniform within each voxel of a grid or within a ball; emissions are isotropic.

    Parameters
    ----------
    nuclide : Nuclide
    grid : Grid or None
        Axis-aligned; with `decays`.
    decays : ndarray, shape ``grid.shape``, or None
        Decays in each voxel, in any unit, >= 0.
    center_lps_mm : tuple of float (x, y, z), or None [mm]
        Instead of a grid: the center of a ball.
    radius_mm : float [mm]
        Of the ball; 0 is a point.
    photon_share : float or None
        Share of the histories that begin with a photon; the mean does not depend on it. None: 0.6
        where photons and charged particles are emitted.
    is_stratified : bool
        Spread the places and directions of voxels evenly over every batch instead of at random.

    Notes
    -----
    Alphas, recoil nuclei, electrons up to 10 keV and photons up to 1 keV deposit their energy where
    they are emitted: `local_kev_per_decay`, which the transport adds without noise.
    """

    nuclide: Nuclide
    grid: Grid | None = None
    decays: FloatArray | None = None
    center_lps_mm: tuple[float, float, float] | None = None
    radius_mm: float = 0.0
    photon_share: float | None = None
    is_stratified: bool = True

    def __post_init__(self) -> None:
        if (self.grid is None) == (self.center_lps_mm is None):
            raise InputError("a decay source needs either a grid with decays or a center")
        if self.radius_mm < 0:
            raise InputError(f"radius_mm must be >= 0, got {self.radius_mm:g}")
        if self.photon_share is not None and not 0 < self.photon_share < 1:
            raise InputError(f"photon_share must lie between 0 and 1, got {self.photon_share:g}")
        if self.grid is None:
            return
        if self.decays is None:
            raise InputError("a grid of decays needs their number in every voxel")
        decays = np.asarray(self.decays, dtype=np.float64)
        if decays.shape != self.grid.shape:
            raise InputError(f"decays have shape {decays.shape}, the grid has {self.grid.shape}")
        if not np.all(np.isfinite(decays)) or float(decays.min()) < 0:
            raise InputError("decays must be finite and >= 0")
        if not np.any(decays > 0):
            raise InputError("there is no decay anywhere")
        if not self.grid.is_axis_aligned:
            raise GeometryError("the grid of a source must be axis-aligned")
        object.__setattr__(self, "decays", decays)

    @property
    def max_photon_kev(self) -> float:
        """Highest photon energy that can occur, bremsstrahlung and annihilation included [keV]."""
        highest = [160.0, self.max_kinetic_kev]
        photons = self.nuclide.lines("photon")
        if photons is not None:
            highest.append(float(photons.edges_kev.max()))
        positrons = self.nuclide.lines("positron")
        if positrons is not None:
            highest.append(float(positrons.edges_kev.max()) + ANNIHILATION_KEV)
        return max(highest)

    @property
    def max_kinetic_kev(self) -> float:
        """Highest kinetic energy of an electron or positron that the nuclide emits [keV]."""
        lines = [self.nuclide.lines(kind) for kind in ("electron", "positron")]
        return max((float(k.edges_kev.max()) for k in lines if k is not None), default=0.0)

    @property
    def local_kev_per_decay(self) -> float:
        """Energy that stays where it is emitted, see the notes [keV]."""
        total = self.nuclide.energy_per_decay_kev("alpha")
        total += self.nuclide.energy_per_decay_kev("recoil")
        for particle, least in (("electron", MIN_ELECTRON_KEV), ("photon", MIN_PHOTON_KEV)):
            lines = self.nuclide.lines(particle)  # type: ignore[arg-type]
            if lines is not None:
                mean = lines.edges_kev.mean(axis=1)
                total += float(np.sum((lines.yields * mean)[lines.edges_kev[:, 1] <= least]))
        return total

    def traveling_kev_per_decay(self, limit_kev: FloatArray) -> FloatArray:
        """Kinetic energy per decay of the followed electrons and positrons up to a limit [keV].

        Parameters
        ----------
        limit_kev : ndarray [keV]
        """
        total = np.zeros_like(limit_kev, dtype=np.float64)
        for particle, least in (("electron", MIN_ELECTRON_KEV), ("positron", 0.0)):
            lines = self.nuclide.lines(particle)  # type: ignore[arg-type]
            if lines is None:
                continue
            kept = lines.edges_kev[:, 1] > least
            low, high = lines.edges_kev[kept].T
            for first, last, number in zip(low, high, lines.yields[kept], strict=True):
                if last == first:
                    total += np.where(limit_kev >= first, number * first, 0.0)
                    continue
                reached = np.clip(limit_kev, first, last)
                total += number * (reached**2 - first**2) / (2.0 * (last - first))
        return np.asarray(total)

    def decay_tables(self, corner_lps_mm: FloatArray) -> DecayTables:
        """Kernel tables in the coordinates of a box whose outer corner is given [mm]."""
        spectrum = _spectrum_tables(self.nuclide, self.photon_share)
        voxels = EmissionTables(
            kind=VOXELS, origin=np.zeros(3), energy_edges=np.zeros((1, 2)),
            energy_probability=np.ones((1, 1)), energy_alias=np.zeros((1, 1), dtype=np.int32),
        )  # fmt: skip
        center: npt.NDArray[np.float64] = np.zeros(3)
        if self.grid is not None and self.decays is not None:
            spacing_z, spacing_y, spacing_x = self.grid.spacing_mm
            voxels = voxels._replace(
                origin=(self.grid.corner_lps_mm - corner_lps_mm) * CM_PER_MM,
                cumulative_z=cumulative_shares(self.decays.sum(axis=(1, 2))),
                cumulative_y=cumulative_shares(self.decays.sum(axis=2)),
                cumulative_x=cumulative_shares(self.decays),
                voxel_size=np.array([spacing_x, spacing_y, spacing_z]) * CM_PER_MM,
                is_stratified=self.is_stratified,
            )
        else:
            center = np.asarray(
                (np.array(self.center_lps_mm) - corner_lps_mm) * CM_PER_MM, dtype=np.float64
            )
        return DecayTables(
            places=VOXEL_PLACES if self.grid is not None else BALL_PLACES,
            voxels=voxels, center=center, radius=self.radius_mm * CM_PER_MM, batch_histories=1,
            kind_share=spectrum[0], kind_weight=spectrum[1], first_bin=spectrum[2],
            edges_kev=spectrum[3], probability=spectrum[4], alias=spectrum[5],
        )  # fmt: skip


@lru_cache(maxsize=32)
def _spectrum_tables(
    nuclide: Nuclide, photon_share: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shares and weights of the kinds, first bins, edges, alias tables."""
    total = np.zeros(3)
    first = np.zeros(4, dtype=np.int64)
    edges, probability, alias = [], [], []
    for particle, kind in KINDS.items():
        lines = nuclide.lines(particle)
        least = MIN_PHOTON_KEV if particle == "photon" else MIN_ELECTRON_KEV
        if lines is not None:
            kept = lines.edges_kev[:, 1] > (least if particle != "positron" else 0.0)
            kept &= lines.yields > 0
            if kept.any():
                p, a = alias_table(lines.yields[kept])
                total[kind] = lines.yields[kept].sum()
                edges.append(lines.edges_kev[kept])
                probability.append(p)
                alias.append(a)
        first[kind + 1] = sum(len(e) for e in edges)
    if not edges:
        raise InputError(
            f"{nuclide.name} emits nothing that travels: all of its energy is local, use the"
            " method 'local'"
        )
    share = total / total.sum()
    if total[2] > 0 and total[:2].sum() > 0:
        wanted = DEFAULT_PHOTON_SHARE if photon_share is None else photon_share
        share = total[:2].sum() ** -1 * total * (1.0 - wanted)
        share[2] = wanted
    weight = np.divide(total, share, out=np.zeros(3), where=share > 0)
    return (
        np.cumsum(share), weight, first, np.concatenate(edges).astype(np.float64),
        np.concatenate(probability), np.concatenate(alias).astype(np.int32),
    )  # fmt: skip

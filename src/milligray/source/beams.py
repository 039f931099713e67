"""Plain beams: point sources with a rectangular field, parallel beams. LPS, mm."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.constants import CM_PER_MM
from milligray.errors import GeometryError
from milligray.source.alias import alias_table
from milligray.source.emission_tables import PARALLEL_FIELD, POINT_FIELD, EmissionTables
from milligray.source.spectrum import Spectrum
from milligray.typing import FloatArray

Point = tuple[float, float, float]


def energy_tables(
    spectrum: Spectrum, fan_weights: FloatArray | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Energy bins (n, 2) and alias tables (n_fan, n) of a spectrum.

    Parameters
    ----------
    spectrum : Spectrum
    fan_weights : ndarray, shape (n_fan, n), optional
        Photons per fan bin and energy bin; default: one row, the spectrum itself.
    """
    edges = np.stack([spectrum.edges_kev[:-1], spectrum.edges_kev[1:]], axis=1)
    rows = spectrum.weights[None] if fan_weights is None else fan_weights
    tables = [alias_table(row) for row in rows]
    return (
        np.ascontiguousarray(edges),
        np.stack([p for p, _ in tables]),
        np.stack([a for _, a in tables]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldBeam:
    """Photons through a rectangle, from a point or parallel.

    Parameters
    ----------
    focal_spot_lps_mm : (x, y, z) or None [mm]
        None: parallel beam along the field's normal.
    field_center_lps_mm : (x, y, z) [mm]
    field_axes : two vectors (x, y, z)
        Orthogonal directions of width and height; their cross product is the beam's direction.
    field_size_mm : (width, height) [mm]
    spectrum : Spectrum
    """

    field_center_lps_mm: Point
    field_axes: tuple[Point, Point]
    field_size_mm: tuple[float, float]
    spectrum: Spectrum
    focal_spot_lps_mm: Point | None = None

    def __post_init__(self) -> None:
        width, height = (np.asarray(a, dtype=np.float64) for a in self.field_axes)
        if abs(float(width @ height)) > 1e-9 or not (np.any(width) and np.any(height)):
            raise GeometryError("field_axes must be two orthogonal vectors")
        if min(self.field_size_mm) <= 0:
            raise GeometryError(f"field_size_mm must be > 0, got {self.field_size_mm}")

    @property
    def max_energy_kev(self) -> float:
        """Highest photon energy [keV]."""
        return float(self.spectrum.edges_kev[-1])

    @property
    def irradiated_z_mm(self) -> tuple[float, float] | None:
        """Range along z (LPS) of the field; None for a beam that runs along z."""
        width, height = (np.asarray(a, dtype=np.float64) for a in self.field_axes)
        normal = np.cross(width, height)
        if abs(normal[2]) > 0.5 * np.linalg.norm(normal):
            return None
        size = np.asarray(self.field_size_mm)
        axes = np.array([width[2] / np.linalg.norm(width), height[2] / np.linalg.norm(height)])
        half = 0.5 * float(np.abs(axes) @ size)
        center = self.field_center_lps_mm[2]
        return center - half, center + half

    def emission_tables(self, corner_lps_mm: FloatArray) -> EmissionTables:
        """Kernel tables in the coordinates of a box whose outer corner is given [mm]."""
        width, height = (np.asarray(a, dtype=np.float64) for a in self.field_axes)
        width, height = width / np.linalg.norm(width), height / np.linalg.norm(height)
        normal = np.cross(width, height)
        center = (np.asarray(self.field_center_lps_mm) - corner_lps_mm) * CM_PER_MM
        origin = center
        if self.focal_spot_lps_mm is not None:
            origin = (np.asarray(self.focal_spot_lps_mm) - corner_lps_mm) * CM_PER_MM
            if float((center - origin) @ normal) < 0:
                normal = -normal
        edges, probability, alias = energy_tables(self.spectrum)
        return EmissionTables(
            kind=PARALLEL_FIELD if self.focal_spot_lps_mm is None else POINT_FIELD,
            origin=np.ascontiguousarray(origin, dtype=np.float64),
            plane=np.ascontiguousarray(np.stack([center, width, height, normal])),
            half_width=0.5 * self.field_size_mm[0] * CM_PER_MM,
            half_height=0.5 * self.field_size_mm[1] * CM_PER_MM,
            energy_edges=edges,
            energy_probability=probability,
            energy_alias=alias,
        )

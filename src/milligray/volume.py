"""Grids and volumes: arrays ``[z, y, x]`` in patient space (LPS, mm). Pure geometry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.constants import CM3_PER_MM3
from milligray.errors import GeometryError
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """A regular lattice of voxels in patient space.

    Parameters
    ----------
    shape : tuple of int
        Number of voxels ``(z, y, x)``.
    affine : ndarray, shape (4, 4) [mm]
        Maps the index ``(k, j, i, 1)`` of a voxel CENTER to LPS ``(x, y, z, 1)``: its columns
        follow the array axes, its rows are x (left), y (posterior), z (superior).
    """

    shape: tuple[int, int, int]
    affine: FloatArray

    def __post_init__(self) -> None:
        if any(int(n) != n or n < 1 for n in self.shape):
            raise GeometryError(f"shape must be three positive integers, got {self.shape}")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.all(np.isfinite(affine)):
            raise GeometryError("affine must be a finite 4x4 matrix")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise GeometryError("affine is singular: a voxel has no volume")
        affine.setflags(write=False)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_spacing(
        cls,
        shape: Sequence[int],
        spacing_mm: Sequence[float],
        *,
        origin_lps_mm: Sequence[float] | None = None,
    ) -> "Grid":
        """Axis-aligned grid, k to superior, j to posterior, i to left.

        Parameters
        ----------
        shape : (z, y, x)
        spacing_mm : (z, y, x) [mm]
        origin_lps_mm : (x, y, z) [mm], optional
            Center of voxel (0, 0, 0). Default: the grid is centered on the origin.
        """
        if any(s <= 0 for s in spacing_mm):
            raise GeometryError(f"spacing_mm must be > 0 along every axis, got {tuple(spacing_mm)}")
        affine = np.zeros((4, 4))
        affine[3, 3] = 1.0
        for axis in range(3):
            row = 2 - axis
            affine[row, axis] = spacing_mm[axis]
            if origin_lps_mm is None:
                affine[row, 3] = -0.5 * (shape[axis] - 1) * spacing_mm[axis]
            else:
                affine[row, 3] = origin_lps_mm[row]
        return cls(shape=(shape[0], shape[1], shape[2]), affine=affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Center-to-center distance along the array axes ``(z, y, x)`` [mm]."""
        dz, dy, dx = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(dz), float(dy), float(dx)

    @property
    def voxel_volume_cm3(self) -> float:
        """Volume of one voxel [cm3]."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) * CM3_PER_MM3)

    @property
    def is_axis_aligned(self) -> bool:
        """True if k, j, i run to superior, posterior, left without rotation."""
        expected = np.zeros((3, 3))
        expected[(2, 1, 0), (0, 1, 2)] = self.spacing_mm
        return bool(np.allclose(self.affine[:3, :3], expected, atol=1e-4 * max(self.spacing_mm)))

    @property
    def corner_lps_mm(self) -> FloatArray:
        """Outer corner of voxel (0, 0, 0), LPS (x, y, z) [mm]."""
        return self.to_lps_mm(np.array([-0.5, -0.5, -0.5]))

    def to_lps_mm(self, index_kji: npt.ArrayLike) -> FloatArray:
        """LPS points ``(..., 3)`` as (x, y, z) [mm] of index points ``(..., 3)`` as (k, j, i)."""
        index = np.asarray(index_kji, dtype=np.float64)
        return np.asarray(index @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_index_kji(self, points_lps_mm: npt.ArrayLike) -> FloatArray:
        """Index points ``(..., 3)`` as (k, j, i), fractional, of LPS points (x, y, z) [mm]."""
        points = np.asarray(points_lps_mm, dtype=np.float64)
        inverse = np.linalg.inv(self.affine[:3, :3])
        return np.asarray((points - self.affine[:3, 3]) @ inverse.T)

    def is_same_as(self, other: "Grid", *, tolerance_mm: float = 1e-2) -> bool:
        """True if both grids put every voxel within the tolerance of the same place."""
        if self.shape != other.shape:
            return False
        corners = np.array(
            [[0, 0, 0], [self.shape[0], 0, 0], [0, self.shape[1], 0], [0, 0, self.shape[2]]],
            dtype=np.float64,
        )
        gap = np.abs(self.to_lps_mm(corners) - other.to_lps_mm(corners))
        return bool(np.all(gap <= tolerance_mm))

    def axis_centers_mm(self, axis: int) -> FloatArray:
        """Centers of the voxels along one array axis of an axis-aligned grid [mm], LPS."""
        row = 2 - axis
        return np.asarray(
            self.affine[row, 3] + self.affine[row, axis] * np.arange(self.shape[axis])
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """Values on a grid.

    Parameters
    ----------
    grid : Grid
    values : ndarray, shape ``grid.shape``
        Read-only after construction. The owner's docstring gives the quantity and its unit.
    """

    grid: Grid
    values: npt.NDArray[Any]

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values)
        if values.shape != self.grid.shape:
            raise GeometryError(
                f"values have shape {values.shape}, their grid has {self.grid.shape}"
            )
        values = values.view()
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

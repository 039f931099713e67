"""The patient as the transport sees one: density and material on a grid."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.materials.hu_calibration import HuCalibration
from milligray.materials.material import Material
from milligray.typing import BoolArray, FloatArray, LabelArray
from milligray.volume import Grid, Volume


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patient:
    """Matter on the transport grid, with its link back to the CT.

    Parameters
    ----------
    grid : Grid
        Transport grid, axis-aligned.
    density_g_cm3 : ndarray, shape ``grid.shape``, float32 [g/cm3]
    material_index : ndarray, shape ``grid.shape``, uint8
        Row of `materials`.
    materials : tuple of Material
    body : ndarray of bool, shape ``grid.shape``
        True where at least half of the voxel is patient that was imaged (inside the body outline
        and inside the CT). Matter outside it (couch that was kept, slices replicated beyond the
        ends of the scan) scatters, but is no part of the patient.
    ct : Volume or None [HU]
        The CT after couch removal; None for phantoms made of shapes.
    block : tuple of int
        CT voxels per transport voxel along (z, y, x); the transport voxel ``(k, j, i)`` covers
        the CT voxels from ``block * (k, j, i) - ct_offset`` to ``block`` further.
    ct_offset : tuple of int
        Number of CT voxels (z, y, x) by which the transport grid begins before the CT; negative
        where it was cropped and begins inside the CT. Transport voxels may reach beyond the CT
        on every side: there they hold air (or replicated slices), and no CT voxel.
    calibration : str
        Name of the HU-to-density-and-tissue calibration ("" for phantoms made of shapes).
    hu_calibration : HuCalibration or None
        The calibration itself, so that organ masses use the very same curve.
    notes : tuple of str
    """

    grid: Grid
    density_g_cm3: FloatArray
    material_index: LabelArray
    materials: tuple[Material, ...]
    body: BoolArray
    ct: Volume | None = None
    block: tuple[int, int, int] = (1, 1, 1)
    ct_offset: tuple[int, int, int] = (0, 0, 0)
    calibration: str = ""
    hu_calibration: HuCalibration | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        density = np.ascontiguousarray(self.density_g_cm3, dtype=np.float32)
        index = np.ascontiguousarray(self.material_index, dtype=np.uint8)
        body = np.ascontiguousarray(self.body, dtype=np.bool_)
        for name, array in (("density_g_cm3", density), ("material_index", index), ("body", body)):
            if array.shape != self.grid.shape:
                raise InputError(f"{name} has shape {array.shape}, the grid has {self.grid.shape}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if not np.all(np.isfinite(density)) or float(density.min()) < 0:
            raise InputError("density_g_cm3 must be finite and >= 0")
        if int(index.max()) >= len(self.materials):
            raise InputError(
                f"material_index reaches {index.max()}, but there are"
                f" {len(self.materials)} materials"
            )
        if not self.grid.is_axis_aligned:
            raise InputError(
                "the transport grid must be axis-aligned (k superior, j posterior, i left)"
            )

    @property
    def mass_g(self) -> FloatArray:
        """Mass of every voxel [g], shape ``grid.shape``."""
        return np.asarray(self.density_g_cm3 * np.float32(self.grid.voxel_volume_cm3))

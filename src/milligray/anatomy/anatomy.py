"""A synthetic person on a grid: structures, tissues, and the masses they were grown to."""

from dataclasses import dataclass

import numpy as np

from milligray.anatomy.parameters import AnatomyParameters
from milligray.errors import InputError
from milligray.typing import FloatArray, LabelArray
from milligray.volume import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anatomy:
    """Structures and tissues of one synthetic person.

    Parameters
    ----------
    grid : Grid
        z = 0 at the soles, x = 0 the midline.
    structure : ndarray, shape ``grid.shape``, uint16
        Organ or bone of every voxel; 0 outside the body.
    names : dict of int to str
    tissue : ndarray, shape ``grid.shape``, uint8
        Row of `tissues`; 0 is air.
    tissues : tuple of str
        Rows of the shipped tissue table.
    parameters : AnatomyParameters
    target_ml : dict of str to float [mL]
        Volumes that structures were grown to.
    notes : tuple of str
    """

    grid: Grid
    structure: LabelArray
    names: dict[int, str]
    tissue: LabelArray
    tissues: tuple[str, ...]
    parameters: AnatomyParameters
    target_ml: dict[str, float]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        structure = np.ascontiguousarray(self.structure, dtype=np.uint16)
        tissue = np.ascontiguousarray(self.tissue, dtype=np.uint8)
        for name, array in (("structure", structure), ("tissue", tissue)):
            if array.shape != self.grid.shape:
                raise InputError(f"{name} has shape {array.shape}, the grid has {self.grid.shape}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def volume_ml(self) -> dict[str, float]:
        """Volume of every structure [mL]."""
        counts = np.bincount(self.structure.ravel(), minlength=max(self.names) + 1)
        return {n: float(counts[v] * self.grid.voxel_volume_cm3) for v, n in self.names.items()}

    def tissue_volume_ml(self) -> FloatArray:
        """Volume by structure and tissue, shape (n_structure + 1, n_tissue) [mL]."""
        n = len(self.tissues)
        pair = self.structure.astype(np.int64).ravel() * n + self.tissue.ravel()
        counts = np.bincount(pair, minlength=(max(self.names) + 1) * n)
        return np.asarray(counts.reshape(-1, n) * self.grid.voxel_volume_cm3)

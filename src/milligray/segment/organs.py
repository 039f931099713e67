"""Organ masks on the CT's grid."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.typing import LabelArray
from milligray.volume import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganMap:
    """Organs of one patient as a label map on the CT's grid.

    Parameters
    ----------
    grid : Grid
        The CT's own grid (for phantoms made of shapes: the transport grid).
    labels : ndarray, shape ``grid.shape``, uint16
        0 is no organ.
    names : dict of int to str
        Organ name of every label that may occur; names are unique.
    method : str
        Where the masks come from, in words for the report
        (e.g. "labels given", "threshold tissues, not organs", "TotalSegmentator 2.4").
    fraction_in_image : dict of str to float
        Known share of each organ that lies inside the image (e.g. from labels on a larger grid).
    notes : tuple of str
    """

    grid: Grid
    labels: LabelArray
    names: dict[int, str]
    method: str
    fraction_in_image: dict[str, float]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        labels = np.ascontiguousarray(self.labels, dtype=np.uint16)
        if labels.shape != self.grid.shape:
            raise InputError(f"labels have shape {labels.shape}, their grid has {self.grid.shape}")
        labels.setflags(write=False)
        object.__setattr__(self, "labels", labels)
        if len(set(self.names.values())) != len(self.names):
            raise InputError(
                "organ names must be unique; rename the repeated ones in the names file"
            )
        if 0 in self.names:
            raise InputError("label 0 is background and cannot be an organ")

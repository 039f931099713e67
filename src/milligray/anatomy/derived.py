"""Shapes that follow other structures: shells and offsets, such as the skull around the brain."""

from dataclasses import dataclass, replace

import numpy as np

from milligray.anatomy import fields
from milligray.anatomy.fields import FAR
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.heights import OPERATIONS
from milligray.anatomy.shapes import Motion, Shape
from milligray.typing import FloatArray

SOLID_MM = -1e3


@dataclass(frozen=True, slots=True)
class Shell:
    """What lies between two distances from the surface of a group of shapes.

    Parameters
    ----------
    operation : str
    shapes : tuple of Shape
        Those of the structure that is followed.
    shapes_blend_mm : float [mm]
    inner_mm, outer_mm : float [mm]
        Distances, outward positive; `SOLID_MM` leaves no hollow.
    """

    operation: str
    shapes: tuple[Shape, ...]
    shapes_blend_mm: float
    inner_mm: float
    outer_mm: float

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Those of what is followed, widened by the outer distance."""
        corners = [s.bounds() for s in self.shapes if s.operation == "add"]
        low = np.min([c[0] for c in corners], axis=0) - self.outer_mm
        high = np.max([c[1] for c in corners], axis=0) + self.outer_mm
        return low, high

    def mirrored(self) -> "Shell":
        """The same around the mirrored shapes."""
        return replace(self, shapes=tuple(s.mirrored() for s in self.shapes))

    def moved(self, motion: Motion) -> "Shell":
        """The same around the moved shapes."""
        return replace(self, shapes=tuple(s.moved(motion) for s in self.shapes))

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:
        """Join the band between the two distances to a field, in place."""
        own = np.full(field.shape, FAR, dtype=np.float32)
        for shape in self.shapes:
            shape.join(own, frame, reach_mm + max(self.outer_mm, 0.0), self.shapes_blend_mm)
        band = own - np.float32(self.outer_mm)
        if self.inner_mm > SOLID_MM:
            np.maximum(band, np.float32(self.inner_mm) - own, out=band)
        fields.join_field(field, band, OPERATIONS[self.operation], blend_mm)

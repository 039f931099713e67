"""Rigid motions of shapes: poses, and the random place of organs."""

from dataclasses import dataclass

import numpy as np

from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True)
class Motion:
    """A rigid motion in canonical coordinates: ``R (p - center) + center + shift``."""

    rotation: FloatArray
    center_mm: FloatArray
    shift_mm: FloatArray

    def points(self, points_mm: FloatArray) -> FloatArray:
        """Moved points, shape (n, 3) [mm]."""
        turned = (points_mm - self.center_mm) @ self.rotation.T
        return np.asarray(turned + self.center_mm + self.shift_mm)

    def directions(self, vectors: FloatArray) -> FloatArray:
        """Turned directions, shape (n, 3)."""
        return np.asarray(vectors @ self.rotation.T)

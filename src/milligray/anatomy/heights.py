"""A surface given by its height over a grid of points: the dome of the diaphragm."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.interpolate import RectBivariateSpline

from milligray.anatomy import fields
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.motion import Motion
from milligray.errors import InputError
from milligray.typing import FloatArray

LATTICE_MM = 2.0
"""Between these points of a surface of heights it is bilinear."""


@dataclass(frozen=True, slots=True)
class Heights:
    """All that lies below the surface ``z = h(x, y)``, smooth between its knots.

    The field is ``give * (z - h)``: moved to another level, the surface goes up or down as a
    whole, and by less where it gives less.
    """

    operation: str
    x_mm: FloatArray
    y_mm: FloatArray
    z_mm: FloatArray
    """Heights, shape (n_y, n_x)."""
    stiffness: FloatArray
    """Field per mm, shape (n_y, n_x): 2 where the surface moves half as far as elsewhere."""

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Of its knots; beyond them the surface goes on level [mm]."""
        low = np.array([self.x_mm[0], self.y_mm[0], float(self.z_mm.min())])
        return low, np.array([self.x_mm[-1], self.y_mm[-1], float(self.z_mm.max())])

    def mirrored(self) -> Self:
        """The same on the other side of the body."""
        return replace(
            self, x_mm=-self.x_mm[::-1], z_mm=self.z_mm[:, ::-1], stiffness=self.stiffness[:, ::-1]
        )

    def moved(self, motion: Motion) -> Self:
        """The same after a shift; it cannot be turned."""
        if not np.allclose(motion.rotation, np.eye(3)):
            raise InputError("a surface of heights cannot be turned")
        dx, dy, dz = motion.shift_mm
        return replace(self, x_mm=self.x_mm + dx, y_mm=self.y_mm + dy, z_mm=self.z_mm + dz)

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:  # noqa: ARG002
        """Join it to a field, in place."""
        height, stiff = self._lattice()
        fields.join_heights(
            field, frame.zc, *(np.ascontiguousarray(r) for r in (frame.ax, frame.bx, frame.ay)),
            np.ascontiguousarray(frame.by), np.ascontiguousarray(frame.y),
            np.ascontiguousarray(frame.x), float(self.x_mm[0]), float(self.y_mm[0]), LATTICE_MM,
            height, stiff, OPERATIONS[self.operation], blend_mm,
        )  # fmt: skip

    def _lattice(self) -> tuple[FloatArray, FloatArray]:
        """Heights and stiffness on a fine square lattice."""
        orders = {"kx": min(3, self.y_mm.size - 1), "ky": min(3, self.x_mm.size - 1)}
        y = np.arange(self.y_mm[0], self.y_mm[-1] + LATTICE_MM, LATTICE_MM)
        x = np.arange(self.x_mm[0], self.x_mm[-1] + LATTICE_MM, LATTICE_MM)
        inside = np.clip(y, None, self.y_mm[-1]), np.clip(x, None, self.x_mm[-1])
        height = RectBivariateSpline(self.y_mm, self.x_mm, self.z_mm, **orders)(*inside)
        stiff = RectBivariateSpline(self.y_mm, self.x_mm, self.stiffness, kx=1, ky=1)(*inside)
        return height, stiff


OPERATIONS = {"add": fields.ADD, "cut": fields.CUT, "keep": fields.KEEP}


def make_heights(entry: Mapping[str, Any], operation: str) -> Heights:
    """Knots ``x`` (columns) and ``y`` (rows), heights ``z`` as rows of columns, stiffness too."""
    x, y, z = (np.array(entry[name], dtype=np.float64) for name in ("x", "y", "z"))
    stiffness = np.array(entry.get("stiffness", np.ones_like(z)), dtype=np.float64)
    if z.shape != (y.size, x.size) or stiffness.shape != z.shape:
        raise InputError(f"heights need {y.size} rows of {x.size} values, got shape {z.shape}")
    return Heights(operation, x, y, z, stiffness)

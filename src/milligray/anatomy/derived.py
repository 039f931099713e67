"""Shapes that follow what is there: shells, such as the skull around the brain, and furrows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from milligray.anatomy import fields
from milligray.anatomy.fields import FAR
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.heights import OPERATIONS
from milligray.anatomy.motion import Motion
from milligray.anatomy.shapes import Shape
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

    def mirrored(self) -> Self:
        """The same around the mirrored shapes."""
        return replace(self, shapes=tuple(s.mirrored() for s in self.shapes))

    def moved(self, motion: Motion) -> Self:
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


@dataclass(frozen=True, slots=True)
class Furrows:
    """Winding furrows cut into the surface that stands so far, such as those of the brain.

    Parameters
    ----------
    center_mm : ndarray, shape (3,) [mm]
        The furrows go down toward it.
    radius_mm, period_mm : float [mm]
        Two furrows lie about half a period from each other at this distance from the center.
    width_mm, depth_mm : float [mm]
        Width at the surface; they narrow to nothing at their depth.
    smooth_center_mm, smooth_radii_mm : ndarray, shape (3,) [mm]
        Ellipsoid that keeps its surface smooth.

    Notes
    -----
    The floors are where the gyroid ``sin u cos v + sin v cos w + sin w cos u`` is zero, with
    ``(u, v, w) = 2 pi radius / period * direction`` from the center, slightly warped.
    """

    center_mm: FloatArray
    radius_mm: float
    period_mm: float
    width_mm: float
    depth_mm: float
    smooth_center_mm: FloatArray
    smooth_radii_mm: FloatArray
    side: float = 1.0

    @property
    def operation(self) -> str:
        """Furrows only take away."""
        return "cut"

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """None of their own."""
        return np.full(3, np.inf), np.full(3, -np.inf)

    def mirrored(self) -> Self:
        """The same pattern on the other side."""
        flip = np.array([-1.0, 1.0, 1.0])
        return replace(
            self, side=-self.side, center_mm=self.center_mm * flip,
            smooth_center_mm=self.smooth_center_mm * flip,
        )  # fmt: skip

    def moved(self, motion: Motion) -> Self:
        """The same after a motion; the pattern itself does not turn."""
        centers = motion.points(np.stack([self.center_mm, self.smooth_center_mm]))
        return replace(self, center_mm=centers[0], smooth_center_mm=centers[1])

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:  # noqa: ARG002
        """Cut them into a field, in place."""
        near = np.flatnonzero((np.abs(field) < self.depth_mm + reach_mm).any(axis=(1, 2)))
        for k in near:
            x, y = np.meshgrid(
                (frame.x - frame.bx[k]) / frame.ax[k], (frame.y - frame.by[k]) / frame.ay[k]
            )
            at = np.stack([x, y, np.full_like(x, frame.zc[k])], axis=-1)
            furrow = self._half_width(field[k]) - self._distance(at)
            smooth = np.linalg.norm((at - self.smooth_center_mm) / self.smooth_radii_mm, axis=-1)
            furrow[smooth < 1.0] = -FAR
            np.maximum(field[k], furrow.astype(np.float32), out=field[k])

    def _half_width(self, field: FloatArray) -> FloatArray:
        inside = 0.5 * self.width_mm * (1.0 + np.minimum(field, 0.0) / self.depth_mm)
        return np.where(field > -self.depth_mm, inside, -FAR)

    def _distance(self, at: FloatArray) -> FloatArray:
        """About how far the middle of a furrow is [mm]."""
        away = at - self.center_mm
        length = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1.0)
        wave = 2.0 * np.pi * self.radius_mm / self.period_mm
        p = wave * away / length * np.array([self.side, 1.0, 1.0])
        p = p + 0.6 * np.sin(0.6 * p[..., [1, 2, 0]] + np.array([0.4, 1.3, 2.1]))
        s, c = np.sin(p), np.cos(p)
        level = (s * c[..., [1, 2, 0]]).sum(axis=-1)
        slope = np.linalg.norm(c * c[..., [1, 2, 0]] - s * s[..., [2, 0, 1]], axis=-1)
        scale = wave * np.maximum(slope, 0.5) / length[..., 0]
        return np.asarray(np.abs(level) / scale)


def make_furrows(entry: Mapping[str, Any]) -> Furrows:
    """``type = "furrows"`` of a blueprint: center, radius, period, width, depth, smooth."""
    smooth = np.array(entry["smooth"], dtype=np.float64)
    return Furrows(
        center_mm=np.array(entry["center"], dtype=np.float64),
        radius_mm=float(entry["radius"]),
        period_mm=float(entry["period"]),
        width_mm=float(entry["width"]),
        depth_mm=float(entry["depth"]),
        smooth_center_mm=smooth[0],
        smooth_radii_mm=smooth[1],
    )

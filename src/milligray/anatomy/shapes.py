"""Shapes that structures are made of: how each is placed, mirrored, moved, and added to a field."""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from scipy.interpolate import PchipInterpolator

from milligray.anatomy import fields
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.heights import OPERATIONS
from milligray.anatomy.motion import Motion
from milligray.errors import InputError
from milligray.typing import FloatArray

TUBE_REACH_MM, SHEET_REACH_MM = 60.0, 40.0
"""Farther from a tube or a sheet its field is not worked out: it does not reach there."""
_FLIP = np.array([-1.0, 1.0, 1.0])


class Shape(Protocol):
    """One piece of a structure."""

    @property
    def operation(self) -> str:
        """A key of `OPERATIONS`."""

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corner ``(x, y, z)``, canonical [mm]."""

    def mirrored(self) -> Self:
        """The same on the other side of the body."""

    def moved(self, motion: Motion) -> Self:
        """The same after a motion."""

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:
        """Join it to a field over the voxels of `frame`, in place."""


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """Superellipsoid; columns of `rotation` are its axes."""

    operation: str
    center_mm: FloatArray
    radii_mm: FloatArray
    rotation: FloatArray
    power: float

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corner, canonical [mm]."""
        if self.power == 2.0:
            half = np.sqrt((self.rotation**2) @ self.radii_mm**2)
        else:
            half = np.abs(self.rotation) @ self.radii_mm
        return self.center_mm - half, self.center_mm + half

    def mirrored(self) -> Self:
        """The same on the other side of the body."""
        # flipping an axis of the shape itself keeps the rotation proper
        flipped = _FLIP[:, None] * self.rotation * _FLIP[None, :]
        return replace(self, center_mm=self.center_mm * _FLIP, rotation=flipped)

    def moved(self, motion: Motion) -> Self:
        """The same after a motion."""
        center = motion.points(self.center_mm[None])[0]
        return replace(self, center_mm=center, rotation=motion.rotation @ self.rotation)

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:
        """Join it to a field, in place."""
        nk, nj, ni = field.shape
        box = (0, nk, 0, nj, 0, ni)
        if self.operation == "add":
            low, high = self.bounds()
            far = reach_mm + blend_mm
            found = frame.box_of(low - far, high + far)
            if found is None:
                return
            box = tuple(edge for part in found for edge in (part.start, part.stop))
        fields.join_ellipsoid(
            field, *_frame(frame), box, self.center_mm, self.radii_mm, self.rotation, self.power,
            OPERATIONS[self.operation], blend_mm,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tube:
    """Chain of round cones along points; across `normals` the radius is `flat` times smaller."""

    operation: str
    points_mm: FloatArray
    radii_mm: FloatArray
    normals: FloatArray
    flat: FloatArray

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corner, canonical [mm]."""
        r = self.radii_mm[:, None]
        return (self.points_mm - r).min(axis=0), (self.points_mm + r).max(axis=0)

    def mirrored(self) -> Self:
        """The same on the other side of the body."""
        return replace(self, points_mm=self.points_mm * _FLIP, normals=self.normals * _FLIP)

    def moved(self, motion: Motion) -> Self:
        """The same after a motion."""
        points, normals = motion.points(self.points_mm), motion.directions(self.normals)
        return replace(self, points_mm=points, normals=normals)

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:
        """Join it to a field, in place."""
        far_mm = min(reach_mm, TUBE_REACH_MM) + blend_mm
        near = _near(self, field, frame, far_mm)
        if near is not None:
            fields.join_tube(
                near[0], *_frame(near[1]), far_mm, self.points_mm, self.radii_mm,
                self.normals, self.flat, OPERATIONS[self.operation], blend_mm,
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Balls:
    """Union of balls: a sheet sampled densely."""

    operation: str
    centers_mm: FloatArray
    radii_mm: FloatArray

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corner, canonical [mm]."""
        r = self.radii_mm[:, None]
        return (self.centers_mm - r).min(axis=0), (self.centers_mm + r).max(axis=0)

    def mirrored(self) -> Self:
        """The same on the other side of the body."""
        return replace(self, centers_mm=self.centers_mm * _FLIP)

    def moved(self, motion: Motion) -> Self:
        """The same after a motion."""
        return replace(self, centers_mm=motion.points(self.centers_mm))

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:
        """Join it to a field, in place."""
        far_mm = min(reach_mm, SHEET_REACH_MM) + blend_mm
        near = _near(self, field, frame, far_mm)
        if near is not None:
            fields.join_balls(
                near[0], *_frame(near[1]), far_mm, self.centers_mm, self.radii_mm,
                OPERATIONS[self.operation], blend_mm,
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sections:
    """Stack of superelliptic cross-sections, smooth between its rows.

    Columns of `rows`: z, x of the center, half width, y of the center, depth to the front,
    depth to the back [mm], power (2 is an ellipse, more is boxier).
    """

    operation: str
    rows: FloatArray

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corner, canonical [mm]."""
        z, cx, half, cy, front, back, _ = self.rows.T
        low = np.array([(cx - half).min(), (cy - front).min(), z.min()])
        high = np.array([(cx + half).max(), (cy + back).max(), z.max()])
        return low, high

    def mirrored(self) -> Self:
        """The same on the other side of the body."""
        rows = self.rows.copy()
        rows[:, 1] *= -1.0
        return replace(self, rows=rows)

    def moved(self, motion: Motion) -> Self:
        """The same after a shift; it cannot be turned."""
        if not np.allclose(motion.rotation, np.eye(3)):
            raise InputError("stacked sections cannot be turned; use tubes in parts that move")
        rows = self.rows.copy()
        rows[:, (1, 3, 0)] += motion.shift_mm
        return replace(self, rows=rows)

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:  # noqa: ARG002
        """Join it to a field, in place."""
        z = self.rows[:, 0]
        at = np.clip(frame.zc, z[0], z[-1])
        beyond = np.abs(frame.zc - at)
        cx, half, cy, front, back, power = PchipInterpolator(z, self.rows[:, 1:])(at).T.copy()
        fields.join_sections(
            field, *_frame(frame)[1:], beyond, cx, half, cy, front, back, power,
            OPERATIONS[self.operation], blend_mm,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plane:
    """Half-space; `normal` points out of it."""

    operation: str
    point_mm: FloatArray
    normal: FloatArray

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """None: a half-space has no ends."""
        return np.full(3, np.inf), np.full(3, -np.inf)

    def mirrored(self) -> Self:
        """The same on the other side of the body."""
        return replace(self, point_mm=self.point_mm * _FLIP, normal=self.normal * _FLIP)

    def moved(self, motion: Motion) -> Self:
        """The same after a motion."""
        point = motion.points(self.point_mm[None])[0]
        return replace(self, point_mm=point, normal=motion.directions(self.normal[None])[0])

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:  # noqa: ARG002
        """Join it to a field, in place."""
        fields.join_plane(
            field, *_frame(frame), self.point_mm, self.normal,
            OPERATIONS[self.operation], blend_mm,
        )  # fmt: skip


def _frame(frame: VoxelFrame) -> tuple[FloatArray, ...]:
    rows = (frame.zc, frame.ax, frame.bx, frame.ay, frame.by, frame.y, frame.x)
    return tuple(np.ascontiguousarray(row) for row in rows)


def _near(
    shape: Shape, field: FloatArray, frame: VoxelFrame, far_mm: float
) -> tuple[FloatArray, VoxelFrame] | None:
    """The part of a field that a shape can change: an intersection changes all of it."""
    if shape.operation == "keep":
        return field, frame
    low, high = shape.bounds()
    box = frame.box_of(low - far_mm, high + far_mm)
    return None if box is None else (field[box], frame.part(box))

"""Shapes that structures are made of: how each is placed, mirrored, moved, and added to a field."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator, RectBivariateSpline
from scipy.spatial.transform import Rotation

from milligray.anatomy import fields
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.heights import OPERATIONS, make_heights
from milligray.errors import InputError
from milligray.typing import FloatArray

TUBE_REACH_MM, SHEET_REACH_MM = 60.0, 40.0
"""Farther from a tube or a sheet its field is not worked out: it does not reach there."""
_FLIP = np.array([-1.0, 1.0, 1.0])


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


class Shape(Protocol):
    """One piece of a structure."""

    @property
    def operation(self) -> str:
        """A key of `OPERATIONS`."""

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corner ``(x, y, z)``, canonical [mm]."""

    def mirrored(self) -> "Shape":
        """The same on the other side of the body."""

    def moved(self, motion: Motion) -> "Shape":
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
        if self.power == 2.0:
            half = np.sqrt((self.rotation**2) @ self.radii_mm**2)
        else:
            half = np.abs(self.rotation) @ self.radii_mm
        return self.center_mm - half, self.center_mm + half

    def mirrored(self) -> "Ellipsoid":
        # flipping an axis of the shape itself keeps the rotation proper
        flipped = _FLIP[:, None] * self.rotation * _FLIP[None, :]
        return replace(self, center_mm=self.center_mm * _FLIP, rotation=flipped)

    def moved(self, motion: Motion) -> "Ellipsoid":
        center = motion.points(self.center_mm[None])[0]
        return replace(self, center_mm=center, rotation=motion.rotation @ self.rotation)

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:
        nk, nj, ni = field.shape
        box = (0, nk, 0, nj, 0, ni)
        if self.operation == "add":
            low, high = self.bounds()
            far = reach_mm + blend_mm
            found = frame.box_of(low - far, high + far)
            if found is None:
                return
            box = tuple(edge for part in found for edge in (part.start, part.stop))  # type: ignore[assignment]
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
        r = self.radii_mm[:, None]
        return (self.points_mm - r).min(axis=0), (self.points_mm + r).max(axis=0)

    def mirrored(self) -> "Tube":
        return replace(self, points_mm=self.points_mm * _FLIP, normals=self.normals * _FLIP)

    def moved(self, motion: Motion) -> "Tube":
        points, normals = motion.points(self.points_mm), motion.directions(self.normals)
        return replace(self, points_mm=points, normals=normals)

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:
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
        r = self.radii_mm[:, None]
        return (self.centers_mm - r).min(axis=0), (self.centers_mm + r).max(axis=0)

    def mirrored(self) -> "Balls":
        return replace(self, centers_mm=self.centers_mm * _FLIP)

    def moved(self, motion: Motion) -> "Balls":
        return replace(self, centers_mm=motion.points(self.centers_mm))

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:
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
        z, cx, half, cy, front, back, _ = self.rows.T
        low = np.array([(cx - half).min(), (cy - front).min(), z.min()])
        high = np.array([(cx + half).max(), (cy + back).max(), z.max()])
        return low, high

    def mirrored(self) -> "Sections":
        rows = self.rows.copy()
        rows[:, 1] *= -1.0
        return replace(self, rows=rows)

    def moved(self, motion: Motion) -> "Sections":
        if not np.allclose(motion.rotation, np.eye(3)):
            raise InputError("stacked sections cannot be turned; use tubes in parts that move")
        rows = self.rows.copy()
        rows[:, (1, 3, 0)] += motion.shift_mm
        return replace(self, rows=rows)

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:  # noqa: ARG002
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
        return np.full(3, np.inf), np.full(3, -np.inf)

    def mirrored(self) -> "Plane":
        return replace(self, point_mm=self.point_mm * _FLIP, normal=self.normal * _FLIP)

    def moved(self, motion: Motion) -> "Plane":
        point = motion.points(self.point_mm[None])[0]
        return replace(self, point_mm=point, normal=motion.directions(self.normal[None])[0])

    def join(self, field: FloatArray, frame: VoxelFrame, reach_mm: float, blend_mm: float) -> None:  # noqa: ARG002
        fields.join_plane(
            field, *_frame(frame), self.point_mm, self.normal,
            OPERATIONS[self.operation], blend_mm,
        )  # fmt: skip


def _ellipsoid(entry: Mapping[str, Any], operation: str) -> Shape:
    turn = Rotation.from_euler("xyz", entry.get("turn", (0, 0, 0)), degrees=True).as_matrix()
    return Ellipsoid(
        operation, _vector(entry["center"]), _vector(entry["radii"]), turn,
        float(entry.get("power", 2.0)),
    )  # fmt: skip


def _tube(entry: Mapping[str, Any], operation: str) -> Shape:
    """Points with radii ``[x, y, z, r]``; made smooth unless ``smooth = false``."""
    knots = np.array(entry["points"], dtype=np.float64)
    normal = np.array(entry.get("normal", (0.0, 0.0, 0.0)), dtype=np.float64)
    normals = np.broadcast_to(normal, (len(knots), 3)).astype(np.float64)
    flats = np.broadcast_to(
        np.array(entry.get("flat", 1.0), dtype=np.float64)[..., None], (len(knots), 1)
    )
    rows = np.concatenate([knots, normals, flats], axis=1)
    if entry.get("smooth", True) and len(knots) > 2:
        arc = np.concatenate(
            [[0.0], np.cumsum(np.linalg.norm(np.diff(knots[:, :3], axis=0), axis=1))]
        )
        n = int(np.ceil(arc[-1] / max(2.0, 0.5 * float(knots[:, 3].mean())))) + 1
        at = np.linspace(0.0, arc[-1], n)
        smooth = CubicSpline(arc, rows[:, :3], bc_type="natural")(at)
        rest = PchipInterpolator(arc, rows[:, 3:])(at)
        rows = np.concatenate([smooth, rest], axis=1)
    length = np.linalg.norm(rows[:, 4:7], axis=1, keepdims=True)
    unit = rows[:, 4:7] / np.where(length > 0, length, 1.0)
    return Tube(
        operation, *(np.ascontiguousarray(a) for a in (rows[:, :3], rows[:, 3], unit, rows[:, 7]))
    )


def _sheet(entry: Mapping[str, Any], operation: str) -> Shape:
    """Rows of points with thickness ``[x, y, z, t]``, a smooth surface through them."""
    knots = np.array(entry["points"], dtype=np.float64)
    m, n = knots.shape[:2]
    u, v = np.arange(m, dtype=np.float64), np.arange(n, dtype=np.float64)
    thinnest = float(knots[..., 3].min())
    step = max(1.0, 0.4 * thinnest)
    longest = [
        float(np.linalg.norm(np.diff(knots[..., :3], axis=axis), axis=-1).sum(axis=axis).max())
        for axis in (0, 1)
    ]
    at_u = np.linspace(0.0, m - 1.0, int(np.ceil(longest[0] / step)) + 1)
    at_v = np.linspace(0.0, n - 1.0, int(np.ceil(longest[1] / step)) + 1)
    order = {"kx": min(3, m - 1), "ky": min(3, n - 1)}
    parts = [
        RectBivariateSpline(u, v, knots[..., c], **order)(at_u, at_v).ravel() for c in range(3)
    ]
    thick = RectBivariateSpline(u, v, knots[..., 3], kx=1, ky=1)(at_u, at_v).ravel()
    return Balls(operation, np.ascontiguousarray(np.stack(parts, axis=1)), 0.5 * thick)


def _sections(entry: Mapping[str, Any], operation: str) -> Shape:
    rows = np.array(entry["rows"], dtype=np.float64)
    return Sections(operation, rows[np.argsort(rows[:, 0])])


def _plane(entry: Mapping[str, Any], operation: str) -> Shape:
    normal = _vector(entry["normal"])
    return Plane(operation, _vector(entry["point"]), normal / np.linalg.norm(normal))


_MAKERS: dict[str, Callable[[Mapping[str, Any], str], Shape]] = {
    "ellipsoid": _ellipsoid,
    "tube": _tube,
    "sheet": _sheet,
    "sections": _sections,
    "plane": _plane,
    "heights": make_heights,
}


def make_shape(entry: Mapping[str, Any]) -> Shape:
    """A shape from its entry in a blueprint."""
    kind, operation = entry.get("type"), entry.get("op", "add")
    if kind not in _MAKERS:
        raise InputError(f"no shape type {kind!r}; there are {', '.join(_MAKERS)}")
    if operation not in OPERATIONS:
        raise InputError(f"no shape op {operation!r}; there are {', '.join(OPERATIONS)}")
    return _MAKERS[kind](entry, operation)


def _vector(values: Any) -> FloatArray:  # noqa: ANN401 - a list from TOML
    return np.array(values, dtype=np.float64)


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

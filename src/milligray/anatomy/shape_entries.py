"""Shapes from their entries in a blueprint."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator, RectBivariateSpline
from scipy.spatial.transform import Rotation

from milligray.anatomy.heights import OPERATIONS, make_heights
from milligray.anatomy.shapes import Balls, Ellipsoid, Plane, Sections, Shape, Tube
from milligray.errors import InputError
from milligray.typing import FloatArray


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

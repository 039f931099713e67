"""What the pictures show: planes, frame, color scale, and cuts through volumes in millimeters."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.report.result import ExamResult
from milligray.segment.organs import OrganMap
from milligray.typing import FloatArray
from milligray.volume import Grid

Plane = Literal["axial", "coronal", "sagittal"]

AXES: dict[Plane, tuple[int, int, int]] = {
    "axial": (0, 1, 2),
    "coronal": (1, 0, 2),
    "sagittal": (2, 0, 1),
}
"""Array axis that is fixed, the one along the picture's height, the one along its width."""

_SKIN_MARGIN_MM = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What all pictures of one map share.

    Parameters
    ----------
    patient : Patient
    organs : OrganMap
    values : ndarray, shape ``patient.grid.shape``
        What is shown in color, >= 0.
    unit : str
        Of the values.
    top : float
        Upper end of the color scale, in that unit.
    center_mm : (z, y, x) [mm]
        Where the three planes meet, by array axis.
    box_mm : ((z0, z1), (y0, y1), (x0, x1)) [mm]
        Outline of the body with a margin, by array axis.
    """

    patient: Patient
    organs: OrganMap
    values: FloatArray
    unit: str
    top: float
    center_mm: tuple[float, float, float]
    box_mm: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Extent of the box along (z, y, x) [mm]."""
        z, y, x = (high - low for low, high in self.box_mm)
        return z, y, x


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One slice: values, and extent (left, right, first row, last row) [mm] of their edges."""

    values: npt.NDArray[Any]
    extent_mm: tuple[float, float, float, float]


def has_outlines(organs: OrganMap) -> bool:
    """Tell if outlines help: tissues found by threshold are specks all over, organs are not."""
    return "threshold" not in organs.method.lower()


def make_scene(result: ExamResult) -> Scene:
    """Scene of the dose of a CT exam; see `scene_of`."""
    if result.dose is None:
        raise InputError("this exam has no dose map to show")
    return scene_of(result.dose.dose_mgy, result.dose.unit, result.patient, result.organs)


def scene_of(
    values: FloatArray,
    unit: str,
    patient: Patient,
    organs: OrganMap,
    *,
    center_mm: tuple[float, float, float] | None = None,
) -> Scene:
    """Choose planes, frame and color scale.

    Parameters
    ----------
    values : ndarray, shape ``patient.grid.shape``
        Dose, or another quantity that is >= 0.
    unit : str
    patient : Patient
    organs : OrganMap
    center_mm : (z, y, x) [mm], optional
        Where the planes meet; default: see the notes.

    Returns
    -------
    Scene

    Notes
    -----
    The planes meet at the center of the imparted energy (sum of dose times mass), which lies in
    the irradiated part of the body; the scale ends at the 99.5th percentile of the values in body
    voxels that have any, so that single noisy voxels do not set it.
    """
    grid, body = patient.grid, patient.body
    inside = np.where(body, values, np.float32(0.0))
    energy = inside * patient.density_g_cm3
    positive = inside[inside > 0]
    center: list[float] = []
    box: list[tuple[float, float]] = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        along = energy.sum(axis=others, dtype=np.float64)
        positions = grid.axis_centers_mm(axis)
        occupied = np.flatnonzero(body.any(axis=others))
        ends = positions[occupied[[0, -1]]] if occupied.size else positions[[0, -1]]
        index = 0.5 * (along.size - 1)
        if along.sum() > 0:
            index = float(np.sum(along * np.arange(along.size)) / along.sum())
        margin = 0.5 * grid.spacing_mm[axis] + (0.0 if axis == 0 else _SKIN_MARGIN_MM)
        center.append(float(positions[round(index)]))
        box.append((float(ends[0]) - margin, float(ends[1]) + margin))
    return Scene(
        patient=patient,
        organs=organs,
        values=values,
        unit=unit,
        top=float(np.percentile(positive, 99.5)) if positive.size else 1.0,
        center_mm=(center[0], center[1], center[2]) if center_mm is None else center_mm,
        box_mm=(box[0], box[1], box[2]),
    )


def cut(values: npt.NDArray[Any], grid: Grid, axis: int, position_mm: float) -> Cut:
    """Slice of an axis-aligned volume that holds a position.

    Parameters
    ----------
    values : ndarray, shape ``grid.shape``
    grid : Grid
    axis : int
        Array axis across the slice.
    position_mm : float [mm]
        Along that axis; the nearest slice is taken if it is off the grid.

    Returns
    -------
    Cut
        Rows follow the first of the two other axes, columns the second.
    """
    index = round((position_mm - grid.affine[2 - axis, 3]) / grid.spacing_mm[axis])
    picture = np.take(values, min(max(index, 0), grid.shape[axis] - 1), axis=axis)
    height, width = (a for a in range(3) if a != axis)
    left, right = _edges_mm(grid, width)
    first, last = _edges_mm(grid, height)
    return Cut(values=picture, extent_mm=(left, right, first, last))


def colors_over_anatomy(scene: Scene, axis: int, position_mm: float, colormap: Any) -> Cut:  # noqa: ANN401 - a matplotlib colormap
    """Slice in which the values give the hue and the anatomy the brightness.

    Parameters
    ----------
    scene : Scene
    axis : int
        Array axis across the slice.
    position_mm : float [mm]
    colormap : callable
        From 0-1 to RGBA.

    Returns
    -------
    Cut
        RGB, shape (n, m, 3), on the pixels of the CT (without one: of the transport grid). Outside
        the body, and where the value is below 2 % of the scale, plain gray.
    """
    patient, own = scene.patient, scene.patient.grid
    anatomy, (low, high) = _anatomy(scene, axis, position_mm)
    gray = np.clip((anatomy.values.astype(np.float64) - low) / (high - low), 0.0, 1.0)
    shown = cut(scene.values, own, axis, position_mm)
    body = cut(patient.body, own, axis, position_mm)
    rows = _nearest(
        anatomy.extent_mm[2:], gray.shape[0], shown.extent_mm[2:], shown.values.shape[0]
    )
    columns = _nearest(
        anatomy.extent_mm[:2], gray.shape[1], shown.extent_mm[:2], shown.values.shape[1]
    )
    at = np.ix_(rows, columns)
    on_grid = (rows >= 0)[:, None] & (columns >= 0)[None, :]
    share = shown.values[at] / scene.top
    is_colored = body.values[at] & on_grid & (share >= 0.02)
    colored = np.asarray(colormap(np.clip(share, 0.0, 1.0)))[..., :3] * (
        0.4 + 0.6 * gray[..., None]
    )
    rgb = np.where(is_colored[..., None], colored, gray[..., None])
    return Cut(values=rgb, extent_mm=anatomy.extent_mm)


WINDOW_CENTER_HU = 40.0
WINDOW_WIDTH_HU = 400.0
_DENSITY_WINDOW = (0.0, 1.6)


def _anatomy(scene: Scene, axis: int, position_mm: float) -> tuple[Cut, tuple[float, float]]:
    patient = scene.patient
    if patient.ct is None:
        return cut(patient.density_g_cm3, patient.grid, axis, position_mm), _DENSITY_WINDOW
    low = WINDOW_CENTER_HU - 0.5 * WINDOW_WIDTH_HU
    return cut(patient.ct.values, patient.ct.grid, axis, position_mm), (low, low + WINDOW_WIDTH_HU)


def _edges_mm(grid: Grid, axis: int) -> tuple[float, float]:
    start, step = float(grid.affine[2 - axis, 3]), grid.spacing_mm[axis]
    return start - 0.5 * step, start + (grid.shape[axis] - 0.5) * step


def _nearest(
    to_mm: tuple[float, ...], n_to: int, from_mm: tuple[float, ...], n_from: int
) -> npt.NDArray[np.int64]:
    """Index of the cell that holds each pixel's center; -1 if there is none."""
    step = (to_mm[1] - to_mm[0]) / n_to
    centers: FloatArray = to_mm[0] + step * (np.arange(n_to) + 0.5)
    index = np.floor((centers - from_mm[0]) / (from_mm[1] - from_mm[0]) * n_from).astype(np.int64)
    index[(index < 0) | (index >= n_from)] = -1
    return np.asarray(index)

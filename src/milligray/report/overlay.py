"""Pictures of dose over anatomy: three planes and axial slices, as PNG in base64."""

# ruff: noqa: PLC0415 - matplotlib is loaded only when a report is drawn

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from milligray.report.result import ExamResult
from milligray.typing import FloatArray, LabelArray
from milligray.volume import Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW_CENTER_HU = 40.0
WINDOW_WIDTH_HU = 400.0
_SHOWN_FROM = 0.02  # share of the color scale's maximum below which no color is laid
_ALPHA = 0.5
_COLORS = "turbo"

# Picture axes by plane: (array axis fixed, array axis down the picture, array axis to its right)
_PLANES = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}
_LETTERS = {
    "axial": ("A", "P", "R", "L"),
    "coronal": ("S", "I", "R", "L"),
    "sagittal": ("S", "I", "A", "P"),
}  # top, bottom, left, right


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What all pictures of one exam share.

    Parameters
    ----------
    result : ExamResult
    dose_top : float
        Upper end of the color scale, in the unit of the dose map.
    center_lps_mm : (x, y, z) [mm]
        Where the three planes meet.
    box_mm : ((z0, z1), (y0, y1), (x0, x1)) [mm]
        Outline of the body with a margin, by array axis.
    """

    result: ExamResult
    dose_top: float
    center_lps_mm: tuple[float, float, float]
    box_mm: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


def make_scene(result: ExamResult) -> Scene:
    """Choose planes, frame and color scale.

    Parameters
    ----------
    result : ExamResult

    Returns
    -------
    Scene

    Notes
    -----
    The planes meet at the center of the imparted energy (sum of dose times mass), which lies in
    the irradiated part of the body; the scale ends at the 99.5th percentile of the dose in body
    voxels that have any, so that single noisy voxels do not set it.
    """
    grid, body = result.dose.grid, result.patient.body
    dose = np.where(body, result.dose.dose_mgy, np.float32(0.0))
    energy = np.asarray(dose * result.patient.density_g_cm3, dtype=np.float64)
    positive = dose[dose > 0]
    top = float(np.percentile(positive, 99.5)) if positive.size else 1.0
    center, box = [], []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        along = energy.sum(axis=others)
        occupied = np.flatnonzero(body.any(axis=others))
        if along.sum() > 0:
            index = float(np.sum(along * np.arange(along.size)) / along.sum())
        else:
            index = 0.5 * (grid.shape[axis] - 1)
        center.append(float(grid.axis_centers_mm(axis)[round(index)]))
        first, last = (occupied[0], occupied[-1]) if occupied.size else (0, grid.shape[axis] - 1)
        edges = np.sort(grid.axis_centers_mm(axis)[[first, last]])
        step = grid.spacing_mm[axis]
        margin = 0.5 * step if axis == 0 else 0.5 * step + 8.0
        box.append((float(edges[0]) - margin, float(edges[1]) + margin))
    return Scene(
        result=result,
        dose_top=top if top > 0 else 1.0,
        center_lps_mm=(center[2], center[1], center[0]),
        box_mm=(box[0], box[1], box[2]),
    )


def three_planes_png(scene: Scene) -> str:
    """Axial, coronal and sagittal cut through the scene's center with a color bar.

    Returns
    -------
    str
        PNG in base64.
    """
    from matplotlib.figure import Figure

    (z, y, x) = (high - low for low, high in scene.box_mm)
    height = max(y, z)
    scale = 7.9 / (x + x + y + 0.16 * (2 * x + y))
    figure = Figure(figsize=(8.6, min(7.5, max(2.0, height * scale + 0.35))), facecolor="white")
    widths = [x, x, y, 0.05 * (2 * x + y)]
    grid = figure.add_gridspec(
        1, 4, width_ratios=widths, left=0.005, right=0.94, top=0.93, bottom=0.01, wspace=0.03
    )
    mappable = None
    for n, plane in enumerate(_PLANES):
        ax = figure.add_subplot(grid[0, n])
        position = scene.center_lps_mm[2 - _PLANES[plane][0]]
        mappable = _draw(ax, scene, plane, position)
        _mark_other_planes(ax, scene, plane)
        ax.set_title(f"{plane}, {'zyx'[_PLANES[plane][0]]} = {position:.0f} mm", fontsize=8.5)
    _color_bar(figure, grid[0, 3], mappable, scene)
    return _png(figure)


def montage_png(scene: Scene, *, n_slices: int = 8) -> str:
    """Axial slices spread over the irradiated part of the body.

    Returns
    -------
    str
        PNG in base64.
    """
    from matplotlib.figure import Figure

    grid = scene.result.dose.grid
    body = scene.result.patient.body
    slice_dose = np.where(body, scene.result.dose.dose_mgy, np.float32(0.0)).sum(axis=(1, 2))
    shown = np.flatnonzero(slice_dose > 0.05 * slice_dose.max()) if slice_dose.max() > 0 else [0]
    first, last = int(shown[0]), int(shown[-1])
    indices = np.unique(np.linspace(last, first, n_slices + 2).round().astype(int)[1:-1])[::-1]
    n_columns = min(4, len(indices))
    n_rows = -(-len(indices) // n_columns)
    (_, y, x) = (high - low for low, high in scene.box_mm)
    width = 8.0 / n_columns
    figure = Figure(figsize=(8.6, n_rows * (width * y / x + 0.22)), facecolor="white")
    cells = figure.add_gridspec(
        n_rows, n_columns + 1, width_ratios=[1.0] * n_columns + [0.09],
        left=0.005, right=0.94, top=1 - 0.2 / (n_rows * (width * y / x + 0.22)), bottom=0.005,
        wspace=0.03, hspace=0.22 / (width * y / x),
    )  # fmt: skip
    mappable = None
    for n, k in enumerate(indices):
        ax = figure.add_subplot(cells[n // n_columns, n % n_columns])
        position = float(grid.axis_centers_mm(0)[k])
        mappable = _draw(ax, scene, "axial", position)
        ax.set_title(f"z = {position:.0f} mm", fontsize=8, pad=3)
    _color_bar(figure, cells[:, n_columns], mappable, scene)
    return _png(figure)


def _draw(ax: "Axes", scene: Scene, plane: str, position_mm: float) -> Any:  # noqa: ANN401 - matplotlib is untyped here
    fixed, down, right = _PLANES[plane]
    patient = scene.result.patient
    if patient.ct is not None:
        values, grid = patient.ct.values, patient.ct.grid
        low = WINDOW_CENTER_HU - WINDOW_WIDTH_HU / 2
        limits = (low, low + WINDOW_WIDTH_HU)
    else:
        values, grid = patient.density_g_cm3, patient.grid
        limits = (0.0, 1.6)
    ax.set_facecolor("black")
    picture, extent = _cut(values, grid, fixed, position_mm)
    ax.imshow(
        picture, cmap="gray", vmin=limits[0], vmax=limits[1], extent=extent,
        origin="lower", interpolation="bilinear", aspect="equal",
    )  # fmt: skip
    own = scene.result.dose.grid
    dose, extent = _cut(scene.result.dose.dose_mgy, own, fixed, position_mm)
    body, _ = _cut(patient.body, own, fixed, position_mm)
    wash = np.ma.masked_where(~body | (dose < _SHOWN_FROM * scene.dose_top), dose)
    image = ax.imshow(
        wash, cmap=_COLORS, vmin=0.0, vmax=scene.dose_top, alpha=_ALPHA, extent=extent,
        origin="lower", interpolation="nearest", aspect="equal",
    )  # fmt: skip
    _contours(ax, scene, fixed, position_mm)
    ax.set_xlim(*scene.box_mm[right])
    low, high = scene.box_mm[down]
    ax.set_ylim(*((high, low) if plane == "axial" else (low, high)))
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    places = ((0.5, 0.985, "center", "top"), (0.5, 0.015, "center", "bottom"),
              (0.015, 0.5, "left", "center"), (0.985, 0.5, "right", "center"))  # fmt: skip
    for letter, (u, v, horizontal, vertical) in zip(_LETTERS[plane], places, strict=True):
        ax.text(
            u, v, letter, transform=ax.transAxes, ha=horizontal, va=vertical,
            color="#ffe9a8", fontsize=8, fontweight="bold",
        )  # fmt: skip
    return image


def _cut(
    values: "FloatArray | LabelArray | np.ndarray[Any, Any]",
    grid: Grid,
    axis: int,
    position_mm: float,
) -> tuple[Any, tuple[float, float, float, float]]:
    """Slice nearest to a position, and its extent (left, right, bottom, top) [mm].

    Row 0 is the first voxel of the array axis that runs down or up the picture, so it is drawn
    with ``origin="lower"`` in mm; the caller turns the axis round where down is positive.
    """
    index = round((position_mm - grid.affine[2 - axis, 3]) / grid.affine[2 - axis, axis])
    picture = np.take(values, min(max(index, 0), grid.shape[axis] - 1), axis=axis)
    down, right = (a for a in range(3) if a != axis)
    extent: list[float] = []
    for a in (right, down):
        start = float(grid.affine[2 - a, 3])
        step = float(grid.affine[2 - a, a])
        extent += [start - 0.5 * step, start + (grid.shape[a] - 0.5) * step]
    if not 0 <= index < grid.shape[axis]:
        picture = np.full_like(picture, picture.min())
    return picture, (extent[0], extent[1], extent[2], extent[3])


def _contours(ax: "Axes", scene: Scene, axis: int, position_mm: float) -> None:
    """Outline every organ in the slice with a thin line."""
    organs = scene.result.organs
    labels, extent = _cut(organs.labels, organs.grid, axis, position_mm)
    n_rows, n_columns = labels.shape
    step_x = (extent[1] - extent[0]) / n_columns
    step_y = (extent[3] - extent[2]) / n_rows
    for label in np.unique(labels):
        if int(label) not in organs.names:
            continue
        rows, columns = np.nonzero(labels == label)
        if rows.size < 4:
            continue
        r0, c0 = int(rows.min()) - 1, int(columns.min()) - 1
        mask = np.zeros((int(rows.max()) - r0 + 2, int(columns.max()) - c0 + 2))
        mask[rows - r0, columns - c0] = 1.0
        x = extent[0] + (c0 + 0.5 + np.arange(mask.shape[1])) * step_x
        y = extent[2] + (r0 + 0.5 + np.arange(mask.shape[0])) * step_y
        ax.contour(x, y, mask, levels=[0.5], colors="white", linewidths=0.5, alpha=0.85)


def _mark_other_planes(ax: "Axes", scene: Scene, plane: str) -> None:
    _, down, right = _PLANES[plane]
    style: dict[str, Any] = {"color": "#ffe9a8", "lw": 0.45, "ls": (0, (4, 5)), "alpha": 0.7}
    ax.axvline(scene.center_lps_mm[2 - right], **style)
    ax.axhline(scene.center_lps_mm[2 - down], **style)


def _color_bar(figure: "Figure", cell: Any, mappable: Any, scene: Scene) -> None:  # noqa: ANN401 - as above
    box = cell.get_position(figure)
    height = min(box.height, 0.8)
    ax = figure.add_axes((0.952, box.y0 + 0.5 * (box.height - height), 0.011, height))
    bar: Any = figure.colorbar(mappable, cax=ax)
    bar.outline.set_visible(False)
    bar.solids.set_alpha(1.0)
    ax.tick_params(labelsize=7, width=0.5, length=2)
    ax.set_title(scene.result.dose.unit.replace(" per ", "\nper "), fontsize=7, pad=5)


def _png(figure: "Figure") -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=140)
    return base64.b64encode(buffer.getvalue()).decode("ascii")

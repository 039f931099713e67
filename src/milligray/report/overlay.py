"""Pictures of dose over anatomy: three planes and axial slices, as PNG in base64."""

# ruff: noqa: PLC0415 - matplotlib is loaded only when a report is drawn

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from milligray.report.scene import AXES, Plane, Scene, colors_over_anatomy, cut, has_outlines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Layout in inches; the page scales the pictures to its width.
_WIDTH = 8.6
_BAR_SPACE = 0.66
_GAP = 0.05
_TITLE = 0.24
_MAX_HEIGHT = 6.2
_MAX_SLICE_WIDTH = 3.2
_SLICE_DISTANCE_MM = 10.0

_LETTER_COLOR = "#ffe9a8"
_LETTERS: dict[Plane, str] = {"axial": "APRL", "coronal": "SIRL", "sagittal": "SIAP"}
_LETTER_PLACES = (
    (0.5, 0.985, "center", "top"),
    (0.5, 0.015, "center", "bottom"),
    (0.015, 0.5, "left", "center"),
    (0.985, 0.5, "right", "center"),
)


def three_planes_png(scene: Scene) -> str:
    """Draw the axial, coronal and sagittal cut through the scene's center with a color bar.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    str
        PNG in base64.
    """
    from matplotlib.figure import Figure

    places, width, height = _place_planes(scene.size_mm)
    figure = Figure(figsize=(_WIDTH, height), facecolor="white")
    for plane, (left, top, plane_width, plane_height) in places.items():
        ax = _add_axes(figure, left, height - top - plane_height, plane_width, plane_height)
        fixed = AXES[plane][0]
        _draw(ax, scene, plane, scene.center_mm[fixed])
        _mark_other_planes(ax, scene, plane)
        ax.set_title(
            f"{plane}, {'zyx'[fixed]} = {scene.center_mm[fixed]:.0f} mm", fontsize=8.5, pad=4
        )
    _color_bar(figure, scene, width, _GAP, height - _TITLE - _GAP)
    return _png(figure)


def _place_planes(
    size_mm: tuple[float, float, float],
) -> tuple[dict[Plane, tuple[float, float, float, float]], float, float]:
    """Places (left, top, width, height) of the planes, and width and height of all [inch].

    Side by side; of a scan much shorter than the patient is deep, the coronal and the sagittal
    plane stand below each other.
    """
    z, y, x = size_mm
    is_short = 2 * z < 0.9 * y
    tallest = y if is_short else max(y, z)
    widths = 2 * x if is_short else 2 * x + y
    scale = min((_WIDTH - _BAR_SPACE - 2 * _GAP) / widths, _MAX_HEIGHT / tallest)
    x, y, z = x * scale, y * scale, z * scale
    places: dict[Plane, tuple[float, float, float, float]] = {
        "axial": (0.0, _TITLE, x, y),
        "coronal": (x + _GAP, _TITLE, x, z),
        "sagittal": (2 * (x + _GAP), _TITLE, y, z),
    }
    if is_short:
        places["sagittal"] = (x + _GAP, 2 * _TITLE + z, y, z)
    right = max(left + width for left, _, width, _ in places.values())
    bottom = max(top + height for _, top, _, height in places.values())
    return places, right + _GAP, bottom + _GAP


def montage_png(scene: Scene, *, n_slices: int = 8) -> str:
    """Draw axial slices spread over the irradiated part of the body, superior first.

    Parameters
    ----------
    scene : Scene
    n_slices : int
        At most; fewer in a short scan, where they would be less than 10 mm apart.

    Returns
    -------
    str
        PNG in base64.
    """
    from matplotlib.figure import Figure

    grid = scene.patient.grid
    inside = np.where(scene.patient.body, scene.values, np.float32(0.0))
    along = inside.sum(axis=(1, 2), dtype=np.float64)
    shown = np.flatnonzero(along >= 0.05 * along.max())
    length_mm = (shown[-1] - shown[0]) * grid.spacing_mm[0]
    n_slices = max(1, min(n_slices, int(length_mm / _SLICE_DISTANCE_MM)))
    steps = np.linspace(shown[0], shown[-1], n_slices + 2)[1:-1]
    indices = np.unique(steps.round().astype(int))[::-1]
    n_columns = min(4, indices.size)
    n_rows = -(-indices.size // n_columns)
    _, depth, breadth = scene.size_mm
    width = min(_MAX_SLICE_WIDTH, (_WIDTH - _BAR_SPACE) / n_columns - _GAP)
    height = width * depth / breadth
    figure_height = n_rows * (height + _TITLE) + _GAP
    figure = Figure(figsize=(_WIDTH, figure_height), facecolor="white")
    positions = grid.axis_centers_mm(0)
    for n, k in enumerate(indices):
        row, column = divmod(n, n_columns)
        bottom = figure_height - (row + 1) * (height + _TITLE)
        ax = _add_axes(figure, column * (width + _GAP), bottom, width, height)
        _draw(ax, scene, "axial", float(positions[k]))
        ax.set_title(f"z = {positions[k]:.0f} mm", fontsize=8, pad=3)
    _color_bar(figure, scene, n_columns * (width + _GAP), _GAP, figure_height - _TITLE - _GAP)
    return _png(figure)


def _draw(ax: "Axes", scene: Scene, plane: Plane, position_mm: float) -> None:
    import matplotlib as mpl

    fixed, height, width = AXES[plane]
    picture = colors_over_anatomy(scene, fixed, position_mm, mpl.colormaps["turbo"])
    ax.set_facecolor("black")
    ax.imshow(
        picture.values,
        extent=picture.extent_mm,
        origin="lower",
        interpolation="nearest",
        aspect="auto",
    )
    _contours(ax, scene, fixed, position_mm)
    ax.set_xlim(*scene.box_mm[width])
    low, high = scene.box_mm[height]
    ax.set_ylim(*((high, low) if plane == "axial" else (low, high)))  # anterior or superior is up
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    for letter, (u, v, horizontal, vertical) in zip(_LETTERS[plane], _LETTER_PLACES, strict=True):
        ax.text(
            u, v, letter, transform=ax.transAxes, ha=horizontal, va=vertical,
            color=_LETTER_COLOR, fontsize=8, fontweight="bold",
        )  # fmt: skip


def _contours(ax: "Axes", scene: Scene, axis: int, position_mm: float) -> None:
    """Outline every organ in the slice with a thin line."""
    organs = scene.organs
    if not has_outlines(organs):
        return
    picture = cut(organs.labels, organs.grid, axis, position_mm)
    labels = picture.values
    left, right, first, last = picture.extent_mm
    step_x, step_y = (right - left) / labels.shape[1], (last - first) / labels.shape[0]
    for label in np.unique(labels):
        if int(label) not in organs.names:
            continue
        rows, columns = np.nonzero(labels == label)
        if rows.size < 4:
            continue
        r0, c0 = int(rows.min()) - 1, int(columns.min()) - 1
        mask = np.zeros((int(rows.max()) - r0 + 2, int(columns.max()) - c0 + 2))
        mask[rows - r0, columns - c0] = 1.0
        x = left + (c0 + 0.5 + np.arange(mask.shape[1])) * step_x
        y = first + (r0 + 0.5 + np.arange(mask.shape[0])) * step_y
        ax.contour(x, y, mask, levels=[0.5], colors="white", linewidths=0.45, alpha=0.85)


def _mark_other_planes(ax: "Axes", scene: Scene, plane: Plane) -> None:
    _, height, width = AXES[plane]
    style: dict[str, Any] = {"color": _LETTER_COLOR, "lw": 0.5, "ls": (0, (4, 5)), "alpha": 0.8}
    ax.axvline(scene.center_mm[width], **style)
    ax.axhline(scene.center_mm[height], **style)


def _color_bar(figure: "Figure", scene: Scene, left: float, bottom: float, top: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    space = top - bottom
    height = min(0.82 * space, 3.0)
    center = bottom + 0.5 * space
    ax = _add_axes(figure, left + 0.12, center - 0.5 * height - 0.06, 0.1, height)
    scale = ScalarMappable(norm=Normalize(0.0, scene.top), cmap="turbo")
    bar: Any = figure.colorbar(scale, cax=ax)
    bar.outline.set_visible(False)
    ax.tick_params(labelsize=7, width=0.5, length=2)
    ax.set_title(scene.unit.replace(" per ", "\nper\n"), fontsize=7, pad=5, loc="left", x=-0.6)


def _add_axes(figure: "Figure", left: float, bottom: float, width: float, height: float) -> "Axes":
    """Axes at a place given in inches."""
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes(
        (left / full_width, bottom / full_height, width / full_width, height / full_height)
    )


def _png(figure: "Figure") -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return base64.b64encode(buffer.getvalue()).decode("ascii")

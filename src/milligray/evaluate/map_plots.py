"""Dose maps in three planes: reference, prediction and their difference."""

# ruff: noqa: PLC0415 - matplotlib is loaded only when something is drawn

from typing import TYPE_CHECKING, Literal

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.evaluate.plot_style import INK
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Plane = Literal["axial", "coronal", "sagittal"]
_PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
_LETTERS = {"axial": ("A", "P", "R", "L"), "coronal": ("S", "I", "R", "L"),
            "sagittal": ("S", "I", "A", "P")}  # fmt: skip
_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP, _WIDTH = 0.55, 0.95, 0.35, 0.1, 0.08, 9.2

_LETTER_ROOM = 0.6


def dose_map_plot(
    predicted: FloatArray,
    reference: FloatArray,
    grid: Grid,
    *,
    mask: BoolArray,
    unit: str = "mGy",
    largest_difference: float | None = None,
) -> "Figure":
    """Reference, predicted and difference in the three planes through the middle of the dose.

    Parameters
    ----------
    predicted, reference : ndarray, shape ``grid.shape``
    grid : Grid
        Axis-aligned: k to superior, j to posterior, i to left.
    mask : ndarray of bool, shape ``grid.shape``
        Voxels whose relative difference is shown, e.g. those that were judged.
    unit : str
    largest_difference : float, optional
        Fraction at the ends of the difference scale; default the 99th percentile, 2 % at least.
    """
    from matplotlib.figure import Figure

    if not predicted.shape == reference.shape == mask.shape == grid.shape:
        raise GeometryError("maps, mask and grid differ in shape; resample to one grid first")
    if not grid.is_axis_aligned:
        raise GeometryError("the grid is not axis-aligned; resample the maps before drawing")
    if not mask.any():
        raise InputError("the mask is empty: there is nothing to draw")
    corner, box = _box(mask)
    predicted, reference, mask = predicted[box], reference[box], mask[box]
    center = _center(np.where(mask, reference, 0.0))
    ratio = np.full(reference.shape, np.nan)
    ratio[mask] = predicted[mask] / reference[mask] - 1.0
    if largest_difference is None:
        largest_difference = max(0.02, float(np.nanpercentile(np.abs(ratio), 99.0)))
    top = float(np.percentile(reference[mask], 99.8))
    dz, dy, dx = (n * s for n, s in zip(mask.shape, grid.spacing_mm, strict=True))
    sizes = {"axial": (dx, dy), "coronal": (dx, dz), "sagittal": (dy, dz)}
    room = _WIDTH - _LEFT - _RIGHT - 2 * _GAP
    scale = room / sum(width for width, _ in sizes.values())
    row_height = scale * max(height for _, height in sizes.values())
    figure_height = _TOP + 3 * row_height + 2 * _GAP + _BOTTOM
    figure = Figure(figsize=(_WIDTH, figure_height), facecolor="white")
    shown = (
        ("reference", reference, "magma", 0.0, top, 1.0, f"dose [{unit}]"),
        ("predicted", predicted, "magma", 0.0, top, 1.0, f"dose [{unit}]"),
        ("difference", ratio, "RdBu_r", -largest_difference, largest_difference, 100.0,
         "difference [%]"),
    )  # fmt: skip
    for row, (name, values, colors, low, high, factor, label) in enumerate(shown):
        left = _LEFT
        upper = figure_height - _TOP - row * (row_height + _GAP)
        image = None
        for plane in _PLANES:
            width, height = (scale * size for size in sizes[plane])
            place = (left / _WIDTH, (upper - 0.5 * (row_height + height)) / figure_height,
                   width / _WIDTH, height / figure_height)  # fmt: skip
            ax = figure.add_axes(place)
            ax.set_facecolor("#eceff2" if name == "difference" else "black")
            image = ax.imshow(
                factor * _cut(values, plane, center), cmap=colors, vmin=factor * low,
                vmax=factor * high, aspect="auto", interpolation="nearest",
            )  # fmt: skip
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set_visible(False)
            if row == 0:
                axis = _PLANES.index(plane)
                at = grid.axis_centers_mm(axis)[corner[axis] + center[axis]] + 0.0
                ax.set_title(f"{plane}, {'zyx'[axis]} = {round(at)} mm", fontsize=9, color=INK)
                if height > _LETTER_ROOM:
                    _letters(ax, plane)
            left += width + _GAP
        middle = (upper - 0.5 * row_height) / figure_height
        figure.text(0.02, middle, name, rotation=90, va="center", fontsize=10, color=INK)
        bar_axes = figure.add_axes(
            (
                (_WIDTH - _RIGHT + 0.1) / _WIDTH,
                (upper - row_height + 0.05) / figure_height,
                0.14 / _WIDTH,
                (row_height - 0.1) / figure_height,
            )
        )
        if image is not None:
            bar = figure.colorbar(image, cax=bar_axes, extend="both" if row == 2 else "max")
            bar.set_label(label, size=8.5, color=INK)
            bar_axes.tick_params(labelsize=7.5)
    return figure


def _box(mask: BoolArray) -> tuple[list[int], tuple[slice, slice, slice]]:
    """First voxel and slices of the box that holds the mask, with a margin of two voxels."""
    slices = []
    for axis in range(3):
        along = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        slices.append(slice(max(0, int(along[0]) - 2), int(along[-1]) + 3))
    return [s.start for s in slices], (slices[0], slices[1], slices[2])


def _center(dose: FloatArray) -> tuple[int, int, int]:
    """Voxel at the center of mass of the dose."""
    total = float(dose.sum())
    found = []
    for axis in range(3):
        along = dose.sum(axis=tuple(a for a in range(3) if a != axis))
        found.append(round(float(np.sum(along * np.arange(along.size)) / total)))
    return found[0], found[1], found[2]


def _cut(values: FloatArray, plane: Plane, center: tuple[int, int, int]) -> FloatArray:
    k, j, i = center
    if plane == "axial":
        return np.asarray(values[k])
    return np.asarray(values[::-1, j] if plane == "coronal" else values[::-1, :, i])


def _letters(ax: "Axes", plane: Plane) -> None:
    places = ((0.5, 0.97, "center", "top"), (0.5, 0.03, "center", "bottom"),
              (0.02, 0.5, "left", "center"), (0.98, 0.5, "right", "center"))  # fmt: skip
    for letter, (x, y, horizontal, vertical) in zip(_LETTERS[plane], places, strict=True):
        ax.text(
            x, y, letter, transform=ax.transAxes, color="#ffe9a8", fontsize=8,
            ha=horizontal, va=vertical,
        )  # fmt: skip

"""What all figures of the evaluation share: colors, marks, axes, writing."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, LINE = "#1f2933", "#7b8794", "#d9dee4"
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7b8794", "#1f2933")
"""Okabe & Ito (2008): told apart by color-blind readers."""
MARKERS = "osD^vPX<"
DPI = 130


def save_figure(figure: "Figure", path: Path) -> Path:
    """Write a figure as PNG, whole or not at all; the same figure gives the same bytes."""
    work = path.with_name(f".{path.name}.partial")
    figure.savefig(work, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    work.replace(path)
    return path


def words(organ: str) -> str:
    """Name of an organ as text."""
    return organ.replace("_", " ")


def plain(ax: "Axes", *, grid: Literal["x", "y", "both"]) -> None:
    """Quiet axes: two spines, small ticks, a light grid behind."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
    ax.tick_params(labelsize=8, colors=INK, width=0.7)
    ax.xaxis.label.set(size=9, color=INK)
    ax.yaxis.label.set(size=9, color=INK)
    ax.title.set(size=9.5, color=INK)
    ax.grid(visible=True, axis=grid, color=LINE, lw=0.6, zorder=0)
    ax.set_axisbelow(True)

"""Charts of the report as inline SVG: organ doses, dose-volume histograms, profiles along z."""

# ruff: noqa: PLC0415 - matplotlib is loaded only when a report is drawn

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from milligray.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#7b8794"
BAR = "#3b6ea5"
GRID = "#d9dee4"
PALETTE = (
    "#3b6ea5", "#c8553d", "#588157", "#8e5ea2", "#d19a2a", "#3a8f93",
    "#7a4b3a", "#5c6b7a", "#b0437c", "#8a9a3b", "#1f2f5c", "#e08b6b",
)  # fmt: skip
_TWO_COLUMNS_FROM = 46


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One organ of the bar chart: dose and its expanded uncertainty (k = 2), same unit."""

    label: str
    dose: float
    expanded: float


def organ_bar_chart(bars: Sequence[Bar], unit: str) -> str:
    """Draw horizontal bars sorted by dose, with error bars of the expanded uncertainty.

    Parameters
    ----------
    bars : sequence of Bar
        1 to some hundred organs; from 46 on in two columns.
    unit : str

    Returns
    -------
    str
        SVG element.
    """
    from matplotlib.figure import Figure

    ordered = sorted(bars, key=lambda bar: bar.dose, reverse=True)
    n_columns = 2 if len(ordered) >= _TWO_COLUMNS_FROM else 1
    n_rows = -(-len(ordered) // n_columns)
    figure = Figure(figsize=(7.4, 0.62 + 0.185 * n_rows), layout="constrained")
    top = max((bar.dose + bar.expanded for bar in ordered), default=0.0)
    axes = figure.subplots(1, n_columns, squeeze=False)[0]
    for column, ax in enumerate(axes):
        part = ordered[column * n_rows : (column + 1) * n_rows]
        rows = np.arange(len(part))
        ax.barh(rows, [bar.dose for bar in part], height=0.66, color=BAR, zorder=2)
        ax.errorbar(
            [bar.dose for bar in part],
            rows,
            xerr=[
                [max(0.0, min(bar.expanded, bar.dose)) for bar in part],
                [abs(bar.expanded) for bar in part],
            ],
            fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.8, capthick=0.8, zorder=3,
        )  # fmt: skip
        ax.set_yticks(rows, [shorten(bar.label) for bar in part])
        ax.set_ylim(n_rows - 0.4, -0.6)
        ax.set_xlim(0.0, 1.04 * top if top > 0 else 1.0)
        plain_axes(ax, grid="x")
        ax.tick_params(axis="y", length=0)
    label = f"mean absorbed dose [{unit}]"
    if n_columns == 1:
        axes[0].set_xlabel(label)
    else:
        figure.supxlabel(label, fontsize=8.5, color=INK)
    return svg(figure, "organs")


@dataclass(frozen=True, slots=True, kw_only=True)
class DvhCurve:
    """One cumulative dose-volume histogram: dose bins and the share of volume above each."""

    label: str
    dose: FloatArray
    volume_fraction: FloatArray


def dvh_chart(curves: Sequence[DvhCurve], unit: str) -> str:
    """Draw cumulative dose-volume histograms (at most 12, the rest is left out).

    Parameters
    ----------
    curves : sequence of DvhCurve
        In the order of the legend.
    unit : str

    Returns
    -------
    str
        SVG element.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 3.1), layout="constrained")
    ax = figure.subplots()
    reach = 0.0
    for n, curve in enumerate(curves[: len(PALETTE)]):
        dose = np.append(curve.dose, curve.dose[-1])
        fraction = np.append(curve.volume_fraction, 0.0)
        ax.plot(dose, 100 * fraction, color=PALETTE[n], lw=1.5, label=shorten(curve.label))
        reach = max(reach, float(dose[np.flatnonzero(fraction >= 0.005)[-1]]))
    ax.set_xlim(0.0, 1.05 * reach if reach > 0 else 1.0)
    ax.set_ylim(0.0, 102.0)
    ax.set_xlabel(f"absorbed dose [{unit}]")
    ax.set_ylabel("volume with at least this dose [%]")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    plain_axes(ax, grid="both")
    return svg(figure, "dvh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One curve against z: positions [mm], values, axis label."""

    z_mm: FloatArray
    values: FloatArray
    label: str


def profile_chart(profiles: Sequence[Profile], scan_range_mm: tuple[float, float] | None) -> str:
    """Draw curves along z below each other with the same z axis.

    Parameters
    ----------
    profiles : sequence of Profile
    scan_range_mm : (first, last) or None
        Irradiated range, shaded.

    Returns
    -------
    str
        SVG element.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 0.5 + 1.25 * len(profiles)), layout="constrained")
    axes = figure.subplots(len(profiles), 1, sharex=True, squeeze=False)[:, 0]
    for n, (ax, profile) in enumerate(zip(axes, profiles, strict=True)):
        if profile.z_mm.size == 1:
            ax.plot(profile.z_mm, profile.values, "o", color=PALETTE[n])
        else:
            ax.plot(profile.z_mm, profile.values, color=PALETTE[n], lw=1.5)
        finite = profile.values[np.isfinite(profile.values)]
        ax.set_ylim(0.0, 1.12 * float(finite.max()) if finite.size and finite.max() > 0 else 1.0)
        ax.set_ylabel(profile.label)
        ax.margins(x=0.01)
        if scan_range_mm is not None:
            ax.axvspan(*scan_range_mm, color="#eef2f6", zorder=0)
        plain_axes(ax, grid="y")
    figure.align_ylabels(list(axes))
    axes[-1].set_xlabel("z [mm]  (inferior to superior)")
    return svg(figure, "profile")


def shorten(name: str) -> str:
    """Name that fits beside an axis."""
    return name if len(name) <= 34 else name[:32] + "…"


def plain_axes(ax: "Axes", *, grid: Literal["x", "y", "both"]) -> None:
    """Give axes the look of all charts of the report."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
    ax.tick_params(labelsize=8, colors=INK, width=0.7)
    ax.xaxis.label.set(size=8.5, color=INK)
    ax.yaxis.label.set(size=8.5, color=INK)
    ax.grid(visible=True, axis=grid, color=GRID, lw=0.6, zorder=0)
    ax.set_axisbelow(True)


def svg(figure: "Figure", name: str) -> str:
    """SVG element without prologue, metadata and namespaces, the same for the same figure."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        empty = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=empty, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'(id="|url\(#|xlink:href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r'(<svg\b[^>]*?)\swidth="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg\b[^>]*?)\sheight="[^"]*"', r"\1", text, count=1)
    return re.sub(r"\n\s*", "\n", text)

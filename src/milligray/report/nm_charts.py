"""Charts of the nuclear-medicine report: time-activity curves, methods, parts of an exam."""

# ruff: noqa: PLC0415 - matplotlib is loaded only when a report is drawn

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milligray.report.charts import BAR, INK, MUTED, PALETTE, plain_axes, shorten, svg
from milligray.typing import FloatArray

_COLUMNS = 3
MAX_CURVES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityCurve:
    """Activity of one region: images, and the curve that was integrated; hours and MBq."""

    label: str
    times_h: FloatArray
    activity_mbq: FloatArray
    curve_times_h: FloatArray
    curve_mbq: FloatArray


def time_activity_chart(curves: Sequence[ActivityCurve]) -> str:
    """Draw time-activity curves in small panels (at most 12, the rest is left out).

    Parameters
    ----------
    curves : sequence of ActivityCurve
        In the order of the panels.

    Returns
    -------
    str
        SVG element.
    """
    from matplotlib.figure import Figure

    shown = curves[:MAX_CURVES]
    n_columns = min(_COLUMNS, len(shown))
    n_rows = -(-len(shown) // n_columns)
    figure = Figure(figsize=(7.4, 0.35 + 1.75 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True)
    for ax in axes.flat[len(shown) :]:
        ax.set_visible(False)
    for ax in axes.flat[max(0, len(shown) - n_columns) : len(shown)]:
        ax.tick_params(
            labelbottom=True
        )  # the lowest of each column, also in a row that is not full
    for ax, curve in zip(axes.flat, shown, strict=False):
        ax.plot(curve.curve_times_h, curve.curve_mbq, color=BAR, lw=1.4, zorder=2)
        ax.plot(curve.times_h, curve.activity_mbq, "o", color=PALETTE[1], ms=4, zorder=3)
        top = max(_highest(curve.curve_mbq), _highest(curve.activity_mbq))
        ax.set_ylim(0.0, 1.12 * top if top > 0 else 1.0)
        ax.set_xlim(left=0.0)
        ax.set_title(shorten(curve.label), fontsize=8.5, color=INK, pad=4, loc="left")
        plain_axes(ax, grid="y")
    figure.supxlabel("time after administration [h]", fontsize=8.5, color=INK)
    figure.supylabel("activity [MBq]", fontsize=8.5, color=INK)
    return svg(figure, "activity")


def methods_chart(organs: Sequence[str], ratios: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Draw the doses of other methods over the reported ones, organ by organ.

    Parameters
    ----------
    organs : sequence of str
    ratios : sequence of (method, ratio of each organ)
        NaN where a method has no dose.

    Returns
    -------
    str
        SVG element.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 0.9 + 0.185 * len(organs)), layout="constrained")
    ax = figure.subplots()
    rows = np.arange(len(organs))
    ax.axvline(1.0, color=MUTED, lw=1.0, zorder=1)
    for n, (method, values) in enumerate(ratios):
        color = PALETTE[n % len(PALETTE)]
        ax.plot(values, rows, "osD^v"[n % 5], color=color, ms=4.5, label=method, zorder=2)
    ax.set_yticks(rows, [shorten(name) for name in organs])
    ax.set_ylim(len(organs) - 0.4, -0.6)
    ax.set_xlabel("mean dose / reported mean dose")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    plain_axes(ax, grid="both")
    ax.tick_params(axis="y", length=0)
    return svg(figure, "methods")


def parts_chart(organs: Sequence[str], nuclear: Sequence[float], ct: Sequence[float]) -> str:
    """Draw the two parts of an exam's dose on top of each other as horizontal bars.

    Parameters
    ----------
    organs : sequence of str
    nuclear, ct : sequence of float [mGy]
        Dose of each organ by the radiopharmaceutical and by the CT.

    Returns
    -------
    str
        SVG element.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 0.9 + 0.185 * len(organs)), layout="constrained")
    ax = figure.subplots()
    rows = np.arange(len(organs))
    ax.barh(rows, nuclear, height=0.66, color=BAR, label="radiopharmaceutical", zorder=2)
    ax.barh(rows, ct, left=nuclear, height=0.66, color=PALETTE[4], label="CT", zorder=2)
    ax.set_yticks(rows, [shorten(name) for name in organs])
    ax.set_ylim(len(organs) - 0.4, -0.6)
    ax.set_xlabel("mean absorbed dose [mGy]")
    ax.legend(loc="lower right", frameon=False, fontsize=8)
    plain_axes(ax, grid="x")
    ax.tick_params(axis="y", length=0)
    return svg(figure, "parts")


def _highest(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else 0.0

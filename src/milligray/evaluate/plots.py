"""Figures of the evaluation, one function each; matplotlib without a screen."""

# ruff: noqa: PLC0415 - matplotlib is loaded only when something is drawn

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from milligray.evaluate.agreement import BlandAltman
from milligray.evaluate.coverage import Coverage
from milligray.evaluate.pairs import ValuePairs
from milligray.evaluate.plot_style import INK, MARKERS, MUTED, PALETTE, plain, words
from milligray.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def organ_bar_chart(
    organs: Sequence[str],
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    predicted_sigma: npt.ArrayLike | None = None,
    reference_sigma: npt.ArrayLike | None = None,
    unit: str = "mGy",
    labels: tuple[str, str] = ("reference", "predicted"),
) -> "Figure":
    """Organ doses predicted beside reference, sorted by the reference, with bars of k = 2.

    Parameters
    ----------
    organs : sequence of str
    predicted, reference : array_like, shape (n,)
        NaN leaves a bar out.
    predicted_sigma, reference_sigma : array_like, shape (n,), optional
        Standard uncertainties (k = 1), doubled for the bars.
    unit : str
    labels : (str, str)
        Of reference and prediction.
    """
    from matplotlib.figure import Figure

    p, r = np.asarray(predicted, dtype=float), np.asarray(reference, dtype=float)
    order = np.argsort(-np.nan_to_num(r, nan=-1.0), kind="stable")
    rows = np.arange(order.size)
    figure = Figure(figsize=(7.4, 1.1 + 0.26 * order.size), layout="constrained")
    ax = figure.subplots()
    for k, (values, sigma, color) in enumerate(
        ((r, reference_sigma, PALETTE[0]), (p, predicted_sigma, PALETTE[1]))
    ):
        place = rows + (k - 0.5) * 0.38
        ax.barh(place, values[order], height=0.36, color=color, label=labels[k], zorder=2)
        if sigma is not None:
            half = 2.0 * np.nan_to_num(np.asarray(sigma, dtype=float))[order]
            reach = np.stack([np.minimum(half, np.nan_to_num(values[order])), half])
            ax.errorbar(
                values[order], place, xerr=reach, fmt="none",
                ecolor=INK, elinewidth=0.9, capsize=1.8, zorder=3,
            )  # fmt: skip
    ax.set_yticks(rows, [words(organs[i]) for i in order])
    ax.set_ylim(order.size - 0.4, -0.6)
    ax.set_xlim(left=0.0)
    bars = ", bars: k = 2" if predicted_sigma is not None or reference_sigma is not None else ""
    ax.set_xlabel(f"mean absorbed dose [{unit}]{bars}")
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    plain(ax, grid="x")
    ax.tick_params(axis="y", length=0)
    return figure


def scatter_plot(
    pairs: ValuePairs, *, unit: str = "mGy", most_organs: int = 8, title: str = ""
) -> "Figure":
    """Predicted against reference values with the line of equality and +- 10 %.

    Organs beyond the `most_organs` with the most values share one gray mark.
    """
    from matplotlib.figure import Figure

    pairs = pairs.complete()
    figure = Figure(figsize=(6.6, 4.5), layout="constrained")
    ax = figure.subplots()
    names = list(pairs.organ_names)
    counts = {name: int(np.sum(pairs.organs == name)) for name in names}
    shown = sorted(names, key=lambda name: -counts[name])[:most_organs]
    if len(names) > most_organs:
        rest = ~np.isin(pairs.organs, shown)
        ax.plot(
            pairs.reference[rest], pairs.predicted[rest], "o", ms=3.5, color="#b8c0c8",
            label=f"{len(names) - most_organs} others",
        )  # fmt: skip
    for n, name in enumerate(shown):
        rows = pairs.organs == name
        ax.plot(
            pairs.reference[rows], pairs.predicted[rows], MARKERS[n % len(MARKERS)], ms=5,
            color=PALETTE[n % len(PALETTE)], mec="white", mew=0.5, label=words(name) or None,
        )  # fmt: skip
    top = 1.06 * float(max(pairs.reference.max(), pairs.predicted.max()))
    low = min(0.0, 1.06 * float(min(pairs.reference.min(), pairs.predicted.min())))
    _equality(ax, low, top)
    ax.set(xlim=(low, top), ylim=(low, top), aspect="equal", title=title)
    ax.set_xlabel(f"reference [{unit}]")
    ax.set_ylabel(f"predicted [{unit}]")
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    plain(ax, grid="both")
    return figure


def joint_histogram_plot(counts: FloatArray, edges: FloatArray, *, unit: str = "mGy") -> "Figure":
    """Predicted against reference values as counts (logarithmic color), e.g. of voxels.

    Parameters
    ----------
    counts, edges
        From `milligray.evaluate.agreement.joint_histogram`.
    unit : str
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.5), layout="constrained")
    ax = figure.subplots()
    shown = np.ma.masked_less(counts.T, 1.0)
    mesh = ax.pcolormesh(
        edges, edges, shown, cmap="viridis", norm=LogNorm(1.0, max(2.0, counts.max())),
        rasterized=True, zorder=2,
    )  # fmt: skip
    _equality(ax, float(edges[0]), float(edges[-1]))
    ax.set(xlim=(edges[0], edges[-1]), ylim=(edges[0], edges[-1]), aspect="equal")
    ax.set_xlabel(f"reference [{unit}]")
    ax.set_ylabel(f"predicted [{unit}]")
    bar = figure.colorbar(mesh, ax=ax, shrink=0.9)
    bar.set_label("number of values", size=9, color=INK)
    bar.ax.tick_params(labelsize=8)
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    plain(ax, grid="both")
    return figure


def bland_altman_plot(
    found: BlandAltman,
    *,
    unit: str = "mGy",
    organs: npt.NDArray[np.str_] | None = None,
    against: Literal["mean", "reference"] = "mean",
) -> "Figure":
    """Differences with bias, limits of agreement and their 95 % intervals.

    Parameters
    ----------
    found : BlandAltman
    unit : str
        Of the values.
    organs : ndarray of str, shape (n,), optional
        Colors the points when there are at most eight.
    against : {"mean", "reference"}
        As given to `milligray.evaluate.agreement.bland_altman`.
    """
    from matplotlib.figure import Figure

    scale = 100.0 if found.is_relative else 1.0
    figure = Figure(figsize=(7.4, 4.0), layout="constrained")
    ax = figure.subplots()
    names = list(dict.fromkeys(organs.tolist())) if organs is not None else []
    if organs is not None and 1 < len(names) <= len(PALETTE):
        for n, name in enumerate(names):
            rows = organs == name
            ax.plot(
                found.location[rows], scale * found.difference[rows], MARKERS[n], ms=4.5,
                color=PALETTE[n], mec="white", mew=0.5, label=words(name), zorder=3,
            )  # fmt: skip
        figure.legend(frameon=False, fontsize=8, loc="outside right upper")
    else:
        ax.plot(
            found.location, scale * found.difference, "o", ms=4, color=PALETTE[0], alpha=0.6,
            mec="none", zorder=3,
        )  # fmt: skip
    sign = "%" if found.is_relative else unit
    for value, (low, high), style, word in (
        (found.bias, found.bias_interval, "-", "bias"),
        (found.upper_limit, found.upper_interval, "--", "+1.96 s"),
        (found.lower_limit, found.lower_interval, "--", "-1.96 s"),
    ):
        ax.axhline(scale * value, color=INK, ls=style, lw=1.1, zorder=2)
        if np.isfinite(low) and np.isfinite(high):
            ax.axhspan(scale * low, scale * high, color="#e3e8ed", zorder=0)
        ax.annotate(
            f"{word}  {scale * value:+.2f} {sign}", (1.0, scale * value),
            xycoords=("axes fraction", "data"), xytext=(-4, 3), textcoords="offset points",
            ha="right", fontsize=8, color=INK, zorder=4,
            bbox={"fc": "white", "ec": "none", "alpha": 0.75, "pad": 1.0},
        )  # fmt: skip
    ax.axhline(0.0, color=MUTED, lw=0.7, zorder=1)
    ax.margins(x=0.12, y=0.12)
    where = "mean of predicted and reference" if against == "mean" else "reference"
    ax.set_xlabel(f"{where} [{unit}]")
    over = f" relative to {against if against == 'reference' else 'the mean'}"
    ax.set_ylabel(f"predicted - reference{over if found.is_relative else ''} [{sign}]")
    plain(ax, grid="y")
    return figure


def calibration_plot(
    curves: Mapping[str, tuple[FloatArray, Sequence[Coverage]]],
) -> "Figure":
    """Observed against nominal coverage with Wilson intervals; the diagonal is honest.

    Parameters
    ----------
    curves : mapping of label to (levels, coverages)
        From `milligray.evaluate.coverage.calibration_curve`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 4.6), layout="constrained")
    ax = figure.subplots()
    ax.plot([0, 100], [0, 100], color=MUTED, lw=1.0, ls="--", zorder=1)
    for n, (label, (levels, observed)) in enumerate(curves.items()):
        color = PALETTE[n % len(PALETTE)]
        x = 100.0 * np.asarray(levels)
        ax.fill_between(
            x, [100 * c.low for c in observed], [100 * c.high for c in observed],
            color=color, alpha=0.18, lw=0, zorder=2,
        )  # fmt: skip
        count = observed[0].n if observed else 0
        ax.plot(
            x, [100 * c.share for c in observed], marker=MARKERS[n % len(MARKERS)], ms=4,
            lw=1.4, color=color, label=f"{label} (n = {count})", zorder=3,
        )  # fmt: skip
    ax.text(4, 93, "too cautious", fontsize=8.5, color=MUTED)
    ax.text(96, 4, "too confident", fontsize=8.5, color=MUTED, ha="right")
    ax.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    ax.set_xlabel("nominal coverage [%]")
    ax.set_ylabel("observed coverage [%]")
    ax.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 0.08))
    plain(ax, grid="both")
    return figure


def _equality(ax: "Axes", low: float, high: float) -> None:
    line = np.array([low, high])
    ax.plot(line, line, color=INK, lw=1.0, zorder=2.5, label="equal")
    for n, factor in enumerate((0.9, 1.1)):
        label = "± 10 %" if n == 0 else None
        ax.plot(line, factor * line, color=MUTED, lw=0.9, ls=":", zorder=2.5, label=label)

"""Box plots of repeated trainings by organ and system."""

# ruff: noqa: PLC0415 - matplotlib is loaded only when something is drawn

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from milligray.evaluate.plot_style import INK, PALETTE, plain, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def repeat_box_plot(
    systems: Mapping[str, Mapping[str, npt.ArrayLike]], label: str, *, is_fraction: bool = False
) -> "Figure":
    """Boxes of a measure over repeated trainings (or patients), by organ and system.

    Parameters
    ----------
    systems : mapping of system to mapping of organ to array_like
        Values of one box each. Box: quartiles and median; whiskers: 1.5 times the box or the
        extreme value; circles: beyond.
    label : str
        Of the axis, with unit.
    is_fraction : bool
        Show in percent.
    """
    from matplotlib.figure import Figure

    organs = list(dict.fromkeys(o for of_organ in systems.values() for o in of_organ))
    n = len(systems)
    width = 0.8 / n
    figure = Figure(
        figsize=(max(5.0, 1.6 + 0.34 * len(organs) * (0.6 + 0.4 * n)), 4.0), layout="constrained"
    )
    ax = figure.subplots()
    for s, (system, of_organ) in enumerate(systems.items()):
        color = PALETTE[s % len(PALETTE)]
        present = [i for i, organ in enumerate(organs) if organ in of_organ]
        values = [np.asarray(of_organ[organs[i]], dtype=float) for i in present]
        values = [(100.0 if is_fraction else 1.0) * v[np.isfinite(v)] for v in values]
        drawn = ax.boxplot(
            values, positions=[i + (s - 0.5 * (n - 1)) * width for i in present],
            widths=0.82 * width, patch_artist=True, manage_ticks=False, zorder=3,
            medianprops={"color": INK, "lw": 1.3}, whiskerprops={"color": color},
            capprops={"color": color}, boxprops={"facecolor": color, "edgecolor": color},
            flierprops={"marker": "o", "ms": 3, "mec": color, "mfc": "none"},
        )  # fmt: skip
        for box in drawn["boxes"]:
            box.set_alpha(0.75)
        ax.plot([], [], "s", ms=8, color=color, alpha=0.75, label=system)
    ax.set_xticks(range(len(organs)), [words(o) for o in organs], rotation=40, ha="right")
    ax.set_xlim(-0.6, len(organs) - 0.4)
    ax.set_ylabel(label)
    if n > 1:
        ax.legend(frameon=False, fontsize=8, ncols=n, loc="lower left", bbox_to_anchor=(0, 1))
    plain(ax, grid="y")
    return figure

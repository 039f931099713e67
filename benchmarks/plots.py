"""Plots of the results."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STAGES = ("read", "patient", "organs", "calibration", "transport", "score", "report")
COLORS = ("#4e79a7", "#76b7b2", "#59a14f", "#edc948", "#e15759", "#b07aa1", "#9c755f")
PARTS = {"emission": "#76b7b2", "march": "#4e79a7", "interaction": "#e15759", "tally": "#edc948"}
LIMIT_GB, AIM_GB = 8.0, 3.0


def draw(results: dict[str, dict[str, Any]], folder: Path) -> None:
    """Draw what was measured."""
    makers = {"large": _large, "hotspots": _hotspots, "peers": _peers, "speed": _speed}
    for name, make in makers.items():
        if name in results and "skipped" not in results[name]:
            figure = make(results[name])
            figure.savefig(folder / f"{name}.png", dpi=110)


def _figure(width: float, n: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, 3.3), layout="constrained")
    axes = figure.subplots(1, n, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    return figure, list(axes)


def _large(found: dict[str, Any]) -> Figure:
    figure, (left, middle, right) = _figure(11.0, 3)
    rows = [r for r in found["rows"] if r["voxel_mm"] == 3.0 and r["organs"] == "tissues"]
    slices = [r["slices"] for r in rows]
    bottom = np.zeros(len(rows))
    width = 0.6 * min(np.diff(slices), default=50)
    for stage, color in zip(STAGES, COLORS, strict=True):
        if stage == "calibration":  # once per beam, then from the cache
            continue
        height = np.array([r["seconds"].get(stage, 0.0) for r in rows])
        left.bar(slices, height, width, bottom=bottom, color=color, label=stage)
        bottom += height
    left.set(xlabel="slices of 512 x 512", ylabel="seconds", title="Time, 3 mm, 1 M histories")
    left.legend(fontsize=7, frameon=False)
    gb = 1e-3 * np.array([[r["measured_peak_mb"], r["estimated_peak_mb"]] for r in rows])
    middle.plot(slices, gb[:, 0], "o-", color="#e15759", label="measured")
    middle.plot(slices, gb[:, 1], "s--", color="#4e79a7", label="estimated beforehand")
    middle.axhline(AIM_GB, color="gray", lw=0.8, ls=":")
    middle.annotate("aim", (slices[0], AIM_GB), fontsize=7, color="gray", va="bottom")
    middle.set(xlabel="slices of 512 x 512", ylabel="GB", title="Peak memory, 3 mm")
    middle.set_ylim(0, 1.1 * AIM_GB)
    middle.legend(fontsize=7, frameon=False)
    one = max((r for r in found["rows"] if r["voxel_mm"] != 3.0), key=lambda r: r["slices"])
    same = [r for r in found["rows"] if r["slices"] == one["slices"] and r["organs"] == "tissues"]
    same.sort(key=lambda r: r["voxel_mm"])
    x = np.arange(len(same))
    for offset, key, color in ((-0.2, "measured_mb", "#e15759"), (0.2, "estimated_mb", "#4e79a7")):
        peaks = [1e-3 * max(r[key].values()) for r in same]
        right.bar(x + offset, peaks, 0.36, color=color, label=key.split("_", maxsplit=1)[0])
    right.set_xticks(
        x, [f"{r['voxel_mm']:g} mm\n{r['transport_voxels'] / 1e6:.1f} M" for r in same]
    )
    right.set(ylabel="GB", title=f"Peak memory, {one['slices']} slices, by voxel size")
    right.legend(fontsize=7, frameon=False)
    return figure


def _hotspots(found: dict[str, Any]) -> Figure:
    figure, (ax,) = _figure(7.5, 1)
    names = [k["problem"] for k in found["kernel"]]
    left = np.zeros(len(names))
    for part, color in PARTS.items():
        width = np.array([k["ns"][part] for k in found["kernel"]])
        ax.barh(names, width, left=left, color=color, label=part, height=0.55)
        left += width
    ax.set(xlabel="ns per history, track-length estimator, one thread")
    ax.legend(fontsize=8, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _peers(found: dict[str, Any]) -> Figure:
    figure, (left, right) = _figure(9.0, 2)
    reference = np.array(found["depth_kev"]["milligray, track-length"])
    depth = 0.5 * (np.arange(reference.size) + 0.5)
    for (code, energy), color in zip(found["depth_kev"].items(), COLORS[::2], strict=False):
        left.plot(depth, energy, color=color, lw=1.2, label=code)
        right.plot(depth, 100 * (np.array(energy) / reference - 1), color=color, lw=1.0)
    left.set(xlabel="depth [cm]", ylabel="keV per history and 5 mm", title="Energy by depth")
    left.set_yscale("log")
    left.legend(fontsize=7, frameon=False)
    right.set(xlabel="depth [cm]", ylabel="%", title="relative to milligray, track-length")
    right.set_ylim(-4, 4)
    right.grid(alpha=0.3)
    return figure


def _speed(found: dict[str, Any]) -> Figure:
    figure, (left, right) = _figure(10.0, 2)
    names = [p["problem"] for p in found["problems"]]
    estimators = list(found["problems"][0]["estimators"])
    y = np.arange(len(names))[::-1]
    step = 0.8 / len(estimators)
    for i, estimator in enumerate(estimators):
        rows = [p["estimators"][estimator] for p in found["problems"]]
        place = y + 0.4 - (i + 0.5) * step
        left.barh(place, [r["mh_s"] for r in rows], step, color=COLORS[2 * i], label=estimator)
        right.barh(place, [r["voxel_merit"] for r in rows], step, color=COLORS[2 * i])
    left.set_yticks(y, names)
    right.set_yticks(y, [""] * len(names))
    right.set_xscale("log")
    left.set(xlabel="million histories per core-second")
    right.set(xlabel="voxel figure of merit 1/(sigma² T) [1/s per core]")
    left.legend(fontsize=7, frameon=False)
    return figure

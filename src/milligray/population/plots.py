"""Pictures of a population: organ volumes, diameters, fat."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from milligray.population.tables import TABLE_FILE

PLOT_FILE = "population.png"
SHOWN = ("liver", "spleen", "kidney_left", "kidney_right", "pancreas", "stomach", "urinary_bladder",
         "brain", "thyroid_gland", "parotid_gland_left", "mandible", "esophagus")  # fmt: skip
COLORS = {"male": "#3567a8", "female": "#b5486b"}


def draw_population(out: Path) -> Path:
    """Draw ``population.png`` from ``population.csv``.

    Parameters
    ----------
    out : Path
        Folder of a population.

    Returns
    -------
    Path
        Of the picture: weight against height, effective diameters by level, fat share against
        BMI, and organ volumes by sex.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - loaded only to draw

    with (out / TABLE_FILE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(13, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    for sex, color in COLORS.items():
        chosen = [r for r in rows if r["sex"] == sex]
        if not chosen:
            continue
        label = f"{sex} ({len(chosen)})"
        height, weight = _column(chosen, "height_mm") / 10.0, _column(chosen, "weight_kg")
        axes[0, 0].plot(height, weight, ".", color=color, label=label)
        axes[0, 1].plot(
            _column(chosen, "bmi"), 100 * _column(chosen, "fat_share"), ".", color=color
        )
    axes[0, 0].set(xlabel="height [cm]", ylabel="weight [kg]", title="Size")
    axes[0, 0].legend()
    axes[0, 1].set(xlabel="BMI [kg/m2]", ylabel="fat [% of mass]", title="Fat")
    levels = [n for n in rows[0] if n.startswith("effective_diameter_")]
    names = [n.removeprefix("effective_diameter_").removesuffix("_mm") for n in levels]
    _boxes(axes[1, 0], rows, levels, names)
    axes[1, 0].set(ylabel="effective diameter [mm]", title="Diameter by level")
    organs = [o for o in SHOWN if f"volume_{o}_ml" in rows[0]]
    _boxes(axes[1, 1], rows, [f"volume_{o}_ml" for o in organs], organs)
    axes[1, 1].set(ylabel="volume [mL]", yscale="log", title="Organ volumes")
    path = out / PLOT_FILE
    partial = path.with_name(f".{path.name}.partial")
    figure.savefig(partial, format="png", dpi=110)
    partial.rename(path)
    return path


def _boxes(axis: Any, rows: list[dict[str, str]], columns: list[str], names: list[str]) -> None:  # noqa: ANN401 - untyped package
    for shift, (sex, color) in zip((-0.2, 0.2), COLORS.items(), strict=True):
        chosen = [r for r in rows if r["sex"] == sex]
        data = [_column(chosen, c) for c in columns]
        data = [d[np.isfinite(d)] for d in data]
        if not any(d.size for d in data):
            continue
        at = np.arange(len(columns)) + shift
        axis.boxplot(
            data, positions=at, widths=0.32, patch_artist=True, manage_ticks=False,
            boxprops={"facecolor": color, "alpha": 0.6}, medianprops={"color": "black"},
            flierprops={"markersize": 2},
        )  # fmt: skip
    axis.set_xticks(np.arange(len(columns)), names, rotation=40, ha="right", fontsize=8)


def _column(rows: list[dict[str, str]], name: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([float(r[name]) if r.get(name) else np.nan for r in rows], dtype=np.float64)

"""Picture of the study of the published slice arrays: errors and organ doses as bars."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milligray.train.slice_mlp.study_page import Judged, organ_rows

LARGEST = 22.0
"""End of the axis of errors [%]; larger ones stand as numbers."""


def draw(judged: Sequence[Judged], names: tuple[str, ...], path: Path) -> None:
    """Bars: errors by organ and model; organ doses of one patient of each region."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(13, 11), layout="constrained")
    top, *bottom = figure.subplot_mosaic([["e", "e"], ["c", "a"]]).values()
    rows = organ_rows(judged, names)
    width = 0.8 / len(names)
    places = np.arange(len(rows))
    for m, name in enumerate(names):
        at = places + (m - 0.5 * (len(names) - 1)) * width
        top.bar(at, [row[name] for row in rows], width, label=name, color=f"C{m}")
    for m, name in enumerate(names):
        for place, row in enumerate(rows):
            if row[name] > LARGEST:
                top.text(place + (m - 0.5 * (len(names) - 1)) * width, LARGEST, f"{row[name]:.0f}",
                         ha="center", va="top", rotation=90, fontsize=8, color="white")  # fmt: skip
    known = [i for i, row in enumerate(rows) if row["published"] != ""]
    top.scatter(known, [rows[i]["published"] for i in known], marker="D", color="black", zorder=3,
                s=22, label="published (abstract)")  # fmt: skip
    top.axhline(5.0, color="black", linewidth=0.7, linestyle=":")
    top.set_ylabel("median error of the organ dose [%]")
    top.set_ylim(0, LARGEST)
    top.set_xlim(-0.6, len(rows) - 0.4)
    top.set_xticks(places, [_short(row["organ"]) for row in rows], rotation=60, ha="right")
    top.legend(ncols=6, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    top.grid(axis="y", alpha=0.3)
    for panel, one in zip(bottom, judged, strict=True):
        _draw_patient(panel, one, names)
    figure.savefig(path, dpi=100)


def _draw_patient(panel: Any, one: Judged, names: tuple[str, ...]) -> None:  # noqa: ANN401
    """Organ doses of the patient whose error by the last model is the median one."""
    best = names[-1]
    errors = one.errors(best)
    people = np.unique(errors.patient)
    size = [np.abs(errors.error[errors.patient == p]).mean() for p in people]
    patient = people[int(np.argsort(size)[len(size) // 2])]
    r = one.rows
    organs = np.unique(r.organ[r.patient == patient])
    shown = ["Monte Carlo", *dict.fromkeys((names[0], best))]
    for m, name in enumerate(shown):
        dose = r.dose_mgy if m == 0 else one.doses[name]
        means = [dose[(r.patient == patient) & (r.organ == j)].mean() for j in organs]
        panel.bar(np.arange(len(organs)) + (m - 1) * 0.27, means, 0.27, label=name,
                  color="0.3" if m == 0 else f"C{names.index(name)}")  # fmt: skip
    panel.set_xticks(range(len(organs)), [_short(r.organ_names[j]) for j in organs], rotation=60,
                     ha="right", fontsize=8)  # fmt: skip
    panel.set_ylabel("organ dose [mGy]")
    panel.set_title(f"{one.region}: patient {patient}, whose error is the median", fontsize=10)
    panel.set_ylim(0, 1.2 * panel.get_ylim()[1])
    panel.legend(fontsize=8, ncols=3, loc="upper center")


def _short(organ: str) -> str:
    return organ.replace("_", " ").replace("heart ", "").replace("lung ", "lung, ", 1)

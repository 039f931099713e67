"""Picture of the study of the networks: organ doses of one patient as bars."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from milligray.train.network_rows import OrganRow


def draw_patient(rows: Sequence[OrganRow], path: Path) -> None:
    """Organ doses of one scan by Monte Carlo and by networks made for it, k = 2 as whiskers."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = [row for row in rows if row.is_made_for] or rows
    organs = sorted({row.organ for row in rows}, key=lambda o: -_first(rows, o).truth)
    names = list(dict.fromkeys(row.network for row in rows))
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    panel = figure.subplots()
    width = 0.85 / (len(names) + 1)
    places = np.arange(len(organs))
    truth = [_first(rows, organ) for organ in organs]
    panel.bar(
        places - 0.5 * len(names) * width, [row.truth for row in truth], width, color="black",
        yerr=[2.0 * row.truth_sigma for row in truth], label="Monte Carlo", ecolor="gray",
    )  # fmt: skip
    for m, name in enumerate(names):
        mine = {row.organ: row for row in rows if row.network == name}
        panel.bar(
            places + (m + 1 - 0.5 * len(names)) * width, [mine[o].dose for o in organs], width,
            yerr=[2.0 * mine[o].sigma for o in organs], label=name, color=f"C{m}", capsize=2,
            error_kw={"elinewidth": 0.8},
        )  # fmt: skip
    panel.set_xticks(places, [organ.replace("_", " ") for organ in organs], rotation=20, ha="right")
    panel.set_ylabel("organ dose [mGy], whiskers k = 2")
    panel.set_title(f"sample {rows[0].sample}", fontsize=9)
    panel.legend(fontsize=8, ncols=2)
    panel.grid(axis="y", alpha=0.3)
    partial = path.with_name(f".{path.name}.partial")
    figure.savefig(partial, dpi=110, format="png")
    partial.replace(path)


def _first(rows: Sequence[OrganRow], organ: str) -> OrganRow:
    return next(row for row in rows if row.organ == organ)

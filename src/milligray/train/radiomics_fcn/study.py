"""Radiomics network and its comparators: twenty random splits by patient, as published."""

import csv
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milligray.errors import InputError
from milligray.evaluate.errors_of_values import (
    coefficient_of_determination,
    mean_relative_absolute_error,
    relative_root_mean_squared_error,
)
from milligray.train.radiomics_fcn.organ_models import MODELS, OrganModel
from milligray.train.radiomics_fcn.organ_table import OrganTable, read_organ_table
from milligray.typing import BoolArray, FloatArray

SPLITS, TEST_SHARE = 20, 0.2
CNN = "resnet"
CNN_EPOCHS = 25
SLOW, SLOW_SPLITS = (CNN, "fcn-patient", "fcn-geometry", "organ-network+"), 5
"""Models that take minutes, and how many of the splits they get."""
TABLE, PICTURE, PAGE = "radiomics_fcn.csv", "radiomics_fcn.png", "tables.md"
ALL_ORGANS = "all organs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Errors of a model for an organ in a split; relative errors as fractions.

    Parameters
    ----------
    model, organ : str
    split : int
    patients : int
        Of the test.
    mape, rrmse, r2 : float
    """

    model: str
    organ: str
    split: int
    patients: int
    mape: float
    rrmse: float
    r2: float


def run(data: tuple[Path, ...], out: Path, options: Mapping[str, str]) -> None:
    """Compare all models on random splits of patients and write table, page and picture.

    Parameters
    ----------
    data : tuple of Path
        Sets of organ features. The first is judged; further sets (of the same patients, other
        protocols) only add training rows, to the models named ``*+``.
    out : Path
    options : mapping
        ``splits`` (20), ``models`` (names with commas; default all, and the CNN), ``slow_splits``
        (5, of `SLOW`), ``cnn_epochs`` (25).

    Notes
    -----
    Splits are 8:2 by patient over all patients, drawn once from a fixed seed; every model sees the
    same. Choice of features, scaling and fitting happen on training patients only. Models that
    stand in the table already (of a run that was stopped) are not run again.
    """
    if not data:
        raise InputError("a study needs sets: --data DIR")
    names = options.get("models", ",".join([*(m.name for m in MODELS), CNN])).split(",")
    known = {m.name: m for m in MODELS}
    unknown = [name for name in names if name.removesuffix("+") not in (*known, CNN)]
    if unknown:
        raise InputError(f"no models {', '.join(unknown)}; there are {', '.join([*known, CNN])}")
    table = read_organ_table(data)
    judged = table.set_index == 0
    splits = random_splits(np.unique(table.patients[judged]), int(options.get("splits", SPLITS)))
    rows = read_rows(out / TABLE) if (out / TABLE).exists() else []
    done = {row.model for row in rows}
    seconds: dict[str, float] = {}
    for name in names:
        if name in done:
            continue
        started = time.process_time()
        some = splits[: int(options.get("slow_splits", SLOW_SPLITS))] if name in SLOW else splits
        if name == CNN:
            epochs = int(options.get("cnn_epochs", CNN_EPOCHS))
            rows += _cnn_rows(data[0], table.take(judged), some, epochs)
        else:
            more = name.endswith("+")
            rows += _model_rows(
                known[name.removesuffix("+")], name,
                table if more else table.take(judged), some,
            )  # fmt: skip
        seconds[name] = time.process_time() - started
        out.mkdir(parents=True, exist_ok=True)
        write_rows(rows, out / TABLE)
    (out / PAGE).write_text(page(rows, seconds), encoding="utf-8")
    draw(rows, out / PICTURE)


def random_splits(patients: Iterable[str], count: int, *, seed: int = 1) -> list[set[str]]:
    """Test patients of every split: a fifth of all, drawn at random."""
    names = np.array(sorted(patients))
    n = max(1, round(TEST_SHARE * len(names)))
    draws = np.random.default_rng(seed)
    return [set(draws.permutation(names)[:n].tolist()) for _ in range(count)]


def judge(model: str, split: int, table: OrganTable, dose_per_ctdi: FloatArray) -> list[Row]:
    """Errors by organ, and of all organs together."""
    found = []
    for organ in (*table.organ_names, ALL_ORGANS):
        rows = (table.organs == organ) | (organ == ALL_ORGANS)
        p, r = dose_per_ctdi[rows] * table.ctdi_vol_mgy[rows], table.dose_mgy[rows]
        found.append(
            Row(
                model=model, organ=organ, split=split, patients=len(set(table.patients[rows])),
                mape=mean_relative_absolute_error(p, r),
                rrmse=relative_root_mean_squared_error(p, r),
                r2=coefficient_of_determination(p, r),
            )
        )  # fmt: skip
    return found


def _model_rows(
    model: OrganModel, name: str, table: OrganTable, splits: list[set[str]]
) -> list[Row]:
    rows = []
    for number, patients in enumerate(splits):
        train, test = _parts(table, patients)
        new = table.take(test)
        rows += judge(name, number, new, model.model(table.take(train), new, number + 1))
    return rows


def _parts(table: OrganTable, patients: set[str]) -> tuple[BoolArray, BoolArray]:
    """Rows to train with (no scan of a test patient), and rows of the first set to judge."""
    unseen = np.isin(table.patients, sorted(patients))
    return ~unseen, unseen & (table.set_index == 0)


def _cnn_rows(path: Path, table: OrganTable, splits: list[set[str]], epochs: int) -> list[Row]:
    from milligray.train.radiomics_fcn.organ_cnn_fit import predict_by_images  # noqa: PLC0415 - needs torch
    from milligray.train.radiomics_fcn.organ_planes import planes_of_set  # noqa: PLC0415

    planes = planes_of_set(path, table, 0)
    rows = []
    for number, patients in enumerate(splits):
        train, test = _parts(table, patients)
        found = predict_by_images(
            table.take(train), planes[train], table.take(test), planes[test],
            epochs=epochs, seed=number + 1,
        )  # fmt: skip
        rows += judge(CNN, number, table.take(test), found)
    return rows


def write_rows(rows: list[Row], path: Path) -> None:
    """Write all errors; relative ones as fractions."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["model", "organ", "split", "patients", "mape", "rrmse", "r2"])
        for row in rows:
            writer.writerow([row.model, row.organ, row.split, row.patients,
                             *(f"{v:.5f}" for v in (row.mape, row.rrmse, row.r2))])  # fmt: skip
    partial.replace(path)


def read_rows(path: Path) -> list[Row]:
    """Read what `write_rows` wrote."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            Row(model=row["model"], organ=row["organ"], split=int(row["split"]),
                patients=int(row["patients"]),
                **{key: float(row[key]) for key in ("mape", "rrmse", "r2")})
            for row in csv.DictReader(stream)
        ]  # fmt: skip


def page(rows: list[Row], seconds: Mapping[str, float]) -> str:
    """Tables of medians over the splits."""
    models = list(dict.fromkeys(row.model for row in rows))
    organs = list(dict.fromkeys(row.organ for row in rows))
    lines = []
    for measure, title in (("mape", "MAPE, %"), ("rrmse", "RRMSE, %"), ("r2", "R2")):
        lines += [f"{title}: median over the splits", "", f"| model | {' | '.join(organs)} |",
                  "|---" * (len(organs) + 1) + "|"]  # fmt: skip
        for model in models:
            cells = []
            for organ in organs:
                values = [
                    getattr(r, measure) for r in rows if r.model == model and r.organ == organ
                ]
                median = float(np.nanmedian(values))
                cells.append(f"{median:.2f}" if measure == "r2" else f"{100 * median:.1f}")
            lines.append(f"| {model} | {' | '.join(cells)} |")
        lines.append("")
    lines += ["| model | splits | CPU seconds in all |", "|---|---|---|"]
    for model in models:
        count = len({r.split for r in rows if r.model == model})
        took = f"{seconds[model]:.0f}" if model in seconds else ""
        lines.append(f"| {model} | {count} | {took} |")
    return "\n".join(lines) + "\n"


def draw(rows: list[Row], path: Path) -> None:
    """Box plots over the splits, one group an organ."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    shown = ("size-current", "fcn-published", "fcn-current", CNN, "boosting-geometry",
             "organ-network", "organ-network+")  # fmt: skip
    models = [m for m in shown if any(r.model == m for r in rows)]
    organs = [o for o in dict.fromkeys(r.organ for r in rows) if o != ALL_ORGANS]
    figure = Figure(figsize=(11, 9), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(3, 1, sharex=True)
    width = 0.8 / max(len(models), 1)
    for panel, (measure, title, factor, limits) in zip(
        panels,
        (
            ("mape", "MAPE [%]", 100.0, (0.0, 25.0)),
            ("rrmse", "RRMSE [%]", 100.0, (0.0, 30.0)),
            ("r2", "R2", 1.0, (-0.5, 1.0)),
        ),
        strict=True,
    ):
        for m, model in enumerate(models):
            values = [
                [factor * getattr(r, measure) for r in rows if r.model == model and r.organ == o]
                for o in organs
            ]
            places = np.arange(len(organs)) + (m - 0.5 * (len(models) - 1)) * width
            panel.boxplot(
                values, positions=places, widths=0.85 * width, patch_artist=True,
                flierprops={"markersize": 2}, medianprops={"color": "black"},
                boxprops={"facecolor": f"C{m}", "linewidth": 0.6}, manage_ticks=False,
            )  # fmt: skip
            if measure == "mape":
                panel.plot([], [], color=f"C{m}", linewidth=6, label=model)
        panel.set_ylabel(title)
        panel.set_ylim(*limits)
        panel.grid(axis="y", alpha=0.3)
    panels[0].legend(ncols=4, fontsize=8, loc="upper center")
    panels[-1].set_xticks(range(len(organs)), [o.replace("_", " ") for o in organs])
    figure.savefig(path, dpi=110)

"""The slice-wise network on our own truth: patients it never saw, against its comparators."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from milligray.errors import InputError
from milligray.learn.network import open_network
from milligray.learn.shelf import find_network
from milligray.train.slice_mlp.organ_ridge import RidgeSettings, fit_organ_ridge
from milligray.train.slice_mlp.slice_network import PHYSICS, PRIOR
from milligray.train.slice_mlp.slice_sets import SliceSet, read_slice_sets
from milligray.typing import FloatArray

NETWORK = "slice-mlp-head-neck"
PAGE, TABLE, PICTURE = "slice_mlp_tables.md", "slice_mlp.csv", "slice_mlp.png"

Predict = Callable[[SliceSet, SliceSet], FloatArray]
"""(learning patients, others) -> dose over CTDIvol of the others' rows"""
PredictOrgan = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""(features, doses, features of others) -> doses of others"""


def run(data: tuple[Path, ...], out: Path, options: Mapping[str, str]) -> None:
    """Judge a finished network and comparators on the sets' test patients.

    Parameters
    ----------
    data : tuple of Path
        Of kind slice-features.
    out : Path
    options : mapping
        ``network`` (name or folder; slice-mlp-head-neck), ``mlp_steps`` (300) and ``mlp_batch``
        (256) of the published network.

    Notes
    -----
    Comparators are fitted to all learning patients of the sets, as the network was.
    """
    if not data:
        raise InputError("a study needs sets: --data DIR")
    table = read_slice_sets(data)
    learning, test = (table.take(m) for m in (table.split != "test", table.split == "test"))
    if not len(test):
        raise InputError("the sets hold no test patients")
    folder = find_network(options.get("network", NETWORK))
    steps, batch = int(options.get("mlp_steps", "300")), int(options.get("mlp_batch", "256"))
    models: dict[str, Predict] = {
        "rule": rule,
        "boosting": boosting,
        "published MLP": lambda a, b: published_mlp(a, b, steps, batch),
        "physics": physics,
        "network": lambda _, b: by_network(folder, b),
    }
    rows = []
    for name, predict in models.items():
        rows += judge(name, test, predict(learning, test))
    out.mkdir(parents=True, exist_ok=True)
    write_rows(rows, out / TABLE)
    count = len(set(test.patient))
    (out / PAGE).write_text(page(rows, len(set(learning.patient)), count), encoding="utf-8")
    draw(rows, out / PICTURE)


def rule(learning: SliceSet, other: SliceSet) -> FloatArray:
    """``log D = a log I - b d_w + c`` of each organ, least squares."""
    x = [
        np.column_stack([np.log(np.maximum(t.published[:, 2], 0.01)), t.published[:, 3] / 100.0])
        for t in (learning, other)
    ]
    return _ridge(learning, other, x, np.array([1.0, -0.5]), 1e-3)


def physics(learning: SliceSet, other: SliceSet) -> FloatArray:
    """Rule of physics in the network, alone."""
    prior = np.array([PRIOR.get(name, 0.0) for name in PHYSICS])
    x = [t.rows[:, : len(PHYSICS)] for t in (learning, other)]
    return _ridge(learning, other, x, prior, 10.0)


def _ridge(
    learning: SliceSet, other: SliceSet, x: list[FloatArray], prior: FloatArray, penalty: float
) -> FloatArray:
    patients = np.unique(learning.patient, return_inverse=True)[1]
    model = fit_organ_ridge(
        x[0], learning.organ, patients, learning.dose_per_ctdi, prior,
        RidgeSettings(organ_penalty=penalty, robust_scale=0.05), n_organs=len(learning.organ_names),
    )  # fmt: skip
    return np.asarray(np.exp(model.log_dose(x[1], other.organ)))


def boosting(learning: SliceSet, other: SliceSet) -> FloatArray:
    """Gradient boosting on the five published features, one model an organ."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 - heavy

    def one(x: FloatArray, y: FloatArray, new: FloatArray) -> FloatArray:
        model = HistGradientBoostingRegressor(random_state=0, early_stopping=False)
        return np.asarray(model.fit(x, y).predict(new))

    return _by_organ(learning, other, one)


def published_mlp(learning: SliceSet, other: SliceSet, steps: int, batch: int) -> FloatArray:
    """Network of the authors on their five features, one an organ."""
    import torch  # noqa: PLC0415 - heavy

    from milligray.train.modules.slice_mlp import (  # noqa: PLC0415 - needs torch
        SliceMlpConfig,
        fit_slice_mlp,
        predict_slice_mlp,
    )

    torch.set_num_threads(1)

    def one(x: FloatArray, y: FloatArray, new: FloatArray) -> FloatArray:
        mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
        typical = float(np.mean(y)) / 15.0  # doses of the size of the authors', in mGy
        network = fit_slice_mlp(
            SliceMlpConfig(steps=steps, batch_size=batch), (x - mean) / scale, y / typical
        )
        return typical * predict_slice_mlp(network, (new - mean) / scale)

    return _by_organ(learning, other, one)


def _by_organ(learning: SliceSet, other: SliceSet, one: PredictOrgan) -> FloatArray:
    found = np.zeros(len(other))
    for j in range(len(learning.organ_names)):
        mine, there = learning.organ == j, other.organ == j
        if there.any():
            found[there] = one(
                learning.published[mine], learning.dose_per_ctdi[mine], other.published[there]
            )
    return found


def by_network(folder: Path, table: SliceSet) -> FloatArray:
    """Doses by a finished network: its ONNX file, as predictions use it."""
    from milligray.learn.predictors.slice_mlp import slice_doses  # noqa: PLC0415

    network = open_network(folder)
    names = tuple(str(n) for n in network.card.normalization["organs"])
    if unknown := set(table.organ_names) - set(names):
        raise InputError(f"{network.card.name} does not know {', '.join(sorted(unknown))}")
    organ = np.array([names.index(table.organ_names[j]) for j in table.organ])
    found = slice_doses(network, table.rows, names, organ).dose_per_ctdi
    return np.asarray(np.exp(np.log(found).mean(axis=0)))


def judge(model: str, table: SliceSet, dose: FloatArray) -> list[dict[str, Any]]:
    """Errors of organ doses (mass-weighted) and of slices [%], by organ and of all."""
    _, organ, found = table.organ_dose(dose)
    _, _, truth = table.organ_dose(table.dose_per_ctdi)
    error, slices = 100 * (found / truth - 1), 100 * np.abs(dose / table.dose_per_ctdi - 1)
    rows: list[dict[str, Any]] = []
    for j, name in enumerate((*table.organ_names, "all organs")):
        of, mine = organ == j, table.organ == j
        if name == "all organs":
            of, mine = np.ones_like(of), np.ones_like(mine)
        rows.append({
            "model": model, "organ": name, "scans": int(of.sum()),
            "median": float(np.median(np.abs(error[of]))), "mape": float(np.abs(error[of]).mean()),
            "bias": float(error[of].mean()), "slices": float(np.median(slices[mine])),
        })  # fmt: skip
    return rows


def write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    """Write all errors [%]."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.2f}" if isinstance(v, float) else v for k, v in row.items()})
    partial.replace(path)


def page(rows: list[dict[str, Any]], learning: int, test: int) -> str:
    """Tables of errors by organ."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    lines = [f"{learning} patients to learn from, {test} to judge by. Errors in percent.", ""]
    for key, title in (
        ("median", "median error of the organ dose"), ("mape", "mean error of the organ dose"),
        ("slices", "median error of a slice"),
    ):  # fmt: skip
        lines += [f"| {title} | scans | {' | '.join(models)} |", "|---" * (2 + len(models)) + "|"]
        for row in rows:
            if row["model"] == models[0]:
                same = {r["model"]: r[key] for r in rows if r["organ"] == row["organ"]}
                cells = " | ".join(f"{same[m]:.1f}" for m in models)
                lines.append(f"| {row['organ']} | {row['scans']} | {cells} |")
        lines.append("")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Bars: mean error of the organ dose by organ and model."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    models = list(dict.fromkeys(row["model"] for row in rows))
    organs = list(dict.fromkeys(row["organ"] for row in rows))
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    panel = figure.subplots()
    width = 0.8 / len(models)
    for m, model in enumerate(models):
        values = [row["mape"] for row in rows if row["model"] == model]
        panel.bar(
            np.arange(len(organs)) + (m - 0.5 * (len(models) - 1)) * width, values, width,
            label=model,
        )  # fmt: skip
    panel.set_xticks(range(len(organs)), [o.replace("_", " ") for o in organs], rotation=25)
    panel.set_ylabel("mean error of the organ dose [%]")
    panel.legend(ncols=3)
    panel.grid(axis="y", alpha=0.3)
    figure.savefig(path, dpi=100)

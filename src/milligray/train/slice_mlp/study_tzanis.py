"""The slice-wise network on its authors' arrays, against trivial rules and against physics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.train.slice_mlp.slice_arrays import (
    REGIONS,
    SliceRows,
    grouped_folds,
    read_slice_arrays,
)
from milligray.train.slice_mlp.slice_models import (
    GROUPS,
    SliceTable,
    boosting_doses,
    build_slice_table,
    nested_doses,
    ridge_doses,
    rule_doses,
)
from milligray.train.slice_mlp.study_page import PICTURE, Judged, write_page
from milligray.train.slice_mlp.study_plots import draw
from milligray.typing import BoolArray, FloatArray

FOLDS = 5
RULE, BOOSTING, MLP = "rule", "boosting", "published MLP"
PHYSICS, OURS = "physics", "physics + boosting"
MODELS = (RULE, BOOSTING, MLP, PHYSICS, OURS)
ABLATION_PENALTY = 30.0
_BASE = GROUPS["base"]

Index = npt.NDArray[np.int64]
Predict = Callable[[SliceTable, BoolArray], FloatArray]
"""(table, rows to train with) -> doses of all rows"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the ablation: features added one after another to a ridge regression."""

    title: str
    groups: tuple[str, ...]
    upper_end_mm: Mapping[str, float]
    is_without_air: bool = False


_WHOLE: Mapping[str, float] = dict.fromkeys(REGIONS, 0.0)
_FOUND: Mapping[str, float] = {"chest": 40.0, "abdomen": 0.0}
STEPS = (
    Step(title="current and size around the slice, of the scan", groups=("base",),
         upper_end_mm=_WHOLE, is_without_air=True),
    Step(title="+ share of the voxels denser than air", groups=("base",), upper_end_mm=_WHOLE),
    Step(title="+ primary and scatter apart", groups=("base", "scatter"), upper_end_mm=_WHOLE),
    Step(title="+ chest: 40 mm at the top not irradiated", groups=("base", "scatter"),
         upper_end_mm=_FOUND),
    Step(title="+ more of size (neighboring slices, slope, extremes)",
         groups=("base", "scatter", "size"), upper_end_mm=_FOUND),
    Step(title="instead: more of HU (air at other limits)", groups=("base", "scatter", "air"),
         upper_end_mm=_FOUND),
    Step(title="+ place in organ and range", groups=("base", "scatter", "air", "organ", "range"),
         upper_end_mm=_FOUND),
)  # fmt: skip


def run(data: tuple[Path, ...], out: Path, options: Mapping[str, str]) -> None:
    """Cross-validate by patient; write tables, a CSV file and a picture.

    Parameters
    ----------
    data : tuple of Path
        One folder: ``chest.npz`` and ``abdomen.npz`` of the published arrays.
    out : Path
    options : mapping
        ``folds`` (5), ``models`` (names with commas; default all); of the published network
        ``mlp_steps`` (1000), ``mlp_batch`` (64), ``mlp_folds`` (all): patients of the other folds
        are left out of its figures.

    Notes
    -----
    Doses of every model that is done are kept in ``out/doses`` and not made again.
    """
    if len(data) != 1:
        raise InputError("this study needs one folder of arrays: --data DIR")
    folds = int(options.get("folds", FOLDS))
    names = [name.strip() for name in options.get("models", ",".join(MODELS)).split(",")]
    if unknown := set(names) - set(MODELS):
        raise InputError(f"no models {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    (out / "doses").mkdir(parents=True, exist_ok=True)
    judged = []
    for region in REGIONS:
        rows = read_slice_arrays(data[0], region)
        table = build_slice_table(rows)
        fold = grouped_folds(rows.person, folds)
        doses: dict[str, FloatArray] = {}
        choices: list[str] = []
        for i, (title, predict) in enumerate(_ladder(table, region)):
            kept = out / "doses" / f"{region}_step_{i}.npy"
            doses[title] = _kept(kept, rows, partial(_out_of_fold, table, fold, predict))
        wanted = [name for name in (RULE, BOOSTING) if name in names]
        for name in wanted:
            kept = out / "doses" / f"{region}_{name.replace(' ', '_')}.npy"
            doses[name] = _kept(kept, rows, partial(_simple, name, table, fold))
        if MLP in names:
            doses[MLP] = _mlp_by_fold(out / "doses", region, table, fold, options)
        if PHYSICS in names or OURS in names:
            kept = out / "doses" / f"{region}_physics.npz"
            both, choices = _nested(kept, table, fold)
            doses |= both
        judged.append(Judged(region=region, rows=rows, doses=doses, choices=tuple(choices)))
    write_page(judged, out, names=tuple(names), steps=(RULE, *_titles()), folds=folds)
    draw(judged, tuple(names), out / PICTURE)


def _titles() -> list[str]:
    return ["rule + mean current of the scan", *(step.title for step in STEPS)]


def _ladder(table: SliceTable, region: str) -> list[tuple[str, Predict]]:
    """Steps of the ablation that are no models of their own."""
    r = table.rows
    mean = np.column_stack(
        [np.log(r.current_ma / table.mean_current_ma), r.diameter_mm / 100.0,
         np.log(table.mean_current_ma)]
    )  # fmt: skip

    def rule_with_mean(table: SliceTable, train: BoolArray) -> FloatArray:
        return ridge_doses(table, train, mean, np.array([1.0, -0.5, 1.0]), ABLATION_PENALTY)

    def of_step(step: Step) -> Predict:
        x, prior = table.columns(step.groups, step.upper_end_mm[region])
        if step.is_without_air:
            keep = [i for i, name in enumerate((*_BASE, "")) if not name.startswith("log_air")]
            x, prior = x[:, keep], prior[keep]
        return lambda table, train: ridge_doses(table, train, x, prior, ABLATION_PENALTY)

    return [
        ("rule + mean current of the scan", rule_with_mean),
        *((step.title, of_step(step)) for step in STEPS),
    ]


def _out_of_fold(table: SliceTable, fold: Index, predict: Predict) -> FloatArray:
    """Doses of every row by a model that never saw its patient."""
    found = np.zeros(len(fold))
    for k in np.unique(fold):
        found[fold == k] = predict(table, fold != k)[fold == k]
    return found


def _simple(name: str, table: SliceTable, fold: Index) -> FloatArray:
    if name == RULE:
        return _out_of_fold(table, fold, rule_doses)
    return _out_of_fold(table, fold, boosting_doses)


def _mlp_by_fold(
    folder: Path, region: str, table: SliceTable, fold: Index, options: Mapping[str, str]
) -> FloatArray:
    """Doses by the published network, fold by fold; NaN in the folds that are not asked for."""
    steps, batch = int(options.get("mlp_steps", "1000")), int(options.get("mlp_batch", "64"))
    folds = int(options.get("mlp_folds", str(int(fold.max()) + 1)))
    found = np.full(len(fold), np.nan)
    for k in range(folds):
        path = folder / f"{region}_mlp_{steps}_{batch}_fold_{k}.npy"
        doses = _kept(
            path, table.rows, partial(_mlp_doses, table, fold != k, steps, batch)
        )  # fmt: skip
        found[fold == k] = doses[fold == k]
    return found


def _mlp_doses(table: SliceTable, train: BoolArray, steps: int, batch: int) -> FloatArray:
    import torch  # noqa: PLC0415 - heavy

    from milligray.train.modules.slice_mlp import (  # noqa: PLC0415 - needs torch
        SliceMlpConfig,
        fit_slice_mlp,
        predict_slice_mlp,
    )

    torch.set_num_threads(1)
    r, x = table.rows, table.published
    found = np.zeros(len(r.organ))
    for j in range(len(r.organ_names)):
        mine = r.organ == j
        fit = mine & train
        mean, scale = x[fit].mean(axis=0), x[fit].std(axis=0)
        network = fit_slice_mlp(
            SliceMlpConfig(steps=steps, batch_size=batch), (x[fit] - mean) / scale, r.dose_mgy[fit]
        )
        rest = mine & ~train
        found[rest] = predict_slice_mlp(network, (x[rest] - mean) / scale)
    return found


def _kept(path: Path, rows: SliceRows, make: Callable[[], FloatArray]) -> FloatArray:
    """Doses from an earlier run, or made now and kept."""
    if path.is_file():
        found: FloatArray = np.load(path)
        if found.shape == rows.dose_mgy.shape:
            return found
    found = make()
    unfinished = path.with_name(f".{path.stem}.partial.npy")
    np.save(unfinished, found)
    unfinished.replace(path)
    return found


def _nested(path: Path, table: SliceTable, fold: Index) -> tuple[dict[str, FloatArray], list[str]]:
    """Physics alone and with boosting; what was chosen in each fold."""
    if path.is_file():
        with np.load(path) as file:
            return {n: file[k] for n, k in ((PHYSICS, "a"), (OURS, "b"))}, list(file["choices"])
    physics, ours, choices = np.zeros(len(fold)), np.zeros(len(fold)), []
    for k in np.unique(fold):
        a, b, choice, share = nested_doses(table, fold != k)
        physics[fold == k], ours[fold == k] = a[fold == k], b[fold == k]
        choices.append(
            f"{' + '.join(choice.groups)}; penalty {choice.organ_penalty:g}; upper end"
            f" {choice.upper_end_mm:g} mm; boosting {share:g}"
        )
    unfinished = path.with_name(f".{path.stem}.partial.npz")
    np.savez(unfinished, a=physics, b=ours, choices=np.array(choices))
    unfinished.replace(path)
    return {PHYSICS: physics, OURS: ours}, choices

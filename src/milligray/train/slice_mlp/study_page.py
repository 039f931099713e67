"""Tables and CSV file of the study of the published slice arrays."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.train.slice_mlp.slice_arrays import SliceRows
from milligray.train.slice_mlp.slice_models import organ_errors
from milligray.train.slice_mlp.study_truth import about_truth
from milligray.typing import BoolArray, FloatArray

PAGE, TABLE, PICTURE = "slice_mlp_tzanis_tables.md", "slice_mlp_tzanis.csv", "slice_mlp_tzanis.png"
PUBLISHED = {
    "lung_vessels": 4.3, "small_bowel": 4.7, "pulmonary_artery": 4.7, "colon": 5.2,
    "lung_upper_lobe_right": 13.3, "spleen": 13.1, "pancreas": 12.1, "stomach": 11.6,
}  # fmt: skip
"""Median percentage differences of organ doses in the abstract; the others are not free to read."""
UNSEEN_EVERY = 4
"""Patients 3, 7, 11 ... were left out of all work on features."""
RESAMPLES = 400
HEAD = (
    "Out of fold, {folds} folds by patient, the same for all models. Organ dose of a patient: mean"
    " over the slices of the organ, all slices alike (areas are not in the arrays). Errors are"
    " absolute percentages."
)
SUMMARY = (
    "model", "organ dose: median over 30 organs of the median error", "95 %", "mean", "chest",
    "abdomen", "organs better than the first", "quarter never looked at", "single slices",
)  # fmt: skip
_FRACTION = 100.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Out-of-fold doses of a region by all models (n,) [mGy]; choices of the nested ones."""

    region: str
    rows: SliceRows
    doses: dict[str, FloatArray]
    choices: tuple[str, ...]

    def errors(self, model: str, of: BoolArray | None = None) -> "OrganErrors":
        """Relative errors of organ doses."""
        known = np.isfinite(self.doses[model])
        chosen = known if of is None else known & of
        patient, organ, error = organ_errors(self.rows, self.doses[model], chosen)
        count = len(self.rows.organ_names)
        return OrganErrors(patient=patient, organ=organ, error=error, n_organs=count)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganErrors:
    """Relative errors of organ doses: one row a patient and organ."""

    patient: npt.NDArray[np.int64]
    organ: npt.NDArray[np.int64]
    error: FloatArray
    n_organs: int

    def medians(self) -> FloatArray:
        """Median absolute error by organ [%]; NaN where no patient has it."""
        found = np.full(self.n_organs, np.nan)
        for j in np.unique(self.organ):
            found[j] = _FRACTION * np.median(np.abs(self.error[self.organ == j]))
        return found


def write_page(
    judged: Sequence[Judged], out: Path, *, names: tuple[str, ...], steps: tuple[str, ...],
    folds: int,
) -> None:  # fmt: skip
    """Write both files."""
    truth = about_truth([(one.region, one.rows) for one in judged])
    lines = [
        HEAD.format(folds=folds), "",
        *_summary(judged, names), *_same_patients(judged, names), "",
        *_by_organ(judged, names), "", *_ablation(judged, steps), "",
        *_pairs(judged, names), "", *truth, "", *_choices(judged),
    ]  # fmt: skip
    (out / PAGE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write_csv(judged, names, out / TABLE)


def _all_medians(judged: Sequence[Judged], model: str, unseen: bool = False) -> FloatArray:
    found = []
    for one in judged:
        of = one.rows.patient % UNSEEN_EVERY == UNSEEN_EVERY - 1 if unseen else None
        found.append(one.errors(model, of).medians())
    return np.concatenate(found)


def slice_medians(judged: Sequence[Judged], model: str) -> FloatArray:
    """Median absolute error of single slices by organ [%]; doses of 0 are left out."""
    found = []
    for one in judged:
        r = one.rows
        for j in range(len(r.organ_names)):
            of = (r.organ == j) & (r.dose_mgy > 0) & np.isfinite(one.doses[model])
            ratio = one.doses[model][of] / r.dose_mgy[of]
            found.append(_FRACTION * middle(np.abs(ratio - 1.0)))
    return np.array(found)


def interval(judged: Sequence[Judged], model: str) -> tuple[float, float]:
    """95 % interval of the median over the organs, by bootstrap of patients in each region."""
    draws = np.random.default_rng(1)
    errors = [one.errors(model) for one in judged]
    found = []
    for _ in range(RESAMPLES):
        medians: list[float] = []
        for one in errors:
            people = np.unique(one.patient)
            rows_of = [np.flatnonzero(one.patient == p) for p in people]
            picked = draws.integers(0, len(people), len(people))
            rows = np.concatenate([rows_of[i] for i in picked])
            organ, size = one.organ[rows], np.abs(one.error[rows])
            medians += [float(np.median(size[organ == j])) for j in np.unique(organ)]
        found.append(_FRACTION * float(np.median(medians)))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def middle(values: FloatArray) -> float:
    """Median of the known values; NaN without any."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _summary(judged: Sequence[Judged], names: tuple[str, ...]) -> list[str]:
    lines = [f"| {' | '.join(SUMMARY)} |", "|---" * len(SUMMARY) + "|"]
    for name in names:
        every = _all_medians(judged, name)
        rule = _all_medians(judged, names[0])
        low, high = interval(judged, name)
        parts = [middle(one.errors(name).medians()) for one in judged]
        lines.append(
            f"| {name} | {middle(every):.1f} | {low:.1f}-{high:.1f} |"
            f" {np.nanmean(every):.1f} | {parts[0]:.1f} | {parts[1]:.1f} |"
            f" {int((every < rule).sum())} |"
            f" {middle(_all_medians(judged, name, unseen=True)):.1f} |"
            f" {middle(slice_medians(judged, name)):.1f} |"
        )
    return lines


def _same_patients(judged: Sequence[Judged], names: tuple[str, ...]) -> list[str]:
    """Medians of all models over the patients of models that have not seen all folds."""
    lines: list[str] = []
    for part in names:
        of = [np.isfinite(one.doses[part]) for one in judged]
        if all(one.all() for one in of):
            continue
        count = sum(
            len(np.unique(one.rows.patient[mine])) for one, mine in zip(judged, of, strict=True)
        )
        cells = []
        for name in names:
            medians = [
                one.errors(name, mine).medians() for one, mine in zip(judged, of, strict=True)
            ]
            cells.append(f"{middle(np.concatenate(medians)):.1f}")
        lines += ["", f"| the {count} patients of {part} only | {' | '.join(names)} |",
                  "|---" * (1 + len(names)) + "|",
                  f"| median over the organs | {' | '.join(cells)} |"]  # fmt: skip
    return lines


def _by_organ(judged: Sequence[Judged], names: tuple[str, ...]) -> list[str]:
    lines = [f"| region | organ | patients | dose, mGy | published | {' | '.join(names)} |",
             "|---" * (5 + len(names)) + "|"]  # fmt: skip
    for row in organ_rows(judged, names):
        cells = [f"{row[name]:.1f}" for name in names]
        lines.append(
            f"| {row['region']} | {row['organ']} | {row['patients']} | {row['dose_mgy']:.1f} |"
            f" {row['published']} | {' | '.join(cells)} |"
        )
    return lines


def organ_rows(judged: Sequence[Judged], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Median errors by organ, as the CSV file holds them."""
    found: list[dict[str, Any]] = []
    for one in judged:
        medians = {name: one.errors(name).medians() for name in names}
        for j, organ in enumerate(one.rows.organ_names):
            mine = one.rows.organ == j
            found.append(
                {
                    "region": one.region, "organ": organ,
                    "patients": len(np.unique(one.rows.patient[mine])),
                    "dose_mgy": float(one.rows.dose_mgy[mine].mean()),
                    "published": PUBLISHED.get(organ, ""),
                    **{name: float(medians[name][j]) for name in names},
                }
            )  # fmt: skip
    return found


def _ablation(judged: Sequence[Judged], steps: tuple[str, ...]) -> list[str]:
    lines = ["| features of a ridge regression | chest | abdomen | 30 organs | slices |",
             "|---" * 5 + "|"]  # fmt: skip
    for step in steps:
        if any(step not in one.doses for one in judged):
            continue
        parts = [middle(one.errors(step).medians()) for one in judged]
        lines.append(
            f"| {step} | {parts[0]:.1f} | {parts[1]:.1f} |"
            f" {middle(_all_medians(judged, step)):.1f} |"
            f" {middle(slice_medians(judged, step)):.1f} |"
        )
    return lines


def patient_errors(judged: Sequence[Judged], model: str) -> dict[tuple[str, int], float]:
    """Mean absolute error over a patient's organs [%], by region and patient."""
    found = {}
    for one in judged:
        errors = one.errors(model)
        for p in np.unique(errors.patient):
            mean = np.abs(errors.error[errors.patient == p]).mean()
            found[one.region, int(p)] = _FRACTION * float(mean)
    return found


def _pairs(judged: Sequence[Judged], names: tuple[str, ...]) -> list[str]:
    from scipy.stats import wilcoxon  # noqa: PLC0415 - slow to import

    best = names[-1]
    mine = patient_errors(judged, best)
    lines = [f"| {best} against | patients better | median difference | p (Wilcoxon, paired) |",
             "|---|---|---|---|"]  # fmt: skip
    for name in names:
        if name == best:
            continue
        theirs = patient_errors(judged, name)
        difference = np.array([mine[p] - theirs[p] for p in mine if p in theirs])
        p = wilcoxon(difference).pvalue if np.any(difference) else 1.0
        lines.append(
            f"| {name} | {int((difference < 0).sum())} of {len(difference)} |"
            f" {np.median(difference):+.1f} | {p:.1g} |"
        )
    return lines


def _choices(judged: Sequence[Judged]) -> list[str]:
    lines = ["| region | fold | chosen on the training patients |", "|---|---|---|"]
    for one in judged:
        lines += [f"| {one.region} | {k + 1} | {c} |" for k, c in enumerate(one.choices)]
    return lines


def _write_csv(judged: Sequence[Judged], names: tuple[str, ...], path: Path) -> None:
    partial = path.with_name(f".{path.name}.partial")
    rows = organ_rows(judged, names)
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.2f}" if isinstance(v, float) else v for k, v in row.items()})
    partial.replace(path)

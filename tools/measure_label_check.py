"""How often labels of another patient are noticed, and labels of the same one refused by mistake.

``python tools/measure_label_check.py --out docs/validation/label_check.csv --keep FILE.json``

CT of one, labels of another, for all pairs of the 72 head-and-neck patients in ``../shared/data``;
besides, the torso cases with their own labels. ``--keep`` holds the measured properties, so that
limits can be chosen without measuring again (``--again FILE.json``).
"""

import argparse
import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from milligray.errors import GeometryError
from milligray.patient import build_patient
from milligray.read import read_ct_nifti, read_labels
from milligray.read.series import LabelMap
from milligray.segment import segment_organs
from milligray.segment.plausibility import Finding, measure_organs, sentences

DATA = Path(__file__).parents[1].parent / "shared" / "data"
VOXEL_MM = 4.0
LIMITS_FROM = 39
"""Patients whose own labels the limits were set on, drawn with `SEED`; the rest was seen later."""
SEED = 3
SUBSETS = {
    "all organs": (),
    "without mandible": ("mandible",),
    "without spinal cord": ("spinal_cord",),
    "soft organs alone": ("mandible", "spinal_cord"),
    "spinal cord alone": None,
}
"""What is left out of the labels."""
Measured = dict[str, list[list[object]] | None]


def main() -> None:
    """Measure, count and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", type=Path)
    given = parser.parse_args()
    measured: Measured = json.loads(given.again.read_text()) if given.again else measure_pairs()
    if given.keep:
        given.keep.write_text(json.dumps(measured))
    rows = [*count(measured), torso_row()]
    with given.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def measure_pairs() -> Measured:
    """Findings of every (CT, labels), by "ct|labels"; None where no label is inside."""
    folder = DATA / "headneck"
    names = sorted(path.name.removesuffix("_ct.nii.gz") for path in folder.glob("*_ct.nii.gz"))
    labels = {name: without_body(read_labels(folder / f"{name}_labels.nii.gz")) for name in names}
    found: Measured = {}
    for ct in names:
        patient = build_patient(
            read_ct_nifti(folder / f"{ct}_ct.nii.gz"), calibration="schneider2000",
            voxel_size_mm=VOXEL_MM,
        )  # fmt: skip
        for other, one in labels.items():
            try:
                organs = segment_organs(patient, labels=one)
            except GeometryError:
                found[f"{ct}|{other}"] = None
                continue
            found[f"{ct}|{other}"] = [
                [f.rule, f.organ, round(f.value, 4)] for f in measure_organs(patient, organs)
            ]
        print(ct, flush=True)
    return found


def without_body(labels: LabelMap) -> LabelMap:
    """Organs alone: few labels of a clinic hold the body, and its outline would give it away."""
    return replace(labels, names={k: v for k, v in labels.names.items() if "ody" not in v})


def count(measured: Measured) -> list[dict[str, object]]:
    """Shares of pairs by what would be done with them."""
    names = sorted({pair.split("|")[0] for pair in measured})
    order = np.random.default_rng(SEED).permutation(len(names))
    chosen_on = {names[i] for i in order[:LIMITS_FROM]}
    rows = []
    for group, patients in (("limits set on", True), ("not looked at before", False)):
        for own in (True, False):
            pairs = {
                pair: found
                for pair, found in measured.items()
                if (pair.split("|")[0] in chosen_on) is patients
                and (pair.split("|")[0] == pair.split("|")[1]) is own
            }
            for subset, left_out in SUBSETS.items():
                seen: Counter[str] = Counter(verdict(f, left_out) for f in pairs.values())
                rows.append({
                    "ct": group, "labels": "own" if own else "of another patient",
                    "given": subset, "pairs": len(pairs),
                    **{
                        name: f"{seen[name] / len(pairs):.4f}"
                        for name in ("contradict", "doubtful", "pass")
                    },
                })  # fmt: skip
    return rows


def verdict(found: list[list[object]] | None, left_out: tuple[str, ...] | None) -> str:
    """What tissues alone say of labels, whatever their grid."""
    if found is None:
        return "contradict"
    findings = tuple(
        Finding(rule=str(rule), organ=str(organ), value=float(str(value)))
        for rule, organ, value in found
        if (organ not in left_out if left_out is not None else organ == "spinal_cord")
    )
    if sentences(findings, doubtful=False):
        return "contradict"
    return "doubtful" if sentences(findings, doubtful=True) else "pass"


def torso_row() -> dict[str, object]:
    """Torso cases with their own labels."""
    found = []
    for path in sorted((DATA / "torso").glob("*_ct.nii.gz")):
        case = path.name.removesuffix("_ct.nii.gz")
        patient = build_patient(
            read_ct_nifti(path), calibration="schneider2000", voxel_size_mm=VOXEL_MM
        )
        labels = read_labels(path.with_name(f"{case}_labels.nii.gz"))
        measured = measure_organs(patient, segment_organs(patient, labels=labels))
        for sentence in sentences(measured, doubtful=True):
            print(case, sentence)
        found.append(
            "contradict" if sentences(measured, doubtful=False)
            else "doubtful" if sentences(measured, doubtful=True) else "pass"
        )  # fmt: skip
    seen = Counter(found)
    shares = {n: f"{seen[n] / len(found):.4f}" for n in ("contradict", "doubtful", "pass")}
    return {"ct": "torso cases", "labels": "own", "given": "all organs", "pairs": len(found),
            **shares}  # fmt: skip


if __name__ == "__main__":
    main()

"""Tables of docs/validation/internal_methods.md from the rows of study_internal_methods.py."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

COLUMNS = ("case", "table", "region", "method", "value", "u", "truth", "volume_ml")
MIN_ML = 2.0
METHODS = ("msv", "ssv", "local", "mird")
Row = Mapping[str, object]


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """All rows; what the columns mean stands on the page."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            values = (row.get(c, "") for c in COLUMNS)
            writer.writerow([v if isinstance(v, str) else f"{v:.5g}" for v in values])


def read_csv(path: Path) -> list[Row]:
    """Rows of the file, numbers as numbers."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        {k: v if k in COLUMNS[:4] else float(v) for k, v in row.items() if v != ""} for row in rows
    ]


def pick(rows: Sequence[Row], **wanted: str) -> list[Row]:
    """Rows with these entries."""
    return [row for row in rows if all(row.get(k) == v for k, v in wanted.items())]


def regions(rows: Sequence[Row]) -> list[str]:
    """Names in the order of their first row."""
    return list(dict.fromkeys(str(row["region"]) for row in rows))


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def organs(rows: Sequence[Row], case: str) -> str:
    """Ratio to Monte Carlo by organ and method."""
    chosen = pick(rows, case=case, table="organ")
    body = []
    for name in regions(chosen):
        by = {str(r["method"]): r for r in chosen if r["region"] == name}
        worst = max(float(r["u"]) for r in by.values())
        any_ = by["msv"]
        body.append([
            name, f"{any_['volume_ml']:.0f}", f"{any_['truth']:.3g}",
            *(f"{by[m]['value']:.3f}" for m in METHODS), f"{100 * worst:.1f} %",
        ])  # fmt: skip
    return table(["organ", "mL", "Monte Carlo mGy", *METHODS, "statistics (k = 1)"], body)


def voxels(rows: Sequence[Row]) -> str:
    """Deviation of voxels by tissue: without the noise, with it, and of the mean."""
    body = []
    for case in dict.fromkeys(str(r["case"]) for r in rows):
        chosen = pick(rows, case=case, table="voxel")
        for name in regions(chosen):
            by = {str(r["method"]): r for r in chosen if r["region"] == name}
            rms = {
                str(r["method"]): 100 * float(r["value"])
                for r in pick(rows, case=case, table="voxel rms", region=name)
            }
            if float(by["msv"]["volume_ml"]) < MIN_ML:
                continue
            body.append([
                case, name, f"{by['msv']['volume_ml']:.0f}",
                *(f"{rms[m]:.0f} / {100 * float(by[m]['value']):.0f} / {by[m]['truth']:.2f}"
                  for m in METHODS[:3]),
                f"{100 * float(by['msv']['u']):.0f} %",
            ])  # fmt: skip
    return table(["case", "tissue", "mL", "msv", "ssv", "local", "noise of the truth"], body)


def therapy(rows: Sequence[Row]) -> str:
    """Half-life, decays and dose of the four SPECTs against the truth."""
    chosen = pick(rows, case="four SPECTs")
    body = []
    for method in ("as seen", "recovered"):
        for name in regions(pick(chosen, method=method, table="dose")):
            one = {str(r["table"]): r for r in pick(chosen, method=method, region=name)}
            half, tia, dose = one["half-life"], one["tia"], one["dose"]
            holds = abs(float(dose["value"]) - 1.0) <= float(dose["u"])
            body.append([
                method, name, f"{dose['volume_ml']:.3g}",
                f"{half['value']:.1f} ({half['truth']:.0f})",
                f"{tia['value']:.2f}", f"{float(dose['truth']) / 1e3:.3g}", f"{dose['value']:.2f}",
                f"{dose['u']:.2f}", "yes" if holds else "NO",
            ])  # fmt: skip
    head = ["activity", "region", "mL", "half-life h (true)", "decays / true", "true dose Gy",
            "dose / true", "stated U (k = 2)", "holds"]  # fmt: skip
    return table(head, body)


def seconds(rows: Sequence[Row]) -> str:
    """Wall time of the methods."""
    cases = list(dict.fromkeys(str(r["case"]) for r in pick(rows, table="seconds")))
    cases = [c for c in cases if c != "four SPECTs"]
    methods = ("monte-carlo", *METHODS)
    body = [
        [c, *(f"{pick(rows, case=c, table='seconds', method=m)[0]['value']:.0f}" for m in methods)]
        for c in cases
    ]
    return table(["case", *methods], body)


def summary(rows: Sequence[Row]) -> str:
    """Worst and median deviation of organ doses by method."""
    body = []
    for case in dict.fromkeys(str(r["case"]) for r in pick(rows, table="organ")):
        for method in METHODS:
            values = [float(r["value"]) - 1.0 for r in pick(rows, case=case, table="organ",
                                                            method=method)]  # fmt: skip
            body.append([
                case, method, str(len(values)), f"{100 * np.median(np.abs(values)):.1f} %",
                f"{100 * min(values):+.0f} to {100 * max(values):+.0f} %",
            ])  # fmt: skip
    return table(["case", "method", "organs", "median deviation", "range"], body)


def fill_page(path: Path, rows: Sequence[Row]) -> None:
    """Put the tables between the markers ``<!-- name -->`` and ``<!-- end -->`` of the page."""
    text = path.read_text(encoding="utf-8")
    made = {
        "summary": summary(rows), "voxels": voxels(rows), "therapy": therapy(rows),
        "seconds": seconds(rows), "organs lu177": organs(rows, "lu177_dotatate"),
        "organs f18": organs(rows, "ts_abdomen_pelvis"),
        "organs sts": organs(rows, "sts_002_petct"),
    }  # fmt: skip
    for name, content in made.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text, n = re.subn(pattern, lambda m, c=content: m[1] + c + m[2], text, flags=re.DOTALL)
        if n != 1:
            raise SystemExit(f"{path.name} has no place for {name!r}")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    folder = Path(__file__).parent.parent / "docs" / "validation"
    fill_page(folder / "internal_methods.md", read_csv(folder / "internal_methods.csv"))

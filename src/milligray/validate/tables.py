"""Validation tables as Markdown pages and CSV files."""

import csv
from collections.abc import Sequence
from pathlib import Path

from milligray.validate.rows import ValidationRow, summarize

MAX_LISTED = 60
"""Longer cases are listed in the CSV only; the page shows their worst rows."""


def write_tables(rows: Sequence[ValidationRow], folder: Path, *, header: str) -> None:
    """Write ``results.csv`` with all rows and ``results.md`` with summary and tables."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["case", "entry", "ours", "ours_sigma", "reference", "reference_sigma",
             "deviation_percent", "tolerance_percent", "holds", "unit"]
        )  # fmt: skip
        for row in rows:
            writer.writerow(
                [row.case, row.entry, f"{row.ours:.6g}", f"{row.ours_sigma:.3g}",
                 f"{row.reference:.6g}", f"{row.reference_sigma:.3g}",
                 f"{row.deviation_percent:.3f}", f"{row.tolerance_percent:g}", row.holds, row.unit]
            )  # fmt: skip
    text = ["# Validation results", "", header, "", *_summary_lines(rows)]
    for case in dict.fromkeys(row.case for row in rows):
        part = [row for row in rows if row.case == case]
        text += ["", f"## {case}", ""]
        if len(part) > MAX_LISTED:
            worst = sorted(part, key=lambda r: -abs(r.deviation_percent))
            text += [
                f"The {MAX_LISTED // 3} largest of {len(part)} deviations; all in the CSV.",
                "",
            ]
            part = worst[: MAX_LISTED // 3]
        text += _row_lines(part)
    (folder / "results.md").write_text("\n".join(text) + "\n", encoding="utf-8")


def _summary_lines(rows: Sequence[ValidationRow]) -> list[str]:
    lines = [
        "| case | rows | hold | mean deviation % | RMS % | largest % |",
        "|---|---|---|---|---|---|",
    ]
    parts: list[tuple[str, Sequence[ValidationRow]]] = []
    for case in dict.fromkeys(row.case for row in rows):
        part = [row for row in rows if row.case == case]
        parts.append((case, part))
        strict = min(row.tolerance_percent for row in part)
        judged = [row for row in part if row.tolerance_percent == strict]
        if case.startswith("tg195") and len(judged) < len(part):
            parts.append((f"{case}, entries with > 0.1 % of the energy", judged))
    for name, members in parts:
        (s,) = summarize(members).values()
        lines.append(
            f"| {name} | {s['rows']} | {s['hold']} | {s['mean_percent']:+.2f} |"
            f" {s['rms_percent']:.2f} | {s['max_percent']:.2f} |"
        )
    return lines


def _row_lines(rows: Sequence[ValidationRow]) -> list[str]:
    lines = [
        "| entry | ours | k=1 % | reference | k=1 % | deviation % | tolerance % | holds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours = 100 * row.ours_sigma / row.ours if row.ours else 0.0
        reference = 100 * row.reference_sigma / row.reference
        lines.append(
            f"| {row.entry} | {row.ours:.5g} | {ours:.2f} | {row.reference:.5g} |"
            f" {reference:.2f} | {row.deviation_percent:+.2f} | {row.tolerance_percent:.3g} |"
            f" {'yes' if row.holds else 'NO'} |"
        )
    return lines

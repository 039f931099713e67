"""The page of results, from the JSON files of the themes."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import tables

Results = dict[str, dict[str, Any]]

INTRODUCTION = """\
# Benchmarks

Made by `make bench` (`python -m benchmarks [themes] --write benchmarks/results`); the numbers are
in `benchmarks/results/*.json`, and no figure here is typed by hand.

Rates are histories per second of processor time on one thread, between two progress reports of a
run (without making tables and grids), at the best tenth of some rounds; the variants take turns.
A figure of merit is 1 / (sigma² T): sigma the relative standard deviation (of one organ; root mean
square over the voxels above 20 % of the largest dose), T in core-seconds. It does not depend on the
number of histories, and judges a code better than its rate. Figures of merit of single organs are
good to about 15 %."""


def read_results(folder: Path) -> Results:
    """All themes that were measured."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        if isinstance(content, dict) and "context" in content:
            found[path.stem] = content
    return found


def write(results: Results, page: Path, folder: Path) -> None:
    """Write the page; plots are linked from the results' folder."""
    pictures = os.path.relpath(folder, page.parent)
    sections: tuple[tuple[str, str, Callable[[dict[str, Any]], Iterable[str]]], ...] = (
        ("speed", "Rates and figures of merit", tables.speed),
        ("exam", "Whole scan to 1 %", tables.exam),
        ("predict", "Organ doses by network", tables.predict),
        ("decays", "Nuclides in a whole body to 1 %", tables.decays),
        ("tg195", "AAPM TG-195 case 5, beside XRayMClib", tables.tg195),
        ("peers", "Beside ompMC, same problem and run", tables.peers),
        ("hotspots", "Where the time goes", tables.hotspots),
        ("large", "Large exams", tables.large),
        ("threads", "Threads", tables.threads),
        ("startup", "Start", tables.startup),
    )
    lines = [INTRODUCTION, "", *_measured_on(results)]
    for name, title, make in sections:
        if name not in results:
            continue
        lines += ["", f"## {title}", ""]
        if "skipped" in results[name]:
            lines.append(f"Not measured: {results[name]['skipped']}.")
            continue
        lines += make(results[name])
        if (folder / f"{name}.png").is_file():
            lines += ["", f"![{title}]({pictures}/{name}.png)"]
    for path in sorted(folder.glob("gpu_*.md")):
        lines += ["", f"GPU: [{path.stem.removeprefix('gpu_')}]({pictures}/{path.name})"]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _measured_on(results: Results) -> list[str]:
    lines = [
        "| theme | processor | threads | date | commit | load of others | quick |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, content in results.items():
        c = content["context"]
        load = f"{c['load_of_others']:.1f}" + (" **busy**" if c["is_busy"] else "")
        lines.append(
            f"| {name} | {c['processor']}, {c['memory_gb']:.0f} GB | {c['threads']} | {c['date']} |"
            f" {c['commit']} | {load} | {'yes' if c['quick'] else 'no'} |"
        )
    busy = [name for name, content in results.items() if content["context"]["is_busy"]]
    if busy:
        lines += ["", ("**Busy**: other programs used the processors meanwhile; wall seconds and"
                       " thread scaling are then too bad, rates by up to a third.")]  # fmt: skip
    return lines

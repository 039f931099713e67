"""The table of speed and memory in README.md, between two marks, from the results."""

from pathlib import Path
from typing import Any

from benchmarks.tables import table

BEGIN, END = "<!-- benchmarks: made by make bench -->", "<!-- benchmarks: end -->"


def update(results: dict[str, dict[str, Any]], readme: Path) -> None:
    """Replace what stands between the marks; nothing if they are not there."""
    text = readme.read_text("utf-8")
    if BEGIN not in text or END not in text:
        return
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    lines = table(["Speed and memory", "Measured", "Goal"], _rows(results))
    readme.write_text("\n".join([before + BEGIN, "", *lines, "", END + after]), "utf-8")


def _rows(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    rows = []
    if "exam" in results:
        times = [t for t in results["exam"]["times"] if "shipped" not in t["problem"]]
        for what, goal in (("all >= 10 mL", "60 s"), ("whole in the range", "5 s")):
            found = [t for t in times if t["organs"] == what]
            listed = ", ".join(f"{t['problem']}: {t['seconds']:.1f} s" for t in found)
            rows.append(
                [f"1 % in every organ, {what}, {found[0]['threads']} threads", listed, goal]
            )
    if "speed" in results:
        problems = results["speed"]["problems"]
        listed = ", ".join(
            f"{p['problem'].split(',')[0]} {p['estimators']['analogue']['mh_s']:.1f} M"
            for p in problems
        )
        goal = "water 1.0 M, patients 0.7 M"
        rows.append(["analogue histories/s/core", listed, goal])
        ratios = [
            p["estimators"]["track-length"]["voxel_merit"]
            / p["estimators"]["analogue"]["voxel_merit"]
            for p in problems
        ]
        listed = f"x{min(ratios):.0f} to x{max(ratios):.0f}"
        rows.append(["efficiency of track-length over analogue, voxels > 20 %", listed, "x10"])
    if "decays" in results:
        times = results["decays"]["rows"]
        listed = ", ".join(
            f"{t['problem']}: {t['seconds']:.0f} s ({t['core_seconds']:.0f} core seconds)"
            for t in times
        )
        what = (
            f"1 % in every organ >= 10 mL, nuclide in a whole body, {times[0]['threads']} threads"
        )
        rows.append([what, listed, "5 min, aim 60 s"])
    if "peers" in results and "rows" in results["peers"]:
        by = {r["code"]: r for r in results["peers"]["rows"]}
        ours, theirs = by["milligray, track-length"], by["ompMC"]
        listed = f"x{ours['voxel_merit'] / theirs['voxel_merit']:.0f} of ompMC's, same run"
        rows.append(["voxel figure of merit, water, 60 keV", listed, ""])
    if "large" in results:
        rows += _large_row([r for r in results["large"]["rows"] if r["organs"] == "tissues"])
    if "startup" in results:
        seconds = {r["what"]: r["seconds"] for r in results["startup"]["rows"]}
        listed = f"{seconds['milligray --help']:.2f} s"
        rows.append(["`milligray --help`", listed, "1 s, aim 0.3 s"])
    busy = [name for name, content in results.items() if content["context"]["is_busy"]]
    if busy:
        rows.append(["", f"on a busy machine: {', '.join(busy)}", ""])
    return rows


def _large_row(found: list[dict[str, Any]]) -> list[list[str]]:
    by_size = {n: [r for r in found if r["slices"] == n] for n in {r["slices"] for r in found}}
    n_slices, rows = max(by_size.items(), key=lambda item: (len(item[1]), item[0]))
    rows = sorted(rows, key=lambda r: r["voxel_mm"])
    sizes, measured, estimated = (
        " / ".join(texts)
        for texts in (
            [f"{r['voxel_mm']:g}" for r in rows],
            [f"{r['measured_peak_mb'] / 1e3:.2f}" for r in rows],
            [f"{r['estimated_peak_mb'] / 1e3:.2f}" for r in rows],
        )
    )
    name = f"memory of 512 x 512 x {n_slices} at {sizes} mm (said beforehand)"
    return [[name, f"{measured} GB ({estimated})", "8 GB, aim 3 GB"]]

"""Run the benchmarks and write a results page: ``python -m benchmarks --write FOLDER``."""

import argparse
import json
import math
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks import exam, large, problems, speed
from milligray.exam.manifest import package_version, processor

PATIENTS = ("pt_2", "pt_4", "pt_13")
AIMS = """\
Targets: analogue 1.0 (aim 2.0) million histories/s/core in water, 0.7 (aim 1.5) on a head-and-neck
patient at 4 mm; voxel efficiency of the track-length estimator at least 10 times the analogue one;
1 % in every organ of a head-and-neck patient within 60 s (aim 15 s) on 2 cores; a 512 x 512 x 300
series within 4 GB."""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--write", type=Path, help="folder for the results page")
    parser.add_argument("--skip-large", action="store_true", help="leave out the 512x512x300 exam")
    arguments = parser.parse_args()
    chosen = [problems.water()]
    if problems.head_neck_is_there():
        chosen += [problems.head_neck(patient) for patient in PATIENTS]
    else:
        sys.stderr.write("head-and-neck data not found beside the repository: left out\n")
    chosen.append(problems.shipped_sample())
    lines = [
        "# Benchmarks", "",
        (f"`make bench`, milligray {package_version('milligray')}, {processor()},"
        f" Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}. Data: water box;"
        " OpenKBP head-and-neck patients with `examples/head_neck_helical.toml`; the shipped"
        " Siemens series. Histories/s are per core, from processor time, best tenth of the batches,"
        " and depend on what else the machine does; efficiencies are ratios within one run."),
        "", AIMS, "",
        ("| problem | analogue Mh/s/core | track-length Mh/s/core |"
        " efficiency ratio, voxels > 20 % | efficiency ratio, median organ |"),
        "|---|---|---|---|---|",
    ]  # fmt: skip
    results: dict[str, list[dict[str, object]]] = {"speed": [], "exam": [], "agreement": []}
    for problem in chosen:
        _tell(f"speed: {problem.name}")
        result = speed.measure(problem)
        results["speed"].append(asdict(result))
        organ = result.organ_efficiency_ratio
        organ_text = "–" if math.isnan(organ) else f"{organ:.1f}"
        lines.append(
            f"| {problem.name} | {result.analogue_mh_s:.2f} | {result.track_length_mh_s:.2f} |"
            f" {result.voxel_efficiency_ratio:.1f} | {organ_text} |"
        )
    lines += ["", "| exam | seconds to 1 % in every organ >= 10 mL | histories | threads |",
              "|---|---|---|---|"]  # fmt: skip
    for problem in chosen[1:]:
        _tell(f"1 %: {problem.name}")
        timed = exam.time_to_one_percent(problem)
        results["exam"].append(asdict(timed))
        lines.append(
            f"| {timed.problem} | {timed.seconds:.1f} | {timed.histories / 1e6:.1f} M |"
            f" {timed.threads} |"
        )
    lines += ["", ("Track-length against analogue estimator, organ doses, independent seeds"
              " (deviation in combined standard deviations):"), "",
              "| exam | organs | largest deviation | at |", "|---|---|---|---|"]  # fmt: skip
    for problem in chosen[1:]:
        _tell(f"estimators: {problem.name}")
        organs = exam.estimators_agree(problem)
        name, percent, sigmas = max(organs, key=lambda row: abs(row[2]))
        results["agreement"].append(
            {"problem": problem.name, "organs": [list(row) for row in organs]}
        )
        lines.append(
            f"| {problem.name} | {len(organs)} | {sigmas:+.1f} sigma ({percent:+.2f} %) | {name} |"
        )
    if not arguments.skip_large:
        _tell("large exam")
        big = large.run()
        results["large"] = [big]
        lines += ["", (f"512 x 512 x 300 DICOM series, files to report, own process:"
                  f" {big['seconds']:.0f} s, peak memory {big['peak_gb']:.2f} GB.")]  # fmt: skip
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "milligray.cli.main", "--help"], check=True, capture_output=True
    )
    lines += ["", f"`milligray --help`: {time.perf_counter() - started:.2f} s."]
    page = "\n".join(lines) + "\n"
    sys.stdout.write(page)
    if arguments.write is not None:
        arguments.write.mkdir(parents=True, exist_ok=True)
        (arguments.write / "cpu.md").write_text(page, encoding="utf-8")
        (arguments.write / "cpu.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def _tell(text: str) -> None:
    sys.stderr.write(text + " ...\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()

"""Measure how long pairs of density and source kernel take, and how certain they are.

python tools/measure_source_kernels.py ../shared/data --population pop --positions 4 --out runs

writes a list of head-and-neck and torso patients of the shared data (and of a population made by
``milligray phantom population``), makes a set of F-18 with one process a processor, and prints
processor seconds a pair, what 1000 pairs would take on two cores, and the precision that was
reached, by stratum. A first sample of few histories compiles what is compiled; it does not count.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from milligray.dataset import open_set

HEAD_AND_NECK = (100, 106)
TORSO = ("lidc_0314_chest", "ts_abdomen_pelvis", "lu177_dotatate")
GOAL_PAIRS, CORES = 1000, 2


def main() -> None:
    """List, set, table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with headneck/ and torso/")
    parser.add_argument("--population", type=Path, help="folder of `milligray phantom population`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--positions", type=int, default=4)
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("rest", nargs="*", help="further options of `milligray dataset make`")
    arguments = parser.parse_args()
    target = arguments.out / "source-kernels"
    if not arguments.report_only:
        arguments.out.mkdir(parents=True, exist_ok=True)
        patients = write_list(arguments)
        load = os.getloadavg()[0]
        for folder, options in (
            (arguments.out / "warm", ("--positions", "1", "--histories", "2000")),
            (target, ("--positions", str(arguments.positions), *arguments.rest)),
        ):
            started = time.perf_counter()
            code = subprocess.run(  # noqa: S603
                [sys.executable, "-c", "from milligray.cli.main import run; run()", "dataset",
                 "make", "--kind", "source-kernels", "--patients", str(patients), "--out",
                 str(folder), "--workers", str(CORES), "--threads", "1", *options], check=False,
            ).returncode  # fmt: skip
            if code:
                raise SystemExit(code)
        sys.stdout.write(f"{time.perf_counter() - started:.0f} s; load before: {load:.1f}\n")
    report(target)


def write_list(arguments: argparse.Namespace) -> Path:
    """Patients that are there, with absolute names."""
    files = [arguments.data / "headneck" / f"pt_{n}_ct.nii.gz" for n in HEAD_AND_NECK]
    files += [arguments.data / "torso" / f"{name}_ct.nii.gz" for name in TORSO]
    rows = [
        (file.name.removesuffix("_ct.nii.gz"), str(file.absolute()), "real")
        for file in files if file.is_file()
    ]  # fmt: skip
    if arguments.population is not None:
        with (arguments.population / "patients.csv").open(encoding="utf-8") as stream:
            rows += [
                (row["exam"], str((arguments.population / row["input"]).absolute()), "synthetic")
                for row in csv.DictReader(stream)
            ]
    path: Path = arguments.out / "list.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("exam", "input", "kind_of_anatomy"), *rows])
    return path


def report(target: Path) -> None:
    """Print what was reached, all samples together."""
    training = open_set(target)
    strata: dict[str, list[tuple[float, float]]] = {}
    seconds = []
    for name in training.samples():
        entry = training.entry(name)
        sample = training.read(
            name, ("stratum", "reached_F-18", "histories_F-18", "relative_uncertainty_F-18")
        )
        names = sample.attributes["strata"]
        reached, histories = (sample.arrays[f"{k}_F-18"].values for k in ("reached", "histories"))
        for n, stratum in enumerate(sample.arrays["stratum"].values):
            strata.setdefault(names[stratum], []).append((reached[n], histories[n]))
        seconds.append(entry["run"]["cpu_seconds"] / len(reached))
        sys.stdout.write(
            f"{name:24s} {len(reached)} pairs, {seconds[-1]:6.1f} processor s a pair,"
            f" {entry['run']['seconds']:6.1f} s, {entry['run']['peak_memory_mb']:5.0f} MB\n"
        )
    every = np.array([pair for pairs in strata.values() for pair in pairs])
    size = sum(path.stat().st_size for path in (target / "samples").iterdir())
    sys.stdout.write(
        f"{len(every)} pairs, {np.mean(seconds):.1f} processor s a pair (median"
        f" {np.median(seconds):.1f}): {GOAL_PAIRS} pairs in"
        f" {np.mean(seconds) * GOAL_PAIRS / CORES / 3600:.2f} h on {CORES} cores;"
        f" {size / len(every) / 1e6:.1f} MB a pair\n"
    )
    for stratum, pairs in sorted(strata.items()):
        values = np.array(pairs)
        sys.stdout.write(
            f"{stratum:12s} {len(pairs):4d} pairs, reached {100 * values[:, 0].mean():.2f} %"
            f" (most {100 * values[:, 0].max():.2f} %), {values[:, 1].mean():.3g} emissions\n"
        )


if __name__ == "__main__":
    main()

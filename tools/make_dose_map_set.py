"""Measure how long a set of dose maps takes, and how certain its voxels are.

python tools/make_dose_map_set.py ../shared/data/headneck --patients 40 --out runs

writes the list of the head-and-neck patients, makes the set with one process a processor, and
prints time and statistics as a table. Beams that were not simulated before are calibrated on the
way; with --fresh-cache all are.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def main() -> None:
    """List, set, table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with pt_*_ct.nii.gz and labels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kind", default="dose-maps")
    parser.add_argument("--fresh-cache", action="store_true")
    parser.add_argument("rest", nargs="*", help="further options of `milligray dataset make`")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    patients = write_list(arguments.folder, arguments.out / "list.csv", arguments.patients)
    environment = dict(os.environ)
    if arguments.fresh_cache:
        cache = arguments.out / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        environment["MILLIGRAY_CACHE"] = str(cache.absolute())
    target = arguments.out / arguments.kind
    command = [
        sys.executable, "-c", "from milligray.cli.main import run; run()", "dataset", "make",
        "--kind", arguments.kind, "--patients", str(patients), "--out", str(target),
        "--workers", str(arguments.workers), "--threads", "1", *arguments.rest,
    ]  # fmt: skip
    load_before = os.getloadavg()[0]
    started = time.perf_counter()
    code = subprocess.run(command, env=environment, check=False).returncode  # noqa: S603
    seconds = time.perf_counter() - started
    if code:
        raise SystemExit(code)
    report(target, seconds, arguments.workers, load_before)


def write_list(folder: Path, path: Path, n: int) -> Path:
    """List of the first n patients, by number."""
    names = sorted(
        (file.name.removesuffix("_ct.nii.gz") for file in folder.glob("pt_*_ct.nii.gz")),
        key=lambda name: int(name.removeprefix("pt_")),
    )[:n]
    base = path.absolute().parent
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("exam", "input", "organs"))
        for name in names:
            files = (folder / f"{name}_ct.nii.gz", folder / f"{name}_labels.nii.gz")
            writer.writerow([name, *(os.path.relpath(f.absolute(), base) for f in files)])
    return path


def report(target: Path, seconds: float, workers: int, load_before: float) -> None:
    """Print what was reached."""
    manifest = json.loads((target / "dataset.json").read_text(encoding="utf-8"))
    samples = [e for e in manifest["samples"].values() if e["status"] == "done"]
    size = sum(path.stat().st_size for path in (target / "samples").iterdir())
    beams = {
        tuple(e["attributes"][k] for k in ("scanner", "bowtie", "tube_voltage_kv",
                                           "collimation_mm"))
        for e in samples
    }  # fmt: skip
    rows = {
        "samples": len(samples),
        "beams": len(beams),
        "time [min]": round(seconds / 60, 1),
        "workers of one thread": workers,
        "load before / at the end": f"{load_before:.1f} / {os.getloadavg()[0]:.1f}",
        "seconds a sample, median": round(float(np.median([e["run"]["seconds"] for e in samples]))),
        "processor seconds, all samples": round(sum(e["run"]["cpu_seconds"] for e in samples)),
        "peak memory of a sample [MB]": round(max(e["run"]["peak_memory_mb"] for e in samples)),
        "size [MB]": round(size / 1e6),
    }
    for name in samples[0]["statistics"]:
        found = [e["statistics"][name] for e in samples]
        rows[f"{name}: mean / most"] = f"{np.mean(found):.4g} / {np.max(found):.4g}"
    for name, value in rows.items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()

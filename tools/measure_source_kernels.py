"""Measure how long pairs of density and source kernel take, and how certain they are.

python tools/measure_source_kernels.py ../shared/data --population pop --positions 4 --out runs

writes a list of head-and-neck and torso patients of the shared data (and of a population made by
``milligray phantom population``), makes a set of F-18 with one process a processor, and prints
processor seconds a pair, what 1000 pairs would take on two cores, and the precision that was
reached, by stratum. A first sample of few histories compiles what is compiled; it does not count.

python tools/measure_source_kernels.py ../shared/data --out runs --surroundings

prints instead what the surroundings of the cube scatter back (F-18 in the middle of the body of
ts_abdomen_pelvis, the same random numbers), and emissions a processor second in short bursts, of
which the fastest is what a core gives that nothing else uses.
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
from milligray.dataset.kernel_precision import transport_kernel
from milligray.learn.inputs.kernel_patch import PATCH_VOXELS, cut_patch
from milligray.patient import build_patient
from milligray.patient.regrid import regrid_ct
from milligray.read import read_ct_nifti
from milligray.source.nuclide import load_nuclide

HEAD_AND_NECK = (100, 106)
TORSO = ("lidc_0314_chest", "ts_abdomen_pelvis", "lu177_dotatate")
GOAL_PAIRS, CORES = 1000, 2
BURST, BURSTS = 40_000, 6


def main() -> None:
    """List, set, table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with headneck/ and torso/")
    parser.add_argument("--population", type=Path, help="folder of `milligray phantom population`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--positions", type=int, default=4)
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("rest", nargs="*", help="further options of `milligray dataset make`")
    parser.add_argument("--surroundings", action="store_true")
    arguments = parser.parse_args()
    if arguments.surroundings:
        compare_surroundings(arguments.data / "torso" / "ts_abdomen_pelvis_ct.nii.gz")
        return
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


def compare_surroundings(file: Path) -> None:
    """Energy in the cube with 0, 30 and 60 mm of patient around it; then bursts."""
    patient = build_patient(
        regrid_ct(read_ct_nifti(file), 3.0), calibration="schneider2000", voxel_size_mm=3.0
    )
    inside = np.argwhere(patient.body)
    center = inside[np.argmin(((inside - inside.mean(axis=0)) ** 2).sum(axis=1))]
    margins = [0, 10, 20, *([10] * BURSTS)]
    for number, margin in enumerate(margins):
        box = cut_patch(patient, center, PATCH_VOXELS + 2 * margin)
        core = (slice(margin, margin + PATCH_VOXELS),) * 3
        started = time.process_time()
        kernel = transport_kernel(
            box, load_nuclide("F-18"), judged=box.body, precision=0.1, electrons="primaries",
            annihilation_copies=16, key=(5,), threads=1, histories=BURST,
        )  # fmt: skip
        seconds = time.process_time() - started
        if number >= 3:
            sys.stdout.write(f"{kernel.histories / seconds:.0f} emissions a processor second\n")
            continue
        energy = np.where(box.body[core], kernel.energy_kev[core], 0.0)
        layer = np.ones(energy.shape, dtype=bool)
        layer[1:-1, 1:-1, 1:-1] = False
        sys.stdout.write(
            f"{3 * margin:3d} mm: {energy.sum():.2f} keV in the body, {energy[layer].sum():.3f} keV"
            " in the outermost voxels\n"
        )


if __name__ == "__main__":
    main()

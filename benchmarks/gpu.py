"""The GPU against two CPU cores, in one run: ``python -m benchmarks.gpu --write FOLDER``.

Writes ``gpu_<name>.json`` and ``gpu_<name>.md``; needs a GPU, and says why there is none (exit
code 4).
"""

import argparse
import json
import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import problems
from benchmarks.exam import time_to_one_percent
from benchmarks.problems import Problem
from milligray.errors import DeviceError
from milligray.exam.manifest import package_version, processor
from milligray.transport.monte_carlo.devices import choose_device
from milligray.transport.monte_carlo.engine import ESTIMATORS, transport_photons

PATIENTS = ("pt_2", "pt_4", "pt_13")
CPU_THREADS = 2
SECONDS = {"cpu": 5.0, "cuda": 3.0}
"""Length of a timed run."""


@dataclass(frozen=True, kw_only=True)
class GpuSpeed:
    """Outcome for one problem and estimator; wall time, tables and copies included."""

    problem: str
    estimator: str
    cpu_mh_s: float
    gpu_mh_s: float
    ratio: float
    largest_difference: float
    """Between the voxel doses of both devices for the same histories, relative to the largest."""


def measure(problem: Problem, estimator: str) -> GpuSpeed:
    """Histories per second on both devices, and whether they did the same."""
    speed = {device: _histories_per_second(problem, estimator, device) for device in SECONDS}
    energies = [
        transport_photons(
            problem.patient, problem.source, histories=10**6, estimator=estimator,  # type: ignore[arg-type]
            device=device,
        ).energy_kev
        for device in SECONDS
    ]  # fmt: skip
    difference = np.abs(energies[1] - energies[0]).max() / energies[0].max()
    return GpuSpeed(
        problem=problem.name, estimator=estimator, cpu_mh_s=speed["cpu"] / 1e6,
        gpu_mh_s=speed["cuda"] / 1e6, ratio=speed["cuda"] / speed["cpu"],
        largest_difference=float(difference),
    )  # fmt: skip


def _histories_per_second(problem: Problem, estimator: str, device: str) -> float:
    def run(histories: int) -> float:
        deposit = transport_photons(
            problem.patient, problem.source, histories=histories, organs=problem.organs,
            estimator=estimator, device=device, threads=CPU_THREADS,  # type: ignore[arg-type]
        )  # fmt: skip
        return deposit.histories / deposit.seconds

    run(10**6)  # compiled and warm
    enough = 2e6 if device == "cpu" else 2e7
    rate = run(int(enough))
    return run(int(max(enough, rate * SECONDS[device])))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--write", type=Path, help="folder for the results")
    arguments = parser.parse_args()
    try:
        device = choose_device("cuda")
    except DeviceError as error:
        sys.stderr.write(f"benchmarks.gpu: {error}\n")
        sys.exit(4)
    chosen = [problems.water()]
    if problems.head_neck_is_there():
        chosen += [problems.head_neck(patient) for patient in PATIENTS]
    else:
        sys.stderr.write("head-and-neck data not found beside the repository: left out\n")
    chosen.append(problems.shipped_sample())
    started = time.perf_counter()
    transport_photons(chosen[0].patient, chosen[0].source, histories=10**5, device="cuda")
    first_call = time.perf_counter() - started
    speeds = [measure(problem, name) for problem in chosen for name in ESTIMATORS]
    exams = [
        asdict(time_to_one_percent(problem, device=kind, threads=CPU_THREADS)) | {"device": kind}
        for problem in chosen[1:]
        for kind in ("cuda", "cpu")
    ]
    hardware = f"{device.name}; {processor()}, {CPU_THREADS} threads"
    page = _page(hardware, first_call, speeds, exams)
    sys.stdout.write(page)
    if arguments.write is not None:
        arguments.write.mkdir(parents=True, exist_ok=True)
        name = "gpu_" + re.sub(r"\W+", "_", device.name).strip("_").lower()
        results = {
            "hardware": hardware, "date": time.strftime("%Y-%m-%d"),
            "milligray": package_version("milligray"), "numba-cuda": package_version("numba-cuda"),
            "first_call_seconds": first_call, "speed": [asdict(s) for s in speeds], "exam": exams,
        }  # fmt: skip
        (arguments.write / f"{name}.md").write_text(page, encoding="utf-8")
        (arguments.write / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def _page(
    hardware: str, first_call: float, speeds: list[GpuSpeed], exams: list[dict[str, object]]
) -> str:
    lines = [
        "# GPU benchmarks", "",
        (f"`python -m benchmarks.gpu`, milligray {package_version('milligray')}, numba-cuda"
        f" {package_version('numba-cuda')}, {hardware}, {time.strftime('%Y-%m-%d')}. Wall time of"
        " `transport_photons`, tables and copies included, compiled before; both devices in one"
        f" run. First call, with compiling or loading the kernels: {first_call:.1f} s."),
        "", "| problem | estimator | CPU Mh/s | GPU Mh/s | ratio | largest difference |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {s.problem} | {s.estimator} | {s.cpu_mh_s:.2f} | {s.gpu_mh_s:.1f} | {s.ratio:.0f} |"
        f" {s.largest_difference:.1e} |"
        for s in speeds
    ]
    lines += ["", "| exam | device | seconds to 1 % in every organ >= 10 mL | histories |",
              "|---|---|---|---|"]  # fmt: skip
    lines += [
        f"| {e['problem']} | {e['device']} | {e['seconds']:.2f} | {e['histories']:.3g} |"
        for e in exams
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

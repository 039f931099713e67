"""Where the time goes: functions of a whole exam, and the parts of a history.

The compiled kernel is one function, so its parts are told by differences of runs that do less:
photons that never meet the box (emission), a thinned patient (march), scores that all go to one
bin (tally). What they did is counted by the same code, not compiled.
"""

import copyreg
import json
import os
import pickle
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse

from benchmarks import problems
from benchmarks.problems import Problem
from benchmarks.series import write_series
from benchmarks.speed import timed
from milligray.transport.monte_carlo.goal import BATCHES_PER_CHECK, MIN_BATCHES
from milligray.transport.monte_carlo.regions import transport_to_regions
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

SLICES = 200
SHOWN = 14
THIN = 1e-4
WARM_UP = 32_000
FAR_MM = 1e4
copyreg.pickle(MappingProxyType, lambda proxy: (dict, (dict(proxy),)))


def run(*, quick: bool) -> dict[str, Any]:
    """An exam and two problems."""
    chosen = [problems.water(), problems.exams(quick=True)[0]]
    rounds, histories = (2, 320_000) if quick else (4, 960_000)
    return {
        "exam": _exam_profile(50 if quick else SLICES),
        "kernel": [_kernel_shares(problem, rounds, histories) for problem in chosen],
    }


def _exam_profile(n_slices: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ct").mkdir()
        write_series(folder / "ct", n_slices)
        profile = folder / "profile"
        command = [
            sys.executable, "-m", "cProfile", "-o", str(profile), "-m", "milligray.cli.main",
            "ct-dose", str(folder / "ct"), "--segmenter", "threshold", "--histories", "1000000",
            "--out", str(folder / "out"), "--json", "--quiet",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
        document = json.loads((folder / "out" / "result.json").read_text("utf-8"))
        found: Any = pstats.Stats(str(profile))
    total = sum(row[2] for row in found.stats.values())
    rows = sorted(found.stats.items(), key=lambda item: item[1][2], reverse=True)[:SHOWN]
    return {
        "slices": n_slices, "seconds": total, "stage_seconds": document["stage_seconds"],
        "functions": [
            {"name": _plain_name(*key), "calls": row[0], "seconds": row[2]} for key, row in rows
        ],
    }  # fmt: skip


def _plain_name(file: str, _line: int, function: str) -> str:
    if "acquire" in function:
        return "waiting for threads (transport, decoding of slices)"
    for part in ("site-packages/", "src/", "lib/python3"):
        if part in file:
            return f"{file.rsplit(part, 1)[1]}: {function}"
    return function


def _kernel_shares(problem: Problem, rounds: int, histories: int) -> dict[str, Any]:
    whole, thin, missed = (
        replace(p, organs=None) for p in (problem, _thinned(problem), _elsewhere(problem))
    )
    cases: dict[str, Callable[[int, int], float]] = {
        "full": lambda n, seed: _ns_per_history(whole, n, seed),
        "one bin": lambda n, seed: _ns_into_one_bin(whole, n, seed),
        "thin": lambda n, seed: _ns_per_history(thin, n, seed),
        "missed": lambda n, seed: _ns_per_history(missed, n, seed),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(-1, rounds):
        for name, run_case in cases.items():
            ns = run_case(histories if number >= 0 else WARM_UP, 30 + number)
            if number >= 0:  # compiled and tables made before
                spent[name].append(ns)
    ns = {name: float(np.percentile(values, 10)) for name, values in spent.items()}
    counts = {"full": _counts(whole, "track-length"), "thin": _counts(thin, "track-length")}
    steps = counts["full"]["scores"]
    tally = max(0.0, ns["full"] - ns["one bin"])
    step_ns = (ns["thin"] - ns["missed"]) / counts["thin"]["scores"] - tally / steps
    shares = {"emission": ns["missed"], "march": step_ns * steps, "tally": tally}
    shares["interaction"] = ns["full"] - sum(shares.values())
    return {
        "problem": problem.name, "ns_per_history": ns["full"], "ns": shares,
        "counts": counts["full"], "ns_per_step": step_ns, "ns_per_tally": tally / steps,
        "ns_per_collision": shares["interaction"] / counts["full"]["collisions"],
    }  # fmt: skip


def _ns_per_history(problem: Problem, histories: int, seed: int) -> float:
    turn = timed(problem, "track-length", histories, seed)
    return 1e9 * turn.seconds / turn.histories


def _ns_into_one_bin(problem: Problem, histories: int, seed: int) -> float:
    """All scores go to one bin, which stays in the cache."""
    whole = scipy.sparse.csr_matrix(np.ones((1, problem.patient.density_g_cm3.size)))
    stamps: list[float] = []

    def judged(mean: FloatArray) -> BoolArray:
        stamps.append(time.process_time())
        return np.ones(mean.size, dtype=bool)

    batch = max(1, histories // (2 * MIN_BATCHES))
    transport_to_regions(
        problem.patient, problem.source, whole, precision=1e-9, judged=judged, seed=seed,
        max_histories=2 * MIN_BATCHES * batch, batch_histories=batch, threads=1,
    )  # fmt: skip
    timed_histories = (len(stamps) - 1) * BATCHES_PER_CHECK * batch
    return 1e9 * (stamps[-1] - stamps[0]) / timed_histories


def _thinned(problem: Problem) -> Problem:
    """The same voxels, next to no collisions."""
    density = problem.patient.density_g_cm3 * np.float32(THIN)
    return replace(problem, patient=replace(problem.patient, density_g_cm3=density))


def _elsewhere(problem: Problem) -> Problem:
    """A voxel out of reach: photons are emitted and gone."""
    patient = problem.patient
    grid = Grid.from_spacing((1, 1, 1), (1.0, 1.0, 1.0), origin_lps_mm=(FAR_MM, FAR_MM, FAR_MM))
    one = replace(
        patient, grid=grid, density_g_cm3=np.ones((1, 1, 1)), body=np.ones((1, 1, 1), dtype=bool),
        material_index=np.zeros((1, 1, 1), dtype=np.uint8), ct=None,
    )  # fmt: skip
    return replace(problem, patient=one, organs=None)


def _counts(problem: Problem, estimator: str) -> dict[str, float]:
    """What one history does on average, counted by the code that is not compiled."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "problem"
        path.write_bytes(pickle.dumps((problem.patient, problem.source)))
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "benchmarks.hotspots", str(path), estimator], check=True,
            capture_output=True, text=True, env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _count_in_this_process(path: Path, estimator: str) -> dict[str, float]:
    patient, source = pickle.loads(path.read_bytes())  # noqa: S301 - written by this module
    calls = dict.fromkeys(("interact", "uniform4", "tally_index", "add_to_tally"), 0)
    wrapped: dict[int, Any] = {}
    for module in [m for name, m in sys.modules.items() if name.startswith("milligray.")]:
        for name in calls:
            original = getattr(module, name, None)
            if original is not None:
                counted = wrapped.setdefault(id(original), _counted(original, name, calls))
                setattr(module, name, counted)
    n = patient.density_g_cm3.size
    one = scipy.sparse.csr_matrix(([1.0], ([0], [0])), shape=(1, n))
    deposit = transport_to_regions(
        patient, source, one, precision=1e-9, max_histories=640, batch_histories=20, threads=1,
        estimator=estimator,  # type: ignore[arg-type]
    )  # fmt: skip
    per = {name: count / deposit.histories for name, count in calls.items()}
    return {
        "collisions": per["interact"], "random_numbers": 4 * per["uniform4"],
        "scores": max(per["tally_index"], per["add_to_tally"]), "histories": deposit.histories,
    }  # fmt: skip


def _counted(function: Any, name: str, calls: dict[str, int]) -> Any:  # noqa: ANN401
    def count(*arguments: Any) -> Any:  # noqa: ANN401
        calls[name] += 1
        return function(*arguments)

    return count


if __name__ == "__main__":
    json.dump(_count_in_this_process(Path(sys.argv[1]), sys.argv[2]), sys.stdout)

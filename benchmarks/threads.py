"""How the rate grows with the threads, on a real patient."""

import time
from typing import Any

from benchmarks import problems
from benchmarks.problems import Problem
from milligray.transport.monte_carlo.batches import available_threads
from milligray.transport.monte_carlo.engine import transport_photons


def run(*, quick: bool) -> dict[str, Any]:
    """1, 2, 4, ... threads in turn, best of some rounds."""
    problem = problems.exams(quick=True)[0]
    counts = sorted({1, *(2**n for n in range(1, 8)), available_threads()})
    counts = [n for n in counts if n <= available_threads()]
    histories = 640_000 if quick else 3_000_000
    _once(problem, counts[-1], 1000)
    best: dict[int, dict[str, float]] = {}
    for _ in range(1 if quick else 3):
        for n in counts:
            row = _once(problem, n, histories)
            if n not in best or row["mh_s"] > best[n]["mh_s"]:
                best[n] = row
    return {"problem": problem.name, "rows": [best[n] for n in counts]}


def _once(problem: Problem, threads: int, histories: int) -> dict[str, float]:
    started, cpu_started = time.perf_counter(), time.process_time()
    deposit = transport_photons(
        problem.patient, problem.source, histories=histories, organs=problem.organs,
        threads=threads,
    )  # fmt: skip
    seconds, core_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    return {
        "threads": threads, "seconds": seconds, "core_seconds": core_seconds,
        "mh_s": deposit.histories / seconds / 1e6,
        "mh_per_core_s": deposit.histories / core_seconds / 1e6,
    }  # fmt: skip

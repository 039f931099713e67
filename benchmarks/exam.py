"""Seconds to 1 % in every organ of at least 10 mL, and agreement of the estimators."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks import problems
from benchmarks.problems import SMALL_ORGAN_ML, Problem
from milligray.transport.monte_carlo.engine import ESTIMATORS, transport_photons
from milligray.transport.monte_carlo.goal import batch_statistics
from milligray.typing import BoolArray

MAX_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class ExamTime:
    """Outcome for one exam."""

    problem: str
    organs: str
    n_organs: int
    seconds: float
    core_seconds: float
    histories: int
    threads: int
    worst_organ: str
    worst_percent: float


def time_to_one_percent(
    problem: Problem,
    *,
    judged: BoolArray | None = None,
    what: str = "all >= 10 mL",
    **options: str | int,
) -> ExamTime:
    """Wall time of the transport; compiled, and tables of the materials made, before.

    `options` go to `transport_photons` (threads, device).
    """
    if problem.organs is None:
        raise ValueError("this problem has no organs")
    if judged is None:
        judged = problem.organs.volume_ml >= SMALL_ORGAN_ML
    transport_photons(
        problem.patient, problem.source, histories=1000, organs=problem.organs, **options
    )
    started, cpu_started = time.perf_counter(), time.process_time()
    deposit = transport_photons(
        problem.patient, problem.source, precision=0.01, organs=problem.organs,
        precision_organs=judged, max_seconds=MAX_SECONDS, **options,
    )  # fmt: skip
    seconds, core_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    _, relative = batch_statistics(deposit.organ_batches_kev_g)
    worst = int(np.argmax(np.where(judged, relative, 0.0)))
    return ExamTime(
        problem=problem.name, organs=what, n_organs=int(judged.sum()), seconds=seconds,
        core_seconds=core_seconds, histories=deposit.histories, threads=deposit.threads,
        worst_organ=problem.organs.names[worst], worst_percent=100 * float(relative[worst]),
    )  # fmt: skip


def estimators_agree(
    problem: Problem, *, histories: int = 20_000_000
) -> dict[str, list[tuple[str, float, float]]]:
    """By estimator and organ: deviation from the analogue one [%] and in combined deviations."""
    if problem.organs is None:
        raise ValueError("this problem has no organs")
    result = {}
    for number, estimator in enumerate(ESTIMATORS):
        deposit = transport_photons(
            problem.patient, problem.source, organs=problem.organs, seed=11 + number,
            histories=histories if estimator == "analogue" else histories // 4,
            estimator=estimator,  # type: ignore[arg-type]
        )  # fmt: skip
        result[estimator] = batch_statistics(deposit.organ_batches_kev_g)
    a, sa = result.pop("analogue")
    rows = {}
    for name, (t, st) in result.items():
        sigma = np.hypot(sa * a, st * t)
        rows[name] = [
            (organ, 100 * float(t[i] / a[i] - 1), float((t[i] - a[i]) / sigma[i]))
            for i, organ in enumerate(problem.organs.names)
        ]
    return rows


def run(*, quick: bool) -> dict[str, Any]:
    """All patients."""
    chosen = problems.exams(quick=quick)
    times, agreement = [], []
    for problem in chosen:
        times.append(time_to_one_percent(problem))
        if problem.judged_inside is not None:
            inside = time_to_one_percent(
                problem, judged=problem.judged_inside, what="whole in the range"
            )
            times.append(inside)
        rows = estimators_agree(problem, histories=2_000_000 if quick else 20_000_000)
        agreement.append({"problem": problem.name, "estimators": rows})
    if problems.torso_is_there() and not quick:
        part = problems.torso_in_part()
        times.append(time_to_one_percent(part))
        times.append(
            time_to_one_percent(part, what="all >= 10 mL, no weight window", weight_window=False)
        )
    return {"times": [asdict(t) for t in times], "agreement": agreement}

"""Seconds to 1 % in every organ of at least 10 mL, and agreement of the two estimators."""

import time
from dataclasses import dataclass

import numpy as np

from benchmarks.problems import Problem
from milligray.transport.monte_carlo.engine import batch_statistics, transport_photons


@dataclass(frozen=True, kw_only=True)
class ExamTime:
    """Outcome for one exam."""

    problem: str
    seconds: float
    histories: int
    threads: int
    worst_percent: float


def time_to_one_percent(problem: Problem) -> ExamTime:
    """Wall time of the transport on all processors, compiled before."""
    transport_photons(problem.patient, problem.source, histories=1000, organs=problem.organs)
    started = time.perf_counter()
    deposit = transport_photons(
        problem.patient, problem.source, precision=0.01, organs=problem.organs
    )
    seconds = time.perf_counter() - started
    _, relative = batch_statistics(deposit.organ_batches_kev_g)
    return ExamTime(
        problem=problem.name,
        seconds=seconds,
        histories=deposit.histories,
        threads=deposit.threads,
        worst_percent=100 * float(relative[deposit.organ_volume_ml >= 10].max()),
    )


def estimators_agree(
    problem: Problem, *, histories: int = 20_000_000
) -> list[tuple[str, float, float]]:
    """Organ, deviation of track-length from analogue [%], and in combined standard deviations."""
    result = {}
    for estimator in ("analogue", "track-length"):
        deposit = transport_photons(
            problem.patient, problem.source, organs=problem.organs, estimator=estimator,
            histories=histories if estimator == "analogue" else histories // 4,
            seed=11 if estimator == "analogue" else 12,
        )  # fmt: skip
        result[estimator] = batch_statistics(deposit.organ_batches_kev_g)
    if problem.organs is None:
        raise ValueError("this problem has no organs")
    (a, sa), (t, st) = result["analogue"], result["track-length"]
    sigma = np.hypot(sa * a, st * t)
    return [
        (name, 100 * float(t[i] / a[i] - 1), float((t[i] - a[i]) / sigma[i]))
        for i, name in enumerate(problem.organs.names)
    ]

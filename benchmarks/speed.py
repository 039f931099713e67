"""Histories per second and figure of merit, the estimators in turn in one run.

Time is the processor time of a run on one thread between two progress reports (so without tables
and grids), so other work on the machine disturbs little; what disturbs, hits all in turn.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks import problems
from benchmarks.problems import Problem
from milligray.transport.deposit import EnergyDeposit
from milligray.transport.monte_carlo.engine import ESTIMATORS, transport_photons
from milligray.transport.monte_carlo.goal import MIN_BATCHES
from milligray.typing import FloatArray

HIGH_DOSE = 0.2
"""Voxels above this share of the largest dose are judged."""
DENSE_G_CM3 = 0.2
"""Voxels of air hold no dose worth judging."""


@dataclass(frozen=True, kw_only=True)
class EstimatorSpeed:
    """Outcome of one estimator; figures of merit are 1 / (sigma^2 T), T in core-seconds."""

    mh_s: float
    kev_per_history: float
    voxel_merit: float
    organ_merit: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Outcome for one problem."""

    problem: str
    voxels: int
    histories: int
    estimators: dict[str, EstimatorSpeed]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One timed run."""

    seconds: float
    histories: int
    deposit: EnergyDeposit


def measure(problem: Problem, *, rounds: int = 6, histories: int = 640_000) -> Speed:
    """Rate (10th percentile of the times) and figures of merit of every estimator."""
    for name in ESTIMATORS:  # compiled and tables made before
        timed(problem, name, MIN_BATCHES, 1)
    turns: dict[str, list[Turn]] = {name: [] for name in ESTIMATORS}
    for number in range(rounds):
        for name in ESTIMATORS:
            turns[name].append(timed(problem, name, histories, 100 + number))
    judged = judged_voxels(problem, turns["track-length"])
    return Speed(
        problem=problem.name, voxels=int(problem.patient.density_g_cm3.size),
        histories=rounds * histories,
        estimators={name: _summary(problem, found, judged) for name, found in turns.items()},
    )  # fmt: skip


def timed(problem: Problem, estimator: str, histories: int, seed: int) -> Turn:
    """One run on one thread."""
    stamps: list[tuple[int, float]] = []
    deposit = transport_photons(
        problem.patient, problem.source, histories=histories, seed=seed, organs=problem.organs,
        estimator=estimator, threads=1,  # type: ignore[arg-type]
        progress=lambda state: stamps.append((state.histories, time.process_time())),
    )  # fmt: skip
    (first, started), (last, ended) = stamps[0], stamps[-1]
    seconds = (ended - started) * deposit.histories / (last - first)
    return Turn(seconds=seconds, histories=deposit.histories, deposit=deposit)


def rate(turns: list[Turn]) -> float:
    """Histories per core-second at the best tenth."""
    return float(np.percentile([turn.histories / turn.seconds for turn in turns], 90))


def judged_voxels(problem: Problem, turns: list[Turn]) -> FloatArray:
    """Voxels with matter and more than 20 % of the largest dose."""
    mass = problem.patient.mass_g
    energy = sum(turn.deposit.energy_kev for turn in turns)
    dense = problem.patient.body & (problem.patient.density_g_cm3 > DENSE_G_CM3)
    dose = np.divide(energy, mass, out=np.zeros(mass.shape), where=dense)
    return dense & (dose > HIGH_DOSE * np.percentile(dose[dense], 99.9))


def voxel_variance(turns: list[Turn], judged: FloatArray) -> float:
    """Mean squared relative deviation of the judged voxels, of one history."""
    parts = [
        turn.histories * np.mean(turn.deposit.relative_uncertainty[judged].astype(float) ** 2)
        for turn in turns
    ]
    return float(np.mean(parts))


def _summary(problem: Problem, turns: list[Turn], judged: FloatArray) -> EstimatorSpeed:
    speed = rate(turns)
    energy = [float(turn.deposit.energy_kev.sum()) for turn in turns]
    merit: dict[str, float] = {}
    if problem.organs is not None:
        batches = np.concatenate([turn.deposit.organ_batches_kev_g for turn in turns])
        per_batch = turns[0].histories / turns[0].deposit.batches
        variance = per_batch * batches.var(axis=0, ddof=1) / batches.mean(axis=0) ** 2
        merit = {n: float(speed / v) for n, v in zip(problem.organs.names, variance, strict=True)}
    return EstimatorSpeed(
        mh_s=speed / 1e6, kev_per_history=float(np.mean(energy)),
        voxel_merit=speed / voxel_variance(turns, judged), organ_merit=merit,
    )  # fmt: skip


def run(*, quick: bool) -> dict[str, Any]:
    """All problems."""
    chosen = [problems.water(), *problems.exams(quick=quick)]
    nuclide = [problems.distributed(is_stratified=chosen) for chosen in (True, False)]
    chosen += [problem for problem in nuclide if problem is not None]
    rounds, histories = (3, 320_000) if quick else (6, 640_000)
    found = [asdict(measure(p, rounds=rounds, histories=histories)) for p in chosen]
    return {"problems": found}

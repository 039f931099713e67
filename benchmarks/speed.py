"""Histories per second of both estimators, and their efficiency, in one interleaved run.

Time is the processor time of one thread, so other work on the machine disturbs little; the
estimators take turns batch by batch, so what disturbs hits both.
"""

import time
from dataclasses import dataclass

import numpy as np

from benchmarks.problems import Problem
from milligray.transport.monte_carlo.cpu import run_batch
from milligray.transport.monte_carlo.engine import ESTIMATORS
from milligray.transport.monte_carlo.matter import pack_matter

HIGH_DOSE = 0.2
"""Voxels above this share of the largest dose are judged."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Outcome for one problem."""

    problem: str
    analogue_mh_s: float
    track_length_mh_s: float
    voxel_efficiency_ratio: float
    organ_efficiency_ratio: float


def measure(problem: Problem, *, batches: int = 24, histories: int = 100_000) -> Speed:
    """Best histories/s/core (10th percentile of batch times) and efficiency ratios.

    Efficiency is ``1 / (sigma^2 T)``: mean squared relative deviation over voxels above 20 % of
    the largest dose (organs: the median of their ratios), T at the best speed.
    """
    matter, tables = pack_matter(problem.patient, max_energy_kev=problem.source.max_energy_kev)
    emission = problem.source.emission_tables(problem.patient.grid.corner_lps_mm)
    mass = problem.patient.mass_g.ravel().astype(np.float64)
    n = matter.voxels.size
    sums = {e: np.zeros(n) for e in ESTIMATORS}
    squares = {e: np.zeros(n) for e in ESTIMATORS}
    seconds: dict[str, list[float]] = {e: [] for e in ESTIMATORS}
    organ_sums: dict[str, list[np.ndarray]] = {e: [] for e in ESTIMATORS}
    for number in range(-1, batches):
        for name, estimator in ESTIMATORS.items():
            tally = np.zeros(n)
            started = time.thread_time()
            run_batch(
                estimator, 7, max(number, 0) * histories, histories, emission, matter, tables, tally
            )
            if number < 0:  # compiled and warm
                continue
            seconds[name].append(time.thread_time() - started)
            sums[name] += tally
            squares[name] += tally**2
            if problem.organs is not None:
                inverse = np.divide(1.0, mass, out=np.zeros(n), where=mass > 0)
                organ_sums[name].append(problem.organs.weights_g @ (tally * inverse))
    best = {name: float(np.percentile(values, 10)) for name, values in seconds.items()}
    dose = np.divide(
        sums["track-length"], mass, out=np.zeros(n), where=problem.patient.body.ravel() & (mass > 0)
    )
    # air voxels of the box hold no dose worth judging
    dense = problem.patient.density_g_cm3.ravel() > 0.2
    judged = dense & (dose > HIGH_DOSE * np.percentile(dose[dense], 99.9))
    variance = {
        name: float(np.mean(_relative_variance(sums[name], squares[name], batches)[judged]))
        for name in ESTIMATORS
    }
    ratio = best["analogue"] / best["track-length"]
    organ_ratio = float("nan")
    if problem.organs is not None:
        spread = {
            name: np.var(np.array(v), axis=0, ddof=1) / np.mean(np.array(v), axis=0) ** 2
            for name, v in organ_sums.items()
        }
        organ_ratio = float(np.median(spread["analogue"] / spread["track-length"]) * ratio)
    return Speed(
        problem=problem.name,
        analogue_mh_s=histories / best["analogue"] / 1e6,
        track_length_mh_s=histories / best["track-length"] / 1e6,
        voxel_efficiency_ratio=variance["analogue"] / variance["track-length"] * ratio,
        organ_efficiency_ratio=organ_ratio,
    )


def _relative_variance(total: np.ndarray, squared: np.ndarray, n: int) -> np.ndarray:
    """Relative variance of one batch, per voxel."""
    mean = total / n
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean > 0, (squared / n - mean**2) * n / (n - 1) / mean**2, 0.0)

"""The Monte Carlo engine for radioactive decay in a patient."""

import time
from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.materials.charged_tables import ABSORPTION_KEV, build_charged_tables
from milligray.patient.patient import Patient
from milligray.segment.mass_weights import OrganMassWeights, organ_mass_weights
from milligray.segment.organs import OrganMap
from milligray.source.decay_source import DecaySource
from milligray.transport.deposit import EnergyDeposit
from milligray.transport.monte_carlo.batches import available_threads, run_batches
from milligray.transport.monte_carlo.charged_end import PARTICLE_STACK_SHAPE
from milligray.transport.monte_carlo.decay_history import (
    ALL,
    LOCAL,
    PRIMARIES,
    RANGE_G_CM2,
    RANGE_POWER,
    DecayPhysics,
    run_decay_batch,
)
from milligray.transport.monte_carlo.goal import MIN_BATCHES, Goal, Progress
from milligray.transport.monte_carlo.matter import DRY_AIR, pack_matter, without_border
from milligray.transport.monte_carlo.organ_scoring import organ_mass_g, organ_scoring
from milligray.transport.monte_carlo.voxels import Matter
from milligray.typing import FloatArray

Electrons = Literal["local", "primaries", "all"]
BALL_POINTS = 200_000
MAX_LIMIT_KEV = 5000
MAX_PHOTON_KEV, MAX_SHARE_BEYOND = 3000.0, 1e-3
AIR_ORGAN_G_CM3 = 0.1
"""Organs of less density (lumina filled with air) do not decide when a precision is reached."""
ELECTRONS: dict[str, int] = {"local": LOCAL, "primaries": PRIMARIES, "all": ALL}


def transport_decays(
    patient: Patient,
    source: DecaySource,
    *,
    electrons: Electrons = "primaries",
    histories: int | None = None,
    precision: float | None = None,
    annihilation_copies: int = 2,
    seed: int = 1,
    organs: OrganMap | OrganMassWeights | None = None,
    precision_organs: npt.NDArray[np.bool_] | None = None,
    threads: int | None = None,
    max_histories: int = 10**10,
    max_seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> EnergyDeposit:
    """Transport the emissions of a nuclide through a patient and score the energy imparted.

    Parameters
    ----------
    patient : Patient
    source : DecaySource
    electrons : {"local", "primaries", "all"}
        Which electrons and positrons travel: none, those that the nuclide emits, or also those that
        photons set free (then a voxel far from the source may come out slightly below zero).
    histories : int, optional
        Number of emissions (rounded up to whole batches). Give this or `precision`.
    precision : float, optional
        Stop when every organ of `precision_organs` has at most this relative standard deviation.
    annihilation_copies : int
        Pairs of photons, of so much less weight, for every positron at rest; 1 to 16.
    seed : int
        Same seed, same result, for any number of threads.
    organs : OrganMap or OrganMassWeights, optional
        Organs to score; needed with `precision`.
    precision_organs : ndarray of bool, shape (n_organs,), optional
        Organs the goal holds for; default: those of at least 10 mL that are not filled with air.
    threads : int, optional
        Default: all processors.
    max_histories, max_seconds : limits for `precision`.
    progress : callable, optional

    Returns
    -------
    EnergyDeposit
        Per decay, not per history.

    Raises
    ------
    InputError
        Among others if a part of the source lies outside the patient's grid.
    """
    if (histories is None) == (precision is None):
        raise InputError("give either histories or precision")
    if histories is not None and histories < 1:
        raise InputError(f"histories must be >= 1, got {histories}")
    if precision is not None and (organs is None or not 0 < precision < 1):
        raise InputError("a precision must lie between 0 and 1 and needs organs to judge it by")
    if electrons not in ELECTRONS:
        raise InputError(f"electrons must be one of {sorted(ELECTRONS)}, got {electrons!r}")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed must lie between 0 and 2**63 - 1, got {seed}")
    check_photon_lines(source)
    place = decays_on_grid(patient, source)
    if isinstance(organs, OrganMap):
        organs = organ_mass_weights(patient, organs)
    threads = threads or available_threads()
    started = time.perf_counter()
    batch_histories = max(20_000, patient.density_g_cm3.size // 50)
    max_batches = -(-max_histories // batch_histories)
    if histories is not None:
        max_batches = max(MIN_BATCHES, -(-histories // batch_histories))
        batch_histories = -(-histories // max_batches)
    tables = source.decay_tables(patient.grid.corner_lps_mm)
    tables = tables._replace(batch_histories=batch_histories)
    matter, photons = pack_matter(
        patient, max_energy_kev=min(source.max_photon_kev, MAX_PHOTON_KEV)
    )
    charged = build_charged_tables(
        (*patient.materials, DRY_AIR),
        max_energy_kev=charged_limit_kev(source),
        annihilation_copies=annihilation_copies,
    )
    scoring = organ_scoring(patient, organs)
    # energy that is known without noise: see `run_decay_batch`
    local_kev = (
        source.local_kev_per_decay + _baseline_kev(patient, source, matter, electrons)
    ) * place
    local_organs = np.zeros(0)
    if scoring is not None:
        local_organs = scoring @ np.pad(local_kev, 1).ravel()
    if precision_organs is None and organs is not None:
        dense = organ_mass_g(organs) >= AIR_ORGAN_G_CM3 * organs.volume_ml
        precision_organs = (organs.volume_ml >= 10.0) & dense
        if not np.any(precision_organs):
            precision_organs = np.ones(len(organs.names), dtype=bool)
    goal = Goal(
        batch_histories=batch_histories, max_batches=max_batches, histories=histories,
        precision=precision, organs=organs.names if organs is not None else (),
        judged=precision_organs, max_seconds=max_seconds, progress=progress,
    )  # fmt: skip

    def on_batch(number: int, sums: FloatArray) -> bool:  # noqa: ARG001 - as they come
        value = sums.sum(axis=0) / batch_histories
        return goal.take(value + local_organs if scoring is not None else value)

    sums = run_batches(
        tables, matter, DecayPhysics(photons=photons, charged=charged),
        estimator=ELECTRONS[electrons], seed=seed, batch_histories=batch_histories,
        n_bins=matter.words.size, regions=scoring, keep_bins=True, threads=threads,
        on_batch=on_batch, max_batches=max_batches, batch=run_decay_batch,
        stack_shape=PARTICLE_STACK_SHAPE,
    )  # fmt: skip
    n = sums.batches
    mean = sums.total / n
    variance = np.maximum(sums.total_squared / n - mean * mean, 0.0) / max(n - 1, 1)
    energy = without_border(mean, patient.grid.shape) / batch_histories
    spread = without_border(np.sqrt(variance), patient.grid.shape) / batch_histories
    energy = energy + local_kev
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(energy > 0, spread / energy, 0.0)
    return EnergyDeposit(
        grid=patient.grid, energy_kev=energy, relative_uncertainty=relative.astype(np.float32),
        organ_batches_kev_g=np.array(goal.batches).reshape(n, -1),
        organ_segments_kev_g=np.empty(0), organ_mass_g=organ_mass_g(organs),
        organ_volume_ml=np.asarray(organs.volume_ml) if organs else np.empty(0),
        organs=organs.names if organs else (), estimator="track-length",
        histories=n * batch_histories, batches=n, seed=seed,
        seconds=time.perf_counter() - started, threads=threads, converged=goal.converged,
    )  # fmt: skip


def check_photon_lines(source: DecaySource) -> None:
    """Refuse a nuclide of which more than 0.1 % of the photon energy lies beyond the tables.

    Less than that is followed with the coefficients of 3 MeV.
    """
    lines = source.nuclide.lines("photon")
    if lines is None:
        return
    energy = lines.yields * lines.edges_kev.mean(axis=1)
    beyond = float(energy[lines.edges_kev[:, 1] > MAX_PHOTON_KEV].sum())
    if beyond > MAX_SHARE_BEYOND * float(energy.sum()):
        raise InputError(
            f"{100 * beyond / energy.sum():.2g} % of the photon energy of {source.nuclide.name}"
            f" lies above {MAX_PHOTON_KEV:g} keV, where there are no cross sections here"
        )


def charged_limit_kev(source: DecaySource) -> float:
    """Highest kinetic energy that the tables must hold: of the nuclide's own, or of photons'."""
    of_photons = min(source.max_photon_kev, MAX_PHOTON_KEV)
    return max(2.0 * ABSORPTION_KEV, source.max_kinetic_kev, of_photons)


def _baseline_kev(
    patient: Patient, source: DecaySource, matter: Matter, electrons: Electrons
) -> FloatArray:
    """Energy per decay that `run_decay_batch` takes away from the tally, by voxel [keV]."""
    everything = np.array([np.inf])
    if electrons == "local":
        return source.traveling_kev_per_decay(everything)
    steps = np.arange(MAX_LIMIT_KEV + 1.0)
    table = source.traveling_kev_per_decay(steps)
    density = patient.density_g_cm3.astype(np.float64)
    mass_path = density * min(matter.dx, matter.dy, matter.dz)
    # as in `baseline_limit_kev`, for all voxels at once
    limit = np.floor(1e3 * (mass_path / RANGE_G_CM2) ** (1.0 / RANGE_POWER))
    return np.asarray(table[np.minimum(limit, MAX_LIMIT_KEV).astype(np.int64)])


def decays_on_grid(patient: Patient, source: DecaySource) -> FloatArray:
    """Share of the decays in every voxel of the patient's grid, of sum 1.

    Raises
    ------
    InputError
        If the decays are given on another grid, or a ball reaches beyond this one.
    """
    grid = patient.grid
    if source.grid is not None and source.decays is not None:
        if not source.grid.is_same_as(grid):
            raise InputError(
                "the decays are not on the patient's grid: bring the activity onto it first"
            )
        return np.asarray(source.decays / source.decays.sum())
    rng = np.random.default_rng(1)
    n = BALL_POINTS if source.radius_mm > 0 else 1
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = source.radius_mm * rng.random(n) ** (1.0 / 3.0)
    points = np.array(source.center_lps_mm) + direction * radius[:, None]
    index = np.floor(grid.to_index_kji(points) + 0.5).astype(int)
    if np.any(index < 0) or np.any(index >= np.array(grid.shape)):
        raise InputError("a part of the ball of decays lies outside the patient's grid")
    share = np.zeros(grid.shape)
    np.add.at(share, tuple(index.T), 1.0 / n)
    return share

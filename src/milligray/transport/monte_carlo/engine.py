"""The Monte Carlo engine: batches until the goal is met, means with their variances."""

import time
from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.segment.mass_weights import OrganMassWeights, organ_mass_weights
from milligray.segment.organs import OrganMap
from milligray.source.emission_tables import EmissionTables
from milligray.transport.deposit import EnergyDeposit
from milligray.transport.monte_carlo.batches import BatchPool, available_threads
from milligray.transport.monte_carlo.devices import choose_device
from milligray.transport.monte_carlo.goal import (
    MIN_BATCHES,
    Goal,
    Progress,
)
from milligray.transport.monte_carlo.history import ANALOGUE, TENTATIVE_COLLISION, TRACK_LENGTH
from milligray.transport.monte_carlo.matter import pack_matter, without_border
from milligray.transport.monte_carlo.organ_scoring import (
    organ_mass_g,
    organ_scoring,
    window_halving_cm,
)
from milligray.transport.monte_carlo.run import run_on
from milligray.typing import FloatArray

Estimator = Literal["track-length", "tentative-collision", "analogue"]
ESTIMATORS: dict[str, int] = {
    "analogue": ANALOGUE,
    "track-length": TRACK_LENGTH,
    "tentative-collision": TENTATIVE_COLLISION,
}
PAIR_THRESHOLD_KEV = 1022.0
MAX_SEGMENTS = 1000


def check_photon_energies(source: "Source") -> None:
    """Refuse photons that could produce pairs: these histories follow no positrons."""
    if source.max_energy_kev > PAIR_THRESHOLD_KEV:
        raise InputError(
            f"photons of up to {source.max_energy_kev:g} keV produce pairs, which this transport"
            f" leaves out; its sources may reach {PAIR_THRESHOLD_KEV:g} keV: use transport_decays"
        )


class Source(Protocol):
    """What the engine asks of a source."""

    @property
    def max_energy_kev(self) -> float:
        """Highest photon energy [keV]."""

    @property
    def irradiated_z_mm(self) -> tuple[float, float] | None:
        """Range along z (LPS) that it irradiates directly; None if that says little."""

    def emission_tables(self, corner_lps_mm: FloatArray) -> EmissionTables:
        """Kernel tables in the coordinates of the transport box."""


def transport_photons(
    patient: Patient,
    source: Source,
    *,
    histories: int | None = None,
    precision: float | None = None,
    seed: int = 1,
    organs: OrganMap | OrganMassWeights | None = None,
    precision_organs: npt.NDArray[np.bool_] | None = None,
    estimator: Estimator = "track-length",
    ambient: str = "vacuum",
    weight_window: bool = True,
    threads: int | None = None,
    device: str = "cpu",
    max_histories: int = 10**10,
    max_seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    segments: int = 1,
    pool: BatchPool | None = None,
) -> EnergyDeposit:
    """Transport photons through a patient and score the energy imparted.

    Electrons deposit their energy where they are set free: their range at CT energies
    (0.1 mm in water) is far below a voxel.

    Parameters
    ----------
    patient : Patient
    source : Source
    histories : int, optional
        Number of source photons (rounded up to whole batches). Give this or `precision`.
    precision : float, optional
        Stop when every organ of `precision_organs` has at most this relative standard deviation.
    seed : int
        Same seed, same result, for any number of threads.
    organs : OrganMap or OrganMassWeights, optional
        Organs to score; needed with `precision`.
    precision_organs : ndarray of bool, shape (n_organs,), optional
        Organs the goal holds for; default: those of at least 10 mL.
    estimator : {"track-length", "tentative-collision", "analogue"}
    ambient : {"vacuum", "air"}
    weight_window : bool
        Split photons that leave the irradiated range along z, for organs beyond it; the means are
        the same. The analogue estimator never does.
    threads : int, optional
        Default: all processors.
    device : {"cpu", "cuda", "auto"}
        The histories are the same on each; ``"auto"`` takes a GPU where one works.
    max_histories, max_seconds : limits for `precision`.
    progress : callable, optional
    segments : int
        Parts of a CT scan along z, of equal photons, whose organ doses are kept apart: so the
        doses of other tube-current profiles follow without another transport
        (`milligray.score.current_profiles`). CPUs only.
    pool : BatchPool, optional
        Computes the batches, elsewhere for example; the result is the same.

    Returns
    -------
    EnergyDeposit
    """
    if (histories is None) == (precision is None):
        raise InputError("give either histories or precision")
    if histories is not None and histories < 1:
        raise InputError(f"histories must be >= 1, got {histories}")
    if precision is not None and not 0 < precision < 1:
        raise InputError(f"precision must lie between 0 and 1, got {precision}")
    if precision is not None and organs is None:
        raise InputError("a precision needs organs to judge it by")
    if estimator not in ESTIMATORS:
        raise InputError(f"estimator must be one of {sorted(ESTIMATORS)}, got {estimator!r}")
    if not 1 <= segments <= MAX_SEGMENTS:
        raise InputError(f"segments must lie between 1 and {MAX_SEGMENTS}, got {segments}")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed must lie between 0 and 2**63 - 1, got {seed}")
    check_photon_energies(source)
    if isinstance(organs, OrganMap):
        organs = organ_mass_weights(patient, organs)
    place = choose_device(device)
    threads = 1 if place.kind == "cuda" else threads or available_threads()
    started = time.perf_counter()
    batch_histories = max(20_000, patient.density_g_cm3.size // 50)
    max_batches = -(-max_histories // batch_histories)
    if histories is not None:
        max_batches = max(MIN_BATCHES, -(-histories // batch_histories))
        batch_histories = -(-histories // max_batches)
    emission = source.emission_tables(patient.grid.corner_lps_mm)
    batch_histories += -batch_histories % segments
    emission = emission._replace(batch_histories=batch_histories, segments=segments)

    scoring = organ_scoring(patient, organs)
    if precision_organs is None and organs is not None:
        precision_organs = organs.volume_ml >= 10.0
        if not np.any(precision_organs):
            precision_organs = np.ones(len(organs.names), dtype=bool)
    window_z_mm = source.irradiated_z_mm if weight_window else None
    matter, tables = pack_matter(
        patient, max_energy_kev=source.max_energy_kev, ambient=ambient, window_z_mm=window_z_mm,
        window_halving_cm=window_halving_cm(patient, organs, precision_organs, window_z_mm),
    )  # fmt: skip
    organ_segments: list[FloatArray] = []
    goal = Goal(
        batch_histories=batch_histories, max_batches=max_batches, histories=histories,
        precision=precision, organs=organs.names if organs is not None else (),
        judged=precision_organs, max_seconds=max_seconds, progress=progress,
    )  # fmt: skip

    def on_batch(number: int, organ_sums: FloatArray) -> bool:  # noqa: ARG001 - as they come
        if segments > 1:
            organ_segments.append(organ_sums / batch_histories)
        return goal.take(organ_sums.sum(axis=0) / batch_histories)

    sums = run_on(
        place, emission, matter, tables, estimator=ESTIMATORS[estimator], seed=seed,
        batch_histories=batch_histories, max_energy_kev=source.max_energy_kev,
        n_bins=matter.words.size, regions=scoring, keep_bins=True, threads=threads,
        on_batch=on_batch, max_batches=max_batches, segments=segments, pool=pool,
    )  # fmt: skip
    n = sums.batches
    mean = sums.total / n
    variance = np.maximum(sums.total_squared / n - mean * mean, 0.0) / max(n - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(mean > 0, np.sqrt(variance) / mean, 0.0)
    shape = patient.grid.shape
    energy, relative = without_border(mean, shape), without_border(relative, shape)
    return EnergyDeposit(
        grid=patient.grid,
        energy_kev=energy / batch_histories,
        relative_uncertainty=relative.astype(np.float32),
        organ_batches_kev_g=np.array(goal.batches).reshape(n, -1),
        organ_segments_kev_g=np.array(organ_segments),
        organ_mass_g=organ_mass_g(organs),
        organ_volume_ml=np.asarray(organs.volume_ml) if organs else np.empty(0),
        organs=organs.names if organs else (),
        estimator=estimator,
        histories=n * batch_histories,
        batches=n,
        seed=seed,
        seconds=time.perf_counter() - started,
        threads=threads,
        device=place.kind,
        gpu=place.name,
        converged=goal.converged,
    )

"""Nuclides: seconds to 1 % in every organ of a whole body, and decays per second beside photons."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from milligray.patient.patient import Patient
from milligray.score.reference_s_values import reference_patient
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import load_nuclide
from milligray.source.spectrum import Spectrum
from milligray.source.voxel_source import VoxelSource
from milligray.transport.monte_carlo.decay_engine import transport_decays
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.transport.monte_carlo.goal import batch_statistics
from milligray.typing import FloatArray

SPACING_MM = 4.0
SMALL_ORGAN_ML, AIR_G_CM3 = 10.0, 0.1
MAX_SECONDS = 600.0
UPTAKE = {
    "brain": 8.0, "heart": 4.0, "liver": 2.5, "kidney": 3.0, "spleen": 2.0, "urinary_bladder": 20.0,
}  # fmt: skip
"""Activity concentration over the body's, as of FDG an hour after administration; invented."""
NUCLIDES = ("F-18", "Lu-177")


@dataclass(frozen=True, kw_only=True)
class DecayTime:
    """Outcome of one run."""

    problem: str
    n_organs: int
    seconds: float
    core_seconds: float
    histories: int
    threads: int
    worst_organ: str
    worst_percent: float


def run(*, quick: bool) -> dict[str, Any]:
    """The reference man with activity everywhere, more in the organs that take up FDG."""
    patient, organs = reference_patient("reference-male", spacing_mm=SPACING_MM)
    decays = fdg_like(patient, organs)
    photons = VoxelSource(
        grid=patient.grid, emission=decays, spectrum=Spectrum.monoenergetic(511.0)
    )
    transport_photons(patient, photons, histories=1000)
    started = time.process_time()
    deposit = transport_photons(patient, photons, histories=2_000_000)
    photon_rate = deposit.histories / (time.process_time() - started)
    rows = [to_one_percent(patient, organs, decays, name) for name in NUCLIDES[: 1 if quick else 2]]
    return {
        "voxels": int(np.prod(patient.grid.shape)), "spacing_mm": patient.grid.spacing_mm[0],
        "photons_per_core_second": photon_rate, "rows": [asdict(row) for row in rows],
    }  # fmt: skip


def fdg_like(patient: Patient, organs: OrganMassWeights) -> FloatArray:
    """Decays by voxel, any unit."""
    decays = np.where(patient.body, patient.mass_g.astype(np.float64), 0.0).ravel()
    for row, name in enumerate(organs.names):
        factor = next((f for word, f in UPTAKE.items() if name.startswith(word)), 1.0)
        decays += (factor - 1.0) * np.asarray(organs.weights_g[row].todense()).ravel()
    return np.maximum(decays, 0.0).reshape(patient.grid.shape)


def to_one_percent(
    patient: Patient, organs: OrganMassWeights, decays: FloatArray, nuclide: str
) -> DecayTime:
    """Time of the transport; compiled, and tables of the materials made, before."""
    source = DecaySource(nuclide=load_nuclide(nuclide), grid=patient.grid, decays=decays)
    judged = (organs.volume_ml >= SMALL_ORGAN_ML) & (organs.mass_g >= AIR_G_CM3 * organs.volume_ml)
    transport_decays(patient, source, histories=1000, organs=organs)
    started, cpu_started = time.perf_counter(), time.process_time()
    deposit = transport_decays(
        patient, source, precision=0.01, organs=organs, precision_organs=judged,
        max_seconds=MAX_SECONDS,
    )  # fmt: skip
    seconds, core_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    _, relative = batch_statistics(deposit.organ_batches_kev_g)
    worst = int(np.argmax(np.where(judged, relative, 0.0)))
    return DecayTime(
        problem=f"{nuclide}, reference man", n_organs=int(judged.sum()), seconds=seconds,
        core_seconds=core_seconds, histories=deposit.histories, threads=deposit.threads,
        worst_organ=organs.names[worst], worst_percent=100 * float(relative[worst]),
    )  # fmt: skip

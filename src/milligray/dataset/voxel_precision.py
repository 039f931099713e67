"""Transport until the voxels of a region are certain enough on average."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from milligray.draws import fraction
from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.ct_source import CtSource
from milligray.transport.deposit import EnergyDeposit
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.transport.monte_carlo.goal import Progress
from milligray.typing import BoolArray, FloatArray

PILOT_HISTORIES = 1_000_000
RESERVE = 1.03
"""The pilot's estimate of the histories is uncertain by about this much."""
MAX_HISTORIES = 2_000_000_000


def voxel_uncertainty(deposit: EnergyDeposit, region: BoolArray) -> FloatArray:
    """Relative standard deviations of the voxels of a region, 1 where nothing was deposited."""
    hit = deposit.energy_kev[region] > 0
    return np.where(hit, deposit.relative_uncertainty[region], 1.0)


def voxel_statistics(deposit: EnergyDeposit, region: BoolArray) -> dict[str, float]:
    """Mean, 95th percentile and largest relative standard deviation of a region's voxels."""
    relative = voxel_uncertainty(deposit, region)
    return {
        "mean_relative_uncertainty": float(relative.mean()),
        "p95_relative_uncertainty": float(np.percentile(relative, 95)),
        "largest_relative_uncertainty": float(relative.max()),
        "voxels": int(relative.size),
        "histories": deposit.histories,
    }


def transport_to_voxel_precision(
    patient: Patient,
    source: CtSource,
    *,
    precision: float,
    region: BoolArray,
    organs: OrganMassWeights | None = None,
    seed: int,
    threads: int,
    device: str = "cpu",
    histories: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> EnergyDeposit:
    """Transport with as many histories as the voxels of a region need.

    Parameters
    ----------
    patient : Patient
    source : CtSource
    precision : float
        Mean over the region of the relative standard deviation of a voxel (k = 1).
    region : ndarray of bool, shape ``patient.grid.shape``
    organs : OrganMassWeights, optional
        To score as well.
    seed : int
        Same seed, same histories and as many of them, for any number of threads.
    device : {"cpu", "cuda", "auto"}
    histories : int, optional
        So many instead of a precision.

    Returns
    -------
    EnergyDeposit
        ``converged`` is False if the goal would have needed more than two thousand million.

    Notes
    -----
    A pilot of a million histories, of other random numbers, tells the mean s: the run then takes
    ``N = N_pilot (s / precision)^2`` and 6 % more. The law holds for a mean over thousands of
    voxels to about 1 %, and the run's own uncertainty, which is stored, does not rest on it.
    """
    if not region.any():
        raise InputError("no voxel of the body lies in the scanned range")
    if histories is not None:
        return transport_photons(
            patient, source, histories=histories, seed=seed, organs=organs, threads=threads,
            device=device, progress=progress,
        )  # fmt: skip
    pilot_seed = int(fraction(seed, "pilot") * 2**48)
    pilot = transport_photons(
        patient, source, histories=PILOT_HISTORIES, seed=pilot_seed, threads=threads, device=device
    )
    reached = float(voxel_uncertainty(pilot, region).mean())
    wanted = math.ceil(pilot.histories * (RESERVE * reached / precision) ** 2)
    is_enough = wanted <= MAX_HISTORIES
    deposit = transport_photons(
        patient, source, histories=min(wanted, MAX_HISTORIES), seed=seed, organs=organs,
        threads=threads, device=device, progress=progress,
    )  # fmt: skip
    return deposit if is_enough else replace(deposit, converged=False)

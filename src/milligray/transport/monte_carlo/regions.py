"""Transport that scores only some regions: phantoms with chambers, published benchmark cases."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse

from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.transport.monte_carlo.batches import available_threads
from milligray.transport.monte_carlo.devices import choose_device
from milligray.transport.monte_carlo.engine import (
    ESTIMATORS,
    Estimator,
    Source,
    check_photon_energies,
)
from milligray.transport.monte_carlo.goal import BATCHES_PER_CHECK, MIN_BATCHES, batch_statistics
from milligray.transport.monte_carlo.matter import on_padded_grid, pack_matter
from milligray.transport.monte_carlo.run import run_on
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegionDeposit:
    """Energy imparted in regions, per source photon.

    Parameters
    ----------
    energy_kev : ndarray, shape (n_regions,) [keV per history]
    relative_uncertainty : ndarray, shape (n_regions,)
        k = 1, from batches.
    batches_kev : ndarray, shape (n_batches, n_regions) [keV per history]
    histories : int
    """

    energy_kev: FloatArray
    relative_uncertainty: FloatArray
    batches_kev: FloatArray
    histories: int


def transport_to_regions(
    patient: Patient,
    source: Source,
    membership: scipy.sparse.csr_matrix,
    *,
    precision: float,
    judged: Callable[[FloatArray], npt.NDArray[np.bool_]] | None = None,
    combine: FloatArray | None = None,
    max_histories: int = 10**9,
    seed: int = 1,
    estimator: Estimator = "track-length",
    ambient: str = "vacuum",
    weight_window: bool = False,
    threads: int | None = None,
    device: str = "cpu",
    batch_histories: int = 100_000,
) -> RegionDeposit:
    """Score the energy imparted in regions given by their share of every voxel.

    Parameters
    ----------
    patient : Patient
    source : Source
    membership : csr matrix, shape (n_regions, n_voxels)
        Fraction of each voxel that belongs to the region.
    precision : float
        Stop when every judged region has at most this relative standard deviation.
    judged : callable, optional
        From the mean energies to the regions that the goal holds for; default: all.
    combine : ndarray, shape (n_regions,), optional
        The goal holds for this weighted sum of the regions instead.
    max_histories : int
        Stop there in any case.
    weight_window : bool
        See `milligray.transport.monte_carlo.engine.transport_photons`; for regions beyond the beam.
    device : {"cpu", "cuda", "auto"}
    """
    if membership.shape[1] != patient.density_g_cm3.size:
        raise InputError("membership does not belong to this patient's grid")
    check_photon_energies(source)
    place = choose_device(device)
    tally_bin: npt.NDArray[np.int32] | None = None
    to_regions = on_padded_grid(membership, patient.grid.shape)
    if place.kind == "cpu":  # few bins stay in its cache; on a GPU threads would queue for them
        tally_bin, to_regions = _bins(membership)
    matter, tables = pack_matter(
        patient, max_energy_kev=source.max_energy_kev, ambient=ambient, tally_bin=tally_bin,
        window_z_mm=source.irradiated_z_mm if weight_window else None,
    )  # fmt: skip
    emission = source.emission_tables(patient.grid.corner_lps_mm)
    emission = emission._replace(batch_histories=batch_histories)
    results: list[FloatArray] = []

    def on_batch(number: int, sums: FloatArray) -> bool:
        results.append(sums[0] / batch_histories)
        n = number + 1
        if n % BATCHES_PER_CHECK or n < MIN_BATCHES:
            return True
        if combine is not None:
            _, relative = batch_statistics((np.array(results) @ combine)[:, None])
            return bool(relative[0] > precision)
        mean, relative = batch_statistics(np.array(results))
        mask = judged(mean) if judged is not None else np.ones(mean.size, dtype=bool)
        return bool(np.any(relative[mask & (mean > 0)] > precision))

    n = run_on(
        place, emission, matter, tables, estimator=ESTIMATORS[estimator], seed=seed,
        batch_histories=batch_histories, max_energy_kev=source.max_energy_kev,
        n_bins=to_regions.shape[1], regions=to_regions, keep_bins=False,
        threads=threads or available_threads(), on_batch=on_batch,
        max_batches=max(MIN_BATCHES, -(-max_histories // batch_histories)),
    ).batches  # fmt: skip
    batches = np.array(results)
    mean, relative = batch_statistics(batches)
    return RegionDeposit(
        energy_kev=mean, relative_uncertainty=relative, batches_kev=batches,
        histories=n * batch_histories,
    )  # fmt: skip


def _bins(
    membership: scipy.sparse.csr_matrix,
) -> tuple[npt.NDArray[np.int32], scipy.sparse.csr_matrix]:
    """Tally bin of each voxel, and the matrix from bins to regions.

    Bin 0 takes all voxels of no region. Whole, disjoint regions share one bin each; otherwise
    every voxel of a region gets a bin of its own.
    """
    n_regions, n_voxels = membership.shape
    tally_bin = np.zeros(n_voxels, dtype=np.int32)
    used = np.unique(membership.indices)
    if used.size == membership.nnz and np.all(membership.data == 1):
        region = np.repeat(np.arange(n_regions, dtype=np.int32), np.diff(membership.indptr))
        tally_bin[membership.indices] = region + 1
        weights = scipy.sparse.identity(n_regions, format="csr")
    else:
        tally_bin[used] = np.arange(1, used.size + 1, dtype=np.int32)
        weights = membership[:, used]
    nothing = scipy.sparse.csr_matrix((n_regions, 1))
    return tally_bin, scipy.sparse.hstack([nothing, weights]).tocsr()

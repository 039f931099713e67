"""Run batches where the device is: one call for the CPU and the GPU."""

import scipy.sparse

from milligray.errors import InputError
from milligray.physics.interactions import PhotonTables
from milligray.source.emission_tables import EmissionTables
from milligray.transport.monte_carlo.batches import BatchPool, BatchSums, OnBatch, run_batches
from milligray.transport.monte_carlo.devices import ComputeDevice, told_as_device_errors
from milligray.transport.monte_carlo.voxels import Matter


def run_on(
    device: ComputeDevice,
    emission: EmissionTables,
    matter: Matter,
    tables: PhotonTables,
    *,
    estimator: int,
    seed: int,
    batch_histories: int,
    max_energy_kev: float,
    n_bins: int,
    regions: scipy.sparse.csr_matrix | None,
    keep_bins: bool,
    threads: int,
    on_batch: OnBatch,
    max_batches: int,
    segments: int = 1,
    pool: BatchPool | None = None,
) -> BatchSums:
    """Run batches until `on_batch` returns False or `max_batches` are done; see `run_batches`."""
    if device.kind == "cpu":
        return run_batches(
            emission, matter, tables, estimator=estimator, seed=seed,
            batch_histories=batch_histories, n_bins=n_bins, regions=regions,
            keep_bins=keep_bins, threads=threads, on_batch=on_batch, max_batches=max_batches,
            segments=segments, pool=pool,
        )  # fmt: skip
    if segments > 1 or pool is not None:
        raise InputError("segments of a scan and other workers are for CPUs: use device='cpu'")
    from milligray.transport.monte_carlo.cuda_batches import (  # noqa: PLC0415 - needs CUDA
        run_batches_on_gpu,
    )

    with told_as_device_errors():
        return run_batches_on_gpu(
            emission, matter, tables, estimator=estimator, seed=seed,
            batch_histories=batch_histories, max_energy_kev=max_energy_kev, n_bins=n_bins,
            regions=regions, keep_bins=keep_bins, on_batch=on_batch, max_batches=max_batches,
        )  # fmt: skip

"""Cumulative dose-volume histograms."""

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.patient.patient import Patient
from milligray.patient.voxel_loop import voxel_loop
from milligray.score.dose import DoseMap
from milligray.segment.organs import OrganMap
from milligray.typing import FloatArray


def dose_volume_histogram(
    dose_mgy: FloatArray, weights: FloatArray, *, n_bins: int = 200
) -> tuple[FloatArray, FloatArray]:
    """Fraction of an organ that receives at least a dose.

    Parameters
    ----------
    dose_mgy : ndarray, any shape [mGy]
        Dose of the organ's voxels, >= 0.
    weights : ndarray, same shape
        Volume (dose-volume histogram) or mass (dose-mass histogram) of each voxel that belongs to
        the organ, in any unit, >= 0.
    n_bins : int
        Number of dose steps between 0 and the maximum.

    Returns
    -------
    dose_bins_mgy : ndarray, shape (n_bins + 1,) [mGy]
        From 0 to the highest dose in the organ.
    volume_fraction : ndarray, shape (n_bins + 1,)
        Share of the weight with ``dose >= dose_bins_mgy``; falls from 1.

    Raises
    ------
    InputError
        If the arrays differ in shape, are empty, or hold negative or non-finite values.

    Notes
    -----
    ``volume_fraction(D) = sum_i weights_i [dose_i >= D] / sum_i weights_i``, exact at every bin.
    Doses are statistical: noise of the single voxel widens the histogram, so its tails are softer
    than the truth.

    Examples
    --------
    >>> bins, fraction = dose_volume_histogram(np.array([1.0, 2.0]), np.array([3.0, 1.0]), n_bins=2)
    >>> fraction.tolist()
    [1.0, 1.0, 0.25]
    """
    dose = np.asarray(dose_mgy, dtype=np.float64).ravel()
    weight = np.asarray(weights, dtype=np.float64).ravel()
    if dose.shape != weight.shape:
        raise InputError(f"dose_mgy has {dose.size} voxels, weights have {weight.size}")
    if n_bins < 1:
        raise InputError(f"n_bins must be >= 1, got {n_bins}")
    inside = weight > 0
    if not np.any(inside):
        raise InputError("the organ has no voxel with a weight > 0")
    if not (np.all(np.isfinite(dose)) and np.all(np.isfinite(weight))):
        raise InputError("dose_mgy and weights must be finite")
    if np.any(dose[inside] < 0) or np.any(weight < 0):
        raise InputError("dose_mgy and weights must be >= 0")
    dose, weight = dose[inside], weight[inside]
    highest = float(dose.max())
    bins = np.linspace(0.0, highest, n_bins + 1)
    bins[-1] = highest
    last_bin_below = np.searchsorted(bins, dose, side="right") - 1
    per_bin = np.bincount(last_bin_below, weights=weight, minlength=n_bins + 1)
    at_least = np.cumsum(per_bin[::-1])[::-1]
    return bins, np.asarray(at_least / at_least[0])


def organ_dose_volume_histograms(
    dose: DoseMap, organs: OrganMap, patient: Patient, *, n_bins: int = 200
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Dose-volume histograms of all organs of one exam, by organ name.

    Parameters
    ----------
    dose : DoseMap
        On the transport grid.
    organs : OrganMap
        On the CT's grid, or on the transport grid itself.
    patient : Patient
        Gives the relation of the two grids (`block`, `ct_offset`).
    n_bins : int

    Returns
    -------
    dict of str to (dose_bins_mgy, volume_fraction)
        Organs without a voxel on the transport grid are left out.

    Raises
    ------
    GeometryError
        If the organs are neither on the CT's grid nor on the dose's.

    Notes
    -----
    Every CT voxel of an organ has the dose of the transport voxel that holds it; weights are
    volumes. Voxels whose Monte Carlo estimate lies below 0 by noise (decays, few histories) count
    as 0.
    """
    block, offset = _relation(dose, organs, patient)
    labels = np.array(sorted(organs.names), dtype=np.int64)
    row_of_label = np.full(65536, -1, dtype=np.int32)
    row_of_label[labels] = np.arange(labels.size, dtype=np.int32)
    nz, ny, nx = dose.grid.shape
    counts = np.zeros((labels.size, ny * nx), dtype=np.int32)
    seen = np.zeros(labels.size, dtype=np.bool_)
    found: list[list[tuple[FloatArray, FloatArray]]] = [[] for _ in labels]
    for k in range(nz):
        first = max(0, block[0] * k - offset[0])
        last = min(organs.grid.shape[0], block[0] * (k + 1) - offset[0])
        if last <= first:
            continue
        _count_kernel(organs.labels[first:last], row_of_label, block, offset, ny, nx, counts, seen)
        plane = dose.dose_mgy[k].ravel()
        for row in np.flatnonzero(seen):
            hit = np.flatnonzero(counts[row])
            found[row].append((plane[hit], counts[row, hit].astype(np.float32)))
            counts[row] = 0
        seen[:] = False
    return {
        organs.names[int(label)]: dose_volume_histogram(
            np.maximum(np.concatenate([d for d, _ in parts]), 0.0),
            np.concatenate([w for _, w in parts]),
            n_bins=n_bins,
        )
        for label, parts in zip(labels, found, strict=True)
        if parts
    }


def _relation(
    dose: DoseMap, organs: OrganMap, patient: Patient
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Organ voxels per transport voxel, and by how many the transport grid begins before them."""
    if patient.ct is not None and organs.grid.is_same_as(patient.ct.grid):
        return patient.block, patient.ct_offset
    if organs.grid.is_same_as(dose.grid):
        return (1, 1, 1), (0, 0, 0)
    raise GeometryError(
        "the organ map must lie on the CT's grid or on the dose's; resample it first"
    )


@voxel_loop
def _count_kernel(slab, row_of_label, block, offset, ny, nx, counts, seen):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the organ voxels of a slab of slices to the transport voxels of their plane.

    `seen` tells in which rows there are any.
    """
    for c in range(slab.shape[0]):
        for b in range(slab.shape[1]):
            j = (b + offset[1]) // block[1]
            if j < 0 or j >= ny:
                continue
            for a in range(slab.shape[2]):
                row = row_of_label[slab[c, b, a]]
                i = (a + offset[2]) // block[2]
                if row >= 0 and 0 <= i < nx:
                    counts[row, j * nx + i] += 1
                    seen[row] = True

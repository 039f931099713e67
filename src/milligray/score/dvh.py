"""Cumulative dose-volume histograms."""

from collections.abc import Iterator

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.patient.patient import Patient
from milligray.score.dose import DoseMap
from milligray.segment.organs import OrganMap
from milligray.typing import FloatArray, LabelArray


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
    ``volume_fraction(D) = sum_i weights_i [dose_i >= D] / sum_i weights_i``, exact at every bin
    (the voxels are sorted, not binned). Doses are statistical: noise of the single voxel widens
    the histogram, so its tails are softer than the truth.

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
    order = np.argsort(dose, kind="stable")
    dose, weight = dose[order], weight[order]
    at_least = np.append(np.cumsum(weight[::-1])[::-1], 0.0)
    bins = np.linspace(0.0, dose[-1], n_bins + 1)
    bins[-1] = dose[-1]
    fraction = at_least[np.searchsorted(dose, bins, side="left")] / at_least[0]
    return bins, np.asarray(fraction)


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
    volumes.
    """
    found: dict[int, list[tuple[FloatArray, FloatArray]]] = {label: [] for label in organs.names}
    size = int(max(organs.names, default=0)) + 1
    for k, slab in _slabs(dose, organs, patient):
        plane = dose.dose_mgy[k].ravel()
        labels, voxel = slab
        keep = labels < size
        pairs, counts = np.unique(
            labels[keep].astype(np.int64) * plane.size + voxel[keep], return_counts=True
        )
        label_of = pairs // plane.size
        for label in np.unique(label_of):
            if label in found:
                mine = label_of == label
                found[int(label)].append(
                    (plane[pairs[mine] % plane.size], counts[mine].astype(np.float64))
                )
    return {
        organs.names[label]: dose_volume_histogram(
            np.concatenate([d for d, _ in parts]),
            np.concatenate([w for _, w in parts]),
            n_bins=n_bins,
        )
        for label, parts in found.items()
        if parts
    }


def _slabs(
    dose: DoseMap, organs: OrganMap, patient: Patient
) -> Iterator[tuple[int, tuple[LabelArray, LabelArray]]]:
    """Yield, per transport slice, labels of its organ voxels and the voxel each lies in."""
    nz, ny, nx = dose.grid.shape
    if patient.ct is not None and organs.grid.is_same_as(patient.ct.grid):
        block, offset = patient.block, patient.ct_offset
    elif organs.grid.is_same_as(dose.grid):
        block, offset = (1, 1, 1), (0, 0, 0)
    else:
        raise GeometryError(
            "the organ map must lie on the CT's grid or on the dose's; resample it first"
        )
    for k in range(nz):
        first = max(0, block[0] * k - offset[0])
        last = min(organs.grid.shape[0], block[0] * (k + 1) - offset[0])
        if last <= first:
            continue
        slab = organs.labels[first:last]
        _, j, i = np.nonzero(slab)
        labels = slab[slab != 0]
        j, i = (j + offset[1]) // block[1], (i + offset[2]) // block[2]
        on_grid = (j < ny) & (i < nx) & (j >= 0) & (i >= 0)
        yield k, (labels[on_grid], (j * nx + i)[on_grid])

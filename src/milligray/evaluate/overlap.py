"""Overlap and surface distance of two masks of one organ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from milligray.errors import GeometryError
from milligray.typing import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How a predicted mask fits the reference mask.

    Parameters
    ----------
    dice, jaccard, precision, recall : float
        ``2 TP / (2 TP + FP + FN)``, ``TP / (TP + FP + FN)``, ``TP / (TP + FP)``,
        ``TP / (TP + FN)`` in voxels. NaN where the denominator is 0: both masks empty (all), no
        predicted voxel (precision), no reference voxel (recall).
    hausdorff_95_mm : float [mm]
        Larger one of the two directed 95th percentiles of the distances from surface to surface.
    mean_surface_distance_mm : float [mm]
        Average of all distances of both surfaces: ``(sum d_pr + sum d_rp) / (n_p + n_r)``.
    volume_ratio : float
        Predicted over reference volume.

    Notes
    -----
    Distances are NaN if either mask is empty. Surfaces are the voxels of a mask with a face to
    the outside (the border of the image counts as outside), distances run between voxel centers:
    two surfaces one voxel apart have the distance of one spacing.
    """

    dice: float
    jaccard: float
    precision: float
    recall: float
    hausdorff_95_mm: float
    mean_surface_distance_mm: float
    volume_ratio: float


def compare_masks(
    predicted: BoolArray, reference: BoolArray, spacing_mm: Sequence[float]
) -> Overlap:
    """Overlap and surface distances.

    Parameters
    ----------
    predicted, reference : ndarray of bool, shape (z, y, x)
    spacing_mm : (z, y, x) [mm]

    Returns
    -------
    Overlap
    """
    p, r = np.asarray(predicted, dtype=bool), np.asarray(reference, dtype=bool)
    if p.shape != r.shape or len(spacing_mm) != r.ndim:
        raise GeometryError(
            f"masks have shapes {p.shape} and {r.shape} with {len(spacing_mm)} spacings; bring"
            " both to one grid first (nearest neighbor)"
        )
    both, n_p, n_r = int(np.sum(p & r)), int(np.sum(p)), int(np.sum(r))
    distances = surface_distances_mm(p, r, spacing_mm)
    hausdorff = mean = float("nan")
    if distances is not None:
        there, back = distances
        hausdorff = float(max(np.percentile(there, 95), np.percentile(back, 95)))
        mean = float((there.sum() + back.sum()) / (there.size + back.size))
    return Overlap(
        dice=_ratio(2 * both, n_p + n_r),
        jaccard=_ratio(both, n_p + n_r - both),
        precision=_ratio(both, n_p),
        recall=_ratio(both, n_r),
        hausdorff_95_mm=hausdorff,
        mean_surface_distance_mm=mean,
        volume_ratio=_ratio(n_p, n_r),
    )


def surface_distances_mm(
    predicted: BoolArray, reference: BoolArray, spacing_mm: Sequence[float]
) -> tuple[FloatArray, FloatArray] | None:
    """Distances of each surface voxel to the other surface [mm]; None if a mask is empty.

    Returns
    -------
    predicted_to_reference, reference_to_predicted : ndarray
    """
    either = predicted | reference
    if not predicted.any() or not reference.any():
        return None
    # only the box that holds both masks matters; one voxel around it is outside
    box = ndimage.find_objects(either.astype(np.uint8))[0]
    p = _surface(np.pad(predicted[box], 1))
    r = _surface(np.pad(reference[box], 1))
    to_r = ndimage.distance_transform_edt(~r, sampling=tuple(spacing_mm))
    to_p = ndimage.distance_transform_edt(~p, sampling=tuple(spacing_mm))
    return np.asarray(to_r[p]), np.asarray(to_p[r])


def _surface(mask: BoolArray) -> BoolArray:
    return np.asarray(mask & ~ndimage.binary_erosion(mask))


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else float("nan")

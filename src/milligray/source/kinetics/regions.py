"""Time-activity curves of regions, and voxels scaled to the integrals of their region."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.source.kinetics.image_integral import checked_activity_mbq
from milligray.source.kinetics.time_activity import RegionTia, TimeActivityCurve
from milligray.source.time_integrated_activity import TimeIntegratedActivity
from milligray.typing import FloatArray, LabelArray
from milligray.volume import Grid


def region_curves(
    grid: Grid,
    activity_mbq: Sequence[FloatArray],
    times_s: Sequence[float],
    labels: LabelArray,
    names: dict[int, str],
    half_life_s: float,
) -> tuple[TimeActivityCurve, ...]:
    """Time-activity curves of labeled regions; those without activity are left out.

    Parameters
    ----------
    grid : Grid
    activity_mbq : sequence of ndarray, shape ``grid.shape`` [MBq]
        Per voxel, at the times given.
    times_s : sequence of float [s]
    labels : ndarray of int, shape ``grid.shape``
        0 is no region.
    names : dict of int to str
    half_life_s : float [s]
    """
    if labels.shape != grid.shape:
        raise GeometryError(f"labels have shape {labels.shape}, the grid {grid.shape}")
    size = max(int(labels.max()), max(names, default=0)) + 1
    flat = labels.ravel()
    sums: FloatArray = np.stack(
        [
            np.bincount(
                flat, weights=checked_activity_mbq(grid, image, k).ravel(), minlength=size
            ).astype(np.float64)
            for k, image in enumerate(activity_mbq)
        ]
    )
    return tuple(
        TimeActivityCurve(
            region=name,
            times_s=np.asarray(times_s, dtype=np.float64),
            activity_mbq=sums[:, label],
            half_life_s=half_life_s,
        )
        for label, name in names.items()
        if np.any(sums[:, label] > 0)
    )


def scaled_to_regions(
    integrated: TimeIntegratedActivity,
    labels: LabelArray,
    names: dict[int, str],
    regions: Sequence[RegionTia],
) -> TimeIntegratedActivity:
    """Scale the voxels of each region so that they add to the region's own integral.

    The spread within a region stays that of the voxels; its sum becomes that of the curve of the
    whole region, which noise and uptake disturb less.

    Raises
    ------
    InputError
        If a region has an integral but no voxel with activity.
    """
    if labels.shape != integrated.grid.shape:
        raise GeometryError(f"labels have shape {labels.shape}, grid {integrated.grid.shape}")
    tia = np.array(integrated.tia_mbq_s)
    sigma = np.broadcast_to(integrated.relative_uncertainty, tia.shape).copy()
    wanted = {region.region: region for region in regions}
    notes = []
    for label, name in names.items():
        if name not in wanted:
            continue
        inside = labels == label
        total = float(tia[inside].sum())
        if total <= 0:
            raise InputError(f"{name}: an integral is given but no voxel of it holds activity")
        factor = wanted[name].tia_mbq_s / total
        tia[inside] *= factor
        sigma[inside] = wanted[name].relative_uncertainty
        notes.append(
            f"{name}: voxels scaled by {factor:.3f} to the {wanted[name].method} of its curve"
        )
    return replace(
        integrated,
        tia_mbq_s=tia,
        relative_uncertainty=sigma,
        method=f"{integrated.method}; regions by their own curves",
        notes=(*integrated.notes, *notes),
    )

"""What lies within a structure: content, spongiosa, the marrow of a shaft, gas."""

import numpy as np

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.frame import VoxelFrame
from milligray.typing import BoolArray, FloatArray

SHAFT_CORE = "marrow"
SHAFT_CORTEX = 6.0
"""Cortex of the shaft of a long bone over that of its ends."""
SHAFT_BLEND_MM = 12.0
GAS_TO_FRONT = 0.15
"""How much more gas collects in loops that lie further in front: mm of level per mm."""


def core_of(
    structure: Structure, values: FloatArray, taken: BoolArray, level: float, share: float | None
) -> BoolArray | None:
    """Voxels of the core: the deepest ones, by share of the volume or by depth.

    Parameters
    ----------
    structure : Structure
    values : ndarray [mm]
        Field; low values are deep.
    taken : ndarray of bool
        Voxels of the structure.
    level : float [mm]
        Of its surface.
    share : float or None
        Of its volume that is core; None: what lies deeper than its cortex is thick.

    Returns
    -------
    ndarray of bool or None
        None of what has no core.
    """
    if not structure.core:
        return None
    if share is None:
        return np.asarray(taken & (values < level - structure.cortex_mm))
    depth = values[taken]
    count = round(share * depth.size)
    if count <= 0:
        return np.zeros_like(taken)
    place = min(count, depth.size - 1)
    return np.asarray(taken & (values < np.partition(depth, place)[place]))


def thinned(values: FloatArray, level: float, shaft: FloatArray) -> FloatArray:
    """Values whose depth below `level` counts less within the shaft, where the cortex is thick."""
    into = np.clip((SHAFT_BLEND_MM - shaft) / (2.0 * SHAFT_BLEND_MM), 0.0, 1.0)
    return np.asarray(level + (values - level) / (1.0 + (SHAFT_CORTEX - 1.0) * into))


def gas_of(values: FloatArray, core: BoolArray, part: VoxelFrame, count: float) -> BoolArray:
    """Voxels of the core that are gas: above a level in every part of the lumen (lying supine).

    Notes
    -----
    How far a voxel lies behind the middle of its lumen is the slope of the depth along y times
    the distance from the middle, which is the largest depth of the core minus its own.
    """
    depth = -values[core]
    slope = np.gradient(values, axis=1) / max(float(np.diff(part.y[:2])[0]), 1e-6)
    middle = float(np.percentile(depth, 95))
    behind = np.clip(slope[core], -1.0, 1.0) * np.clip(middle - depth, 0.0, None)
    y = np.broadcast_to(part.y[None, :, None], part.shape)[core]
    score = behind + GAS_TO_FRONT * y
    out = np.zeros(core.shape, dtype=np.bool_)
    n = min(round(count), score.size - 1)
    out[core] = score < np.partition(score, n)[n]
    return out

"""Growth: a structure takes the free voxels of lowest field until it has its volume."""

import numpy as np

from milligray.errors import InputError
from milligray.typing import BoolArray, FloatArray

SHORTAGE = 0.02
"""Largest share of a target volume that may be missing because the space is taken."""


def grow(
    name: str, values: FloatArray, allowed: BoolArray, wanted: int | None, limit: float = np.inf
) -> tuple[BoolArray, float]:
    """Voxels of one structure, and the level its surface stands at.

    Parameters
    ----------
    name : str
        For the error message.
    values : ndarray
        Field; low values are taken first.
    allowed : ndarray of bool
        Voxels that are free.
    wanted : int or None
        Number of voxels; None takes all allowed ones with a negative value.
    limit : float
        Largest level.

    Returns
    -------
    taken : ndarray of bool
    level : float
        Values of taken voxels are below it.

    Raises
    ------
    InputError
        If less than `wanted` can be had, by more than `SHORTAGE`.
    """
    if wanted is None:
        return np.asarray(allowed & (values < 0.0)), 0.0
    free = values[allowed & (values < limit)]
    if free.size < wanted * (1.0 - SHORTAGE) or free.size == 0:
        raise InputError(
            f"no room for {name}: {free.size} voxels are free of {wanted} wanted; this size of the"
            " body and these organ volumes do not go together, or the voxels are too coarse"
        )
    if wanted <= 0:
        return np.zeros(values.shape, dtype=np.bool_), -np.inf
    if free.size <= wanted:
        level = float(np.nextafter(free.max(), np.float32(np.inf)))
        return np.asarray(allowed & (values < level)), level
    level = float(np.partition(free, wanted)[wanted])
    return np.asarray(allowed & (values < level)), level

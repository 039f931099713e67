"""What a network sees of one position of the tube."""

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray

CHANNELS = ("electron_density", "log_cylinder_dose", "log_correction_factor")
LEAST_SHARE = 1e-4
"""Of the cylinder's dose at the isocenter; what is less counts as this much."""


def isocenter_dose(cylinder_dose: FloatArray) -> float:
    """Mean of the middle voxels of the cylinder, unit of `cylinder_dose`.

    Parameters
    ----------
    cylinder_dose : ndarray, shape (z, depth, lateral)
        Its middle is the isocenter in the plane of the tube.
    """
    box = tuple(slice((n - 1) // 2 - 1, n // 2 + 2) for n in cylinder_dose.shape)
    found = float(np.mean(cylinder_dose[box]))
    if not found > 0:
        raise InputError("the cylinder has no dose at the isocenter")
    return found


def position_channels(
    density: FloatArray, cylinder_share: FloatArray, factor: FloatArray
) -> FloatArray:
    """Inputs of a deep-dose network.

    Parameters
    ----------
    density : ndarray, shape (z, depth, lateral)
        Relative electron density.
    cylinder_share : ndarray, same shape
        Dose in the water cylinder over `isocenter_dose`.
    factor : ndarray, same shape
        `milligray.learn.inputs.slab.correction_factor`.

    Returns
    -------
    ndarray, shape (3, z, depth, lateral), float32
        `CHANNELS`: density (at most 3), natural logarithms of the others, halved so that all are
        of order one.
    """
    return np.stack([
        np.minimum(density, 3.0),
        0.5 * np.log(np.maximum(cylinder_share, LEAST_SHARE)),
        0.5 * np.log(factor),
    ]).astype(np.float32)  # fmt: skip


def first_guess(cylinder_share: FloatArray, factor: FloatArray) -> FloatArray:
    """Dose in the cylinder with the patient's attenuation, over `isocenter_dose`."""
    return np.asarray(np.maximum(cylinder_share, LEAST_SHARE) * factor, dtype=np.float32)

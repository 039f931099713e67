"""Size-specific dose estimate: the conversion factor from CTDIvol."""

import numpy as np
import numpy.typing as npt

from milligray.constants import CM_PER_MM
from milligray.errors import InputError
from milligray.typing import FloatArray

_FIT = {160: (1.874799, 0.03871313), 320: (3.704369, 0.03671937)}
"""phantom diameter [mm]: factor at 0, decay [1/cm] (AAPM 204, tables 1D and 2D)."""


def ssde_conversion_factor(
    water_equivalent_diameter_mm: npt.ArrayLike, phantom_diameter_mm: int
) -> FloatArray:
    """Factor that turns CTDIvol into the size-specific dose estimate.

    Parameters
    ----------
    water_equivalent_diameter_mm : array_like [mm]
        Or the effective diameter, with which Report 204 was made.
    phantom_diameter_mm : {160, 320}
        CTDI phantom to which CTDIvol refers.

    Returns
    -------
    ndarray, shape of the diameter

    Notes
    -----
    ``factor = a exp(-b diameter_cm)`` with a = 3.704369, b = 0.03671937 (32 cm phantom) and
    a = 1.874799, b = 0.03871313 (16 cm). The fits cover trunks of about 8 to 45 cm. For head
    scans AAPM Report 293 gives its own factors, which are not included here.

    References
    ----------
    AAPM Report 204 (2011); diameter by AAPM Report 220 (2014).

    Examples
    --------
    >>> float(ssde_conversion_factor(300.0, 320).round(2))
    1.23
    """
    if phantom_diameter_mm not in _FIT:
        raise InputError(f"phantom_diameter_mm must be 160 or 320, got {phantom_diameter_mm}")
    a, b = _FIT[phantom_diameter_mm]
    diameter_cm = np.asarray(water_equivalent_diameter_mm, dtype=np.float64) * CM_PER_MM
    return np.asarray(a * np.exp(-b * diameter_cm))

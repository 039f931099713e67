"""Averages over organs of dose maps, and of what lies beyond a network's training."""

import numpy as np

from milligray.learn.scan import Scan
from milligray.typing import FloatArray


def organ_means(scan: Scan, values: FloatArray) -> FloatArray:
    """Means over the organs of a scan, by mass.

    Parameters
    ----------
    scan : Scan
    values : ndarray, shape ``scan.patient.grid.shape``, or flat
        E.g. dose [mGy].

    Returns
    -------
    ndarray, shape (n_organs,)
    """
    weights = scan.weights
    total = np.asarray(weights.weights_g @ values.ravel().astype(np.float64)).ravel()
    return np.asarray(total / weights.mass_g)


def share_beyond(scan: Scan, taught_mm: float) -> FloatArray:
    """Share of each organ's mass that lies more than a distance beyond the beam along z.

    Parameters
    ----------
    scan : Scan
    taught_mm : float [mm]

    Returns
    -------
    ndarray, shape (n_organs,)
    """
    low, high = scan.source.irradiated_z_mm
    z = scan.patient.grid.axis_centers_mm(0)
    is_beyond = (z < low - taught_mm) | (z > high + taught_mm)
    _, ny, nx = scan.patient.grid.shape
    return organ_means(scan, np.repeat(is_beyond.astype(np.float64), ny * nx))


def far_warning(scan: Scan, beyond: FloatArray, taught_mm: float) -> tuple[str, ...]:
    """Warning that names the organs mostly beyond it, if there are any."""
    far = [name for name, share in zip(scan.weights.names, beyond, strict=True) if share > 0.5]
    if not far:
        return ()
    return (
        (
            f"{', '.join(far)}: more than {taught_mm:g} mm beyond the beam, where the network was"
            " not taught; uncertainty widened, use Monte Carlo if these organs matter"
        ),
    )

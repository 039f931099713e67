"""Doses on a grid turned to the tube, turned back to the patient."""

import math

import numpy as np

from milligray.learn.turned_scan import TurnedScan
from milligray.patient.patient import Patient
from milligray.typing import FloatArray


def turned_back(
    dose: FloatArray, turned: TurnedScan, patient: Patient, angle_rad: float
) -> FloatArray:
    """Dose of a turned scan on the patient's grid.

    Parameters
    ----------
    dose : ndarray, shape (..., *turned.grid.shape)
        Or other fields; several at once share the search for their places.
    turned : TurnedScan
    patient : Patient
    angle_rad : float [rad]
        Of the tube.

    Returns
    -------
    ndarray, shape (..., *patient.grid.shape)

    Notes
    -----
    Linear interpolation; voxels outside the body first take the value of the nearest one inside
    in their plane, for a network knows nothing of the dose to the air beside the skin.
    """
    from scipy.ndimage import distance_transform_edt, map_coordinates  # noqa: PLC0415 - slow

    grid, there, iso = patient.grid, turned.grid, turned.isocenter_mm
    z, y, x = (grid.axis_centers_mm(axis) for axis in range(3))
    sine, cosine = math.sin(angle_rad), math.cos(angle_rad)
    right, back = (x - iso[0])[None, :], (y - iso[1])[:, None]
    first = [float(there.axis_centers_mm(axis)[0]) for axis in range(3)]
    size = there.spacing_mm[0]
    j = (right * sine + back * cosine + iso[1] - first[1]) / size
    i = (right * cosine - back * sine + iso[0] - first[2]) / size
    fields = dose.reshape(-1, *there.shape)
    planes = np.zeros((len(fields), there.shape[0], *grid.shape[1:]))
    for k, body in enumerate(turned.body):
        if not body.any():
            continue
        nearest = distance_transform_edt(~body, return_distances=False, return_indices=True)
        for field, out in zip(fields, planes, strict=True):
            map_coordinates(
                field[k][tuple(nearest)], [j, i], output=out[k], order=1, mode="nearest"
            )
    place = np.clip((z - first[0]) / size, 0.0, there.shape[0] - 1.0)
    low = np.minimum(place.astype(int), max(there.shape[0] - 2, 0))
    part = (place - low)[:, None, None]
    high = np.minimum(low + 1, there.shape[0] - 1)
    found = (1.0 - part) * planes[:, low] + part * planes[:, high]
    return np.asarray(found.reshape(*dose.shape[:-3], *grid.shape))

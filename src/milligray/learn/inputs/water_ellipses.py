"""Water that stands for the patient: an ellipse a slice, and the attenuation of a tissue."""

import numpy as np

from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

SHORTEST_HALF_AXIS_MM = 1.0


def water_ellipses_mm(electron_density: FloatArray, body: BoolArray, grid: Grid) -> FloatArray:
    """Ellipse of water that stands for the patient in every slice.

    Parameters
    ----------
    electron_density : ndarray, shape ``grid.shape``
        Over that of water.
    body : ndarray of bool, shape ``grid.shape``
    grid : Grid
        Axis-aligned.

    Returns
    -------
    ndarray, shape (nz, 4) [mm]
        Center x, center y (LPS), half axis along x, half axis along y; half axes 0 in a slice
        without patient.

    Notes
    -----
    With the electron densities n of the pixels of a slice, of area A, as weights:

    ``area = A sum n``, center the mean of (x, y), ``ratio = sqrt(var x / var y)``,
    ``half_x = sqrt(area ratio / pi)``, ``half_y = sqrt(area / (pi ratio))``.

    A homogeneous ellipse comes back as it is: its variances are ``half_x^2 / 4``, ``half_y^2 / 4``.
    """
    weight = np.where(body, np.asarray(electron_density, dtype=np.float64), 0.0)
    x, y = grid.axis_centers_mm(2), grid.axis_centers_mm(1)
    total = weight.sum(axis=(1, 2))
    safe = np.maximum(total, 1e-12)
    center_x = (weight.sum(axis=1) * x).sum(axis=1) / safe
    center_y = (weight.sum(axis=2) * y).sum(axis=1) / safe
    var_x = (weight.sum(axis=1) * (x[None] - center_x[:, None]) ** 2).sum(axis=1) / safe
    var_y = (weight.sum(axis=2) * (y[None] - center_y[:, None]) ** 2).sum(axis=1) / safe
    # variance of a point inside a pixel, so that a slice of few pixels keeps a shape
    ratio = np.sqrt((var_x + grid.spacing_mm[2] ** 2 / 12) / (var_y + grid.spacing_mm[1] ** 2 / 12))
    area = total * grid.spacing_mm[1] * grid.spacing_mm[2]
    half_x = np.sqrt(area * ratio / np.pi)
    half_y = np.sqrt(area / (np.pi * ratio))
    is_there = np.minimum(half_x, half_y) > SHORTEST_HALF_AXIS_MM
    half = np.where(is_there[:, None], np.stack([half_x, half_y], axis=1), 0.0)
    return np.concatenate([np.stack([center_x, center_y], axis=1), half], axis=1)


def water_equivalent(electron_density: FloatArray) -> FloatArray:
    """Attenuation over that of water, of tissue with an electron density; float32.

    Notes
    -----
    ``n_e + 1.7 max(0, n_e - 1.1)``: calcium attenuates more than its electrons. Cortical bone
    (n_e 1.78) gets 2.9, its ratio at 60 keV (NIST); the dependence on energy is left out.
    """
    density = np.asarray(electron_density, dtype=np.float32)
    return np.asarray(density + np.float32(1.7) * np.maximum(density - np.float32(1.1), 0))

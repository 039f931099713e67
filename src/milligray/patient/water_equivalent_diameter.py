"""Water-equivalent and effective diameter of the slices of a CT (AAPM 204, 220)."""

import numpy as np

from milligray.errors import GeometryError
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Volume


def water_equivalent_diameter_mm(ct: Volume, body: BoolArray | None = None) -> FloatArray:
    """Diameter of the water cylinder that attenuates like each slice.

    Parameters
    ----------
    ct : Volume [HU]
    body : ndarray of bool, shape ``ct.grid.shape``, optional
        Outline, e.g. from :func:`find_body`. Default: the whole image, right for ``patient.ct``
        after couch removal, where all outside the body is air.

    Returns
    -------
    ndarray, shape (z,) [mm]
        Zero where a slice holds no patient.

    Notes
    -----
    ``area_mm2 = sum_voxels (hu / 1000 + 1) * voxel_area_mm2``
    ``water_equivalent_diameter_mm = 2 sqrt(area_mm2 / pi)``
    CT numbers below -1000 (padding) count as -1000. Patient outside the field of view is
    missing, so the value is too small there.

    References
    ----------
    AAPM Report 220 (2014), equations 3-4.
    """
    _check(ct, body)
    water = np.zeros(ct.grid.shape[0])
    for k, plane in enumerate(ct.values):
        relative = np.maximum(plane.astype(np.float64) / 1000.0 + 1.0, 0.0)
        water[k] = relative.sum() if body is None else relative[body[k]].sum()
    return np.asarray(2.0 * np.sqrt(water * _voxel_area_mm2(ct) / np.pi))


def effective_diameter_mm(ct: Volume, body: BoolArray) -> FloatArray:
    """Diameter of the circle with the area of the body outline, slice by slice.

    Parameters
    ----------
    ct : Volume
    body : ndarray of bool, shape ``ct.grid.shape``

    Returns
    -------
    ndarray, shape (z,) [mm]

    References
    ----------
    AAPM Report 204 (2011) (there sqrt(AP x LAT), the same for an ellipse).
    """
    _check(ct, body)
    area_mm2 = np.count_nonzero(body, axis=(1, 2)) * _voxel_area_mm2(ct)
    return np.asarray(2.0 * np.sqrt(area_mm2 / np.pi))


def _voxel_area_mm2(ct: Volume) -> float:
    return ct.grid.spacing_mm[1] * ct.grid.spacing_mm[2]


def _check(ct: Volume, body: BoolArray | None) -> None:
    if body is not None and body.shape != ct.grid.shape:
        raise GeometryError(f"body has shape {body.shape}, the CT has {ct.grid.shape}")

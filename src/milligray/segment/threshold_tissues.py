"""Tissues by threshold: lungs, bone, fat and soft tissue when no organ labels exist."""

import numpy as np
from scipy import ndimage

from milligray.errors import InputError
from milligray.patient.body import block_mean, find_body
from milligray.typing import BoolArray, LabelArray
from milligray.volume import Volume

THRESHOLD_TISSUES = {
    1: "threshold_lungs",
    2: "threshold_bone",
    3: "threshold_fat",
    4: "threshold_soft_tissue",
    5: "threshold_remainder",
}
LUNG_HU = (-950.0, -400.0)
FAT_HU = (-150.0, -30.0)
BONE_HU = 200.0
MIN_LUNG_ML = 100.0
MIN_CUT_LUNG_ML = 15.0
MIN_BONE_ML = 0.5
WORKING_SPACING_MM = 3.0


def threshold_tissues(ct: Volume) -> LabelArray:
    """Five tissues by CT number; they are not organs.

    Parameters
    ----------
    ct : Volume [HU]

    Returns
    -------
    ndarray, shape ``ct.grid.shape``, uint16
        Labels of `THRESHOLD_TISSUES`; 0 outside the body.

    Notes
    -----
    Inside the outline of :func:`milligray.patient.find_body`: lungs -950 to -400 HU in pieces of
    at least 100 mL, or 15 mL where the scan cuts them (on block means of about 3 mm); bone above
    200 HU in pieces of at least 0.5 mL; fat -150 to -30 HU; soft tissue -30 to
    200 HU; the rest (bowel gas, trachea, skin, specks) remains.
    Contrast-filled vessels, calcifications and metal pass for bone; a stomach full of gas can
    pass for lung where its wall is blurred.
    """
    body = find_body(ct)
    if not body.any():
        raise InputError("no patient in this CT: threshold tissues need a body outline")
    factor = tuple(max(1, int(WORKING_SPACING_MM / s + 0.25)) for s in ct.grid.spacing_mm)
    steps = (factor[0], factor[1], factor[2])
    inside = block_mean(body.view(np.uint8), steps) > 0.5
    hu = block_mean(ct.values, steps)
    coarse_ml = ct.grid.voxel_volume_cm3 * float(np.prod(factor))
    airy = inside & (hu >= LUNG_HU[0]) & (hu <= LUNG_HU[1])
    airy = ndimage.binary_opening(np.pad(airy, ((1, 1), (0, 0), (0, 0)), mode="edge"))[1:-1]
    lungs = _large_pieces(airy, MIN_LUNG_ML / coarse_ml, MIN_CUT_LUNG_ML / coarse_ml)
    lungs = ndimage.binary_dilation(lungs, iterations=2)
    least = MIN_BONE_ML / coarse_ml
    dense = _large_pieces(inside & (hu > BONE_HU), least, least)
    dense = ndimage.binary_dilation(dense, iterations=2)
    out = np.zeros(ct.grid.shape, dtype=np.uint16)
    for k in range(out.shape[0]):
        z = k // factor[0]
        plane, values = out[k], ct.values[k]
        plane[body[k]] = 5
        plane[body[k] & (values >= -30) & (values <= BONE_HU)] = 4
        plane[body[k] & (values >= FAT_HU[0]) & (values < FAT_HU[1])] = 3
        near_bone = _enlarge(dense[z], steps, plane.shape)
        plane[body[k] & near_bone & (values > BONE_HU)] = 2
        near_lung = _enlarge(lungs[z], steps, plane.shape)
        plane[body[k] & near_lung & (values >= LUNG_HU[0]) & (values <= LUNG_HU[1])] = 1
    return out


def _large_pieces(mask: BoolArray, least_voxels: float, least_at_ends: float) -> BoolArray:
    """Pieces of some size; another one holds for those that the first or last slice cuts."""
    labels, n = ndimage.label(mask)
    least = np.full(n + 1, least_voxels)
    least[labels[0]] = least_at_ends
    least[labels[-1]] = least_at_ends
    keep = np.bincount(labels.ravel(), minlength=n + 1) >= least
    keep[0] = False
    return np.asarray(keep[labels])


def _enlarge(mask: BoolArray, factor: tuple[int, int, int], shape: tuple[int, ...]) -> BoolArray:
    big = np.repeat(np.repeat(mask, factor[1], axis=0), factor[2], axis=1)
    return np.asarray(big[: shape[0], : shape[1]])

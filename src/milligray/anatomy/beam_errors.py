"""What a water-corrected CT gets wrong: bone, metal, and cupping, as errors of projections."""

from functools import lru_cache

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from milligray.anatomy.parallel_beam import Detector, Filter
from milligray.data.loader import load_csv
from milligray.patient.voxel_loop import voxel_loop
from milligray.typing import FloatArray
from milligray.volume import Grid

BONE_START_HU = 100.0
SOFT_HU = 50.0
REFERENCE_DIAMETER_MM = 300.0
_STEP_CM = 0.25
_WATER_END_CM, _BONE_END_CM = 50.0, 12.0
_TABLE = "anatomy/beam_hardening.csv"


def split_bone(hu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of soft tissue (as water) and of cortical bone in voxels.

    Parameters
    ----------
    hu : ndarray, any shape, float32 [HU]

    Returns
    -------
    water, bone : ndarray, float32
        Relative attenuation of the soft part; share of the volume that is cortical bone.

    Notes
    -----
    ``bone = (hu - 50) / (hu_bone - 50)`` above 100 HU, ``hu_bone = 1000 (relative_slope - 1)`` of
    the table; ``water = 1 + hu / 1000 - relative_slope bone``.
    """
    slope = relative_slope("cortical_bone")
    bone = (hu - SOFT_HU) / (1000.0 * (slope - 1.0) - SOFT_HU)
    bone = np.where(hu > BONE_START_HU, np.minimum(bone, 1.5), 0.0)
    water = np.maximum(1.0 + hu / 1000.0, 0.0) - slope * bone
    return np.maximum(water, 0.0).astype(np.float32), bone.astype(np.float32)


@lru_cache(maxsize=8)
def relative_slope(material: str) -> float:
    """Attenuation of a material relative to water's, first centimeters behind 20 cm of water."""
    return next(float(r["relative_slope"]) for r in load_csv(_TABLE) if r["material"] == material)


def bone_error_cm(water_cm: FloatArray, bone_cm: FloatArray) -> FloatArray:
    """Error of a water-corrected projection by bone [cm of water], same shape, float32.

    Parameters
    ----------
    water_cm, bone_cm : ndarray, same shape, float32 [cm]
        Lengths on the rays; beyond 50 and 12 cm they count as that.
    """
    out = np.zeros(water_cm.shape, dtype=np.float32)
    _bilinear_kernel(
        water_cm.ravel(),
        bone_cm.ravel(),
        _bone_table(),
        np.float32(1.0 / _STEP_CM),
        out.reshape(-1),
    )
    return out


def metal_error_cm(material: str, metal_cm: FloatArray) -> FloatArray:
    """The same by a length of metal behind 20 cm of water; straight on beyond 6 cm."""
    rows = [r for r in load_csv(_TABLE) if r["material"] == material]
    length = np.array([float(r["other_cm"]) for r in rows])
    error = np.array([float(r["error_cm"]) for r in rows])
    return np.asarray(np.interp(metal_cm, length, error), dtype=np.float32)


@lru_cache(maxsize=1)
def cupping_coefficients() -> tuple[float, float]:
    """(k, straight) so that ``error_cm = -k L (L - straight)`` is a cupping of 1 HU.

    Notes
    -----
    Of 300 mm of water: the mean within 20 mm of the middle is 1 HU below the mean of the ring from
    110 to 140 mm, and the mean of the disc is right.
    """
    grid = Grid.from_spacing((1, 161, 161), (2.0, 2.0, 2.0))
    detector = Detector.around(grid, 2.0, n_views=90)
    ramp = Filter.ramp(detector, 4.0)
    t_mm = (np.arange(detector.n_bins) - 0.5 * (detector.n_bins - 1)) * detector.bin_mm
    chord_cm = 0.2 * np.sqrt(np.maximum((0.5 * REFERENCE_DIAMETER_MM) ** 2 - t_mm**2, 0.0))
    square = np.tile((chord_cm**2).astype(np.float32), (detector.cosine.size, 1))
    image = ramp.reconstruct(square, grid, detector)
    r_mm = np.hypot(*np.meshgrid(grid.axis_centers_mm(1), grid.axis_centers_mm(2), indexing="ij"))
    middle = float(image[r_mm < 20.0].mean())
    rim = float(image[(r_mm > 110.0) & (r_mm < 140.0)].mean())
    disc = float(image[r_mm < 140.0].mean())
    return 1e-3 / (middle - rim), disc


@lru_cache(maxsize=1)
def _bone_table() -> FloatArray:
    rows = [r for r in load_csv(_TABLE) if r["material"] == "cortical_bone"]
    water = np.array(sorted({float(r["water_cm"]) for r in rows}))
    bone = np.array(sorted({float(r["other_cm"]) for r in rows}))
    error = np.array([float(r["error_cm"]) for r in rows]).reshape(water.size, bone.size)
    interpolate = RegularGridInterpolator((water, bone), error)
    w = np.arange(0.0, _WATER_END_CM + 1e-9, _STEP_CM)
    b = np.arange(0.0, _BONE_END_CM + 1e-9, _STEP_CM)
    return np.asarray(interpolate(tuple(np.meshgrid(w, b, indexing="ij"))), dtype=np.float32)


@voxel_loop
def _bilinear_kernel(water, bone, table, per_step, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    last_w, last_b = table.shape[0] - 2, table.shape[1] - 2
    for n in range(water.size):
        if bone[n] <= 0.0:
            continue
        w = min(water[n] * per_step, np.float32(last_w + 1))
        b = min(bone[n] * per_step, np.float32(last_b + 1))
        iw, ib = min(int(w), last_w), min(int(b), last_b)
        fw, fb = w - iw, b - ib
        low = table[iw, ib] + fb * (table[iw, ib + 1] - table[iw, ib])
        high = table[iw + 1, ib] + fb * (table[iw + 1, ib + 1] - table[iw + 1, ib])
        out[n] = low + fw * (high - low)

"""From CT voxels to transport voxels: density and tissue of blocks, one pass over the CT."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.materials.cross_sections import mu_rho_cm2_g
from milligray.materials.hu_calibration import HuCalibration
from milligray.materials.material import Material
from milligray.patient.voxel_loop import last_at_or_below, voxel_loop
from milligray.typing import BoolArray, FloatArray, LabelArray

TISSUE_ENERGY_KEV = 60.0
"""Energy whose attenuation decides the tissue of a mixed voxel (about the mean of a CT beam)."""


def block_tissues(
    hu: npt.NDArray[Any],
    body: BoolArray,
    calibration: HuCalibration,
    *,
    shape: tuple[int, int, int],
    block: tuple[int, int, int],
    ct_offset: tuple[int, int, int],
    extend_slices: tuple[int, int] = (0, 0),
) -> tuple[FloatArray, LabelArray, BoolArray]:
    """Density, tissue row and body flag of transport voxels.

    Parameters
    ----------
    hu : ndarray, shape (z, y, x) [HU]
    body : ndarray of bool, shape (z, y, x)
    calibration : HuCalibration
    shape : tuple of int
        Transport voxels along (z, y, x).
    block, ct_offset : tuple of int
        See `Patient`: the transport voxel covers CT voxels ``block * (k, j, i) - ct_offset`` on.
    extend_slices : tuple of int
        Number of slices beyond the first and the last one that repeat them; further out is air.

    Returns
    -------
    density_g_cm3 : ndarray, shape `shape`, float32
        Mean over the block, so that its mass is that of its CT voxels.
    material_index : ndarray, shape `shape`, uint8
    body : ndarray of bool, shape `shape`

    Notes
    -----
    The tissue is the one, among those from the lowest to the highest bin in the block, whose mass
    attenuation at 60 keV is nearest to the mass-weighted mean over the block. With the
    exact density, mu of the block is then kept as well as one tissue per voxel allows
    (``docs/methods/patient.md``).
    """
    density = np.empty(shape, dtype=np.float32)
    index = np.empty(shape, dtype=np.uint8)
    inside = np.empty(shape, dtype=np.bool_)
    mu_rho = np.array(
        [
            sum(w * _element_mu_rho_cm2_g(e) for e, w in m.mass_fractions.items())
            for m in calibration.materials
        ]
    )
    _block_kernel(
        np.ascontiguousarray(hu),
        body,
        *kernel_tables(calibration),
        mu_rho,
        np.array(block, dtype=np.int64),
        np.array(ct_offset, dtype=np.int64),
        np.array(extend_slices, dtype=np.int64),
        density,
        index,
        inside,
    )
    return density, index, inside


@lru_cache(maxsize=128)
def _element_mu_rho_cm2_g(symbol: str) -> float:
    element = Material(name=symbol, mass_fractions={symbol: 1.0})
    return float(mu_rho_cm2_g(element, [TISSUE_ENERGY_KEV])[0])


def kernel_tables(calibration: HuCalibration) -> tuple[FloatArray, FloatArray, FloatArray, Any]:
    """Arrays of a calibration as the kernels take them: ramps (3) and tissue edges."""
    return (
        np.array(calibration.ramp_start_hu),
        np.array(calibration.ramp_intercept_g_cm3),
        np.array(calibration.ramp_slope_g_cm3_per_hu),
        np.array(calibration.tissue_start_hu, dtype=np.float64),
    )


@voxel_loop
def _block_kernel(  # type: ignore[no-untyped-def]  # noqa: ANN202
    hu,  # noqa: ANN001
    body,  # noqa: ANN001
    ramp_start,  # noqa: ANN001
    ramp_intercept,  # noqa: ANN001
    ramp_slope,  # noqa: ANN001
    tissue_start,  # noqa: ANN001
    mu_rho,  # noqa: ANN001
    block,  # noqa: ANN001
    ct_offset,  # noqa: ANN001
    extend,  # noqa: ANN001
    density,  # noqa: ANN001
    index,  # noqa: ANN001
    inside,  # noqa: ANN001
):
    nz, ny, nx = hu.shape
    mz, my, mx = density.shape
    bz, by, bx = block[0], block[1], block[2]
    n_block = bz * by * bx
    air = ramp_intercept[0] + ramp_slope[0] * ramp_start[0]
    last_bin = tissue_start.size - 1
    for k in range(mz):
        for j in range(my):
            for i in range(mx):
                mass = 0.0
                weighted = 0.0
                n_air = 0
                n_body = 0
                lowest = last_bin
                highest = 0
                for c in range(bz * k - ct_offset[0], bz * (k + 1) - ct_offset[0]):
                    beyond = c < 0 or c >= nz
                    source = c
                    if beyond:
                        if c < -extend[0] or c >= nz + extend[1]:
                            n_air += by * bx
                            continue
                        source = 0 if c < 0 else nz - 1
                    for b in range(by * j - ct_offset[1], by * (j + 1) - ct_offset[1]):
                        if b < 0 or b >= ny:
                            n_air += bx
                            continue
                        for a in range(bx * i - ct_offset[2], bx * (i + 1) - ct_offset[2]):
                            if a < 0 or a >= nx:
                                n_air += 1
                                continue
                            value = float(hu[source, b, a])
                            ramp = last_at_or_below(ramp_start, value)
                            row = last_at_or_below(tissue_start, value)
                            rho = ramp_intercept[ramp] + ramp_slope[ramp] * value
                            mass += rho
                            weighted += rho * mu_rho[row]
                            lowest = min(lowest, row)
                            highest = max(highest, row)
                            if body[source, b, a] and not beyond:
                                n_body += 1
                if n_air > 0:
                    mass += n_air * air
                    weighted += n_air * air * mu_rho[0]
                    lowest = 0
                mean = weighted / mass
                best = lowest
                for row in range(lowest + 1, highest + 1):
                    if abs(mu_rho[row] - mean) < abs(mu_rho[best] - mean):
                        best = row
                density[k, j, i] = mass / n_block
                index[k, j, i] = best
                inside[k, j, i] = 2 * n_body >= n_block

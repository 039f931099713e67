"""Mean organ doses straight from photon fields on coarse cubes, without dose maps in between."""

import numpy as np

from milligray.learn.inputs.basis_materials import basis_fractions
from milligray.learn.scan import Scan
from milligray.patient.voxel_loop import voxel_loop
from milligray.typing import FloatArray, LabelArray
from milligray.volume import Grid


def organ_doses_of_fields(scan: Scan, grid: Grid, kerma_mgy: FloatArray) -> FloatArray:
    """Mean doses of the organs in photon fields.

    Parameters
    ----------
    scan : Scan
    grid : Grid
        Axis-aligned, of the fields.
    kerma_mgy : ndarray, shape (n_fields, 2, *grid.shape), float32 [mGy]
        In the basis materials.

    Returns
    -------
    ndarray, shape (n_fields, n_organs) [mGy]
        The mass-weighted mean of `milligray.learn.inputs.scatter_inputs.scatter_dose_mgy`.

    Notes
    -----
    ``dose_o = sum_v w_ov sum_b f_vb sum_c i_vc K_bc / mass_o`` with the organ's mass ``w`` in the
    patient's voxel v, the tissue's fractions ``f`` of the basis and the linear interpolation ``i``
    between cubes. The sum over v comes first, and is the same for all fields.
    """
    patient, weights = scan.patient, scan.weights.weights_g.tocsr()
    fractions = basis_fractions(patient.materials).absorption
    lows, parts = zip(*(_neighbors(patient.grid, grid, axis) for axis in range(3)), strict=True)
    found = np.zeros((weights.shape[0], len(kerma_mgy)))
    mass = np.asarray(weights.sum(axis=1)).ravel()
    last = np.flatnonzero(np.diff(weights.indptr))
    _means(
        weights.indptr, weights.indices, weights.data, patient.body.ravel(),
        patient.material_index.ravel(), fractions, *lows, *parts,
        np.ascontiguousarray(np.moveaxis(kerma_mgy, 0, -1)), last, found,
    )  # fmt: skip
    return np.asarray((found / mass[:, None]).T)


def _neighbors(grid: Grid, onto: Grid, axis: int) -> tuple[LabelArray, FloatArray]:
    """Lower cube of every voxel along an axis, and how far it is on the way to the next."""
    centers = onto.axis_centers_mm(axis)
    place = (grid.axis_centers_mm(axis) - centers[0]) / onto.spacing_mm[axis]
    place = np.clip(place, 0.0, centers.size - 1.0)
    low = np.minimum(place.astype(np.int64), max(centers.size - 2, 0))
    return low, place - low


@voxel_loop
def _means(  # type: ignore[no-untyped-def]  # noqa: ANN202
    starts, voxels, masses, body, material, fractions,  # noqa: ANN001
    low_z, low_y, low_x, part_z, part_y, part_x, kerma, organs, out,  # noqa: ANN001
):  # fmt: skip
    """Sums of mass times dose, by organ and field; `kerma` has the fields last."""
    n_y, n_x = low_y.size, low_x.size
    _, nz, ny, nx, n_fields = kerma.shape
    share = np.zeros((nz, ny, nx, 2))
    for o in organs:
        z0, y0, x0, z1, y1, x1 = nz, ny, nx, -1, -1, -1
        for m in range(starts[o], starts[o + 1]):
            v = voxels[m]
            if not body[v]:
                continue
            k, j, i = v // (n_y * n_x), v // n_x % n_y, v % n_x
            a, b, c = low_z[k], low_y[j], low_x[i]
            z0, y0, x0 = min(z0, a), min(y0, b), min(x0, c)
            z1, y1, x1 = max(z1, a), max(y1, b), max(x1, c)
            water = masses[m] * fractions[material[v], 0]
            bone = masses[m] * fractions[material[v], 1]
            for corner in range(8):
                dz, dy, dx = corner >> 2, corner >> 1 & 1, corner & 1
                w = part_z[k] if dz else 1.0 - part_z[k]
                w *= part_y[j] if dy else 1.0 - part_y[j]
                w *= part_x[i] if dx else 1.0 - part_x[i]
                if w > 0.0:
                    share[a + dz, b + dy, c + dx, 0] += w * water
                    share[a + dz, b + dy, c + dx, 1] += w * bone
        for a in range(z0, min(z1 + 2, nz)):
            for b in range(y0, min(y1 + 2, ny)):
                for c in range(x0, min(x1 + 2, nx)):
                    water, bone = share[a, b, c, 0], share[a, b, c, 1]
                    if water == 0.0 and bone == 0.0:
                        continue
                    for f in range(n_fields):
                        out[o, f] += water * kerma[0, a, b, c, f] + bone * kerma[1, a, b, c, f]
                    share[a, b, c, 0] = share[a, b, c, 1] = 0.0

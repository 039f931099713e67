"""Organ doses straight from a photon field on coarse cubes, without a dose map in between."""

import numpy as np
import scipy.sparse

from milligray.learn.inputs.basis_materials import basis_fractions
from milligray.learn.scan import Scan
from milligray.typing import FloatArray, LabelArray
from milligray.volume import Grid


def organ_operator(scan: Scan, grid: Grid) -> scipy.sparse.csr_matrix:
    """Matrix from the kerma in the basis materials to mean organ doses.

    Parameters
    ----------
    scan : Scan
    grid : Grid
        Axis-aligned, of the photon field.

    Returns
    -------
    csr matrix, shape (n_organs, 2 * n_voxels)
        Columns: `grid` in C order for water, then for bone. ``operator @ kerma.ravel()`` [mGy] is
        the same as the mass-weighted mean of `milligray.learn.inputs.scatter_inputs.dose_of_kerma_mgy`
        over the organ, for organs within the body.

    Notes
    -----
    ``dose_o = sum_v w_ov sum_b f_vb sum_c i_vc K_bc / mass_o`` with the organ's mass ``w`` in the
    patient's voxel v, the tissue's fractions ``f`` of the basis and the linear interpolation ``i``
    between cubes.
    """  # noqa: E501
    patient, weights = scan.patient, scan.weights.weights_g.tocsr()
    fractions = basis_fractions(patient.materials).absorption
    voxel = weights.indices.astype(np.int64)
    organ = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    tissue = fractions[patient.material_index.ravel()[voxel]]
    mass = np.asarray(weights.sum(axis=1)).ravel()
    share = weights.data / mass[organ] * patient.body.ravel()[voxel]
    index = np.unravel_index(voxel, patient.grid.shape)
    corners = [_neighbors(patient.grid, grid, axis) for axis in range(3)]
    n = int(np.prod(grid.shape))
    columns, values = [], []
    for low_z in (0, 1):
        for low_y in (0, 1):
            for low_x in (0, 1):
                places, factor = [], share
                for axis, side in enumerate((low_z, low_y, low_x)):
                    low, part = corners[axis]
                    here = low[index[axis]] + side
                    places.append(np.minimum(here, grid.shape[axis] - 1))
                    one = part[index[axis]]
                    factor = factor * (one if side else 1.0 - one)
                column = np.ravel_multi_index(places, grid.shape)
                columns += [column, column + n]
                values += [factor * tissue[:, 0], factor * tissue[:, 1]]
    # sixteen entries for each of the organs' voxels, in their order; places that occur more than
    # once need not be added up: the product does it
    return scipy.sparse.csr_matrix(
        (
            np.stack(values, axis=1).ravel(),
            np.stack(columns, axis=1).ravel(),
            weights.indptr.astype(np.int64) * len(values),
        ),
        shape=(weights.shape[0], 2 * n),
    )


def _neighbors(grid: Grid, onto: Grid, axis: int) -> tuple[LabelArray, FloatArray]:
    """Lower cube of every voxel along an axis, and how far it is on the way to the next."""
    centers = onto.axis_centers_mm(axis)
    place = (grid.axis_centers_mm(axis) - centers[0]) / onto.spacing_mm[axis]
    place = np.clip(place, 0.0, centers.size - 1.0)
    low = np.minimum(place.astype(np.int64), max(centers.size - 2, 0))
    return low, place - low

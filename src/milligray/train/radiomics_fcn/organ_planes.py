"""Three planes through every organ: what a convolutional network is shown."""

from pathlib import Path

import numpy as np

from milligray.dataset.folder import SetFolder
from milligray.dataset.reader import open_set
from milligray.dataset.recompute import spec_of
from milligray.dataset.scan_case import open_scan
from milligray.learn.scan import Scan
from milligray.train.radiomics_fcn.organ_table import OrganTable
from milligray.typing import FloatArray

PIXELS, PIXEL_MM = 64, 5.0
CHANNELS = 9
_LARGEST_DENSITY = 2.0


def organ_planes(scan: Scan) -> FloatArray:
    """Planes through the centers of mass of organs.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    ndarray, shape (n_organs, 9, 64, 64), float32
        For the transverse, coronal and sagittal plane: density [g/cm3], share of the voxel that is
        the organ, tube current over its mean there (0 outside the range); pixels of 5 mm.
    """
    from scipy.ndimage import map_coordinates  # noqa: PLC0415 - slow to import

    patient, weights = scan.patient, scan.weights.weights_g
    grid, shape = patient.grid, patient.grid.shape
    mass = np.asarray(weights.sum(axis=1)).ravel()
    centers = [grid.axis_centers_mm(axis) for axis in range(3)]
    mesh = np.meshgrid(*centers, indexing="ij")
    middles = np.stack([np.asarray(weights @ m.ravel()) / mass for m in mesh], axis=1)
    density = np.minimum(patient.density_g_cm3, np.float32(_LARGEST_DENSITY))
    voxel_g = np.maximum(patient.mass_g, np.float32(1e-6)).ravel()
    low, high = scan.range_mm
    steps = (np.arange(PIXELS) - 0.5 * (PIXELS - 1)) * PIXEL_MM
    found = np.zeros((len(mass), CHANNELS, PIXELS, PIXELS), dtype=np.float32)
    for i, middle in enumerate(middles):
        organ = np.minimum(weights[i].toarray().ravel() / voxel_g, 1.0).reshape(shape)
        for plane, (first, second) in enumerate(((1, 2), (0, 2), (0, 1))):
            points = np.tile(middle[:, None, None], (1, PIXELS, PIXELS))
            points[first] += steps[:, None]
            points[second] += steps[None, :]
            index = [(points[axis] - centers[axis][0]) / grid.spacing_mm[axis] for axis in range(3)]
            for part, image in enumerate((density, organ.astype(np.float32))):
                found[i, 3 * plane + part] = map_coordinates(image, index, order=1, mode="constant")
            z = points[0]
            current = np.interp(z, scan.protocol.slice_position_mm, scan.protocol.relative_current)
            found[i, 3 * plane + 2] = current * ((z >= low) & (z <= high))
    return found


def planes_of_set(path: Path, table: OrganTable, number: int) -> FloatArray:
    """Planes of the rows of a table, made of the images that the set's list names.

    Parameters
    ----------
    path : Path
        A set.
    table : OrganTable
    number : int
        Rows of this set (`OrganTable.set_index`); the others stay zero.

    Returns
    -------
    ndarray, shape (len(table), 9, 64, 64), float32
    """
    folder = SetFolder(path)
    manifest = folder.need_manifest()
    opened = open_set(path)
    found = np.zeros((len(table), CHANNELS, PIXELS, PIXELS), dtype=np.float32)
    of_set = table.set_index == number
    for name in np.unique(table.scans[of_set]):
        photons = float(opened.read(str(name), ("organ_dose",)).attributes["photons"])
        scan = open_scan(
            spec_of(manifest, str(name), folder.root), is_regridded=False, photons=photons
        )
        planes = organ_planes(scan)
        row_of = {organ: i for i, organ in enumerate(scan.weights.names)}
        for row in np.flatnonzero(of_set & (table.scans == name)):
            found[row] = planes[row_of[table.features.organs[row]]]
    return found

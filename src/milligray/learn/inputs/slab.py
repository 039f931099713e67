"""A patient as one position of the tube sees them: always from the same side."""

import math

import numpy as np

from milligray.errors import InputError
from milligray.materials.tissues import load_material
from milligray.patient import build_patient
from milligray.patient.patient import Patient
from milligray.patient.phantoms.shapes import shape_phantom
from milligray.patient.voxel_loop import voxel_loop
from milligray.read.series import CtSeries
from milligray.typing import FloatArray
from milligray.volume import Grid, Volume

SUB_VOXELS = 2
LARGEST_FACTOR = 1e3
AIR_BELOW = 0.02
"""Electron density over water's that counts as nothing on a path."""
_AIR_HU = -1000.0
_STEP = 0.5


def slab_grid(
    shape_zyx: tuple[int, int, int], voxel_size_mm: float, isocenter_mm: tuple[float, float],
    z_mm: float,
) -> Grid:  # fmt: skip
    """Grid of cubes whose middle is the isocenter in the plane of the tube.

    Parameters
    ----------
    shape_zyx : (z, depth, lateral)
        Depth runs from the tube to the other side, as y does for a tube in front of the patient.
    voxel_size_mm : float [mm]
    isocenter_mm : (x, y) [mm]
    z_mm : float [mm]
    """
    middle = (isocenter_mm[0], isocenter_mm[1], z_mm)
    origin = [
        m - 0.5 * (n - 1) * voxel_size_mm for m, n in zip(middle, reversed(shape_zyx), strict=True)
    ]
    return Grid.from_spacing(shape_zyx, (voxel_size_mm,) * 3, origin_lps_mm=origin)


def reach_voxels(patient: Patient, voxel_size_mm: float, isocenter_mm: tuple[float, float]) -> int:
    """Voxels, an even number, of a square around the axis that holds the body at every angle.

    Parameters
    ----------
    patient : Patient
    voxel_size_mm : float [mm]
    isocenter_mm : (x, y) [mm]
    """
    rows, columns = np.nonzero(patient.body.any(axis=0))
    x = patient.grid.axis_centers_mm(2)[columns] - isocenter_mm[0]
    y = patient.grid.axis_centers_mm(1)[rows] - isocenter_mm[1]
    reach = float(np.hypot(x, y).max()) + 2.0 * voxel_size_mm if x.size else 0.0
    return 2 * max(1, math.ceil(reach / voxel_size_mm))


def tracing_shape(
    patient: Patient,
    stored_zyx: tuple[int, int, int],
    voxel_size_mm: float,
    isocenter_mm: tuple[float, float],
) -> tuple[int, int, int]:
    """Shape (z, depth, lateral) of the slab in which a position of a patient is traced.

    Parameters
    ----------
    patient : Patient
    stored_zyx : (z, depth, lateral)
        Slab of the training set.
    voxel_size_mm : float [mm]
    isocenter_mm : (x, y) [mm]

    Notes
    -----
    At least the stored slab, and all of the body at every angle: shoulders that a slab cuts off
    still lie between the tube and the rest. Training and prediction take the same, for channels
    are relative to means over the slab.
    """
    least = reach_voxels(patient, voxel_size_mm, isocenter_mm)
    depth, lateral = (n + 2 * max(0, (least - n + 1) // 2) for n in stored_zyx[1:])
    return stored_zyx[0], depth, lateral


def rotated_patient(
    patient: Patient, grid: Grid, *, isocenter_mm: tuple[float, float], angle_rad: float
) -> Patient:
    """Patient on a slab's grid, turned so that a tube at the given angle is at angle 0.

    Parameters
    ----------
    patient : Patient
        With its CT and calibration.
    grid : Grid
        From `slab_grid`.
    isocenter_mm : (x, y) [mm]
    angle_rad : float [rad]

    Returns
    -------
    Patient
        On `grid`; what it cuts off is not there.

    Notes
    -----
    HU by linear interpolation at 2 x 2 x 2 points a voxel; densities and tissues are made of
    these as for any other CT.
    """
    from scipy.ndimage import map_coordinates  # noqa: PLC0415 - slow to import

    if patient.ct is None or patient.hu_calibration is None:
        raise InputError("only a patient from a CT can be turned")
    fine = _finer(grid)
    z, depth, lateral = (fine.axis_centers_mm(axis) for axis in range(3))
    along, beside = depth - isocenter_mm[1], lateral - isocenter_mm[0]
    sine, cosine = math.sin(angle_rad), math.cos(angle_rad)
    x = isocenter_mm[0] + along[:, None] * sine + beside[None, :] * cosine
    y = isocenter_mm[1] + along[:, None] * cosine - beside[None, :] * sine
    ct = patient.ct
    first = [ct.grid.axis_centers_mm(axis)[0] for axis in range(3)]
    j, i = (y - first[1]) / ct.grid.spacing_mm[1], (x - first[2]) / ct.grid.spacing_mm[2]
    planes = _planes(ct, z)
    values = np.empty(fine.shape, dtype=np.float32)
    for k, plane in enumerate(planes):
        map_coordinates(plane, [j, i], output=values[k], order=1, mode="constant", cval=_AIR_HU)
    series = CtSeries(
        volume=Volume(grid=fine, values=values), slice_thickness_mm=ct.grid.spacing_mm[0]
    )
    return build_patient(
        series, calibration=patient.hu_calibration, voxel_size_mm=grid.spacing_mm[0], couch="keep"
    )


def water_cylinder_on(grid: Grid, isocenter_mm: tuple[float, float], diameter_mm: float) -> Patient:
    """Water cylinder around the axis of rotation, as long as the grid, in air.

    All of the grid is `body`, so that the air around holds its dose too.
    """
    radius2 = (0.5 * diameter_mm) ** 2
    phantom = shape_phantom(
        grid,
        lambda z, y, x: (
            (y - isocenter_mm[1]) ** 2 + (x - isocenter_mm[0]) ** 2 + 0.0 * z <= radius2
        ),
        load_material("water"),
    )
    return Patient(
        grid=phantom.grid, density_g_cm3=phantom.density_g_cm3,
        material_index=phantom.material_index, materials=phantom.materials,
        body=np.ones(grid.shape, dtype=np.bool_),
    )  # fmt: skip


def path_lengths_mm(density: FloatArray, grid: Grid, focal_lps_mm: FloatArray) -> FloatArray:
    """Path through matter from a focal spot to every voxel's center, in terms of the density.

    Parameters
    ----------
    density : ndarray, shape ``grid.shape``
        Relative to water.
    grid : Grid
    focal_lps_mm : ndarray, shape (3,) [mm]

    Returns
    -------
    ndarray, shape ``grid.shape``, float32 [mm]
        ``integral of density dl``, in steps of half a voxel, nearest voxel.
    """
    out = np.zeros(grid.shape, dtype=np.float32)
    spacing = np.array(grid.spacing_mm)
    focal = grid.to_index_kji(focal_lps_mm)
    _trace(np.ascontiguousarray(density, dtype=np.float32), focal, spacing, _STEP, out)
    return out


def path_from_tube_mm(
    density: FloatArray, grid: Grid, *, focal_radius_mm: float, isocenter_mm: tuple[float, float],
    z_mm: float,
) -> FloatArray:  # fmt: skip
    """Path through matter from the tube at angle 0 to every voxel; air counts as nothing.

    Parameters
    ----------
    density : ndarray, shape ``grid.shape``
        Relative electron density.
    grid : Grid
        From `slab_grid`, or a part of it that holds all matter.
    focal_radius_mm : float [mm]
    isocenter_mm : (x, y) [mm]
    z_mm : float [mm]
        Of the tube.

    Returns
    -------
    ndarray, shape ``grid.shape``, float32 [mm]
    """
    matter = np.where(density < AIR_BELOW, np.float32(0.0), density)
    focal = np.array([isocenter_mm[0], isocenter_mm[1] - focal_radius_mm, z_mm])
    return path_lengths_mm(matter, grid, focal)


def correction_factor(
    mu_per_mm: float, cylinder_path_mm: FloatArray, patient_path_mm: FloatArray
) -> FloatArray:
    """``exp(mu (path in the water cylinder - path in the patient))``, within 1e-3 ... 1e3."""
    factor = np.exp(mu_per_mm * (cylinder_path_mm - patient_path_mm))
    return np.asarray(np.clip(factor, 1.0 / LARGEST_FACTOR, LARGEST_FACTOR), dtype=np.float32)


def _finer(grid: Grid) -> Grid:
    n = SUB_VOXELS
    spacing = tuple(s / n for s in grid.spacing_mm)
    origin = grid.corner_lps_mm + 0.5 * np.array(spacing[::-1])
    return Grid.from_spacing(
        [m * n for m in grid.shape], spacing, origin_lps_mm=[float(v) for v in origin]
    )


def _planes(ct: Volume, z_mm: FloatArray) -> list[FloatArray]:
    """Slices of a CT at any z, air beyond its faces."""
    nz = ct.grid.shape[0]
    air = np.full(ct.grid.shape[1:], _AIR_HU, dtype=np.float32)
    found = []
    for place in (z_mm - ct.grid.axis_centers_mm(0)[0]) / ct.grid.spacing_mm[0]:
        if not -0.5 <= place <= nz - 0.5:
            found.append(air)
            continue
        inside = min(max(float(place), 0.0), nz - 1.0)
        low = min(int(inside), max(nz - 2, 0))
        part = np.float32(inside - low)
        upper = ct.values[min(low + 1, nz - 1)]
        found.append(ct.values[low] * (np.float32(1.0) - part) + upper * part)
    return found


@voxel_loop
def _trace(density, focal, spacing, step, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    nz, ny, nx = density.shape
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                dz, dy, dx = k - focal[0], j - focal[1], i - focal[2]
                # the part of the ray inside the box, as shares of the way to the voxel
                begin = 0.0
                for n, f, d in ((nz, focal[0], dz), (ny, focal[1], dy), (nx, focal[2], dx)):
                    if d > 0.0 and f < -0.5:
                        begin = max(begin, (-0.5 - f) / d)
                    elif d < 0.0 and f > n - 0.5:
                        begin = max(begin, (n - 0.5 - f) / d)
                if begin >= 1.0:
                    continue
                steps = int((1.0 - begin) * math.sqrt(dz * dz + dy * dy + dx * dx) / step) + 1
                length = math.sqrt(
                    (dz * spacing[0]) ** 2 + (dy * spacing[1]) ** 2 + (dx * spacing[2]) ** 2
                )
                total = 0.0
                for s in range(steps):
                    share = begin + (1.0 - begin) * (s + 0.5) / steps
                    c = math.floor(focal[0] + share * dz + 0.5)
                    b = math.floor(focal[1] + share * dy + 0.5)
                    a = math.floor(focal[2] + share * dx + 0.5)
                    if 0 <= c < nz and 0 <= b < ny and 0 <= a < nx:
                        total += density[c, b, a]
                out[k, j, i] = total * (1.0 - begin) * length / steps

"""Water boxes and cylinders as patients; edges exact, curved surfaces supersampled."""

from collections.abc import Callable

import numpy as np

from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

SAMPLES_PER_AXIS = 8
DISK_SAMPLES = 16

Inside = Callable[[FloatArray, FloatArray, FloatArray], BoolArray]
"""(z, y, x) [mm], broadcastable, to True inside the shape."""


def shape_phantom(
    grid: Grid, inside: Inside, material: Material, *, samples: int = SAMPLES_PER_AXIS
) -> Patient:
    """One homogeneous shape in air.

    Parameters
    ----------
    grid : Grid
    inside : callable
        ``inside(z_mm, y_mm, x_mm)``, vectorized: True for LPS points inside the shape.
    material : Material
        Filled in with its reference density.
    samples : int
        Sub-points per axis of a voxel; the filled share of a voxel is their mean.

    Returns
    -------
    Patient
        Voxels on the surface have the mixed density and the material with the larger mass.
    """
    if samples < 1:
        raise InputError(f"samples must be >= 1, got {samples}")
    z, y, x = (_sub_points_mm(grid, axis, samples) for axis in range(3))
    nz, ny, nx = grid.shape
    share = np.empty(grid.shape)
    for k in range(nz):
        points = inside(
            z[k * samples : (k + 1) * samples, np.newaxis, np.newaxis],
            y[np.newaxis, :, np.newaxis],
            x[np.newaxis, np.newaxis, :],
        )
        full = np.broadcast_to(points, (samples, ny * samples, nx * samples))
        share[k] = full.reshape(samples, ny, samples, nx, samples).mean(axis=(0, 2, 4))
    return _mixed_with_air(grid, share, material)


def water_box(
    size_mm: tuple[float, float, float], *, voxel_size_mm: float, margin_voxels: int = 0
) -> Patient:
    """Box of water centered on the origin.

    Parameters
    ----------
    size_mm : (z, y, x) [mm]
    voxel_size_mm : float [mm]
        Cubic voxels; a size that is no multiple of it has partly filled voxels at both faces.
    margin_voxels : int
        Layers of air around.
    """
    if min(size_mm) <= 0:
        raise InputError(f"size_mm must be > 0 along every axis, got {size_mm}")
    grid = _cubic_grid(size_mm, voxel_size_mm, margin_voxels)
    z, y, x = (_share_of_length(grid, axis, size_mm[axis]) for axis in range(3))
    share = z[:, np.newaxis, np.newaxis] * y[np.newaxis, :, np.newaxis] * x
    return _mixed_with_air(grid, share, load_material("water"))


def water_cylinder(
    diameter_mm: float, length_mm: float, voxel_size_mm: float, *, margin_voxels: int = 0
) -> Patient:
    """Cylinder of water along z, centered on the origin.

    Parameters
    ----------
    diameter_mm, length_mm, voxel_size_mm : float [mm]
    margin_voxels : int
        Layers of air around.
    """
    if diameter_mm <= 0 or length_mm <= 0:
        raise InputError("diameter_mm and length_mm must be > 0")
    size_mm = (length_mm, diameter_mm, diameter_mm)
    grid = _cubic_grid(size_mm, voxel_size_mm, margin_voxels)

    y, x = (_sub_points_mm(grid, axis, DISK_SAMPLES) for axis in (1, 2))
    _, ny, nx = grid.shape
    disk = y[:, np.newaxis] ** 2 + x**2 <= (0.5 * diameter_mm) ** 2
    share = disk.reshape(ny, DISK_SAMPLES, nx, DISK_SAMPLES).mean(axis=(1, 3))
    length = _share_of_length(grid, 0, length_mm)
    return _mixed_with_air(grid, length[:, np.newaxis, np.newaxis] * share, load_material("water"))


def _cubic_grid(
    size_mm: tuple[float, float, float], voxel_size_mm: float, margin_voxels: int
) -> Grid:
    if not voxel_size_mm > 0 or margin_voxels < 0:
        raise InputError("voxel_size_mm must be > 0 and margin_voxels >= 0")
    counts = [int(np.ceil(s / voxel_size_mm - 1e-9)) + 2 * margin_voxels for s in size_mm]
    return Grid.from_spacing(counts, (voxel_size_mm,) * 3)


def _share_of_length(grid: Grid, axis: int, length_mm: float) -> FloatArray:
    """Share of each voxel along one axis that lies within a centered length."""
    center, half = grid.axis_centers_mm(axis), 0.5 * grid.spacing_mm[axis]
    edge = 0.5 * length_mm
    overlap = np.minimum(center + half, edge) - np.maximum(center - half, -edge)
    return np.asarray(np.clip(overlap, 0.0, None) / (2.0 * half))


def _sub_points_mm(grid: Grid, axis: int, samples: int) -> FloatArray:
    fraction = (np.arange(samples) + 0.5) / samples - 0.5
    points = grid.axis_centers_mm(axis)[:, np.newaxis] + fraction * grid.spacing_mm[axis]
    return np.asarray(points.ravel())


def _mixed_with_air(grid: Grid, share: FloatArray, material: Material) -> Patient:
    air = load_material("air")
    mass = share * material.reference_density_g_cm3
    gas = (1.0 - share) * air.reference_density_g_cm3
    return Patient(
        grid=grid,
        density_g_cm3=np.asarray(mass + gas, dtype=np.float32),
        material_index=(mass > gas).astype(np.uint8),
        materials=(air, material),
        body=share >= 0.5,
    )

"""A patient turned to the tube at one angle, and what each position of the tube sees of them."""

from dataclasses import dataclass, replace

import numpy as np

from milligray.learn.inputs.basis_materials import basis_densities
from milligray.learn.inputs.cylinder_dose import CYLINDER_DIAMETER_MM, CylinderDose
from milligray.learn.inputs.electron_density import relative_electron_density
from milligray.learn.inputs.position_channels import isocenter_dose
from milligray.learn.inputs.slab import (
    correction_factor,
    path_from_tube_mm,
    rotated_patient,
    slab_grid,
    water_cylinder_on,
)
from milligray.patient.patient import Patient
from milligray.source.ct_source import CtSource
from milligray.source.spectrum import effective_water_mu_per_mm
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

MARGIN = 2
"""Voxels of air kept around the body."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CylinderInSlab:
    """Water cylinder of a beam in the frame of the tube.

    Parameters
    ----------
    grid : Grid
        From `slab_grid`, the tube at z = 0.
    share : ndarray, shape ``grid.shape``
        Dose over that at the isocenter.
    reference_mgy : float [mGy per photon]
        Dose at the isocenter.
    path_mm : ndarray, shape ``grid.shape`` [mm]
        Through the cylinder's water.
    mu_per_mm : float [1/mm]
    focal_radius_mm : float [mm]
    """

    grid: Grid
    share: FloatArray
    reference_mgy: float
    path_mm: FloatArray
    mu_per_mm: float
    focal_radius_mm: float

    @classmethod
    def from_dose(cls, source: CtSource, dose: CylinderDose) -> "CylinderInSlab":
        """From the dose that a source's beam has in the cylinder."""
        water = water_cylinder_on(dose.grid, (0.0, 0.0), CYLINDER_DIAMETER_MM)
        path = path_from_tube_mm(
            relative_electron_density(water), dose.grid, isocenter_mm=(0.0, 0.0), z_mm=0.0,
            focal_radius_mm=source.field.focal_radius_mm,
        )  # fmt: skip
        reference = isocenter_dose(dose.dose_mgy)
        return cls(
            grid=dose.grid, share=dose.dose_mgy / reference, reference_mgy=reference, path_mm=path,
            mu_per_mm=effective_water_mu_per_mm(source.field.spectrum),
            focal_radius_mm=source.field.focal_radius_mm,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TurnedScan:
    """Patient as the tube at one angle sees them, over the whole image.

    Parameters
    ----------
    grid : Grid
        From `slab_grid`: all planes of the patient, depth and lateral as the cylinder's.
    isocenter_mm : (x, y) [mm]
    density : ndarray, shape ``grid.shape``
        Relative electron density.
    attenuating : ndarray, shape (2, *grid.shape) [g/cm3]
        `milligray.learn.inputs.basis_materials.basis_densities`.
    body : ndarray of bool, shape ``grid.shape``
    """

    grid: Grid
    isocenter_mm: tuple[float, float]
    density: FloatArray
    attenuating: FloatArray
    body: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PositionPlace:
    """Slab of one position, cut to the body.

    Parameters
    ----------
    grid : Grid
        Of the cut, all planes of the slab, also those beyond the image.
    z_mm : float [mm]
        Of the tube.
    place : (slice, slice, slice)
        Of the cut in the turned scan; along z only the planes of the image.
    inside : slice
        Planes of the cut that lie in the image.
    """

    grid: Grid
    z_mm: float
    place: tuple[slice, slice, slice]
    inside: slice

    def widened(self, turned: TurnedScan) -> "PositionPlace":
        """The same slab with all of its rows and columns."""
        _, depth, lateral = turned.grid.shape
        x0, y0, _ = (float(v) for v in turned.grid.to_lps_mm([0, 0, 0]))
        z0 = float(self.grid.axis_centers_mm(0)[0])
        grid = Grid.from_spacing(
            (self.grid.shape[0], depth, lateral), self.grid.spacing_mm, origin_lps_mm=(x0, y0, z0)
        )
        place = (self.place[0], slice(0, depth), slice(0, lateral))
        return replace(self, grid=grid, place=place)

    def cut(self, values: FloatArray) -> FloatArray:
        """Part of an array of shape (..., *turned.grid.shape), 0 beyond the image."""
        found = np.zeros((*values.shape[:-3], *self.grid.shape), dtype=np.float32)
        found[..., self.inside, :, :] = values[(..., *self.place)]
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenPosition:
    """What a network sees of one position, cut to the body.

    Parameters
    ----------
    density, share, factor : ndarray, shape (z, depth, lateral)
        Inputs of `position_channels`.
    place : (slice, slice, slice)
        Of the cut in the turned scan; along z only the planes of the image.
    inside : slice
        Planes of the cut that lie in the image.
    """

    density: FloatArray
    share: FloatArray
    factor: FloatArray
    place: tuple[slice, slice, slice]
    inside: slice


def turn_scan(
    patient: Patient,
    slab: Grid,
    planes_mm: FloatArray,
    isocenter_mm: tuple[float, float],
    angle_rad: float,
) -> TurnedScan:
    """Turn the whole patient to a tube at an angle.

    Parameters
    ----------
    patient : Patient
    slab : Grid
        Of the water cylinder.
    planes_mm : ndarray, shape (n,) [mm]
        Ascending, a voxel apart.
    isocenter_mm : (x, y) [mm]
    angle_rad : float [rad]
    """
    middle = 0.5 * float(planes_mm[0] + planes_mm[-1])
    shape = (planes_mm.size, slab.shape[1], slab.shape[2])
    grid = slab_grid(shape, slab.spacing_mm[0], isocenter_mm, middle)
    turned = rotated_patient(patient, grid, isocenter_mm=isocenter_mm, angle_rad=angle_rad)
    return TurnedScan(
        grid=grid, isocenter_mm=isocenter_mm, density=relative_electron_density(turned),
        attenuating=basis_densities(turned)[0], body=turned.body,
    )  # fmt: skip


def place_of(turned: TurnedScan, plane: int, half: int) -> PositionPlace | None:
    """Where the slab of a tube in a plane of the scan (any integer) lies; None without any body.

    Parameters
    ----------
    turned : TurnedScan
    plane : int
        Of the tube; may lie beyond the image.
    half : int
        Planes of the slab to each side.
    """
    n, size = turned.grid.shape[0], turned.grid.spacing_mm[0]
    begin, end = max(0, plane - half), min(n, plane + half + 1)
    if begin >= end or not turned.body[begin:end].any():
        return None
    _, rows, columns = body_box(turned.body[begin:end], MARGIN)
    shape = (2 * half + 1, rows.stop - rows.start, columns.stop - columns.start)
    z = float(turned.grid.axis_centers_mm(0)[0]) + size * plane
    x0, y0, _ = (float(v) for v in turned.grid.to_lps_mm([0, rows.start, columns.start]))
    return PositionPlace(
        grid=Grid.from_spacing(shape, (size,) * 3, origin_lps_mm=(x0, y0, z - half * size)),
        z_mm=z, place=(slice(begin, end), rows, columns),
        inside=slice(begin - plane + half, end - plane + half),
    )  # fmt: skip


def see_position(turned: TurnedScan, cylinder: CylinderInSlab, plane: int) -> SeenPosition | None:
    """What the tube in a plane of the scan (any integer) sees; None without any body in reach."""
    found = place_of(turned, plane, cylinder.grid.shape[0] // 2)
    if found is None:
        return None
    density = found.cut(turned.density)
    path = path_from_tube_mm(
        density, found.grid, focal_radius_mm=cylinder.focal_radius_mm,
        isocenter_mm=turned.isocenter_mm, z_mm=found.z_mm,
    )  # fmt: skip
    cut = (slice(None), *found.place[1:])
    return SeenPosition(
        density=density, share=cylinder.share[cut],
        factor=correction_factor(cylinder.mu_per_mm, cylinder.path_mm[cut], path),
        place=found.place, inside=found.inside,
    )  # fmt: skip


def body_box(body: BoolArray, margin: int) -> tuple[slice, slice, slice]:
    """Box of a mask, all of the first axis, with a margin of voxels where there are any."""
    found = [slice(0, body.shape[0])]
    for axis in (1, 2):
        there = np.flatnonzero(body.any(axis=tuple({0, 1, 2} - {axis})))
        low = max(0, int(there[0]) - margin)
        found.append(slice(low, min(body.shape[axis], int(there[-1]) + 1 + margin)))
    return found[0], found[1], found[2]

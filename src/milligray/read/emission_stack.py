"""Stack the slices of an emission image: any orientation, oblique ones included."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.errors import FormatError, GeometryError, InputError
from milligray.read.dicom_tags import quiet_pydicom
from milligray.read.slice_header import SliceHeader
from milligray.read.slice_pixels import stored_slices
from milligray.read.slice_spacing import slice_spacing
from milligray.typing import FloatArray
from milligray.volume import Grid

ALIGNED_RAD = np.deg2rad(0.05)
"""Axes closer than this to those of the patient are taken as straight."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmissionStack:
    """Slices in the order of their positions along the normal, and where they lie.

    Parameters
    ----------
    order : tuple of int
        ``order[k]`` is the number, in the input, of the k-th slice along the normal.
    affine : ndarray, shape (4, 4) [mm]
        Of the stored axes (slice along the normal, row, column) to LPS.
    shape : tuple of int
        (slice, row, column).
    notes : tuple of str
    """

    order: tuple[int, ...]
    affine: FloatArray
    shape: tuple[int, int, int]
    notes: tuple[str, ...]


def stack_emission(headers: Sequence[SliceHeader]) -> EmissionStack:
    """Order the slices of one image, every place once.

    Raises
    ------
    InputError
        If position, orientation, pixel spacing or the height of a single slice are missing.
    FormatError
        If slices are missing.
    GeometryError
        If the slices are unevenly spaced, sheared, or lie beside each other.
    """
    first = headers[0]
    for name, tag in (("position_lps_mm", "ImagePositionPatient (0020,0032)"),
                      ("orientation", "ImageOrientationPatient (0020,0037)"),
                      ("pixel_spacing_mm", "PixelSpacing (0028,0030)")):  # fmt: skip
        if any(getattr(header, name) is None for header in headers):
            raise InputError(
                f"{first.path.name}: {tag} is missing, so the image cannot be placed in the"
                " patient; export it again from the scanner's workstation"
            )
    along_row, along_column = directions(first)
    normal = np.cross(along_row, along_column)
    positions = np.array([header.position_lps_mm for header in headers], dtype=np.float64)
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    notes: list[str] = []
    if len(headers) == 1:
        height = first.slice_thickness_mm
        if height is None:
            raise InputError(
                f"{first.path.name}: one slice without SliceThickness (0018,0050) has no height"
            )
        notes.append("the series has one slice: its thickness was taken as its height")
    else:
        verdict = slice_spacing(along[order])
        if not verdict.is_uniform:
            steps = ", ".join(f"{step:.4g}" for step in verdict.block_spacings_mm[:6])
            raise GeometryError(
                f"the slices are unevenly spaced ({steps} mm): activity between them would be"
                " guessed; export one reconstruction of even slices"
            )
        height = verdict.spacing_mm
    _check_beside(positions, along, normal, min(first.pixel_spacing_mm or (1.0,)))
    row_step, column_step = first.pixel_spacing_mm or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, 0] = normal * height
    affine[:3, 1] = along_column * row_step
    affine[:3, 2] = along_row * column_step
    affine[:3, 3] = positions[order[0]]
    return EmissionStack(
        order=tuple(int(index) for index in order), affine=affine,
        shape=(len(headers), first.rows, first.columns), notes=tuple(notes),
    )  # fmt: skip


def directions(header: SliceHeader) -> tuple[FloatArray, FloatArray]:
    """Unit vectors (LPS) along a row and along a column of a slice."""
    orientation = np.array(header.orientation, dtype=np.float64)
    along_row, along_column = orientation[:3], orientation[3:]
    lengths = float(np.linalg.norm(along_row)), float(np.linalg.norm(along_column))
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(along_row @ along_column) > 1e-2:
        raise GeometryError(
            f"ImageOrientationPatient (0020,0037) {header.orientation} does not hold two"
            " perpendicular unit vectors"
        )
    return along_row / lengths[0], along_column / lengths[1]


def to_patient_axes(
    values: npt.NDArray[np.float32], affine: FloatArray
) -> tuple[npt.NDArray[np.float32], Grid]:
    """Permute and flip axes so that k, j, i run nearest to superior, posterior, left.

    Parameters
    ----------
    values : ndarray, three-dimensional
        On the axes of `affine`.
    affine : ndarray, shape (4, 4) [mm]

    Returns
    -------
    values : ndarray
        A view.
    grid : Grid
        Axis-aligned if the axes are within 0.05 degrees of the patient's, else oblique.
    """
    matrix = affine[:3, :3]
    spacing = np.linalg.norm(matrix, axis=0)
    unit = matrix / spacing
    world_of = np.argmax(np.abs(unit), axis=0)
    if len(set(world_of.tolist())) != 3:
        world_of = _nearest_axes(unit)
    axes = [int(np.flatnonzero(world_of == row)[0]) for row in (2, 1, 0)]
    turned = values.transpose(axes)
    new = np.eye(4)
    new[:3, :3] = matrix[:, axes]
    new[:3, 3] = affine[:3, 3]
    for axis, row in enumerate((2, 1, 0)):
        if new[row, axis] < 0:
            turned = np.flip(turned, axis)
            new[:3, 3] += new[:3, axis] * (turned.shape[axis] - 1)
            new[:3, axis] *= -1.0
    shape = (turned.shape[0], turned.shape[1], turned.shape[2])
    lengths = [float(np.linalg.norm(new[:3, axis])) for axis in range(3)]
    largest = max(
        float(np.arccos(min(1.0, new[row, axis] / lengths[axis])))
        for axis, row in enumerate((2, 1, 0))
    )
    if largest > ALIGNED_RAD:
        return turned, Grid(shape=shape, affine=new)
    x, y, z = (float(value) for value in new[:3, 3])
    return turned, Grid.from_spacing(shape, lengths, origin_lps_mm=(x, y, z))


def rescaled(
    headers: Sequence[SliceHeader], factor: FloatArray | float = 1.0
) -> npt.NDArray[np.float32]:
    """Stored values x slope + intercept, times a factor by slice; in the order of `headers`."""
    first = headers[0]
    out = np.empty((len(headers), first.rows, first.columns), dtype=np.float32)
    factors = np.broadcast_to(np.asarray(factor, dtype=np.float64), (len(headers),))
    by_file: dict[object, list[int]] = {}
    for index, header in enumerate(headers):
        by_file.setdefault(header.path, []).append(index)
    with quiet_pydicom():
        for members in by_file.values():
            members.sort(key=lambda index: headers[index].frame or 0)
            chosen = [headers[index] for index in members]
            for index, (header, stored) in zip(members, stored_slices(chosen), strict=True):
                plane = stored * np.float64(header.slope) + (header.intercept or 0.0)
                if header.padding is not None and header.padding[0] < 0:
                    plane[(stored >= header.padding[0]) & (stored <= header.padding[1])] = 0.0
                out[index] = plane * factors[index]
    if not np.all(np.isfinite(out)):
        raise FormatError(f"{first.path.name}: the image holds values that are not finite")
    return out


def _nearest_axes(unit: FloatArray) -> npt.NDArray[np.intp]:
    """Assignment of array axes to x, y, z for strongly oblique images."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow

    rows, columns = linear_sum_assignment(-np.abs(unit))
    world_of = np.empty(3, dtype=np.intp)
    world_of[columns] = rows
    return world_of


def _check_beside(
    positions: FloatArray, along: FloatArray, normal: FloatArray, pixel_mm: float
) -> None:
    across = positions - along[:, np.newaxis] * normal
    worst = float(np.abs(across - np.median(across, axis=0)).max())
    if worst > 0.1 * pixel_mm + 0.05:
        raise GeometryError(
            f"the slices lie up to {worst:.2f} mm beside each other (sheared or several images);"
            " check ImagePositionPatient (0020,0032) and export one series"
        )

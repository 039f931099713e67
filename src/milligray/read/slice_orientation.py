"""How the stored rows and columns of a slice lie in the patient."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.errors import GeometryError
from milligray.typing import FloatArray

MAX_TILT_RAD = np.deg2rad(35.0)
ALIGNED_RAD = np.deg2rad(0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InPlane:
    """Turns a stored slice so that rows run to posterior and columns to the patient's left.

    Parameters
    ----------
    transpose, flip_rows, flip_columns : bool
        Applied in this order.
    row_step_mm, column_step_mm : ndarray, shape (3,) [mm]
        LPS step per row index and per column index AFTER turning.
    corner_offset_mm : ndarray, shape (3,) [mm]
        From the first stored pixel to the first pixel after turning.
    """

    transpose: bool
    flip_rows: bool
    flip_columns: bool
    row_step_mm: FloatArray
    column_step_mm: FloatArray
    corner_offset_mm: FloatArray

    def turn(self, stored: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """View of a stored slice ``[row, column]`` as ``[y, x]``."""
        turned = stored.T if self.transpose else stored
        if self.flip_rows:
            turned = turned[::-1]
        return turned[:, ::-1] if self.flip_columns else turned

    @property
    def normal(self) -> FloatArray:
        """Unit vector across the slice; its z is positive because x is left and y posterior."""
        cross = np.cross(self.column_step_mm, self.row_step_mm)
        return np.asarray(cross / np.linalg.norm(cross))


def in_plane(
    orientation: tuple[float, ...],
    pixel_spacing_mm: tuple[float, ...],
    rows: int,
    columns: int,
) -> InPlane:
    """Work out flips and transposition from ImageOrientationPatient alone.

    Parameters
    ----------
    orientation : tuple of 6 float
        As in DICOM: along a row (rising column index), then along a column.
    pixel_spacing_mm : tuple of 2 float [mm]
        As in DICOM: between rows, between columns.
    rows, columns : int

    Returns
    -------
    InPlane

    Raises
    ------
    GeometryError
        If the directions are not perpendicular, or the slice is sagittal, coronal or rotated in
        its plane: such images are reformats, not the scan.
    """
    along_row = np.array(orientation[:3], dtype=np.float64)
    along_column = np.array(orientation[3:], dtype=np.float64)
    lengths = np.linalg.norm(along_row), np.linalg.norm(along_column)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(along_row @ along_column) > 1e-2:
        raise GeometryError(
            f"ImageOrientationPatient (0020,0037) {tuple(orientation)} does not hold two"
            " perpendicular unit vectors"
        )
    along_row /= lengths[0]
    along_column /= lengths[1]
    if min(pixel_spacing_mm) <= 0:
        raise GeometryError(f"PixelSpacing (0028,0030) must be > 0, got {tuple(pixel_spacing_mm)}")
    normal = np.cross(along_row, along_column)
    if abs(normal[2]) < np.cos(MAX_TILT_RAD):
        plane = "sagittal" if abs(normal[0]) > abs(normal[1]) else "coronal"
        raise GeometryError(
            f"the slices are {plane} or strongly oblique (a reformat); give the axial series"
        )
    transpose = abs(along_row[1]) > abs(along_row[0])
    row_step = (along_row if transpose else along_column) * pixel_spacing_mm[1 if transpose else 0]
    column_step = (along_column if transpose else along_row) * pixel_spacing_mm[
        0 if transpose else 1
    ]
    n_rows, n_columns = (columns, rows) if transpose else (rows, columns)
    for step, axis in ((row_step, 0), (column_step, 1)):
        across = abs(step[axis]) / np.linalg.norm(step)
        if across > np.sin(ALIGNED_RAD):
            raise GeometryError(
                f"the image is rotated in its plane by {np.rad2deg(np.arcsin(across)):.1f} deg"
                " (a reformat); give the original axial series"
            )
    corner = np.zeros(3)
    flip_rows, flip_columns = bool(row_step[1] < 0), bool(column_step[0] < 0)
    if flip_rows:
        corner += row_step * (n_rows - 1)
        row_step = -row_step
    if flip_columns:
        corner += column_step * (n_columns - 1)
        column_step = -column_step
    return InPlane(
        transpose=bool(transpose),
        flip_rows=flip_rows,
        flip_columns=flip_columns,
        row_step_mm=row_step,
        column_step_mm=column_step,
        corner_offset_mm=corner,
    )

"""The geometry of a whole series: order, spacing, tilt, and the grid that it will fill."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.read.slice_header import SliceHeader
from milligray.read.slice_orientation import ALIGNED_RAD, InPlane, in_plane
from milligray.read.slice_spacing import SliceSpacing, slice_spacing
from milligray.typing import FloatArray
from milligray.volume import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceStack:
    """Slices in order from inferior to superior.

    Parameters
    ----------
    headers : tuple of SliceHeader
    in_plane : InPlane
        Common to all slices.
    corner_lps_mm : ndarray, shape (n, 3) [mm]
        LPS center of the first pixel of each turned slice.
    spacing : SliceSpacing
    slice_thickness_mm : float
    """

    headers: tuple[SliceHeader, ...]
    in_plane: InPlane
    corner_lps_mm: FloatArray
    spacing: SliceSpacing
    slice_thickness_mm: float
    notes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(z, y, x)`` of the slices as stored, turned."""
        rows, columns = self.headers[0].rows, self.headers[0].columns
        if self.in_plane.transpose:
            rows, columns = columns, rows
        return len(self.headers), rows, columns

    @property
    def z_step_per_row_mm(self) -> float:
        """Rise of z per row index, 0 without gantry tilt [mm]."""
        return float(self.in_plane.row_step_mm[2])

    @property
    def z_step_per_column_mm(self) -> float:
        """Rise of z per column index, 0 unless the patient lay on the side in a tilted gantry."""
        return float(self.in_plane.column_step_mm[2])

    @property
    def is_tilted(self) -> bool:
        """True if the slices are sheared against the table axis."""
        return bool(np.arccos(min(1.0, self.in_plane.normal[2])) > ALIGNED_RAD)

    @property
    def center_z_mm(self) -> FloatArray:
        """Positions of the middle of each slice along z [mm], shape (n,)."""
        _, n_rows, n_columns = self.shape
        middle = 0.5 * (
            (n_rows - 1) * self.z_step_per_row_mm + (n_columns - 1) * self.z_step_per_column_mm
        )
        return np.asarray(self.corner_lps_mm[:, 2] + middle)

    def even_grid(self) -> Grid:
        """Grid of the evenly spaced stack, before a tilt is taken out."""
        n, n_rows, n_columns = self.shape
        if not self.spacing.is_uniform:
            length = self.corner_lps_mm[-1, 2] - self.corner_lps_mm[0, 2]
            n = int(np.floor(length / self.spacing.spacing_mm + 1e-6)) + 1
        x, y = np.median(self.corner_lps_mm[:, :2], axis=0)
        return Grid.from_spacing(
            (n, n_rows, n_columns),
            (
                self.spacing.spacing_mm,
                abs(float(self.in_plane.row_step_mm[1])),
                abs(float(self.in_plane.column_step_mm[0])),
            ),
            origin_lps_mm=(x, y, self.corner_lps_mm[0, 2]),
        )


def stack_slices(headers: tuple[SliceHeader, ...]) -> SliceStack:
    """Order the slices of one series and judge their geometry.

    Raises
    ------
    GeometryError
        If they are reformatted, rotated, or shifted against each other sideways.
    InputError
        If orientation, pixel spacing or thickness are missing.
    FormatError
        If slices are missing.
    """
    first = headers[0]
    if first.orientation is None or first.pixel_spacing_mm is None:
        lost = "ImageOrientationPatient (0020,0037)"
        if first.orientation is not None:
            lost = "PixelSpacing (0028,0030)"
        raise InputError(f"{first.path.name}: {lost} is missing, so the slice cannot be placed")
    plane = in_plane(first.orientation, first.pixel_spacing_mm, first.rows, first.columns)
    positions = np.array([header.position_lps_mm for header in headers], dtype=np.float64)
    order = np.argsort(positions[:, 2], kind="stable")
    ordered = tuple(headers[index] for index in order)
    corners = positions[order] + plane.corner_offset_mm
    notes: list[str] = []
    thickness = _thickness(ordered, corners, notes)
    if len(ordered) == 1:
        spacing = SliceSpacing(
            spacing_mm=thickness, is_uniform=True, block_spacings_mm=(thickness,)
        )
        notes.append("the series has one slice: its thickness was taken as its height")
    else:
        spacing = slice_spacing(corners[:, 2])
        _check_drift(corners, plane, notes)
    if thickness < 0.5 * spacing.spacing_mm:
        notes.append(
            f"slices of {thickness:.4g} mm stand {spacing.spacing_mm:.4g} mm apart: what lies"
            " between them was not imaged and is taken as in the nearest slice"
        )
    tilt = float(np.arccos(min(1.0, plane.normal[2])))
    if tilt > ALIGNED_RAD:
        notes.append(
            f"gantry tilt of {np.rad2deg(tilt):.1f} deg: the sheared slices were interpolated to an"
            " upright grid, air was put where no slice reaches"
        )
    if not spacing.is_uniform:
        blocks = ", ".join(f"{s:.4g}" for s in spacing.block_spacings_mm[:8])
        notes.append(
            f"slice spacing varies ({blocks} mm): interpolated to {spacing.spacing_mm:.4g} mm"
        )
    return SliceStack(
        headers=ordered,
        in_plane=plane,
        corner_lps_mm=corners,
        spacing=spacing,
        slice_thickness_mm=thickness,
        notes=tuple(notes),
    )


def _thickness(headers: tuple[SliceHeader, ...], corners: FloatArray, notes: list[str]) -> float:
    known = [h.slice_thickness_mm for h in headers if h.slice_thickness_mm is not None]
    if known:
        if max(known) - min(known) > 0.01 * max(known):
            notes.append(f"slice thickness varies from {min(known):g} to {max(known):g} mm")
        return float(np.median(known))
    if len(headers) == 1:
        raise InputError(
            f"{headers[0].path.name}: one slice without SliceThickness (0018,0050) has no height"
        )
    notes.append("SliceThickness is missing: the slice spacing was taken")
    return float(np.median(np.diff(corners[:, 2])))


def _check_drift(corners: FloatArray, plane: InPlane, notes: list[str]) -> None:
    """Refuse a stack that does not rise along z, and slices beside the others."""
    z = corners[:, 2] - corners[:, 2].mean()
    slope = z @ (corners[:, :2] - corners[:, :2].mean(axis=0)) / (z @ z)
    lean = float(np.arctan(np.linalg.norm(slope)))
    if lean > ALIGNED_RAD:
        kind = "its slices are shifted sideways"
        if np.allclose(slope, plane.normal[:2] / plane.normal[2], atol=0.02):
            kind = "it is an oblique reformat"
        raise GeometryError(
            f"the stack of slices leans by {np.rad2deg(lean):.1f} deg against the table axis"
            f" ({kind}); give the original axial series"
        )
    beside = corners[:, :2] - z[:, np.newaxis] * slope
    worst = float(np.abs(beside - np.median(beside, axis=0)).max())
    pixel = float(min(np.linalg.norm(plane.row_step_mm), np.linalg.norm(plane.column_step_mm)))
    if worst > 0.5 * pixel:
        raise GeometryError(
            f"single slices lie up to {worst:.1f} mm beside the others;"
            " check ImagePositionPatient (0020,0032) or export one series"
        )
    if worst > max(0.1 * pixel, 0.05):
        notes.append(f"slices lie up to {worst:.2f} mm beside each other; the median was taken")

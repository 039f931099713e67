"""Read a CT series from DICOM."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milligray.errors import FormatError, InputError
from milligray.read.dicom_folder import scan_folder
from milligray.read.dicom_tags import quiet_pydicom
from milligray.read.series import CtSeries
from milligray.read.series_choice import SeriesChoice, choose_series
from milligray.read.slice_header import SliceHeader
from milligray.read.slice_pixels import (
    AIR_HU,
    hounsfield,
    hounsfield_slice,
    is_whole,
    padding_of,
    stored_slices,
)
from milligray.read.slice_resampling import even_out, untilt
from milligray.read.slice_stack import SliceStack, stack_slices
from milligray.volume import Grid, Volume

_INT16 = np.iinfo(np.int16)
_MAX_THREADS = 4
_TISSUE_FREE_HU = -500.0


class _DoesNotFitError(Exception):
    """A value is outside int16: the series has to be read as float32."""


def read_ct_series(path: str | Path, *, series: str | int | None = None) -> CtSeries:
    """Read a CT series from a DICOM folder.

    Parameters
    ----------
    path : str or Path
        Folder (searched with all below it), or one file: then the series it belongs to.
    series : str or int, optional
        SeriesInstanceUID, series number, or part of the description, if there are several.
        ``"3#2"`` names the second image (phase, acquisition) within series 3.

    Returns
    -------
    CtSeries
        HU on an axis-aligned grid, k to superior, j to posterior, i to left, int16 where all
        values are whole numbers, else float32. Nothing is below -1024 HU.

    Raises
    ------
    InputError
        No CT, several series, several patients.
    GeometryError
        Sagittal, coronal or rotated reformats; slices beside each other.
    FormatError
        Truncated files, missing slices.
    MissingExtraError
        No decoder for the compression.

    Notes
    -----
    Position and direction come from ImagePositionPatient and ImageOrientationPatient only.
    Sheared slices (gantry tilt) and blocks of different spacing are interpolated linearly.
    What was assumed or mended stands in ``notes``.
    """
    return ct_series_of(choose_series(scan_folder(path), series))


def ct_series_of(choice: SeriesChoice) -> CtSeries:
    """Read the pixels of a chosen series."""
    stack = stack_slices(choice.headers)
    notes = [*choice.notes, *stack.notes, *_padding_notes(stack.headers)]
    values = _read_values(stack)
    _check_hounsfield(values, stack.headers)
    grid = stack.even_grid()
    if not stack.spacing.is_uniform:
        values = even_out(values, stack.corner_lps_mm[:, 2], grid)
    if stack.is_tilted:
        values, grid = untilt(
            values, grid, stack.z_step_per_row_mm, stack.z_step_per_column_mm, AIR_HU
        )
    return CtSeries(
        volume=Volume(grid=grid, values=values),
        slice_thickness_mm=stack.slice_thickness_mm,
        input_sha256=volume_sha256(values, grid),
        notes=tuple(notes),
    )


def sample_slices(choice: SeriesChoice, n_slices: int) -> Volume:
    """Some slices spread over a series, as a volume of thick ones [HU, float32]."""
    stack = stack_slices(choice.headers)
    n = min(n_slices, len(stack.headers))
    picked = [
        stack.headers[k] for k in np.linspace(0, len(stack.headers) - 1, n).round().astype(int)
    ]
    with quiet_pydicom():
        values = np.stack(
            [stack.in_plane.turn(hounsfield_slice(h)).astype(np.float32) for h in picked]
        )
    grid = stack.even_grid()
    dz, dy, dx = grid.spacing_mm
    x, y, z = grid.to_lps_mm([0.0, 0.0, 0.0])
    step = dz * max(1.0, (grid.shape[0] - 1) / max(1, n - 1))
    sampled = Grid.from_spacing((n, *grid.shape[1:]), (step, dy, dx), origin_lps_mm=(x, y, z))
    return Volume(grid=sampled, values=values)


def volume_sha256(values: npt.NDArray[np.generic], grid: Grid) -> str:
    """SHA-256 over type, shape, affine (rounded to 1e-6 mm) and values of a volume."""
    digest = hashlib.sha256(f"{values.dtype.str} {values.shape}".encode())
    digest.update((np.round(grid.affine, 6) + 0.0).astype("<f8").tobytes())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _read_values(stack: SliceStack) -> npt.NDArray[np.generic]:
    if all(is_whole(header) for header in stack.headers):
        try:
            return _filled(stack, np.dtype(np.int16))
        except _DoesNotFitError:
            pass
    return _filled(stack, np.dtype(np.float32))


def _filled(stack: SliceStack, dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    values = np.empty(stack.shape, dtype=dtype)
    by_file: dict[Path, list[tuple[int, SliceHeader]]] = {}
    for k, header in enumerate(stack.headers):
        by_file.setdefault(header.path, []).append((k, header))

    def fill(members: Sequence[tuple[int, SliceHeader]]) -> None:
        ordered = sorted(members, key=lambda member: member[1].frame or 0)
        decoded = stored_slices([header for _, header in ordered])
        for (k, _), (header, stored) in zip(ordered, decoded, strict=True):
            hu = hounsfield(stored, header)
            if dtype == np.int16 and int(hu.max()) > _INT16.max:
                raise _DoesNotFitError
            values[k] = stack.in_plane.turn(hu)

    threads = min(_MAX_THREADS, os.cpu_count() or 1, len(by_file))
    with quiet_pydicom(), ThreadPoolExecutor(max_workers=threads) as pool:
        futures = [pool.submit(fill, members) for members in by_file.values()]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return values


def _padding_notes(headers: Sequence[SliceHeader]) -> list[str]:
    for header in headers:
        if header.padding is not None and padding_of(header) is None:
            value = f"PixelPaddingValue {header.padding[0]:g}"
            return [f"{value} would be a tissue value in HU: it was not taken as padding"]
    return []


def _check_hounsfield(values: npt.NDArray[np.generic], headers: Sequence[SliceHeader]) -> None:
    lost = [header for header in headers if header.intercept is None]
    if 0 < len(lost) < len(headers):
        raise InputError(
            f"RescaleIntercept (0028,1052) is missing in {len(lost)} of {len(headers)} slices,"
            f" e.g. {lost[0].path.name}: their Hounsfield units are unknown"
        )
    if lost and float(np.asarray(values.min())) > _TISSUE_FREE_HU:
        raise InputError(
            f"RescaleIntercept (0028,1052) is missing in {len(lost)} slices and no voxel is as thin"
            " as air: the values are not Hounsfield units"
        )
    if float(np.asarray(values.max())) <= AIR_HU:
        raise FormatError("all voxels are empty (-1024 HU or less): this is not an image")

"""Read a CT from NIfTI."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.read.ct_dicom import volume_sha256
from milligray.read.nifti_axes import read_nifti
from milligray.read.series import CtSeries
from milligray.read.slice_pixels import AIR_HU
from milligray.volume import Volume

_INT16 = np.iinfo(np.int16)
_HIGHEST_MINIMUM_HU = -500.0
_TOO_LOW_HU = -20000.0


def read_ct_nifti(path: str | Path) -> CtSeries:
    """Read a CT in Hounsfield units from a NIfTI file.

    Parameters
    ----------
    path : str or Path
        ``.nii`` or ``.nii.gz``, three-dimensional, axes along the patient's within 0.5 degrees.

    Returns
    -------
    CtSeries
        HU on an axis-aligned LPS grid, int16 where all values are whole numbers, else float32.
        Nothing is below -1024 HU. The slice thickness is taken as the slice spacing.

    Raises
    ------
    InputError
        If the values are not HU (no voxel below -500), not finite, or not three-dimensional.
    GeometryError
        If the axes are oblique.
    FormatError
        If the file is damaged.
    """
    image = read_nifti(path)
    name = Path(path).name
    notes = list(image.notes)
    values, n_below = _hounsfield(image.values, name)
    if n_below:
        notes.append(f"{n_below} voxels below {AIR_HU} HU were set to it")
    notes.append("NIfTI does not tell the slice thickness: the slice spacing was taken")
    return CtSeries(
        volume=Volume(grid=image.grid, values=values),
        slice_thickness_mm=image.grid.spacing_mm[0],
        input_sha256=volume_sha256(values, image.grid),
        notes=tuple(notes),
    )


def _hounsfield(stored: npt.NDArray[Any], name: str) -> tuple[npt.NDArray[Any], int]:
    """HU as small as they are exact, and how many were below air; slice by slice.

    The stored values may be float64, four times the size of the CT: no second array of that size
    is ever made.
    """
    if stored.dtype.kind not in "iuf":
        raise InputError(f"{name} holds {stored.dtype} values; HU are real numbers")
    is_float = stored.dtype.kind == "f"
    if is_float and not all(np.isfinite(plane).all() for plane in stored):
        raise InputError(f"{name} holds NaN or infinite values; fill them (air: -1000 HU)")
    lowest = min(float(plane.min()) for plane in stored)
    highest = max(float(plane.max()) for plane in stored)
    if lowest > _HIGHEST_MINIMUM_HU or lowest < _TOO_LOW_HU or highest <= AIR_HU:
        raise InputError(
            f"{name} holds values from {lowest:g} to {highest:g}: these are not Hounsfield units"
            " (air is near -1000); subtract the offset (often 1000 or 1024) or undo the scaling"
        )
    is_whole = highest <= _INT16.max and not (
        is_float and any((plane != np.rint(plane)).any() for plane in stored)
    )
    values = np.empty(stored.shape, dtype=np.int16 if is_whole else np.float32)
    n_below = 0
    for k, plane in enumerate(stored):
        n_below += int(np.count_nonzero(plane < AIR_HU))
        values[k] = plane if lowest >= AIR_HU else np.maximum(plane, plane.dtype.type(AIR_HU))
    return values, n_below

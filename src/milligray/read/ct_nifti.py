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
    values = _hounsfield(image.values, name)
    notes = list(image.notes)
    n_below = int(np.count_nonzero(values < AIR_HU))
    if n_below:
        notes.append(f"{n_below} voxels below {AIR_HU} HU were set to it")
        values = np.maximum(values, values.dtype.type(AIR_HU))
    notes.append("NIfTI does not tell the slice thickness: the slice spacing was taken")
    return CtSeries(
        volume=Volume(grid=image.grid, values=values),
        slice_thickness_mm=image.grid.spacing_mm[0],
        input_sha256=volume_sha256(values, image.grid),
        notes=tuple(notes),
    )


def _hounsfield(values: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Check that the values can be HU and store them as small as they are exact."""
    if values.dtype.kind not in "iuf":
        raise InputError(f"{name} holds {values.dtype} values; HU are real numbers")
    if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
        raise InputError(f"{name} holds NaN or infinite values; fill them (air: -1000 HU)")
    lowest, highest = float(np.asarray(values.min())), float(np.asarray(values.max()))
    if lowest > _HIGHEST_MINIMUM_HU or lowest < _TOO_LOW_HU or highest <= AIR_HU:
        raise InputError(
            f"{name} holds values from {lowest:g} to {highest:g}: these are not Hounsfield units"
            " (air is near -1000); subtract the offset (often 1000 or 1024) or undo the scaling"
        )
    if values.dtype.kind == "f":
        whole = highest <= _INT16.max and np.array_equal(values, np.rint(values))
        if not whole:
            return values.astype(np.float32, copy=False)
        return np.asarray(np.maximum(values, _INT16.min).astype(np.int16))
    if highest > _INT16.max:
        return values.astype(np.float32)
    if lowest < _INT16.min:
        values = np.maximum(values, values.dtype.type(_INT16.min))
    return np.asarray(values.astype(np.int16, copy=False))

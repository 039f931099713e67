"""Open a NIfTI image and bring its axes to LPS ``[z, y, x]``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from milligray.errors import FormatError, GeometryError, InputError
from milligray.read.slice_orientation import ALIGNED_RAD
from milligray.typing import FloatArray
from milligray.volume import Grid

_UNIT_MM = {"mm": 1.0, "meter": 1000.0, "micron": 1e-3, "unknown": 1.0}
_MAX_OBLIQUE_RAD = ALIGNED_RAD


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NiftiImage:
    """Values as stored (scaled if the header says so), axes turned to ``[z, y, x]`` in LPS.

    `values` is a view of what was read, seldom contiguous: take it slice by slice.
    """

    grid: Grid
    values: npt.NDArray[Any]
    header_texts: tuple[str, ...]
    notes: tuple[str, ...]


def read_nifti(path: str | Path) -> NiftiImage:
    """Read a three-dimensional NIfTI image.

    Raises
    ------
    InputError
        If the file does not exist or is not three-dimensional.
    GeometryError
        If its axes are oblique by more than half a degree, or its affine is unusable.
    FormatError
        If it is damaged.
    """
    return _read(Path(path), _values)


def read_nifti_header(path: str | Path) -> NiftiImage:
    """As `read_nifti`, but the values are zeros of the stored type that take no memory."""
    return _read(Path(path), _no_values)


def read_nifti_oblique(
    path: str | Path,
) -> tuple[npt.NDArray[Any], FloatArray, tuple[str, ...]]:
    """Values on the stored axes (i, j, k), their affine to LPS [mm], notes; any orientation."""
    notes: list[str] = []
    values, affine, _ = _load(Path(path), _values, notes)
    return values, affine, tuple(notes)


def _read(path: Path, values_of: Callable[[Any], npt.NDArray[Any]]) -> NiftiImage:
    notes: list[str] = []
    values, affine, header_texts = _load(path, values_of, notes)
    turned, grid = _canonical(values, affine, path.name, notes)
    return NiftiImage(grid=grid, values=turned, header_texts=header_texts, notes=tuple(notes))


def _load(
    path: Path, values_of: Callable[[Any], npt.NDArray[Any]], notes: list[str]
) -> tuple[npt.NDArray[Any], FloatArray, tuple[str, ...]]:
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a file; give a .nii or .nii.gz file")
    try:
        image: Any = nib.load(path)
        values = values_of(image)
        header_texts = tuple(_text(e.get_content()) for e in image.header.extensions)
    except InputError:
        raise
    except Exception as error:
        raise FormatError(
            f"{path.name} is not a readable NIfTI file ({type(error).__name__}); it is damaged or"
            " another format (SEG, RTSTRUCT and NRRD have to be converted first)"
        ) from error
    if values.ndim > 3 and all(n == 1 for n in values.shape[3:]):
        values = values.reshape(values.shape[:3])
    if values.ndim != 3:
        raise InputError(
            f"{path.name} has shape {values.shape}; a three-dimensional image is needed:"
            " split time points or channels into files"
        )
    return values, _affine_lps_mm(image, path.name, notes), header_texts


def _is_scaled(image: Any) -> bool:  # noqa: ANN401 - nibabel is untyped
    proxy = image.dataobj
    if image.get_data_dtype().names is not None:
        raise InputError("the image holds colors; one number a voxel is needed")
    return (getattr(proxy, "slope", 1.0), getattr(proxy, "inter", 0.0)) != (1.0, 0.0)


def _no_values(image: Any) -> npt.NDArray[Any]:  # noqa: ANN401
    dtype = np.dtype(np.float32) if _is_scaled(image) else image.get_data_dtype()
    return np.broadcast_to(np.zeros((), dtype=dtype), image.shape)


def _values(image: Any) -> npt.NDArray[Any]:  # noqa: ANN401
    proxy = image.dataobj
    if not _is_scaled(image):
        return np.asarray(proxy.get_unscaled() if hasattr(proxy, "get_unscaled") else proxy)
    return np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))


def _text(content: object) -> str:
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)


def _affine_lps_mm(image: Any, name: str, notes: list[str]) -> FloatArray:  # noqa: ANN401
    """Affine of the stored axes (i, j, k) to LPS [mm]; RAS ends here."""
    affine = np.array(image.affine, dtype=np.float64)
    unit = str(image.header.get_xyzt_units()[0])
    factor = _UNIT_MM.get(unit, 1.0)
    if factor != 1.0:
        notes.append(f"the NIfTI's unit of length is {unit}: converted to mm")
    if not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise GeometryError(f"{name}: the affine is singular or not finite; write sform or qform")
    if int(image.header["sform_code"]) == 0 and int(image.header["qform_code"]) == 0:
        notes.append(
            "the NIfTI has neither sform nor qform: left and right are the format's default and"
            " may be wrong"
        )
    affine[:3] *= factor
    affine[:2] *= -1.0
    return affine


def _canonical(
    values: npt.NDArray[Any], affine: FloatArray, name: str, notes: list[str]
) -> tuple[npt.NDArray[Any], Grid]:
    matrix = affine[:3, :3].copy()
    spacing = np.linalg.norm(matrix, axis=0)
    directions = matrix / spacing
    world_of = np.argmax(np.abs(directions), axis=0)
    if len(set(world_of.tolist())) != 3:
        raise GeometryError(f"{name}: two axes point the same way; the affine is unusable")
    off = np.abs(directions)
    off[world_of, np.arange(3)] = 0.0
    angle = float(np.arcsin(min(1.0, np.sqrt((off**2).sum(axis=0)).max())))
    if angle > _MAX_OBLIQUE_RAD:
        raise GeometryError(
            f"{name}: the axes are oblique by {np.rad2deg(angle):.1f} deg; resample the image to"
            " the patient axes first"
        )
    if angle > np.deg2rad(0.05):
        notes.append(f"the axes were oblique by {np.rad2deg(angle):.2f} deg: taken as straight")
    storage_axis = [int(np.flatnonzero(world_of == row)[0]) for row in (2, 1, 0)]
    turned = values.transpose(storage_axis)
    origin = affine[:3, 3].copy()
    for axis, (stored, row) in enumerate(zip(storage_axis, (2, 1, 0), strict=True)):
        if directions[row, stored] < 0:
            turned = np.flip(turned, axis)
            origin += matrix[:, stored] * (values.shape[stored] - 1)
    shape = (turned.shape[0], turned.shape[1], turned.shape[2])
    grid = Grid.from_spacing(
        shape, tuple(float(spacing[a]) for a in storage_axis), origin_lps_mm=tuple(origin)
    )
    return turned, grid

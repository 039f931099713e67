"""CT and label maps as NIfTI files, as the readers take them."""

# ruff: noqa: PLC0415 - nibabel is loaded only when a file is written

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.read.series import CtSeries, LabelMap
from milligray.report.nifti import nifti_affine
from milligray.volume import Grid

CT_FILE, LABELS_FILE, NAMES_FILE = "ct.nii.gz", "labels.nii.gz", "labels.json"


def write_image(values: npt.NDArray[Any], grid: Grid, path: Path, *, description: str = "") -> None:
    """Write values on their own grid as ``.nii.gz``; the same values give the same bytes.

    Parameters
    ----------
    values : ndarray, shape ``grid.shape``
        Written in their own type.
    grid : Grid
    path : Path
    description : str
        At most 79 ASCII characters.
    """
    import nibabel as nib

    affine = nifti_affine(grid)
    image: Any = nib.Nifti1Image(np.transpose(values, (2, 1, 0)), affine)  # type: ignore[no-untyped-call]
    image.header.set_data_dtype(values.dtype)
    image.header.set_xyzt_units(xyz="mm")
    image.set_sform(affine, code="scanner")
    image.set_qform(affine, code="scanner")
    image.header["descrip"] = description.encode("ascii", "replace")[:79]
    nib.save(image, path)


def write_ct_pair(ct: CtSeries, labels: LabelMap, folder: Path, *, description: str = "") -> None:
    """Write a CT, its labels and their names into a folder that exists.

    Parameters
    ----------
    ct : CtSeries
    labels : LabelMap
    folder : Path
        Gets ``ct.nii.gz``, ``labels.nii.gz`` (uint8 where that suffices) and ``labels.json``.
    description : str
    """
    write_image(ct.volume.values, ct.volume.grid, folder / CT_FILE, description=description)
    values = np.asarray(labels.volume.values)
    if int(values.max()) <= np.iinfo(np.uint8).max:
        values = values.astype(np.uint8)
    write_image(values, labels.volume.grid, folder / LABELS_FILE, description=description)
    names = {str(value): name for value, name in sorted(labels.names.items())}
    (folder / NAMES_FILE).write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")

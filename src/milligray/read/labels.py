"""Read organ labels."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.read.ct_dicom import volume_sha256
from milligray.read.label_names import (
    checked_names,
    names_from_header,
    names_from_json,
    names_from_object,
)
from milligray.read.nifti_axes import NiftiImage, read_nifti
from milligray.read.series import LabelMap
from milligray.volume import Volume

_ENDINGS = (".nii.gz", ".nii")


def read_labels(
    path: str | Path, *, names: str | Path | Mapping[int, str] | None = None
) -> LabelMap:
    """Read an organ label map from NIfTI.

    Parameters
    ----------
    path : str or Path
        ``.nii`` or ``.nii.gz`` with whole numbers, 0 for background. Its grid may differ from the
        CT's.
    names : str, Path or mapping of int to str, optional
        JSON file or names. Default, the first that exists: a JSON file of the same name beside
        it, the label table in the NIfTI header (as TotalSegmentator writes it), ``labels.json``
        beside it or one folder up; else the labels are called ``label_1``, ``label_2``...

    Returns
    -------
    LabelMap
        uint16 on an axis-aligned LPS grid, with the name of every label that occurs.

    Raises
    ------
    InputError
        If values are negative, broken or above 65535, no label occurs, or a name is used twice.
    """
    path = Path(path)
    image = read_nifti(path)
    labels = _whole(image, path.name)
    present = _present(labels)
    if not present:
        raise InputError(f"{path.name} holds no label above 0: it is empty")
    notes = list(image.notes)
    known, where = _find_names(path, image, names)
    if where:
        notes.append(f"organ names from {where}")
    unnamed = [label for label in present if label not in known]
    if unnamed:
        some = ", ".join(str(label) for label in unnamed[:10])
        if known:
            notes.append(f"no name for label {some}: called label_<number>")
        else:
            notes.append("no organ names were found: labels are called label_<number>")
    return LabelMap(
        volume=Volume(grid=image.grid, values=labels),
        names=checked_names({label: known.get(label, f"label_{label}") for label in present}),
        input_sha256=volume_sha256(labels, image.grid),
        notes=tuple(notes),
    )


def _whole(image: NiftiImage, name: str) -> npt.NDArray[np.uint16]:
    """Labels as uint16; slice by slice, since they may be stored as float64."""
    stored = image.values
    if stored.dtype.kind not in "iufb":
        raise InputError(f"{name} holds {stored.dtype} values; labels are whole numbers")
    highest_label = np.iinfo(np.uint16).max
    labels = np.empty(stored.shape, dtype=np.uint16)
    for k, plane in enumerate(stored):
        if stored.dtype.kind == "f" and not np.array_equal(plane, np.rint(plane)):
            raise InputError(
                f"{name} holds broken numbers: labels are whole; it may be an image, or was"
                " resampled without nearest neighbor"
            )
        lowest, highest = plane.min(), plane.max()
        if lowest < 0 or highest > highest_label:
            raise InputError(
                f"{name} holds labels from {lowest:g} to {highest:g}; allowed: 0 to {highest_label}"
            )
        labels[k] = plane
    return labels


def _present(labels: npt.NDArray[np.uint16]) -> list[int]:
    counts = np.zeros(65536, dtype=np.int64)
    for plane in labels:
        counts += np.bincount(plane.ravel(), minlength=65536)
    return [int(label) for label in np.flatnonzero(counts) if label > 0]


def _stem(path: Path) -> str:
    for ending in _ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.stem


def _find_names(
    path: Path, image: NiftiImage, names: str | Path | Mapping[int, str] | None
) -> tuple[dict[int, str], str]:
    """Names and where they are from, ``({}, "")`` if there are none."""
    stem = _stem(path)
    if isinstance(names, Mapping):
        given = names_from_object({str(k): v for k, v in names.items()}, stem)
        if given is None:
            raise InputError("names must map label numbers to organ names, e.g. {1: 'liver'}")
        return given, "the caller"
    if names is not None:
        return names_from_json(Path(names), stem), Path(names).name
    own = path.with_name(f"{stem}.json")
    if own.is_file():
        return names_from_json(own, stem), own.name
    embedded = names_from_header(image.header_texts)
    if embedded:
        return embedded, "the NIfTI header"
    for folder in (path.parent, path.absolute().parent.parent):
        shared = folder / "labels.json"
        if shared.is_file():
            try:
                return names_from_json(shared, stem), shared.name
            except InputError:
                continue
    return {}, ""

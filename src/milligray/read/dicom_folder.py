"""Find the DICOM images in a folder and read their headers, never their pixels."""

import os
import secrets
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from milligray.errors import FormatError, InputError
from milligray.read.dicom_private import PRIVATE_TAGS
from milligray.read.dicom_tags import (
    FRAME_KEYWORDS,
    IMAGE_KEYWORDS,
    PATIENT_KEYWORDS,
    SCAN_KEYWORDS,
    Tags,
    quiet_pydicom,
)
from milligray.read.slice_header import ENHANCED_CT, PLAIN_CT, SliceHeader, slice_headers

_TAGS: Any = [*IMAGE_KEYWORDS, *SCAN_KEYWORDS, *FRAME_KEYWORDS, *PATIENT_KEYWORDS, *PRIVATE_TAGS]

_BARE_STARTS = (
    b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00", b"\x08\x00\x16\x00",
    b"\x02\x00\x00\x00", b"\x02\x00\x01\x00", b"\x02\x00\x02\x00",
)  # fmt: skip
"""First attributes of old files that lack the preamble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderScan:
    """All CT slices of a folder and what else lies there.

    Parameters
    ----------
    headers : tuple of SliceHeader
        CT images only.
    modalities : dict of str to int
        Number of DICOM files of each modality.
    only_file : Path or None
        The file that the user named, if it was not a folder.
    notes : tuple of str
    """

    headers: tuple[SliceHeader, ...]
    modalities: dict[str, int]
    only_file: Path | None
    notes: tuple[str, ...]


def scan_folder(path: str | Path) -> FolderScan:
    """Read the headers of all DICOM files in a folder (recursively) or beside a file.

    Raises
    ------
    InputError
        If the path does not exist, is empty, or holds no CT.
    FormatError
        If a DICOM file is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a DICOM folder or one file of a series")
    only_file = path if path.is_file() else None
    files = dicom_candidates(path)
    if not files:
        raise InputError(f"folder {path.name} is empty: there is no DICOM file in it")
    modalities: Counter[str] = Counter()
    headers: list[SliceHeader] = []
    n_junk = 0
    salt = secrets.token_bytes(16)
    with quiet_pydicom():
        for file in files:
            dataset = read_header(file, _TAGS, "CT", (PLAIN_CT, *ENHANCED_CT))
            if dataset is None:
                n_junk += 1
                continue
            tags = Tags([dataset])
            is_ct = _is_ct(tags)
            modalities["CT" if is_ct else tags.text("Modality") or "unnamed"] += 1
            if is_ct:
                headers.extend(_headers(dataset, file, salt))
    if not modalities:
        raise InputError(_no_dicom(path, files))
    if not headers:
        found = ", ".join(f"{name} ({n} files)" for name, n in sorted(modalities.items()))
        raise InputError(f"no CT image in {path.name}; the modalities there are: {found}")
    notes = (f"{n_junk} files that are not DICOM were left out",) if n_junk else ()
    return FolderScan(
        headers=tuple(headers), modalities=dict(modalities), only_file=only_file, notes=notes
    )


def dicom_candidates(path: Path) -> list[Path]:
    """All files below a folder, or beside a file, that may be DICOM."""
    if path.is_file():
        return sorted(p for p in path.parent.iterdir() if p.is_file() and p.name != "DICOMDIR")
    found = [
        Path(folder) / name
        for folder, _, names in os.walk(path)
        for name in names
        if name.upper() != "DICOMDIR"
    ]
    return sorted(found)


def _no_dicom(path: Path, files: list[Path]) -> str:
    nifti = [file.name for file in files if file.name.endswith((".nii", ".nii.gz"))]
    if nifti:
        return (
            f"no DICOM file in {path.name}, but NIfTI ({nifti[0]}"
            f"{' and more' if len(nifti) > 1 else ''}); give that file itself and a protocol file"
        )
    return f"none of the {len(files)} files in {path.name} is DICOM"


def _is_ct(tags: Tags) -> bool:
    modality = tags.text("Modality").upper()
    return modality == "CT" or (
        not modality and tags.text("SOPClassUID") in (PLAIN_CT, *ENHANCED_CT)
    )


def _headers(dataset: Dataset, file: Path, salt: bytes) -> list[SliceHeader]:
    try:
        headers = list(slice_headers(dataset, file, salt))
    except FormatError:
        raise
    except Exception as error:
        raise _damaged(file) from error
    lost = sum(header.position_lps_mm is None for header in headers)
    if 0 < lost < len(headers):
        raise FormatError(
            f"{file.name}: {lost} of {len(headers)} frames have no position; the file is damaged,"
            " copy it again from the archive"
        )
    return headers


def read_header(
    file: Path,
    tags: Any,  # noqa: ANN401 - keywords and tag numbers
    modality: str,
    image_classes: tuple[str, ...],
) -> Dataset | None:
    """Allow-listed attributes of a file, None if it is not DICOM.

    Files of the modality or of the SOP classes are images: without pixels they are damaged.
    """
    has_magic = False
    try:
        with file.open("rb") as stream:
            start = stream.read(132)
            has_magic = start[128:] == b"DICM"
            if not has_magic and start[:4] not in _BARE_STARTS:
                return None
            stream.seek(0)
            dataset = pydicom.dcmread(
                stream, stop_before_pixels=True, force=True, specific_tags=tags
            )
            is_cut = stream.read(1) == b""
    except OSError as error:
        reason = error.strerror or "it ends too early; copy it again from its source"
        raise FormatError(f"{file.name} cannot be read: {reason}") from error
    except Exception as error:
        if not has_magic:
            return None
        raise _damaged(file) from error
    found = Tags([dataset])
    sop_class = found.text("SOPClassUID")
    is_image = sop_class in image_classes or (not sop_class and found.text("Modality") == modality)
    if has_magic and is_cut and (is_image or len(dataset) < 3) and not _is_deflated(dataset):
        raise _damaged(file)
    return dataset if has_magic or found.text("Modality") else None


def _is_deflated(dataset: Dataset) -> bool:
    return str(dataset.file_meta.get("TransferSyntaxUID", "")) == "1.2.840.10008.1.2.1.99"


def _damaged(file: Path) -> FormatError:
    return FormatError(
        f"{file.name} is a truncated or damaged DICOM file; copy it again from the archive or"
        " remove it"
    )

"""Decode stored pixels into Hounsfield units, one slice at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from milligray.errors import FormatError, MilligrayError, MissingExtraError
from milligray.read.slice_header import SliceHeader

AIR_HU = -1024
"""Everything below is set to this: no tissue and no air is less dense than nothing."""

PADDING_LIMIT_HU = -900
"""PixelPaddingValue counts as padding only if it would mean air; otherwise it is a tissue value."""

_PACKAGES = {
    "1.2.840.10008.1.2.4.50": "pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.51": "pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.57": "pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.70": "pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.5": "pylibjpeg-rle",
}

StoredArray = npt.NDArray[np.integer]


def stored_slices(headers: Sequence[SliceHeader]) -> Iterator[tuple[SliceHeader, StoredArray]]:
    """Yield the stored values ``[row, column]`` of the slices of ONE file.

    Raises
    ------
    FormatError
        If the file is truncated or cannot be decoded; names the file only.
    MissingExtraError
        If no decoder for its compression is installed; names the package.
    """
    path = headers[0].path
    try:
        if headers[0].frame is None:
            dataset = pydicom.dcmread(path, force=True)
            _mend_transfer_syntax(dataset)
            _check_decoder(dataset, path)
            yield headers[0], _checked(dataset.pixel_array, headers[0])
            return
        _check_decoder(pydicom.dcmread(path, specific_tags=["Rows"], stop_before_pixels=True), path)
        frames = [header.frame for header in headers if header.frame is not None]
        decoded = iter_pixels(path, indices=frames)
        for header, stored in zip(headers, decoded, strict=True):
            yield header, _checked(stored, header)
    except MilligrayError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise FormatError(
            f"{path.name}: the pixel data is truncated or damaged ({type(error).__name__});"
            " copy the file again from the archive"
        ) from error


def _checked(stored: npt.NDArray[np.generic], header: SliceHeader) -> StoredArray:
    if stored.shape != (header.rows, header.columns) or stored.dtype.kind not in "iu":
        raise FormatError(
            f"{header.path.name}: the pixels have shape {stored.shape} and type {stored.dtype},"
            f" the header says {(header.rows, header.columns)} integers"
        )
    return np.asarray(stored)


def _mend_transfer_syntax(dataset: Dataset) -> None:
    """Files without a preamble do not say how they are encoded; how they parsed tells."""
    meta = dataset.file_meta
    if "TransferSyntaxUID" not in meta or not meta.TransferSyntaxUID:
        implicit = dataset.original_encoding[0]
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _check_decoder(dataset: Dataset, path: Path) -> None:
    uid = dataset.file_meta.TransferSyntaxUID
    if not uid.is_compressed or uid.is_deflated:
        return
    try:
        available = get_decoder(uid).is_available
    except NotImplementedError as error:
        raise FormatError(
            f"{path.name}: compression {uid.name} is not supported; export it uncompressed"
        ) from error
    if not available:
        package = _PACKAGES.get(str(uid), "pylibjpeg")
        raise MissingExtraError(
            f"{path.name} is compressed as {uid.name}; to read it: pip install {package}"
        )


def is_whole(header: SliceHeader) -> bool:
    """Tell if every HU of this slice is an integer."""
    return header.slope.is_integer() and (header.intercept or 0.0).is_integer()


def padding_of(header: SliceHeader) -> tuple[float, float] | None:
    """Range of stored values that mean "no data", None if there is none to be trusted."""
    if header.padding is None:
        return None
    highest_hu = max(p * header.slope + (header.intercept or 0.0) for p in header.padding)
    return header.padding if highest_hu <= PADDING_LIMIT_HU else None


def hounsfield(stored: StoredArray, header: SliceHeader) -> npt.NDArray[np.generic]:
    """HU ``[row, column]``, int32 if all values are whole, else float32; padding becomes air."""
    intercept = header.intercept or 0.0
    hu: npt.NDArray[np.generic]
    if is_whole(header):
        hu = stored.astype(np.int32) * int(header.slope) + int(intercept)
    else:
        hu = (stored * np.float64(header.slope) + intercept).astype(np.float32)
    padding = padding_of(header)
    if padding is not None:
        hu[(stored >= padding[0]) & (stored <= padding[1])] = AIR_HU
    return np.maximum(hu, hu.dtype.type(AIR_HU))


def hounsfield_slice(header: SliceHeader) -> npt.NDArray[np.generic]:
    """HU of a single slice, as stored in rows and columns."""
    _, stored = next(stored_slices([header]))
    return hounsfield(stored, header)

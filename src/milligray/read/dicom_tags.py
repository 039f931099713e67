"""Tolerant access to DICOM attributes, and the allow-list of those that are read at all."""

import logging
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

PATIENT_KEYWORDS = ("PatientID", "PatientName", "PatientBirthDate")
"""Read only to notice two persons in one folder; forgotten as soon as they are compared."""

IMAGE_KEYWORDS = (
    "SOPClassUID", "Modality", "ImageType", "SeriesInstanceUID", "SeriesNumber",
    "SeriesDescription", "AcquisitionNumber", "AcquisitionTime", "InstanceNumber",
    "FrameOfReferenceUID", "TemporalPositionIdentifier", "NominalPercentageOfCardiacPhase",
    "ConvolutionKernel", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "SliceThickness", "GantryDetectorTilt", "Rows", "Columns", "NumberOfFrames",
    "SamplesPerPixel", "BitsAllocated", "BitsStored", "PixelRepresentation",
    "RescaleSlope", "RescaleIntercept", "RescaleType", "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)  # fmt: skip

SCAN_KEYWORDS = (
    "KVP", "XRayTubeCurrent", "XRayTubeCurrentInmA", "ExposureTime", "ExposureTimeInms",
    "Exposure", "ExposureInmAs", "RevolutionTime", "SpiralPitchFactor", "TableFeedPerRotation",
    "TableSpeed", "TableHeight", "SingleCollimationWidth", "TotalCollimationWidth", "CTDIvol",
    "CTDIPhantomTypeCodeSequence", "DataCollectionCenterPatient", "FilterType",
    "BodyPartExamined", "PatientPosition", "Manufacturer", "ManufacturerModelName",
    "AcquisitionType", "ScanOptions",
)  # fmt: skip

FRAME_KEYWORDS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")

_CHATTY = ("pydicom", "pylibjpeg", "openjpeg", "libjpeg", "rle")
_BAD_VALUE = (ValueError, TypeError, KeyError, AttributeError, NotImplementedError, OverflowError)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence remarks about untidy headers: this reader judges them, and they quote values."""
    loggers = [logging.getLogger(name) for name in _CHATTY]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@dataclass(frozen=True, slots=True)
class Tags:
    """Attributes looked up in several places, the most specific first.

    Parameters
    ----------
    places : list of Dataset
        For a frame of an enhanced object: its own functional groups, the shared ones, the root.
    """

    places: list[Dataset]

    def value(self, name: str | tuple[int, int]) -> Any:  # noqa: ANN401 - any DICOM value
        """First value that is there and not empty, else None; damaged values count as empty."""
        for place in self.places:
            try:
                found = place.get(name)
                if isinstance(name, tuple) and found is not None:
                    found = found.value
            except _BAD_VALUE:
                continue
            if isinstance(found, Sequence):
                if len(found) > 0:
                    return found
                continue
            if found is not None and str(found).strip() not in ("", "None", "[]"):
                return found
        return None

    def text(self, name: str | tuple[int, int]) -> str:
        """One string, "" if absent; several values are joined by a backslash."""
        found = self.value(name)
        if found is None:
            return ""
        if isinstance(found, bytes):
            return found.decode("ascii", "replace").strip(" \0")
        if isinstance(found, str) or not isinstance(found, Iterable):
            return str(found).strip()
        return "\\".join(str(part).strip() for part in found)

    def numbers(self, name: str | tuple[int, int], count: int) -> tuple[float, ...] | None:
        """Exactly ``count`` finite numbers, else None."""
        found = self.value(name)
        if found is None:
            return None
        if isinstance(found, bytes):
            found = found.decode("ascii", "replace").strip(" \0").split("\\")
        parts = [found] if isinstance(found, str) or not isinstance(found, Iterable) else found
        try:
            values = tuple(float(part) for part in parts)
        except _BAD_VALUE:
            return None
        if len(values) != count or not all(math.isfinite(value) for value in values):
            return None
        return values

    def number(self, name: str | tuple[int, int]) -> float | None:
        """One finite number, else None."""
        found = self.numbers(name, 1)
        return None if found is None else found[0]

    def positive(self, name: str | tuple[int, int]) -> float | None:
        """One finite number above zero, else None (vendors write 0 for unknown)."""
        found = self.number(name)
        return found if found is not None and found > 0 else None

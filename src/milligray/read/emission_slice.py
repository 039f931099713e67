"""One slice of a PET or NM series: where it lies, and its header at hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from milligray.read.dicom_tags import Tags
from milligray.read.emission_tags import PRIVATE_CREATORS, private_element
from milligray.read.slice_header import SliceHeader, frame_tags, slice_headers


@dataclass(frozen=True, slots=True, kw_only=True)
class EmissionSlice:
    """Header of one slice of an emission image.

    Parameters
    ----------
    header : SliceHeader
        Geometry, pixels and rescale.
    tags : Tags
        All allow-listed attributes, those of the frame first.
    """

    header: SliceHeader
    tags: Tags

    def private_text(self, group: int, low: int) -> str:
        """Private value of the known creator, "" if absent."""
        creators = {(group, block): self.tags.text((group, block)) for block in range(0x10, 0x14)}
        tag = private_element(group, low, creators)
        return "" if tag is None else self.tags.text(tag)

    def private_positive(self, group: int, low: int) -> float | None:
        """Private number > 0, None if absent."""
        try:
            value = float(self.private_text(group, low).split("\\")[0])
        except ValueError:
            return None
        return value if value > 0 else None


GE_GROUP, PHILIPS_GROUP = PRIVATE_CREATORS


def emission_slices(dataset: Dataset, path: Path, salt: bytes) -> Iterator[EmissionSlice]:
    """Slices of one file: one, or one a frame of an enhanced object."""
    for header, tags in zip(slice_headers(dataset, path, salt), frame_tags(dataset), strict=True):
        yield EmissionSlice(header=header, tags=tags)

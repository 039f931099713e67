"""Where the frames of a reconstructed SPECT object lie, and which frames there are."""

from dataclasses import replace

import numpy as np

from milligray.errors import FormatError, InputError
from milligray.read.dicom_tags import Tags
from milligray.read.emission_slice import EmissionSlice
from milligray.read.emission_stack import directions
from milligray.read.slice_header import SliceHeader

_PLANAR = {
    "WHOLE BODY": "a planar whole-body image",
    "STATIC": "a planar static image",
    "DYNAMIC": "a planar dynamic study",
    "GATED": "a planar gated study",
    "TOMO": "projections of a SPECT that was not reconstructed",
    "GATED TOMO": "projections of a gated SPECT that was not reconstructed",
    "RECON GATED TOMO": "a gated SPECT: add its gates up before",
}


def check_is_spect(tags: Tags) -> None:
    """Refuse what is no reconstructed SPECT, with the reason.

    Raises
    ------
    InputError
        A planar image has no depth: activity by voxel cannot be told from it.
    """
    kinds = [part.strip().upper() for part in tags.text("ImageType").split("\\")]
    kind = kinds[2] if len(kinds) > 2 else ""
    if kind == "RECON TOMO":
        return
    what = _PLANAR.get(kind, f"of type {kind or 'unknown'} (0008,0008)")
    raise InputError(
        f"the NM image is {what}; dose by voxel needs a reconstructed SPECT (ImageType RECON TOMO)"
    )


def frame_headers(one: EmissionSlice) -> tuple[tuple[SliceHeader, ...], tuple[str, ...]]:
    """A header for each frame of a RECON TOMO object, with its position.

    Parameters
    ----------
    one : EmissionSlice
        The object.

    Returns
    -------
    headers : tuple of SliceHeader
    notes : tuple of str

    Raises
    ------
    InputError
        If there are several energy windows, gates or detectors, or no position or spacing.

    Notes
    -----
    Position and orientation of the first slice stand in the detector's item (DICOM PS3.3,
    C.8.4.11), by some in the root. Slice n lies ``(n - 1) SpacingBetweenSlices`` along the normal
    (row x column) from there; a negative spacing runs against it (C.8.4.15).
    """
    tags = one.tags
    n_frames = int(tags.number("NumberOfFrames") or 1)
    for vector, what in (("EnergyWindowVector", "energy windows"), ("DetectorVector", "detectors")):
        if len(set(_vector(tags, vector))) > 1:
            raise InputError(f"the SPECT holds several {what}; export one image of activity")
    for name, what in (("NumberOfRRIntervals", "R-R intervals"), ("NumberOfTimeSlots", "gates")):
        if (tags.number(name) or 1) > 1:
            raise InputError(f"the SPECT holds several {what}; add them up before")
    numbers = _vector(tags, "SliceVector") or list(range(1, n_frames + 1))
    if len(numbers) != n_frames or sorted(numbers) != list(range(1, n_frames + 1)):
        raise FormatError(
            f"{one.header.path.name}: {n_frames} frames, but SliceVector (0054,0080) does not"
            " number them 1 to n: slices are missing or several images are mixed"
        )
    detectors = tags.value("DetectorInformationSequence") or []
    places = Tags([*detectors[:1], *tags.places])
    notes: list[str] = []
    first = replace(
        one.header,
        position_lps_mm=places.numbers("ImagePositionPatient", 3),
        orientation=places.numbers("ImageOrientationPatient", 6),
    )
    if first.position_lps_mm is None or first.orientation is None:
        raise InputError(
            f"{first.path.name}: the SPECT has no position or orientation in the patient"
            " (0020,0032), (0020,0037): it cannot be placed on the CT; export it again from the"
            " workstation, or as NIfTI"
        )
    step = _spacing(tags, n_frames, notes)
    along_row, along_column = directions(first)
    normal = np.cross(along_row, along_column)
    origin = np.array(first.position_lps_mm, dtype=np.float64)
    headers = []
    for frame, number in enumerate(numbers):
        x, y, z = origin + (number - 1) * step * normal
        headers.append(
            replace(
                first,
                frame=frame if n_frames > 1 else None,
                position_lps_mm=(float(x), float(y), float(z)),
                slice_thickness_mm=abs(step),
            )
        )
    return tuple(headers), tuple(notes)


def _spacing(tags: Tags, n_frames: int, notes: list[str]) -> float:
    spacing = tags.number("SpacingBetweenSlices")
    if spacing:
        if spacing < 0:
            notes.append("SpacingBetweenSlices is negative: slices run against their normal")
        return spacing
    thickness = tags.positive("SliceThickness")
    if thickness is None:
        raise InputError(
            "SpacingBetweenSlices (0018,0088) and SliceThickness are missing: the height of the"
            " SPECT's slices is not known"
        )
    if n_frames > 1:
        notes.append(
            "SpacingBetweenSlices (0018,0088) is missing: SliceThickness taken, slices along their"
            " normal"
        )
    return thickness


def _vector(tags: Tags, name: str) -> list[int]:
    found = tags.text(name)
    return [int(float(part)) for part in found.split("\\")] if found else []

"""One CT slice without its pixels: what the allow-listed attributes say."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from milligray.errors import FormatError
from milligray.read.dicom_private import PrivateScan, private_scan
from milligray.read.dicom_tags import PATIENT_KEYWORDS, Tags

ENHANCED_CT = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
PLAIN_CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanHeader:
    """How one slice was exposed; None or "" where the header is silent."""

    kvp: float | None
    tube_current_ma: float | None
    exposure_time_ms: float | None
    exposure_mas: float | None
    revolution_time_s: float | None
    pitch: float | None
    table_feed_mm: float | None
    table_speed_mm_s: float | None
    table_height_mm: float | None
    single_collimation_mm: float | None
    total_collimation_mm: float | None
    ctdi_vol_mgy: float | None
    phantom_code: str
    rotation_center_lps_mm: tuple[float, ...] | None
    filter_type: str
    body_part: str
    patient_position: str
    manufacturer: str
    model: str
    acquisition_type: str
    scan_options: str
    private: PrivateScan


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceHeader:
    """Where one slice lies, how to decode it, and how it was exposed.

    Parameters
    ----------
    path : Path
    frame : int or None
        Frame number from 0 in an enhanced object; None for one image a file.
    position_lps_mm : tuple or None
        LPS (x, y, z) of the center of the first stored pixel [mm].
    orientation : tuple or None
        Direction of rising column index (3 numbers), then of rising row index (3 numbers).
    pixel_spacing_mm : tuple or None
        Distance between rows, between columns [mm].
    phase : tuple of str
        What can tell apart images of the same place: acquisition, time, cardiac phase, kernel...
    person : tuple of str
        Salted digests of the patient's attributes, comparable only within one scan of a folder.
    """

    path: Path
    frame: int | None
    sop_class: str
    modality: str
    image_type: tuple[str, ...]
    series_uid: str
    series_number: int | None
    description: str
    frame_of_reference: str
    instance_number: int
    phase: tuple[str, ...]
    position_lps_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, ...] | None
    slice_thickness_mm: float | None
    rows: int
    columns: int
    samples: int
    slope: float
    intercept: float | None
    rescale_type: str
    padding: tuple[float, float] | None
    person: tuple[str, ...]
    scan: ScanHeader


PHASE_NAMES = ("acquisition", "time point", "cardiac phase [%]", "kernel", "image type",
               "acquisition time")  # fmt: skip


def slice_headers(dataset: Dataset, path: Path, salt: bytes) -> Iterator[SliceHeader]:
    """Headers of all slices in one file: one, or one a frame.

    Raises
    ------
    FormatError
        If an enhanced object lacks its per-frame attributes.
    """
    root = Tags([dataset])
    n_frames = int(root.number("NumberOfFrames") or 1)
    per_frame = root.value("PerFrameFunctionalGroupsSequence")
    if per_frame is None:
        if n_frames > 1 and root.text("SOPClassUID") in ENHANCED_CT:
            raise FormatError(
                f"{path.name}: enhanced CT without its per-frame attributes (5200,9230);"
                " export the series again"
            )
        yield _header(root, path, None, salt)
        return
    if len(per_frame) != n_frames:
        raise FormatError(
            f"{path.name}: {n_frames} frames are announced but {len(per_frame)} are described"
        )
    for frame, tags in enumerate(frame_tags(dataset)):
        yield _header(tags, path, frame, salt)


def frame_tags(dataset: Dataset) -> list[Tags]:
    """Attributes of each frame of an enhanced object; of the only image of a plain one."""
    root = Tags([dataset])
    per_frame = root.value("PerFrameFunctionalGroupsSequence")
    if per_frame is None:
        return [root]
    shared_items = root.value("SharedFunctionalGroupsSequence")
    shared = [] if shared_items is None else _functional_groups(shared_items[0])
    return [Tags([*_functional_groups(groups), *shared, dataset]) for groups in per_frame]


def _functional_groups(item: Dataset) -> list[Dataset]:
    """First items of all sequences in one item of a functional-groups sequence."""
    return [e.value[0] for e in item if e.VR == "SQ" and e.value]


def _header(tags: Tags, path: Path, frame: int | None, salt: bytes) -> SliceHeader:
    thickness = tags.positive("SliceThickness")
    number = tags.number("SeriesNumber")
    image_type = tags.text("FrameType") or tags.text("ImageType")
    phase = (
        tags.text("FrameAcquisitionNumber") or tags.text("AcquisitionNumber"),
        tags.text("TemporalPositionIndex") or tags.text("TemporalPositionIdentifier"),
        tags.text("NominalPercentageOfCardiacPhase"),
        tags.text("ConvolutionKernel"),
        image_type,
        tags.text("AcquisitionTime"),
    )
    padding = tags.number("PixelPaddingValue")
    limit = tags.number("PixelPaddingRangeLimit")
    if limit is None:
        limit = padding
    return SliceHeader(
        path=path,
        frame=frame,
        sop_class=tags.text("SOPClassUID"),
        modality=tags.text("Modality").upper(),
        image_type=tuple(part.upper() for part in image_type.split("\\") if part),
        series_uid=tags.text("SeriesInstanceUID"),
        series_number=None if number is None else int(number),
        description=tags.text("SeriesDescription"),
        frame_of_reference=tags.text("FrameOfReferenceUID"),
        instance_number=(int(tags.number("InstanceNumber") or 0) if frame is None else frame),
        phase=phase,
        position_lps_mm=tags.numbers("ImagePositionPatient", 3),
        orientation=tags.numbers("ImageOrientationPatient", 6),
        pixel_spacing_mm=tags.numbers("PixelSpacing", 2),
        slice_thickness_mm=thickness,
        rows=int(tags.number("Rows") or 0),
        columns=int(tags.number("Columns") or 0),
        samples=int(tags.number("SamplesPerPixel") or 1),
        slope=tags.number("RescaleSlope") or 1.0,
        intercept=tags.number("RescaleIntercept"),
        rescale_type=tags.text("RescaleType").upper(),
        padding=None
        if padding is None or limit is None
        else (min(padding, limit), max(padding, limit)),
        person=tuple(_digest(tags.text(keyword), salt) for keyword in PATIENT_KEYWORDS),
        scan=_scan_header(tags),
    )


def _digest(text: str, salt: bytes) -> str:
    plain = " ".join(text.replace("^", " ").upper().split())
    return hashlib.blake2b(plain.encode(), key=salt, digest_size=8).hexdigest() if plain else ""


def _phantom_code(item: Tags) -> str:
    """DICOM code of the CTDI phantom, by its meaning if the code is not DICOM's."""
    code = item.text("CodeValue")
    meaning = item.text("CodeMeaning").upper()
    if code in ("113690", "113691") or not meaning:
        return code
    return "113690" if "HEAD" in meaning else "113691" if "BODY" in meaning else code


def _scan_header(tags: Tags) -> ScanHeader:
    phantom = tags.value("CTDIPhantomTypeCodeSequence")
    return ScanHeader(
        kvp=tags.positive("KVP"),
        tube_current_ma=tags.positive("XRayTubeCurrentInmA") or tags.positive("XRayTubeCurrent"),
        exposure_time_ms=tags.positive("ExposureTimeInms") or tags.positive("ExposureTime"),
        exposure_mas=tags.positive("ExposureInmAs") or tags.positive("Exposure"),
        revolution_time_s=tags.positive("RevolutionTime"),
        pitch=tags.positive("SpiralPitchFactor"),
        table_feed_mm=tags.positive("TableFeedPerRotation"),
        table_speed_mm_s=tags.positive("TableSpeed"),
        table_height_mm=tags.number("TableHeight"),
        single_collimation_mm=tags.positive("SingleCollimationWidth"),
        total_collimation_mm=tags.positive("TotalCollimationWidth"),
        ctdi_vol_mgy=tags.positive("CTDIvol"),
        phantom_code=_phantom_code(Tags([phantom[0]])) if phantom else "",
        rotation_center_lps_mm=tags.numbers("DataCollectionCenterPatient", 3),
        filter_type=tags.text("FilterType").upper(),
        body_part=tags.text("BodyPartExamined").upper(),
        patient_position=tags.text("PatientPosition").upper(),
        manufacturer=tags.text("Manufacturer"),
        model=tags.text("ManufacturerModelName"),
        acquisition_type=tags.text("AcquisitionType").upper(),
        scan_options=tags.text("ScanOptions").upper(),
        private=private_scan(tags),
    )

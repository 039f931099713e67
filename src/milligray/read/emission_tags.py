"""The attributes of PET and NM images that are read at all."""

from typing import Any

from milligray.read.dicom_tags import FRAME_KEYWORDS, IMAGE_KEYWORDS, PATIENT_KEYWORDS
from milligray.read.patient_keys import KEY_KEYWORDS

PLAIN_PET = "1.2.840.10008.5.1.4.1.1.128"
ENHANCED_PET = ("1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1")
NM_IMAGE = "1.2.840.10008.5.1.4.1.1.20"

TIME_KEYWORDS = (
    "TimezoneOffsetFromUTC", "StudyDate", "StudyTime", "SeriesDate", "SeriesTime",
    "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "ActualFrameDuration",
    "FrameReferenceTime", "DecayFactor", "DecayCorrection", "DecayCorrected",
    "DecayCorrectionDateTime",
)  # fmt: skip

VALUE_KEYWORDS = (
    "SOPInstanceUID", "Units", "SUVType", "CorrectedImage", "RealWorldValueMappingSequence",
    "SeriesType", "CountsSource", "NumberOfSlices", "NumberOfTimeSlices", "ImageIndex",
    "RadiopharmaceuticalInformationSequence", "AttenuationCorrected", "ScatterCorrected",
)  # fmt: skip

NM_KEYWORDS = (
    "SpacingBetweenSlices", "DetectorInformationSequence", "RotationInformationSequence",
    "FrameIncrementPointer", "SliceVector", "NumberOfEnergyWindows", "EnergyWindowVector",
    "NumberOfRRIntervals", "NumberOfTimeSlots", "NumberOfDetectors", "DetectorVector",
    "EnergyWindowInformationSequence",
)  # fmt: skip

_BLOCKS = (0x10, 0x11, 0x12, 0x13)
PRIVATE_CREATORS = {
    0x0009: ("GEMS_PETD_01", (0x0D,)),
    0x7053: ("Philips PET Private Group", (0x00, 0x09)),
}
"""Group: creator and low bytes of the elements. GE: start of the scan. Philips: SUV factor and
activity concentration factor."""

_PRIVATE = tuple(
    (group, element)
    for group, (_, elements) in PRIVATE_CREATORS.items()
    for block in _BLOCKS
    for element in (block, *((block << 8) + low for low in elements))
)

EMISSION_TAGS: Any = list(
    dict.fromkeys(
        (
            *IMAGE_KEYWORDS, *PATIENT_KEYWORDS, *KEY_KEYWORDS, *FRAME_KEYWORDS, *TIME_KEYWORDS,
            *VALUE_KEYWORDS, *NM_KEYWORDS, "Manufacturer", "ManufacturerModelName",
            "PatientPosition", *_PRIVATE,
        )
    )
)  # fmt: skip


def private_element(group: int, low: int, creators: dict[tuple[int, int], str]) -> Any:  # noqa: ANN401
    """Tag of a private element in the block that its creator reserved, None if it did not."""
    wanted = " ".join(PRIVATE_CREATORS[group][0].split()).upper()
    for block in _BLOCKS:
        if " ".join(creators.get((group, block), "").split()).upper() == wanted:
            return (group, (block << 8) + low)
    return None

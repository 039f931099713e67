"""What a DICOM object made of a CT must repeat of it: patient, study, frame of reference."""

from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from milligray.errors import InputError
from milligray.read.dicom_folder import scan_folder
from milligray.read.dicom_tags import quiet_pydicom
from milligray.read.series_choice import SeriesChoice, choose_series

PATIENT_AND_STUDY_KEYWORDS = (
    "SpecificCharacterSet", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate",
    "PatientSex", "PatientIdentityRemoved", "DeidentificationMethod", "PatientAge", "PatientSize",
    "PatientWeight", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber",
    "ReferringPhysicianName",
)  # fmt: skip
"""Attributes that are one and the same in all objects of a study."""

_UID_KEYWORDS = (
    "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID",
    "SOPInstanceUID", "PositionReferenceIndicator",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DicomReference:
    """The CT series that a new object belongs to.

    Parameters
    ----------
    patient_and_study : pydicom.Dataset
        `PATIENT_AND_STUDY_KEYWORDS` as they stand in the CT. Names the patient: goes from one
        DICOM object to another and nowhere else.
    study_uid, series_uid, frame_of_reference_uid : str
    position_reference_indicator : str
    instances : tuple of (SOP class UID, SOP instance UID)
        Of the images.
    """

    patient_and_study: Dataset = field(repr=False)
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    position_reference_indicator: str = ""
    instances: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name in ("study_uid", "series_uid", "frame_of_reference_uid"):
            if not getattr(self, name):
                raise InputError(
                    f"the CT has no {name.replace('_', ' ')}: no DICOM object can refer to it"
                )


def read_dicom_reference(path: str | Path, *, series: str | int | None = None) -> DicomReference:
    """Read what a new DICOM object repeats of a CT series.

    Parameters
    ----------
    path : str or Path
        DICOM folder or file, as for `milligray.read.read_ct_series`.
    series : str or int, optional

    Raises
    ------
    InputError
        If there is no such series, or it lacks the identifiers to refer to.
    """
    return dicom_reference_of(choose_series(scan_folder(path), series))


def dicom_reference_of(choice: SeriesChoice) -> DicomReference:
    """Read what a new DICOM object repeats of a chosen CT series."""
    files = list(dict.fromkeys(header.path for header in choice.headers))
    with quiet_pydicom():
        first = pydicom.dcmread(
            files[0], stop_before_pixels=True, force=True,
            specific_tags=[*PATIENT_AND_STUDY_KEYWORDS, *_UID_KEYWORDS],
        )  # fmt: skip
        uids = [
            pydicom.dcmread(
                file, stop_before_pixels=True, force=True,
                specific_tags=["SOPClassUID", "SOPInstanceUID"],
            )
            for file in files
        ]  # fmt: skip
        repeated = Dataset()
        for keyword in PATIENT_AND_STUDY_KEYWORDS:
            if keyword in first:
                repeated[keyword] = first[keyword]
    return DicomReference(
        patient_and_study=repeated,
        study_uid=_text(first, "StudyInstanceUID"),
        series_uid=_text(first, "SeriesInstanceUID"),
        frame_of_reference_uid=_text(first, "FrameOfReferenceUID"),
        position_reference_indicator=_text(first, "PositionReferenceIndicator"),
        instances=tuple(
            (_text(uid, "SOPClassUID"), _text(uid, "SOPInstanceUID"))
            for uid in uids
            if _text(uid, "SOPClassUID") and _text(uid, "SOPInstanceUID")
        ),
    )


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()

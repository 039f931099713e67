"""Notice that two images show different patients, without keeping who they are."""

import hashlib
import re
import secrets
from functools import cache
from pathlib import Path

import pydicom

from milligray.errors import InputError
from milligray.read.activity_series import PatientKeys
from milligray.read.dicom_folder import scan_folder
from milligray.read.dicom_tags import Tags, quiet_pydicom
from milligray.read.series_choice import choose_series

KEY_KEYWORDS = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "PatientWeight", "PatientSize",
    "PatientAge", "FrameOfReferenceUID", "StudyInstanceUID", "PatientIdentityRemoved",
)  # fmt: skip
_LOWEST_WEIGHT_KG, _HIGHEST_WEIGHT_KG = 0.3, 400.0
_AGE_YEARS = {"Y": 1.0, "M": 1.0 / 12.0, "W": 7.0 / 365.25, "D": 1.0 / 365.25}


@cache
def _key() -> bytes:
    """Secret of this run: a digest says nothing to anyone else."""
    return secrets.token_bytes(16)


def patient_keys(tags: Tags) -> PatientKeys:
    """Keys of the patient in one header."""
    weight = tags.positive("PatientWeight")
    height = tags.positive("PatientSize")
    if height is not None and height > 3.0:
        height /= 100.0  # centimeters, by some exporters
    age = re.fullmatch(r"(\d{1,3})([YMWD])", tags.text("PatientAge"))
    birth = tags.text("PatientBirthDate")
    return PatientKeys(
        id_digest=_digest(tags.text("PatientID")),
        name_digest=_digest(tags.text("PatientName")),
        birth_digest="" if birth.startswith("9999") else _digest(birth),
        sex=tags.text("PatientSex").upper()[:1],
        weight_kg=weight,
        height_m=height,
        age_years=None if age is None else int(age[1]) * _AGE_YEARS[age[2]],
        frame_of_reference_uid=tags.text("FrameOfReferenceUID"),
        study_uid=tags.text("StudyInstanceUID"),
        is_deidentified=tags.text("PatientIdentityRemoved").upper() == "YES",
    )


def read_patient_keys(path: str | Path, *, series: str | int | None = None) -> PatientKeys:
    """Keys of the patient of a CT, to be compared with those of an activity image.

    Parameters
    ----------
    path : str or Path
        One DICOM file of any kind, or a folder with a CT series. NIfTI tells nothing: empty keys.
    series : str or int, optional
        Which CT series, as for `read_ct_series`.
    """
    path = Path(path)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return PatientKeys()
    file = choose_series(scan_folder(path), series).headers[0].path if path.is_dir() else path
    with quiet_pydicom():
        dataset = pydicom.dcmread(
            file, stop_before_pixels=True, force=True, specific_tags=list(KEY_KEYWORDS)
        )
    return patient_keys(Tags([dataset]))


def check_same_patient(
    first: PatientKeys, second: PatientKeys, *, names: tuple[str, str] = ("CT", "activity image")
) -> tuple[str, ...]:
    """Refuse two images that cannot be of one patient.

    Parameters
    ----------
    first, second : PatientKeys
    names : tuple of str
        What the two are, for the message.

    Returns
    -------
    tuple of str
        Notes: what could not be compared, or was explained by de-identification.

    Raises
    ------
    InputError
        If sex, birth date, PatientID or (without IDs) the name disagree. No value is shown.

    Notes
    -----
    Different PatientIDs, birth dates or names are forgiven only if the StudyInstanceUID is the
    same and one of the two is marked as de-identified: programs replace identifiers file by file.
    """
    title = f"{names[0]} and {names[1]}"
    differing = _differences(first, second)
    same_study = first.study_uid != "" and first.study_uid == second.study_uid
    forgiven = same_study and (first.is_deidentified or second.is_deidentified)
    refused = [word for word in differing if word == "PatientSex" or not forgiven]
    if refused:
        raise InputError(
            f"{title} are of different patients: {', '.join(refused)} differ; give images of one"
            " patient, or correct the headers"
        )
    notes = []
    if differing:
        notes.append(
            f"{title}: {', '.join(differing)} differ, but the study is the same and"
            " de-identified: taken as one patient"
        )
    if not (first.id_digest and second.id_digest) and not same_study:
        notes.append(f"{title}: without PatientID in both, that they are of one patient is taken")
    pair = first.weight_kg, second.weight_kg
    if pair[0] and pair[1] and abs(pair[0] - pair[1]) > 0.1 * max(pair[0], pair[1]):
        notes.append(f"{title}: the weights differ by more than 10 % ({pair[0]:g}, {pair[1]:g} kg)")
    return tuple(notes)


def is_plausible_weight(weight_kg: float) -> bool:
    """Tell if a person may weigh that much (grams and pounds by mistake are far off)."""
    return _LOWEST_WEIGHT_KG <= weight_kg <= _HIGHEST_WEIGHT_KG


def _differences(first: PatientKeys, second: PatientKeys) -> list[str]:
    found = []
    if {first.sex, second.sex} == {"M", "F"}:
        found.append("PatientSex")
    for field, word in (("birth_digest", "PatientBirthDate"), ("id_digest", "PatientID")):
        a, b = getattr(first, field), getattr(second, field)
        if a and b and a != b:
            found.append(word)
    if not (first.id_digest and second.id_digest):
        names = {first.name_digest, second.name_digest}
        if len(names) == 2 and "" not in names:
            found.append("PatientName")
    return found


def _digest(text: str) -> str:
    plain = " ".join(text.replace("^", " ").upper().split())
    return hashlib.blake2b(plain.encode(), key=_key(), digest_size=8).hexdigest() if plain else ""

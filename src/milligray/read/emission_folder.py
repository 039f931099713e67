"""Find the PET and NM images of a folder and pick the series that is meant."""

import secrets
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from milligray.errors import FormatError, InputError
from milligray.read.dicom_folder import dicom_candidates, read_header
from milligray.read.dicom_tags import Tags, quiet_pydicom
from milligray.read.emission_slice import EmissionSlice, emission_slices
from milligray.read.emission_tags import EMISSION_TAGS, ENHANCED_PET, NM_IMAGE, PLAIN_PET

_PET_CLASSES = (PLAIN_PET, *ENHANCED_PET)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmissionSeries:
    """Slices of one PET series, or the one multi-frame object of an NM series.

    Parameters
    ----------
    slices : tuple of EmissionSlice
    modality : {"PT", "NM"}
    notes : tuple of str
    """

    slices: tuple[EmissionSlice, ...]
    modality: str
    notes: tuple[str, ...]

    @property
    def line(self) -> str:
        """One line of the list shown to the user."""
        first = self.slices[0].header
        number = "without a number" if first.series_number is None else str(first.series_number)
        what = f"{len(self.slices)} slices" if self.modality == "PT" else "one object"
        reason = f", not usable: {self.obstacle}" if self.obstacle else ""
        return f"  series {number}: {self.modality}, {what}, {first.description!r}{reason}"

    @property
    def obstacle(self) -> str:
        """Why it cannot be an image of activity, "" if it may."""
        tags = self.slices[0].tags
        kind = tags.text("ImageType").upper().split("\\")
        if self.modality == "NM":
            return "" if "RECON TOMO" in kind else "no reconstructed SPECT"
        if "REPROJECTION" in tags.text("SeriesType").upper() or "MIP" in kind:
            return "projections"
        listed = tags.text("CorrectedImage").upper().split("\\")
        return "not attenuation-corrected" if listed != [""] and "ATTN" not in listed else ""


def find_emission_series(path: str | Path, series: str | int | None = None) -> EmissionSeries:
    """Find the PET or NM series that is meant and read its headers.

    Parameters
    ----------
    path : str or Path
        DICOM folder (searched with all below it) or one file: then the series it belongs to.
    series : str or int, optional
        SeriesInstanceUID, series number or part of the description, if there are several.

    Raises
    ------
    InputError
        If there is no PET or NM image, or several series and none was chosen.
    FormatError
        If a file is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a DICOM folder, one DICOM file or a NIfTI")
    groups, modalities = _groups(path)
    if not groups:
        found = ", ".join(f"{name} ({n} files)" for name, n in sorted(modalities.items()))
        nifti = [f.name for f in dicom_candidates(path) if f.name.endswith((".nii", ".nii.gz"))]
        hint = f"; give the NIfTI file itself, e.g. {nifti[0]}" if nifti else ""
        raise InputError(
            f"no PET or NM image in {path.name}; the modalities there are: {found or 'none'}{hint}"
        )
    candidates = groups
    if series is not None:
        candidates = _fitting(groups, str(series).strip())
    elif path.is_file():
        candidates = [g for g in groups if any(s.header.path == path for s in g.slices)]
    if not candidates:
        asked = f"no PET or NM series fits {series!r}" if series is not None else (
            f"{path.name} is no PET or NM image"
        )  # fmt: skip
        raise InputError(f"{asked}; there are:\n{_listing(groups)}")
    candidates = [group for group in candidates if not group.obstacle] or candidates
    if len(candidates) > 1:
        raise InputError(
            f"{len(candidates)} PET or NM series; choose one by its number, SeriesInstanceUID or"
            f" part of its description:\n{_listing(candidates)}"
        )
    _refuse_two_persons(candidates[0])
    notes: tuple[str, ...] = ()
    if modalities["copies"]:
        notes = (f"{modalities['copies']} copies of files (same SOPInstanceUID) left out",)
    others = [group.line.strip() for group in groups if group is not candidates[0]]
    if others:
        notes = (*notes, f"others in the folder: {'; '.join(others)}")
    return replace(candidates[0], notes=notes)


def _groups(path: Path) -> tuple[list[EmissionSeries], Counter[str]]:
    salt = secrets.token_bytes(16)
    modalities: Counter[str] = Counter()
    together: dict[tuple[object, ...], list[EmissionSlice]] = {}
    seen: set[str] = set()
    with quiet_pydicom():
        for file in dicom_candidates(path):
            dataset = read_header(file, EMISSION_TAGS, "PT", (*_PET_CLASSES, NM_IMAGE))
            if dataset is None:
                continue
            tags = Tags([dataset])
            modality = _modality(tags)
            modalities[modality or tags.text("Modality") or "unnamed"] += 1
            if modality not in ("PT", "NM"):
                continue
            try:
                slices = list(emission_slices(dataset, file, salt))
            except FormatError:
                raise
            except Exception as error:
                raise FormatError(
                    f"{file.name} is a damaged DICOM file; copy it again from the archive"
                ) from error
            uid = tags.text("SOPInstanceUID")
            if uid and uid in seen:
                modalities["copies"] += 1
                continue
            seen.add(uid)
            alone = modality == "NM" and len(slices) == 1 and _n_frames(slices[0]) > 1
            for one in slices:
                key = (modality, *_key(one), file if alone else None)
                together.setdefault(key, []).append(one)
    groups = [
        EmissionSeries(slices=tuple(members), modality=str(key[0]), notes=())
        for key, members in together.items()
    ]
    groups.sort(key=lambda g: (g.slices[0].header.series_number or 0, g.slices[0].header.path))
    return groups, modalities


def _n_frames(one: EmissionSlice) -> int:
    return int(one.tags.number("NumberOfFrames") or 1)


def _modality(tags: Tags) -> str:
    sop_class = tags.text("SOPClassUID")
    if sop_class == NM_IMAGE:
        return "NM"
    if sop_class in _PET_CLASSES:
        return "PT"
    modality = tags.text("Modality").upper()
    if sop_class:
        return "" if modality in ("PT", "NM") else modality
    return modality


def _key(one: EmissionSlice) -> tuple[object, ...]:
    header = one.header
    uid = header.series_uid or header.description
    orientation = tuple(round(value, 3) for value in header.orientation or ())
    spacing = tuple(round(value, 4) for value in header.pixel_spacing_mm or ())
    return uid, header.series_number, header.rows, header.columns, orientation, spacing


def _fitting(groups: list[EmissionSeries], wanted: str) -> list[EmissionSeries]:
    for fits in (
        lambda h: wanted == h.series_uid,
        lambda h: wanted == str(h.series_number),
        lambda h: wanted.lower() in h.description.lower(),
    ):
        found = [group for group in groups if fits(group.slices[0].header)]
        if found:
            return found
    return []


def _refuse_two_persons(group: EmissionSeries) -> None:
    persons = {one.header.person for one in group.slices}
    for attribute in zip(*persons, strict=True):
        if len({digest for digest in attribute if digest}) > 1:
            raise InputError(
                "the series holds images of more than one patient (PatientID, PatientName or"
                " PatientBirthDate differ); separate them"
            )


def _listing(groups: list[EmissionSeries]) -> str:
    return "\n".join(group.line for group in groups)

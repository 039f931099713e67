"""Read an activity image, whatever form it comes in."""

from pathlib import Path

from milligray.errors import InputError
from milligray.read.activity_facts import ActivityFacts
from milligray.read.activity_nifti import read_activity_nifti
from milligray.read.activity_series import ActivityImage
from milligray.read.activity_sidecar import find_sidecar, read_sidecar
from milligray.read.administration import HalfLifeOf
from milligray.read.emission_folder import find_emission_series
from milligray.read.nm_dicom import nm_image_of
from milligray.read.pet_dicom import pet_images_of


def read_activity(
    path: str | Path,
    *,
    series: str | int | None = None,
    facts: ActivityFacts | None = None,
    half_life_of: HalfLifeOf | None = None,
) -> ActivityImage:
    """Read one activity image: PET or SPECT in DICOM, or NIfTI.

    Parameters
    ----------
    path : str or Path
        DICOM folder, one DICOM file of the series, or a NIfTI file.
    series : str or int, optional
        Which PET or NM series, if a DICOM folder holds several.
    facts : ActivityFacts, optional
        What replaces or completes the header; over a sidecar file of the same name.
    half_life_of : callable, optional
        Half-life [s] of a nuclide by its name ("F-18"), asked where the header has none.

    Returns
    -------
    ActivityImage

    Raises
    ------
    InputError
        If the input is not one activity image, or its units, decay reference or half-life are not
        known. See `read_pet_series`, `read_nm_series`, `read_activity_nifti`.
    """
    images = read_activity_frames(path, series=series, facts=facts, half_life_of=half_life_of)
    if len(images) > 1:
        raise InputError(
            f"the series is dynamic, {len(images)} time frames: read it with read_activity_frames"
        )
    return images[0]


def read_activity_frames(
    path: str | Path,
    *,
    series: str | int | None = None,
    facts: ActivityFacts | None = None,
    half_life_of: HalfLifeOf | None = None,
) -> tuple[ActivityImage, ...]:
    """Read all time frames of a PET series, or the only image of anything else, in order."""
    path = Path(path)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        if series is not None:
            raise InputError(f"{path.name} is one NIfTI image: there is no series to choose")
        return (read_activity_nifti(path, facts=facts, half_life_of=half_life_of),)
    known = facts or ActivityFacts()
    sidecar = find_sidecar(path) if path.is_file() else None
    if sidecar is not None:
        known = known.over(read_sidecar(sidecar))
    found = find_emission_series(path, series)
    if found.modality == "NM":
        return (nm_image_of(found, known, half_life_of),)
    return pet_images_of(found, known, half_life_of)

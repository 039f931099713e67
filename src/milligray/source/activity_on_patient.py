"""Put the activity of an image into the voxels of a patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.patient.patient import Patient
from milligray.read.activity_series import ActivityImage, PatientKeys
from milligray.read.patient_keys import check_same_patient
from milligray.source.activity_resampling import resample_activity, share_inside
from milligray.source.registration import Registration, no_registration
from milligray.typing import FloatArray
from milligray.volume import Grid

MAX_OUTSIDE_CT = 0.02
MAX_OUTSIDE_BODY = 0.30
_WORTH_A_NOTE = 0.05
_SAME_TIME_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatientActivity:
    """Activity in the voxels of a patient's transport grid, at one time.

    Parameters
    ----------
    grid : Grid
    activity_mbq : ndarray, shape ``grid.shape``, float64 [MBq]
        PER VOXEL, at the reference time.
    image : ActivityImage
        Where it comes from: times, nuclide, administration.
    registration : Registration
    outside_ct_fraction : float
        Of the image's activity: beyond the CT, lost.
    outside_body_fraction : float
        Of the image's activity: within the CT, but outside the body outline (spill-out, noise,
        couch). What of it lies on the transport grid stays where it is.
    outside_grid_fraction : float
        Of the image's activity: lost in all, beyond the transport grid.
    correction : float
        Factor by which sampled values were multiplied; 1 if the resampling was exact.
    notes : tuple of str
    """

    grid: Grid
    activity_mbq: FloatArray
    image: ActivityImage
    registration: Registration
    outside_ct_fraction: float
    outside_body_fraction: float
    outside_grid_fraction: float
    correction: float
    notes: tuple[str, ...] = ()


def activity_on_patient(
    image: ActivityImage,
    patient: Patient,
    *,
    patient_keys: PatientKeys | None = None,
    registration: Registration | None = None,
    max_outside_ct: float = MAX_OUTSIDE_CT,
    max_outside_body: float = MAX_OUTSIDE_BODY,
) -> PatientActivity:
    """Resample an activity image to a patient's transport grid, conserving activity.

    Parameters
    ----------
    image : ActivityImage
    patient : Patient
    patient_keys : PatientKeys, optional
        Of the CT (`milligray.read.read_patient_keys`): then both must be of one patient.
    registration : Registration, optional
        From `register_rigid` or `read_transform`. Without one both must lie in the same frame of
        reference.
    max_outside_ct, max_outside_body : float
        Largest fraction of the image's activity beyond the CT by more than one voxel of the image
        (finer it does not tell), and outside the body outline within the CT.

    Returns
    -------
    PatientActivity

    Raises
    ------
    InputError
        If the images are of different patients.
    GeometryError
        If they lie in different frames of reference and no registration is given, or too much
        activity lies beyond the CT or outside the body.
    """
    notes = list(image.notes)
    if patient_keys is not None:
        notes += check_same_patient(patient_keys, image.patient)
        notes += _frames(patient_keys, image.patient, registration)
    elif registration is None:
        notes.append("that CT and activity image lie in one frame of reference was not checked")
    used = registration or no_registration()
    density, total = image.activity_mbq_ml, image.total_activity_mbq
    ct_grid = patient.grid if patient.ct is None else patient.ct.grid
    outside_ct = 1.0 - share_inside(density, image.grid, ct_grid, used.matrix)
    reach = _enlarged(ct_grid, max(image.grid.spacing_mm))
    beyond = 1.0 - share_inside(density, image.grid, reach, used.matrix)
    if beyond > max_outside_ct:
        raise GeometryError(
            f"{100 * beyond:.1f} % of the activity lies beyond the CT by more than one voxel of the"
            f" image (limit {100 * max_outside_ct:g} %): its dose would be missing; give a CT of"
            " the whole activity image, crop the image on purpose, or check the registration"
        )
    placed, correction = resample_activity(density, image.grid, patient.grid, used.matrix)
    placed *= image.grid.voxel_volume_cm3
    on_grid = float(placed.sum())
    in_body = float(placed[patient.body].sum())
    outside_body = max(0.0, 1.0 - outside_ct - in_body / total)
    if outside_body > max_outside_body:
        raise GeometryError(
            f"{100 * outside_body:.1f} % of the activity lies outside the body outline (limit"
            f" {100 * max_outside_body:g} %): the image is misaligned, or of another patient;"
            " give a registration"
        )
    notes += _resampling_notes(used, correction, outside_ct, outside_body, 1.0 - on_grid / total)
    placed.setflags(write=False)
    return PatientActivity(
        grid=patient.grid, activity_mbq=placed, image=image, registration=used,
        outside_ct_fraction=max(0.0, outside_ct), outside_body_fraction=outside_body,
        outside_grid_fraction=max(0.0, 1.0 - on_grid / total), correction=correction,
        notes=tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def check_time_points(images: Sequence[ActivityImage]) -> tuple[str, ...]:
    """Refuse images that are not ascending time points of one administration.

    Parameters
    ----------
    images : sequence of ActivityImage

    Returns
    -------
    tuple of str
        Notes.

    Raises
    ------
    InputError
        If a time is unknown, times do not ascend or occur twice, the same image is given twice, or
        patient, nuclide, half-life or administered activity differ.
    """
    if not images:
        raise InputError("no activity image was given")
    notes: list[str] = []
    times = [image.reference_s_after_administration for image in images]
    if len(images) > 1 and not all(np.isfinite(times)):
        lost = [str(n) for n, time in enumerate(times, 1) if not np.isfinite(time)]
        raise InputError(
            f"the time after administration of image {', '.join(lost)} is not known: give"
            " administration_time or reference_s_after_administration"
        )
    hashes = [image.input_sha256 for image in images if image.input_sha256]
    if len(set(hashes)) < len(hashes):
        raise InputError("the same activity image was given twice")
    listed = ", ".join(f"{time / 3600.0:.3f}" for time in times)
    for earlier, later in pairwise(times):
        if abs(later - earlier) < _SAME_TIME_S:
            raise InputError(f"two activity images are of one time ({listed} h)")
        if later < earlier:
            raise InputError(
                f"the time points are out of order ({listed} h after administration): give them in"
                " the order of their measurement"
            )
    first = images[0]
    for number, image in enumerate(images[1:], 2):
        names = "image 1", f"image {number}"
        notes += check_same_patient(first.patient, image.patient, names=names)
        if first.nuclide and image.nuclide and first.nuclide != image.nuclide:
            raise InputError(
                f"{names[0]} is of {first.nuclide}, {names[1]} of {image.nuclide}: time points"
                " must be of one nuclide"
            )
        _same(first.half_life_s, image.half_life_s, "half-lives", "s", names)
        _same(
            first.administered_activity_mbq, image.administered_activity_mbq,
            "administered activities", "MBq", names,
        )  # fmt: skip
    return tuple(dict.fromkeys(notes))


def check_half_life(image: ActivityImage, half_life_s: float) -> tuple[str, ...]:
    """Compare the half-life with which an image was corrected with that of the nuclide tables.

    Raises
    ------
    InputError
        If they differ by more than 2 %: another nuclide, or another unit.
    """
    if image.half_life_s is None:
        return ("the image's half-life is not known: its decay correction was not checked",)
    ratio = image.half_life_s / half_life_s
    if abs(ratio - 1.0) > 0.02:
        raise InputError(
            f"the half-life of the image is {image.half_life_s:g} s, that of the nuclide"
            f" {half_life_s:g} s: wrong nuclide or wrong header; give nuclide and half_life_s"
        )
    if abs(ratio - 1.0) > 0.002:
        return (
            f"half-life of the header {image.half_life_s:g} s, of the tables {half_life_s:g} s",
        )
    return ()


def _enlarged(grid: Grid, margin_mm: float) -> Grid:
    """One voxel that covers a grid and a margin around it."""
    spacing = [s * n + 2.0 * margin_mm for s, n in zip(grid.spacing_mm, grid.shape, strict=True)]
    x, y, z = grid.to_lps_mm(0.5 * (np.array(grid.shape) - 1.0))
    return Grid.from_spacing((1, 1, 1), spacing, origin_lps_mm=(x, y, z))


def _same(
    first: float | None, second: float | None, what: str, unit: str, names: tuple[str, str]
) -> None:
    if first and second and abs(first / second - 1.0) > 0.02:
        raise InputError(
            f"the {what} of {names[0]} ({first:g} {unit}) and {names[1]} ({second:g} {unit})"
            " differ: time points must be of one administration"
        )


def _frames(
    ct: PatientKeys, image: PatientKeys, registration: Registration | None
) -> tuple[str, ...]:
    if registration is not None:
        return ()
    if not ct.frame_of_reference_uid or not image.frame_of_reference_uid:
        return ("without a frame of reference in both, that CT and image overlay is taken",)
    if ct.frame_of_reference_uid != image.frame_of_reference_uid:
        raise GeometryError(
            "CT and activity image lie in different frames of reference (0020,0052): give a"
            " registration (rigid, or a transform file)"
        )
    return ()


def _resampling_notes(
    used: Registration,
    correction: float,
    outside_ct: float,
    outside_body: float,
    outside_grid: float,
) -> list[str]:
    notes = list(used.notes)
    if used.method != "none":
        notes.append(
            f"registration ({used.method}): rotation {used.rotation_deg:.2f} deg, shift of the"
            f" origin {np.linalg.norm(used.matrix[:3, 3]):.1f} mm"
        )
    how = "by volumes of overlap, exact"
    if correction != 1.0:
        how = f"by linear sampling, then scaled by {correction:.5f} to conserve it"
    notes.append(f"activity brought to the transport grid {how}")
    lost = f"{100 * outside_grid:.2g} % of the activity lies beyond the transport grid and is lost"
    if outside_grid > 1e-6:
        notes.append(f"{lost} ({100 * max(0.0, outside_ct):.2g} % beyond the CT)")
    if outside_body > 1e-6:
        warning = ": check the alignment" if outside_body > _WORTH_A_NOTE else ""
        notes.append(f"{100 * outside_body:.2g} % lies in the CT outside the body outline{warning}")
    return notes

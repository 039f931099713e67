"""Put the activity of an image into the voxels of a patient."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from milligray.errors import GeometryError
from milligray.patient.patient import Patient
from milligray.read.activity_series import ActivityImage, PatientKeys
from milligray.read.patient_keys import check_same_patient
from milligray.source.activity_resampling import resample_activity, share_inside
from milligray.source.registration import Registration, no_registration
from milligray.typing import FloatArray
from milligray.volume import Grid

OutsideBody = Literal["keep", "drop", "nearest"]
MAX_OUTSIDE_CT = 0.02
MAX_OUTSIDE_BODY = 0.30
_WORTH_A_NOTE = 0.05


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
        couch), before anything was done about it.
    outside_grid_fraction : float
        Of the image's activity: lost in all.
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
    outside_body: OutsideBody = "keep",
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

    outside_body : {"keep", "drop", "nearest"}
        What becomes of activity on the transport grid but outside the body outline. "keep": it
        stays, in air (dose to air has no meaning there). "drop": it is lost. "nearest": what is
        within two voxels of the image goes to the nearest body voxel, for it was blurred out of
        the body; the rest is lost.

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
    outside = max(0.0, 1.0 - outside_ct - in_body / total)
    if outside > max_outside_body:
        raise GeometryError(
            f"{100 * outside:.1f} % of the activity lies outside the body outline (limit"
            f" {100 * max_outside_body:g} %): the image is misaligned, or of another patient;"
            " give a registration"
        )
    if outside_body != "keep":
        reach_mm = 2.0 * max(image.grid.spacing_mm) if outside_body == "nearest" else 0.0
        placed = _into_body(placed, patient, reach_mm)
        on_grid = float(placed.sum())
        notes.append(f"activity on the transport grid outside the body: {outside_body!r}")
    notes += _resampling_notes(used, correction, outside_ct, outside, 1.0 - on_grid / total)
    placed.setflags(write=False)
    return PatientActivity(
        grid=patient.grid, activity_mbq=placed, image=image, registration=used,
        outside_ct_fraction=max(0.0, outside_ct), outside_body_fraction=outside,
        outside_grid_fraction=max(0.0, 1.0 - on_grid / total), correction=correction,
        notes=tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def _into_body(placed: FloatArray, patient: Patient, reach_mm: float) -> FloatArray:
    """Activity in the body only; what lies within reach goes to the nearest body voxel."""
    out = np.where(patient.body, placed, 0.0)
    if reach_mm > 0 and patient.body.any():
        distance, nearest = ndimage.distance_transform_edt(
            ~patient.body, sampling=patient.grid.spacing_mm, return_indices=True
        )
        moved = ~patient.body & (distance <= reach_mm) & (placed > 0)
        np.add.at(out, tuple(axis[moved] for axis in nearest), placed[moved])
    return out


def _enlarged(grid: Grid, margin_mm: float) -> Grid:
    """One voxel that covers a grid and a margin around it."""
    spacing = [s * n + 2.0 * margin_mm for s, n in zip(grid.spacing_mm, grid.shape, strict=True)]
    x, y, z = grid.to_lps_mm(0.5 * (np.array(grid.shape) - 1.0))
    return Grid.from_spacing((1, 1, 1), spacing, origin_lps_mm=(x, y, z))


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
    if outside_grid > 1e-6:
        notes.append(
            f"{100 * outside_grid:.2g} % of the activity is lost, beyond the transport grid or left"
            f" out ({100 * max(0.0, outside_ct):.2g} % lie beyond the CT)"
        )
    if outside_body > 1e-6:
        warning = ": check the alignment" if outside_body > _WORTH_A_NOTE else ""
        notes.append(f"{100 * outside_body:.2g} % lies in the CT outside the body outline{warning}")
    return notes

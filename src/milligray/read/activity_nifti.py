"""Read an activity image from NIfTI, whose units and times the user or a sidecar must tell."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from milligray.constants import GRAM_PER_KG
from milligray.errors import InputError
from milligray.read.activity_facts import ActivityFacts, SpectCalibration
from milligray.read.activity_series import ActivityImage, PatientKeys
from milligray.read.activity_sidecar import find_sidecar, read_sidecar
from milligray.read.activity_values import check_total, without_negatives
from milligray.read.administration import HalfLifeOf
from milligray.read.ct_dicom import volume_sha256
from milligray.read.emission_stack import to_patient_axes
from milligray.read.nifti_axes import read_nifti_oblique
from milligray.read.patient_keys import is_plausible_weight
from milligray.read.radionuclide_code import nuclide_of_text

_MBQ_PER_ML = {"bq/ml": 1e-6, "kbq/ml": 1e-3, "mbq/ml": 1.0}
_MBQ_PER_VOXEL = {"bq": 1e-6, "kbq": 1e-3, "mbq": 1.0}
_ALLOWED = "Bq/mL, kBq/mL, MBq/mL, Bq, kBq, MBq (per voxel), SUV or counts"


def read_activity_nifti(
    path: str | Path,
    *,
    facts: ActivityFacts | None = None,
    half_life_of: HalfLifeOf | None = None,
) -> ActivityImage:
    """Read a three-dimensional activity image.

    Parameters
    ----------
    path : str or Path
        ``.nii`` or ``.nii.gz``; any orientation. A file of the same name ending in ``.toml`` or
        ``.json`` beside it is read as its facts (see `read_sidecar`).
    facts : ActivityFacts, optional
        Over those of the sidecar. Needed are ``units`` and either
        ``reference_s_after_administration`` or both times; for SUV also weight, administered
        activity and half-life.
    half_life_of : callable, optional
        Half-life [s] of a nuclide by its name ("F-18"), asked where no half-life is given.

    Returns
    -------
    ActivityImage
        At the stated time.

    Raises
    ------
    InputError
        If units or time are missing, or values are negative or not finite.

    Notes
    -----
    With ``decay_reference="administration"`` the values are brought to the stated time by the
    half-life; SUV always is.
    """
    path = Path(path)
    sidecar = find_sidecar(path)
    known = facts or ActivityFacts()
    notes: list[str] = []
    if sidecar is not None:
        known = known.over(read_sidecar(sidecar))
        notes.append(f"facts of {sidecar.name} taken")
    if known.nuclide is not None:
        known = replace(known, nuclide=nuclide_of_text(known.nuclide) or known.nuclide)
        if known.half_life_s is None and half_life_of is not None:
            known = replace(known, half_life_s=half_life_of(known.nuclide or ""))
    unit = _unit(known, path.name)
    if known.calibration is not None and unit != "counts":
        raise InputError(f"{path.name}: a calibration is for units 'counts', not {known.units!r}")
    time_s = _time_s(known, path.name)
    stored, affine, axis_notes = read_nifti_oblique(path)
    values = np.asarray(stored, dtype=np.float32)
    if stored.dtype.kind not in "iuf" or not np.all(np.isfinite(values)):
        raise InputError(f"{path.name} holds values that are not finite numbers")
    voxel_ml = float(abs(np.linalg.det(affine[:3, :3]))) * 1e-3
    factor = _factor(unit, known, voxel_ml, path.name)
    if unit == "suv" or known.decay_reference == "administration":
        if known.half_life_s is None:
            raise InputError(
                f"{path.name}: the values refer to the administration; half_life_s is needed to"
                " bring them to the time of the image"
            )
        factor *= 2.0 ** (-time_s / known.half_life_s)
        notes.append(f"values brought from the administration to {time_s / 3600.0:.3f} h after it")
    elif known.decay_reference not in (None, "start", "middle"):
        raise InputError(
            f"{path.name}: decay_reference {known.decay_reference!r} cannot be undone for a NIfTI;"
            " give values at a stated time"
        )
    values, negative_notes = without_negatives(values * np.float32(1.0))
    turned, grid = to_patient_axes(values, affine)
    activity = (turned * np.float64(factor)).astype(np.float32)
    administered = known.administered_activity_mbq
    if administered is not None and known.residual_activity_mbq:
        administered -= known.residual_activity_mbq
    image = ActivityImage(
        grid=grid,
        activity_mbq_ml=activity,
        reference_s_after_administration=time_s,
        nuclide=known.nuclide,
        half_life_s=known.half_life_s,
        administered_activity_mbq=administered,
        administration_time=known.administration_time,
        acquisition_time=known.acquisition_time,
        frame_duration_s=known.frame_duration_s,
        decay_correction=str(known.decay_reference or "stated time"),
        units=str(known.units),
        modality="NIFTI",
        patient=PatientKeys(weight_kg=known.weight_kg),
        calibration_relative_uncertainty=(
            None if known.calibration is None else known.calibration.relative_uncertainty
        ),
        input_sha256=volume_sha256(activity, grid),
    )
    total = check_total(image.total_activity_mbq, administered, known.half_life_s, time_s)
    return replace(image, notes=(*notes, *axis_notes, *negative_notes, *total))


def _unit(known: ActivityFacts, name: str) -> str:
    if known.units is None:
        raise InputError(f"{name}: a NIfTI does not tell its units: give units ({_ALLOWED})")
    unit = known.units.strip().lower().replace("cm3", "ml").replace("cc", "ml")
    if unit not in (*_MBQ_PER_ML, *_MBQ_PER_VOXEL, "suv", "counts"):
        raise InputError(f"{name}: units {known.units!r} are not known; allowed: {_ALLOWED}")
    if unit in ("mbq", "mbq/ml") and known.units.strip()[0] == "m":
        raise InputError(f"{name}: units {known.units!r} mean milli-becquerel; write M for mega")
    return unit


def _time_s(known: ActivityFacts, name: str) -> float:
    if known.reference_s_after_administration is not None:
        time_s = known.reference_s_after_administration
    elif known.administration_time is not None and known.acquisition_time is not None:
        time_s = (known.acquisition_time - known.administration_time).total_seconds()
        if known.decay_reference != "start":
            time_s += 0.5 * (known.frame_duration_s or 0.0)
    else:
        raise InputError(
            f"{name}: the time for which the values hold is not known: give"
            " reference_s_after_administration, or administration_time and acquisition_time"
        )
    if not time_s >= 0 or not np.isfinite(time_s):
        raise InputError(f"{name}: the image would be {-time_s:g} s before the administration")
    return float(time_s)


def _factor(unit: str, known: ActivityFacts, voxel_ml: float, name: str) -> float:
    if unit in _MBQ_PER_ML:
        return _MBQ_PER_ML[unit]
    if unit in _MBQ_PER_VOXEL:
        return _MBQ_PER_VOXEL[unit] / voxel_ml
    if unit == "counts":
        return _counts_factor(known.calibration, voxel_ml, name)
    weight, administered = known.weight_kg, known.administered_activity_mbq
    if weight is None or administered is None:
        raise InputError(f"{name}: SUV need weight_kg and administered_activity_mbq")
    if not is_plausible_weight(weight):
        raise InputError(f"{name}: weight_kg {weight:g} cannot be")
    return administered / (weight * GRAM_PER_KG)  # a scanner knows no residual


def _counts_factor(calibration: SpectCalibration | None, voxel_ml: float, name: str) -> float:
    if calibration is None:
        raise InputError(f"{name}: counts need a calibration")
    if calibration.mbq_ml_per_unit is not None:
        return calibration.mbq_ml_per_unit
    if calibration.duration_s is None:
        raise InputError(f"{name}: a calibration by sensitivity needs its duration_s")
    return 1.0 / ((calibration.sensitivity_cps_per_mbq or 0.0) * calibration.duration_s * voxel_ml)

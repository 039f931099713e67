"""The nouns of activity imaging: whose image it is, and how much activity is where and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.typing import FloatArray
from milligray.volume import Grid

ActivityModality = Literal["PT", "NM", "NIFTI"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientKeys:
    """What tells two patients apart, without telling who they are.

    Parameters
    ----------
    id_digest, name_digest, birth_digest : str
        Keyed digests of PatientID, PatientName and PatientBirthDate, comparable only within one
        run of the program; "" where the header is silent.
    sex : {"M", "F", "O", ""}
    weight_kg, height_m, age_years : float or None
    frame_of_reference_uid, study_uid : str
    is_deidentified : bool
        PatientIdentityRemoved is YES: identifiers may be replaced, each file in its own way.
    """

    id_digest: str = ""
    name_digest: str = ""
    birth_digest: str = ""
    sex: str = ""
    weight_kg: float | None = None
    height_m: float | None = None
    age_years: float | None = None
    frame_of_reference_uid: str = ""
    study_uid: str = ""
    is_deidentified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActivityImage:
    """Activity concentration in a patient at one time.

    Parameters
    ----------
    grid : Grid
        Of the image; may be oblique.
    activity_mbq_ml : ndarray, shape ``grid.shape``, float32 [MBq/mL]
        Activity concentration at the reference time, >= 0.
    reference_s_after_administration : float [s]
        The time for which the values hold: the middle of this image's own measurement. NaN: the
        time of administration is unknown.
    nuclide : str or None
        As ``"F-18"``; None: the input does not tell.
    half_life_s : float or None [s]
        That of the header or the user, with which the decay was reckoned.
    administered_activity_mbq : float or None [MBq]
        Net of a residual that was given, at the time of administration.
    administration_time, acquisition_time : datetime or None
        Local clock of the scanner; acquisition: the earliest start of a slice.
    frame_duration_s : float or None [s]
        From the earliest start to the latest end of the measurement.
    decay_correction : str
        How the stored values were corrected ("START", "ADMIN", "NONE", ...), before `read`
        brought them to the reference time.
    units : str
        Of the stored values, as in the header.
    modality : {"PT", "NM", "NIFTI"}
    patient : PatientKeys
    calibration_relative_uncertainty : float or None
        Of the calibration factor (k = 1), if the user gave one.
    input_sha256 : str
    notes : tuple of str
        What was assumed, mended or left out.
    """

    grid: Grid
    activity_mbq_ml: FloatArray
    reference_s_after_administration: float
    nuclide: str | None
    half_life_s: float | None
    administered_activity_mbq: float | None = None
    administration_time: datetime | None = None
    acquisition_time: datetime | None = None
    frame_duration_s: float | None = None
    decay_correction: str = ""
    units: str = ""
    modality: ActivityModality = "PT"
    patient: PatientKeys = PatientKeys()
    calibration_relative_uncertainty: float | None = None
    input_sha256: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.activity_mbq_ml, dtype=np.float32).view()
        if values.shape != self.grid.shape:
            raise GeometryError(
                f"activity_mbq_ml has shape {values.shape}, its grid has {self.grid.shape}"
            )
        if not np.all(np.isfinite(values)) or float(values.min()) < 0:
            raise InputError("activity_mbq_ml must be finite and >= 0")
        if not np.any(values > 0):
            raise InputError("the activity image is empty: no voxel holds activity")
        for name in ("half_life_s", "administered_activity_mbq"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and np.isfinite(value)):
                raise InputError(f"{name} must be > 0, got {value}")
        values.setflags(write=False)
        object.__setattr__(self, "activity_mbq_ml", values)

    @property
    def total_activity_mbq(self) -> float:
        """Activity in the whole image at the reference time [MBq]."""
        return float(self.activity_mbq_ml.sum(dtype=np.float64) * self.grid.voxel_volume_cm3)

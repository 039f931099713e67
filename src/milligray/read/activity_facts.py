"""What the user (or a sidecar file) says of an activity image where its header does not."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Literal

from milligray.errors import InputError

DecayReference = Literal["start", "middle", "administration", "none"]
"""For when the stored values hold: start or middle of the acquisition, administration; "none":
not corrected, the mean over the acquisition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectCalibration:
    """Factor from stored values (after rescale) to activity.

    Parameters
    ----------
    mbq_ml_per_unit : float or None [MBq/mL]
        Of one unit in a voxel.
    sensitivity_cps_per_mbq : float or None [1/(s MBq)]
        The values are counts a voxel; divided by this and by `duration_s` they are MBq.
    duration_s : float or None [s]
        Over which the counts of a voxel were gathered, with the sensitivity.
    relative_uncertainty : float
        Of the factor, k = 1.
    """

    mbq_ml_per_unit: float | None = None
    sensitivity_cps_per_mbq: float | None = None
    duration_s: float | None = None
    relative_uncertainty: float | None = None

    def __post_init__(self) -> None:
        if (self.mbq_ml_per_unit is None) == (self.sensitivity_cps_per_mbq is None):
            raise InputError(
                "a SPECT calibration needs mbq_ml_per_unit or sensitivity_cps_per_mbq, one of them"
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"calibration: {field.name} must be > 0, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityFacts:
    """Facts given by hand; each replaces what the header says. None: not given.

    Parameters
    ----------
    nuclide : str or None
    half_life_s : float or None [s]
    units : str or None
        For NIfTI: "Bq/mL", "kBq/mL", "MBq/mL", "Bq", "kBq", "MBq" (per voxel),
        "SUV" (body weight), "counts" (with a calibration).
    administered_activity_mbq, residual_activity_mbq : float or None [MBq]
        The residual (syringe, at the same time) is taken off.
    administration_time, acquisition_time : datetime or None
        On the clock of the scanner; acquisition: its start.
    reference_s_after_administration : float or None [s]
        For NIfTI: when the values hold.
    frame_duration_s : float or None [s]
    decay_reference : {"start", "middle", "administration", "none"} or None
    weight_kg : float or None
    calibration : SpectCalibration or None
    origin : str
        Who says it, for notes.
    """

    nuclide: str | None = None
    half_life_s: float | None = None
    units: str | None = None
    administered_activity_mbq: float | None = None
    residual_activity_mbq: float | None = None
    administration_time: datetime | None = None
    acquisition_time: datetime | None = None
    reference_s_after_administration: float | None = None
    frame_duration_s: float | None = None
    decay_reference: DecayReference | None = None
    weight_kg: float | None = None
    calibration: SpectCalibration | None = None
    origin: str = "the user"

    def __post_init__(self) -> None:
        for name in ("half_life_s", "administered_activity_mbq", "weight_kg"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"{name} must be > 0, got {value}")
        for name in ("residual_activity_mbq", "frame_duration_s"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise InputError(f"{name} must be >= 0, got {value}")

    def refuse(self, names: tuple[str, ...], why: str) -> None:
        """Refuse facts that would be ignored."""
        given = [name for name in names if getattr(self, name) is not None]
        if given:
            raise InputError(f"{', '.join(given)} cannot be given: {why}")

    def over(self, other: "ActivityFacts") -> "ActivityFacts":
        """These facts, and those of the other where these are silent."""
        mine = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) is not None and field.name != "origin"
        }
        return replace(other, **mine, origin=self.origin if mine else other.origin)

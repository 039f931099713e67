"""Everything one nuclear-medicine exam hands to the writers: the noun."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from milligray.errors import GeometryError, InputError
from milligray.patient.patient import Patient
from milligray.report.plain import to_plain
from milligray.report.result import ExamResult
from milligray.score.dose import BudgetEntry, DoseMap, OrganDoses
from milligray.score.effective_dose import EffectiveDose
from milligray.segment.organs import OrganMap
from milligray.source.nuclide import Nuclide
from milligray.source.time_integrated_activity import TimeIntegratedActivity
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegionKinetics:
    """Activity of one organ or lesion over time, and its integral.

    Parameters
    ----------
    region : str
    times_s : ndarray, shape (n,) [s]
        After administration, of the images.
    activity_mbq : ndarray, shape (n,) [MBq]
        Measured.
    curve_times_s, curve_mbq : ndarray, shape (m,) [s, MBq]
        The curve that was integrated, to be drawn.
    tia_mbq_s : float [MBq s]
    tia_coefficient_s : float [s]
        Per administered activity; NaN if that is not known.
    effective_half_life_s : float [s]
        Of the last phase; NaN if there is none.
    relative_uncertainty : float
        k = 1, of the integral; NaN if the kinetics were assumed.
    method : str
        Model that was chosen, e.g. "bi-exponential (AICc)".
    """

    region: str
    times_s: FloatArray
    activity_mbq: FloatArray
    curve_times_s: FloatArray
    curve_mbq: FloatArray
    tia_mbq_s: float
    tia_coefficient_s: float
    effective_half_life_s: float
    relative_uncertainty: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionEffect:
    """Radiobiological quantities of one region, for therapy.

    Parameters
    ----------
    region : str
    alpha_beta_gy : float [Gy]
    repair_half_life_s : float [s]
    protraction_factor : float
    bed_mgy, eqd2_mgy, eud_mgy : float [mGy]
        Of the mean dose; of the mean dose; of the dose distribution (NaN if alpha is not given).
    """

    region: str
    alpha_beta_gy: float
    repair_half_life_s: float
    protraction_factor: float
    bed_mgy: float
    eqd2_mgy: float
    eud_mgy: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NmResult:
    """Dose of one administration with all that explains it.

    Parameters
    ----------
    dose : DoseMap
        On the transport grid of `patient`, mGy.
    organ_doses : OrganDoses
    patient : Patient
    organs : OrganMap
    nuclide : Nuclide
    tia : TimeIntegratedActivity
        On the same grid; holds the administered activity.
    kinetics : tuple of RegionKinetics
    dose_rates : mapping of float [s] to ndarray, shape of the grid [mGy/h]
        At the times of the images, after administration.
    images : tuple of mapping
        One a time point, to be shown: times, units, decay correction, totals, registration.
    budgets : mapping of region to tuple of BudgetEntry
    dvh : mapping of str to (dose_bins_mgy, volume_fraction)
    effective_dose : EffectiveDose or None
    effects : tuple of RegionEffect
    compared : mapping of method to OrganDoses
        Other methods on the same activity.
    ct : ExamResult or None
        The CT part of the same exam.
    manifest : mapping
        As of `milligray.report.result.ExamResult`.
    warnings, notes : tuple of str
    """

    dose: DoseMap
    organ_doses: OrganDoses
    patient: Patient
    organs: OrganMap
    nuclide: Nuclide
    tia: TimeIntegratedActivity
    kinetics: tuple[RegionKinetics, ...]
    dose_rates: Mapping[float, FloatArray]
    images: tuple[Mapping[str, Any], ...]
    budgets: Mapping[str, tuple[BudgetEntry, ...]]
    dvh: Mapping[str, tuple[FloatArray, FloatArray]]
    manifest: Mapping[str, Any]
    effective_dose: EffectiveDose | None = None
    effects: tuple[RegionEffect, ...] = ()
    compared: Mapping[str, OrganDoses] = field(default_factory=dict)
    ct: ExamResult | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.organ_doses.rows:
            raise InputError("organ_doses has no row: nothing to report")
        if not self.dose.grid.is_same_as(self.patient.grid):
            raise GeometryError("the dose map must be on the patient's transport grid")
        if not self.tia.grid.is_same_as(self.patient.grid):
            raise GeometryError("the activity must be on the patient's transport grid")
        missing = {row.organ for row in self.organ_doses.rows} - set(self.budgets)
        if missing:
            raise InputError(f"no uncertainty budget of {', '.join(sorted(missing))}")
        object.__setattr__(self, "manifest", MappingProxyType(to_plain(self.manifest)))

    @property
    def administered_activity_mbq(self) -> float | None:
        """Activity that was given [MBq], None if it is not known."""
        return self.tia.administered_activity_mbq

    @property
    def method(self) -> str:
        """How the doses were found, e.g. "monte-carlo:decays"."""
        return self.dose.method

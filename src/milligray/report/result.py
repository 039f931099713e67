"""Everything one CT exam hands to the writers: the noun."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.patient.patient import Patient
from milligray.read.series import CtProtocol
from milligray.report.plain import to_plain
from milligray.score.dose import BudgetEntry, DoseMap, OrganDoses
from milligray.segment.organs import OrganMap
from milligray.source.scanner import Scanner
from milligray.source.spectrum import Spectrum
from milligray.typing import FloatArray
from milligray.volume import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExamResult:
    """Dose of one CT exam with all that explains it.

    Parameters
    ----------
    dose : DoseMap or None
        On the transport grid of `patient`; None from a network that gives organ doses only.
    organ_doses : OrganDoses
        Same unit as `dose`.
    patient : Patient
    organs : OrganMap
    protocol : CtProtocol
    scanner : Scanner
    spectrum : Spectrum
    bowtie_name : str
        Key in ``scanner.bowties``.
    calibration : mapping of str to float, str or None
        Absolute scale. Keys with a label in the report: ``ctdi_vol_mgy``,
        ``phantom_diameter_mm``, ``simulated_ctdi_w_mgy_per_history``, ``factor`` (photons
        emitted in the scan, by which the dose per history was multiplied),
        ``simulated_center_to_periphery``, ``irradiated_length_mm``, ``rotations``,
        ``relative_uncertainty``; further keys are shown as they are.
    budget : tuple of BudgetEntry
    manifest : mapping
        Serializable as JSON. Keys the report understands: ``milligray_version``, ``created``,
        ``seed``, ``histories``, ``batches``, ``converged``, ``seconds``, ``stage_seconds``,
        ``device``, ``hardware``, ``threads``, ``versions``, ``tables``, ``models``, ``inputs``,
        ``settings``, ``transport``, ``prediction``, ``validation``; see
        docs/how-to/read-the-report.md.
    water_equivalent_diameter_mm : ndarray, shape (n_slices,) [mm], optional
        Per slice of the CT, or of the transport grid.
    ssde_mgy : float, optional [mGy]
    dlp_mgy_cm : float, optional [mGy cm]
    warnings : tuple of str
        Reasons to read the result with care; shown at the top of the report.
    notes : tuple of str
        Further assumptions (e.g. of the CT's reader); those of protocol, patient and organs are
        shown anyway.
    dvh : mapping of str to (dose_bins_mgy, volume_fraction)
        Cumulative dose-volume histograms by organ.
    """

    dose: DoseMap | None
    organ_doses: OrganDoses
    patient: Patient
    organs: OrganMap
    protocol: CtProtocol
    scanner: Scanner
    spectrum: Spectrum
    bowtie_name: str
    calibration: Mapping[str, Any]
    budget: tuple[BudgetEntry, ...]
    manifest: Mapping[str, Any]
    dvh: Mapping[str, tuple[FloatArray, FloatArray]]
    water_equivalent_diameter_mm: FloatArray | None = None
    ssde_mgy: float | None = None
    dlp_mgy_cm: float | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.organ_doses.rows:
            raise InputError("organ_doses has no row: nothing to report")
        if self.dose is not None:
            if self.dose.unit != self.organ_doses.unit:
                raise InputError(
                    f"dose map is in {self.dose.unit}, organ doses in {self.organ_doses.unit}"
                )
            if not self.dose.grid.is_same_as(self.patient.grid):
                raise GeometryError("the dose map must be on the patient's transport grid")
        if not self.budget:
            raise InputError("budget is empty: a dose without its uncertainty is not a result")
        for name in ("manifest", "calibration"):
            object.__setattr__(self, name, MappingProxyType(to_plain(getattr(self, name))))
        if self.water_equivalent_diameter_mm is not None:
            diameter = np.array(self.water_equivalent_diameter_mm, dtype=np.float64)
            allowed = {grid.shape[0] for grid in self.image_grids}
            if diameter.ndim != 1 or diameter.size not in allowed:
                raise InputError(
                    f"water_equivalent_diameter_mm has shape {diameter.shape}; the CT or the"
                    f" transport grid has {sorted(allowed)} slices"
                )
            diameter.setflags(write=False)
            object.__setattr__(self, "water_equivalent_diameter_mm", diameter)

    @property
    def image_grids(self) -> tuple[Grid, ...]:
        """Grid of the CT (if there is one), then the transport grid."""
        if self.patient.ct is None:
            return (self.patient.grid,)
        return (self.patient.ct.grid, self.patient.grid)

    @property
    def unit(self) -> str:
        """Unit of the doses."""
        return self.organ_doses.unit

    @property
    def method(self) -> str:
        """How the doses were found, e.g. "monte-carlo:track-length"."""
        return self.dose.method if self.dose is not None else self.organ_doses.rows[0].method

    @property
    def is_predicted(self) -> bool:
        """True if a network gave the doses."""
        return self.method.startswith("network:")

    @property
    def is_absolute(self) -> bool:
        """True if doses are in mGy, False if they are per 100 mAs."""
        return self.unit == "mGy"

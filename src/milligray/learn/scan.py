"""A scan of a patient with its organs, beam and absolute scale: what predictions start from."""

from dataclasses import dataclass

from milligray.patient.patient import Patient
from milligray.read.series import CtProtocol
from milligray.segment.mass_weights import OrganMassWeights
from milligray.segment.organs import OrganMap
from milligray.source.ct_source import CtSource
from milligray.source.scanner import Scanner
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """One scan of one patient.

    Parameters
    ----------
    patient : Patient
    organs : OrganMap
    weights : OrganMassWeights
    protocol : CtProtocol
    source : CtSource
    scanner : Scanner
    bowtie : str
    photons : float
        Of the scan at its CTDIvol.
    diameter_mm : ndarray, shape (n_ct_slices,) [mm]
        Water-equivalent diameter of the slices of ``patient.ct``.
    range_mm : (low, high) [mm, LPS]
        Nominal scanned range.
    """

    patient: Patient
    organs: OrganMap
    weights: OrganMassWeights
    protocol: CtProtocol
    source: CtSource
    scanner: Scanner
    bowtie: str
    photons: float
    diameter_mm: FloatArray
    range_mm: tuple[float, float]

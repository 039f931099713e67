"""Transport for the kinds whose targets are organ doses."""

import numpy as np

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.dataset.patients import SampleSpec
from milligray.dataset.scan_case import ScanCase
from milligray.errors import InputError
from milligray.score.dose import OrganStatistics
from milligray.score.dose_scoring import organ_statistics
from milligray.segment.mass_weights import OrganMassWeights
from milligray.transport.deposit import EnergyDeposit
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.typing import BoolArray, FloatArray

SMALL_ORGAN_ML = 10.0
NEAR_MM = 50.0


def score_regions(
    case: ScanCase, spec: SampleSpec, regions: OrganMassWeights, *, threads: int
) -> tuple[EnergyDeposit, OrganStatistics, BoolArray]:
    """Doses of organs, and of whatever other regions stand behind them.

    Parameters
    ----------
    case : ScanCase
    spec : SampleSpec
    regions : OrganMassWeights
        The organs of ``case.weights`` first.
    threads : int

    Returns
    -------
    deposit : EnergyDeposit
    scored : OrganStatistics
        Of all regions, in mGy.
    judged : ndarray of bool, shape (n_regions,)
        Organs that the precision holds for: of 10 mL or more, with their middle within 5 cm of
        the scanned range (all organs if there is none).
    """
    n_organs = len(case.weights.names)
    judged = np.zeros(len(regions.names), dtype=np.bool_)
    low, high = case.range_mm
    z = organ_middle_mm(case)
    near = (z >= low - NEAR_MM) & (z <= high + NEAR_MM)
    large = case.weights.volume_ml >= SMALL_ORGAN_ML
    judged[:n_organs] = large & near if np.any(large & near) else True
    settings = spec.exam.settings
    deposit = transport_photons(
        case.patient, case.source, histories=settings.histories, precision=settings.precision,
        seed=spec.seed, organs=regions, precision_organs=judged, threads=threads,
        max_seconds=settings.max_seconds, device=settings.device,
    )  # fmt: skip
    scored = organ_statistics(deposit, case.photons * MGY_PER_KEV_PER_G)
    if scored is None:
        raise InputError("no organs were scored")
    return deposit, scored, judged


def organ_middle_mm(case: ScanCase) -> FloatArray:
    """Center of mass of every organ along z [mm]."""
    _, ny, nx = case.patient.grid.shape
    z = np.repeat(case.patient.grid.axis_centers_mm(0), ny * nx)
    weights = case.weights.weights_g
    return np.asarray(np.asarray(weights @ z) / np.asarray(weights.sum(axis=1)).ravel())

"""Organ doses of stored samples by a dose U-Net, beside the Monte Carlo's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from milligray.errors import InputError
from milligray.learn.dose_unet import partial_effective_dose_msv, predict_maps
from milligray.learn.ensemble import EnsembleDose, correlated_mean
from milligray.learn.inputs.dose_unet_inputs import DoseUnetInputs
from milligray.learn.network import Network
from milligray.train.dose_unet.patches import DoseCase

LEVEL = 0.9545
"""What two standard deviations of a normal error cover."""
LEAST_VOXELS = 8
REST = "Body (remaining tissue)"
SUM, PARTIAL = "summed organ dose", "partial effective dose"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganResult:
    """One organ of one sample, or a sum of organs [mGy; partial effective dose: mSv].

    Parameters
    ----------
    sample, patient, organ : str
    truth, dose : float
    aleatoric, epistemic, total : float
        Standard deviations, as the ensemble gives them.
    share_scanned : float
        Of the organ's voxels, in the scanned range.
    """

    sample: str
    patient: str
    organ: str
    truth: float
    dose: float
    aleatoric: float
    epistemic: float
    total: float
    share_scanned: float

    @property
    def relative_error(self) -> float:
        """(dose - truth) / truth."""
        return self.dose / self.truth - 1.0

    @property
    def score(self) -> float:
        """Error over its standard deviation."""
        return (self.dose - self.truth) / self.total

    def row(self) -> dict[str, Any]:
        """For a table."""
        return {
            "sample": self.sample, "patient": self.patient, "organ": self.organ,
            "truth_mgy": self.truth, "dose_mgy": self.dose,
            "relative_error": self.relative_error, "aleatoric": self.aleatoric / self.dose,
            "epistemic": self.epistemic / self.dose, "total": self.total / self.dose,
            "score": self.score, "share_scanned": self.share_scanned,
        }  # fmt: skip


def case_maps(case: DoseCase, network: Network, tile: int) -> EnsembleDose:
    """Maps of a sample by a network [mGy]."""
    inputs = DoseUnetInputs(channels=case.channels, guess=case.guess, scale_mgy=case.scale_mgy)
    return predict_maps(network, inputs, case.body, tile=tile)


def organ_results(case: DoseCase, found: EnsembleDose) -> list[OrganResult]:
    """Organs of a sample, then the sum over the labelled organs and the partial effective dose.

    Notes
    -----
    Truth and prediction are means over the same voxels with the same weights (electrons), so that
    nothing but the maps is compared. The sums (``summed organ dose``, ``partial effective dose``)
    leave out the rest of the body; their uncertainties are sums too: full correlation.
    """
    truth = case.dose * case.scale_mgy
    rows, masses = [], []
    scanned = np.broadcast_to(case.is_scanned[:, None, None], case.body.shape)
    for index, organ in enumerate(case.organs):
        place = (case.labels == index + 1) & case.body
        if np.count_nonzero(place) < LEAST_VOXELS:
            continue
        w = case.weight[place]
        means = [
            correlated_mean(w, m[place])
            for m in (truth, found.dose, found.aleatoric, found.epistemic, found.total)
        ]
        rows.append(OrganResult(
            sample=case.name, patient=case.patient, organ=organ, truth=means[0], dose=means[1],
            aleatoric=means[2], epistemic=means[3], total=means[4],
            share_scanned=float(scanned[place].mean()),
        ))  # fmt: skip
        masses.append(float(w.sum(dtype=np.float64)))
    return [*rows, *_sums(case, rows, masses)]


def _sums(case: DoseCase, rows: list[OrganResult], masses: list[float]) -> list[OrganResult]:
    organs = [row for row in rows if row.organ != REST]
    if not organs:
        return []
    share = float(np.mean([row.share_scanned for row in organs]))

    def summed(name: str, values: dict[str, float]) -> OrganResult:
        return OrganResult(
            sample=case.name, patient=case.patient, organ=name, share_scanned=share, **values
        )

    keys = ("truth", "dose", "aleatoric", "epistemic", "total")
    found = [summed(SUM, {k: sum(getattr(r, k) for r in organs) for k in keys})]
    columns = {key: np.array([getattr(row, key) for row in rows]) for key in keys}
    names, mass = [row.organ for row in rows], np.array(masses)
    try:
        values = {
            k: partial_effective_dose_msv(names, columns[k], columns[k], mass)[0] for k in keys
        }
    except InputError:
        return found
    return [*found, summed(PARTIAL, values)]


def temperature_of(results: list[OrganResult]) -> float:
    """Factor on the standard deviations with which two of them cover 95.45 % of some organs.

    Parameters
    ----------
    results : list of OrganResult
        Organs, or sums of them, of patients that no weight was fitted to.

    Notes
    -----
    ``t = q / 2`` with q the ``ceil((n + 1) 0.9545)``-th smallest of the n absolute scores (the
    largest at most): split conformal prediction. Patients, not organs, are independent, so the
    coverage of further patients scatters more than n tells.
    """
    scores = np.sort([abs(row.score) for row in results])
    if not scores.size:
        raise InputError("no organ to calibrate the uncertainty with")
    rank = min(scores.size, int(np.ceil((scores.size + 1) * LEVEL)))
    return float(scores[rank - 1] / 2.0)


def single_organs(results: list[OrganResult]) -> list[OrganResult]:
    """Without sums."""
    return [row for row in results if not row.organ.endswith(" dose")]

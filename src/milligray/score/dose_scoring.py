"""From energy imparted per photon to absorbed dose of the scan."""

import math

import numpy as np

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.score.ctdi import scan_photons
from milligray.score.dose import DoseMap, OrganDose, OrganDoses, OrganStatistics
from milligray.segment.organs import OrganMap
from milligray.source.ct_source import CtSource
from milligray.transport.deposit import EnergyDeposit
from milligray.transport.monte_carlo.goal import batch_statistics


def score_dose(
    deposit: EnergyDeposit,
    patient: Patient,
    source: CtSource | None = None,
    *,
    photons: float | None = None,
    unit: str = "mGy",
) -> DoseMap:
    """Absorbed dose in every voxel of the body, and of the organs that were scored.

    Parameters
    ----------
    deposit : EnergyDeposit
    patient : Patient
    source : CtSource, optional
        Its CTDIvol gives the number of photons, by `milligray.score.scan_photons`.
    photons : float, optional
        Photons of the scan (or of whatever `unit` refers to), instead of a source.
    unit : {"mGy", "mGy per 100 mAs"}

    Returns
    -------
    DoseMap

    Notes
    -----
    ``dose = energy_kev / mass_g x photons x (mGy per keV/g)``; voxels outside the body and without
    mass hold 0.
    """
    if not deposit.grid.is_same_as(patient.grid):
        raise InputError("the energy deposit is not on this patient's transport grid")
    if (source is None) == (photons is None):
        raise InputError("give either the source, whose CTDIvol sets the scale, or photons")
    if photons is None:
        assert source is not None  # noqa: S101 - told to the type checker
        photons = scan_photons(source)
    if not photons > 0:
        raise InputError(f"photons must be > 0, got {photons}")
    scale = photons * MGY_PER_KEV_PER_G
    scored = patient.body & (patient.density_g_cm3 > 0)
    dose = np.zeros(patient.grid.shape, dtype=np.float32)
    np.divide(
        deposit.energy_kev * scale, patient.mass_g, out=dose, where=scored, casting="same_kind"
    )
    return DoseMap(
        grid=deposit.grid,
        dose_mgy=dose,
        relative_uncertainty=np.where(scored, deposit.relative_uncertainty, np.float32(0.0)),
        method=f"monte-carlo:{deposit.estimator}",
        unit=unit,
        organs=organ_statistics(deposit, scale),
    )


def score_organ_dose(dose: DoseMap, organs: OrganMap) -> OrganDoses:
    """Mean absorbed dose of every organ.

    Parameters
    ----------
    dose : DoseMap
        From a transport that scored these organs.
    organs : OrganMap
        Tells which part of each organ lies in the image.

    Returns
    -------
    OrganDoses
        The uncertainty is that of the organ's sum from batch to batch, so the correlation
        between its voxels is in it.

    Raises
    ------
    InputError
        If the organs were not scored: their uncertainty cannot be made from the voxels'.
    """
    scored = dose.organs
    if scored is None:
        raise InputError("no organs were scored; give organs to transport_photons")
    return organ_doses(scored, organs, method=dose.method, unit=dose.unit)


def organ_doses(scored: OrganStatistics, organs: OrganMap, *, method: str, unit: str) -> OrganDoses:
    """Rows of the table of organ doses."""
    unknown = set(scored.names) - set(organs.names.values())
    if unknown:
        raise InputError(f"scored organs are not in this organ map: {', '.join(sorted(unknown))}")
    rows = tuple(
        OrganDose(
            organ=name,
            mean_dose_mgy=float(scored.mean_dose_mgy[i]),
            relative_uncertainty=float(scored.relative_uncertainty[i]),
            volume_ml=float(scored.volume_ml[i]),
            mass_g=float(scored.mass_g[i]),
            fraction_in_image=float(organs.fraction_in_image.get(name, math.nan)),
            method=method,
        )
        for i, name in enumerate(scored.names)
    )
    return OrganDoses(rows=rows, unit=unit)


def organ_statistics(deposit: EnergyDeposit, scale: float) -> OrganStatistics | None:
    """Mean dose of every organ with its statistics; `scale` is mGy per keV/g of one history."""
    if not deposit.organs:
        return None
    mean, relative = batch_statistics(deposit.organ_batches_kev_g)
    return OrganStatistics(
        names=deposit.organs,
        mean_dose_mgy=mean * scale,
        relative_uncertainty=relative,
        mass_g=deposit.organ_mass_g,
        volume_ml=deposit.organ_volume_ml,
    )

"""From energy imparted per photon to absorbed dose of the scan."""

import numpy as np

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.score.dose import DoseMap, OrganDose, OrganDoses
from milligray.transport.deposit import EnergyDeposit
from milligray.transport.monte_carlo.engine import batch_statistics


def score_dose(
    deposit: EnergyDeposit, patient: Patient, *, photons: float, unit: str = "mGy"
) -> DoseMap:
    """Absorbed dose in every voxel of the body.

    Parameters
    ----------
    deposit : EnergyDeposit
    patient : Patient
    photons : float
        Photons of the scan (or of whatever `unit` refers to).
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
    if not photons > 0:
        raise InputError(f"photons must be > 0, got {photons}")
    scored = patient.body & (patient.density_g_cm3 > 0)
    dose = np.zeros(patient.grid.shape, dtype=np.float32)
    np.divide(
        deposit.energy_kev * (photons * MGY_PER_KEV_PER_G), patient.mass_g,
        out=dose, where=scored, casting="same_kind",
    )  # fmt: skip
    uncertainty = np.where(scored, deposit.relative_uncertainty, np.float32(0.0))
    return DoseMap(
        grid=deposit.grid,
        dose_mgy=dose,
        relative_uncertainty=uncertainty,
        method=f"monte-carlo:{deposit.estimator}",
        unit=unit,
    )


def score_organ_dose(
    deposit: EnergyDeposit,
    *,
    photons: float,
    fraction_in_image: dict[str, float],
    unit: str = "mGy",
) -> OrganDoses:
    """Mean absorbed dose of every organ that was scored.

    Parameters
    ----------
    deposit : EnergyDeposit
        From a transport with organs.
    photons : float
    fraction_in_image : dict of str to float
        1 for whole organs, NaN for cut ones of unknown size; organs that are missing are whole.

    Returns
    -------
    OrganDoses
        The uncertainty is that of the organ's sum from batch to batch, so the correlation
        between its voxels is in it.
    """
    if not deposit.organs:
        raise InputError("no organs were scored; give organs to transport_photons")
    mean, relative = batch_statistics(deposit.organ_batches_kev_g)
    rows = tuple(
        OrganDose(
            organ=organ,
            mean_dose_mgy=float(mean[i] * photons * MGY_PER_KEV_PER_G),
            relative_uncertainty=float(relative[i]),
            volume_ml=float(deposit.organ_volume_ml[i]),
            mass_g=float(deposit.organ_mass_g[i]),
            fraction_in_image=float(fraction_in_image.get(organ, 1.0)),
            method=f"monte-carlo:{deposit.estimator}",
        )
        for i, organ in enumerate(deposit.organs)
    )
    return OrganDoses(rows=rows, unit=unit)

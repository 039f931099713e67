"""The methods of internal dosimetry, behind one call: decays in, dose map out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.errors import InputError
from milligray.exam.nm_settings import Method, NmSettings
from milligray.patient.patient import Patient
from milligray.score.dose import DoseMap, OrganStatistics
from milligray.score.dose_scoring import score_dose
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import Nuclide
from milligray.transport.deposit import EnergyDeposit
from milligray.transport.kernels.kernel_store import voxel_kernel
from milligray.transport.kernels.superposition import superpose, tissue_media, water_medium
from milligray.transport.local_deposition import deposit_locally
from milligray.transport.monte_carlo.decay_engine import transport_decays
from milligray.transport.monte_carlo.goal import Progress
from milligray.typing import FloatArray

DECAYS_PER_MBQ_S = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MethodDose:
    """What a method gave.

    Parameters
    ----------
    dose : DoseMap
        With the statistics of the organs.
    deposit : EnergyDeposit or None
        Of the Monte Carlo.
    notes : tuple of str
    """

    dose: DoseMap
    deposit: EnergyDeposit | None = None
    notes: tuple[str, ...] = ()


def dose_by_method(
    method: Method,
    patient: Patient,
    nuclide: Nuclide,
    tia_mbq_s: FloatArray,
    weights: OrganMassWeights,
    settings: NmSettings,
    *,
    histories: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> MethodDose:
    """Absorbed dose of decays by one method.

    Parameters
    ----------
    method : {"monte-carlo", "msv", "ssv", "local", "mird"}
    patient : Patient
    nuclide : Nuclide
    tia_mbq_s : ndarray, shape ``patient.grid.shape`` [MBq s]
    weights : OrganMassWeights
    settings : NmSettings
    histories : int, optional
        Of the Monte Carlo, instead of the settings' goal.
    progress : callable, optional

    Returns
    -------
    MethodDose
    """
    if method == "monte-carlo":
        return _monte_carlo(patient, nuclide, tia_mbq_s, weights, settings, histories, progress)
    if method == "mird":
        from milligray.exam.nm_mird import mird_dose  # noqa: PLC0415 - the last method to be asked

        return mird_dose(patient, nuclide, tia_mbq_s, weights, settings)
    decays = tia_mbq_s * DECAYS_PER_MBQ_S
    notes: tuple[str, ...] = ()
    relative = float("nan")
    if method == "local":
        energy = deposit_locally(patient, nuclide, decays)
        notes = ("local deposition: photons above 15 keV leave the body without dose",)
    else:
        media = water_medium() if method == "ssv" else tissue_media()
        energy, kernels = superpose(
            patient, nuclide, decays, media,
            lambda n, material, spacing, density: voxel_kernel(
                n, material, spacing, density_g_cm3=density, threads=settings.threads
            ),
        )  # fmt: skip
        relative = max(k.relative_uncertainty for k in kernels.values())
        notes = tuple(
            f"kernel of {k.medium}, {k.density_g_cm3:g} g/cm3: k=1"
            f" {100 * k.relative_uncertainty:.2f} % near the source"
            for k in kernels.values()
        )
    dose = energy * MGY_PER_KEV_PER_G
    return MethodDose(
        dose=dose_map(patient, dose, weights, method=method, relative=relative), notes=notes
    )


def dose_map(
    patient: Patient,
    dose_mgy: FloatArray,
    weights: OrganMassWeights,
    *,
    method: str,
    relative: float,
) -> DoseMap:
    """Dose map whose organ doses are the means of its voxels by mass."""
    mass = np.asarray(weights.weights_g.sum(axis=1)).ravel()
    mean = np.asarray(weights.weights_g @ dose_mgy.ravel()) / mass
    return DoseMap(
        grid=patient.grid, dose_mgy=dose_mgy.astype(np.float32),
        relative_uncertainty=np.full(patient.grid.shape, np.nan, dtype=np.float32), method=method,
        organs=OrganStatistics(
            names=weights.names, mean_dose_mgy=mean,
            relative_uncertainty=np.full(mean.size, 0.0 if np.isnan(relative) else relative),
            mass_g=weights.mass_g, volume_ml=weights.volume_ml,
        ),
    )  # fmt: skip


def _monte_carlo(
    patient: Patient,
    nuclide: Nuclide,
    tia_mbq_s: FloatArray,
    weights: OrganMassWeights,
    settings: NmSettings,
    histories: int | None,
    progress: Callable[[Progress], None] | None,
) -> MethodDose:
    total = float(tia_mbq_s.sum())
    if not total > 0:
        raise InputError("there is no activity in the patient")
    source = DecaySource(nuclide=nuclide, grid=patient.grid, decays=tia_mbq_s)
    number = histories or settings.histories
    deposit = transport_decays(
        patient, source, electrons=settings.electrons, histories=number,
        precision=None if number else settings.precision, organs=weights, seed=settings.seed,
        threads=settings.threads, max_seconds=settings.max_seconds, progress=progress,
    )  # fmt: skip
    dose = score_dose(deposit, patient, photons=total * DECAYS_PER_MBQ_S)
    below = dose.dose_mgy < 0
    notes: tuple[str, ...] = ()
    if below.any():
        # what leaves a voxel is taken from it, so few histories may leave it below zero
        share = float(below.sum()) / max(1, int(patient.body.sum()))
        notes = (
            f"{100 * share:.2g} % of the voxels came out below zero by noise and were set to 0",
        )
        dose = replace(dose, dose_mgy=np.maximum(dose.dose_mgy, 0.0))
    return MethodDose(dose=dose, deposit=deposit, notes=notes)

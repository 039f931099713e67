"""Organ-level dosimetry of an exam: S-values of the patient's own organs times their decays."""

import numpy as np

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.exam.nm_kinetics import shares_of_voxels
from milligray.exam.nm_methods import DECAYS_PER_MBQ_S, MethodDose
from milligray.exam.nm_settings import NmSettings
from milligray.patient.patient import Patient
from milligray.score.dose import DoseMap, OrganStatistics
from milligray.score.organ_level_mird import mird_doses
from milligray.score.organ_s_values import organ_s_values, with_remainder
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.nuclide import Nuclide
from milligray.transport.local_deposition import local_kev_per_decay
from milligray.typing import FloatArray

MIN_SHARE = 1e-3
"""Organs with less of all decays count as rest of the body."""


def mird_dose(
    patient: Patient,
    nuclide: Nuclide,
    tia_mbq_s: FloatArray,
    weights: OrganMassWeights,
    settings: NmSettings,
) -> MethodDose:
    """Organ doses by the MIRD schema with S-values of this patient.

    Activity is uniform within each organ that holds at least 0.1 % of the decays, and uniform in
    the rest of the body. An organ with less gets the energy of its own charged particles on the
    spot, and its photons count as the body's. The dose map holds each organ's mean dose in its
    voxels.
    """
    if settings.s_values != "patient":
        from milligray.exam.nm_reference_mird import reference_mird_dose  # noqa: PLC0415

        return reference_mird_dose(patient, nuclide, tia_mbq_s, weights, settings)
    organs = with_remainder(patient, weights)
    shares = shares_of_voxels(organs, patient.mass_g)
    inside = np.asarray(shares @ tia_mbq_s.ravel())
    total = float(tia_mbq_s.sum())
    inside[-1] += total - inside.sum()  # what lies outside the body counts as its rest
    is_source = inside >= MIN_SHARE * total
    is_source[-1] = True
    own = np.where(is_source, 0.0, inside) * DECAYS_PER_MBQ_S * local_kev_per_decay(nuclide)
    own_mgy = own * MGY_PER_KEV_PER_G / organs.mass_g
    inside[-1] += inside[~is_source].sum()
    sources = [name for name, used in zip(organs.names, is_source, strict=True) if used]
    table = organ_s_values(
        patient, organs, nuclide, sources=sources, phantom="this patient", seed=settings.seed,
        threads=settings.threads,
    )  # fmt: skip
    tia = {n: float(inside[i]) for i, n in enumerate(organs.names) if is_source[i]}
    doses = mird_doses(tia, table, patient_masses_g=table.masses_g)
    mean = np.array([d.dose_mgy for d in doses]) + own_mgy
    relative = np.array([d.statistical_uncertainty for d in doses])
    spread = np.asarray(shares.T @ mean).reshape(patient.grid.shape)
    n = len(weights.names)
    dose = DoseMap(
        grid=patient.grid, dose_mgy=np.where(patient.body, spread, 0.0).astype(np.float32),
        relative_uncertainty=np.full(patient.grid.shape, np.nan, dtype=np.float32), method="mird",
        organs=OrganStatistics(
            names=weights.names, mean_dose_mgy=mean[:n], relative_uncertainty=relative[:n],
            mass_g=weights.mass_g, volume_ml=weights.volume_ml,
        ),
    )  # fmt: skip
    note = f"MIRD: activity uniform in {len(sources) - 1} organs and in the rest of the body"
    return MethodDose(dose=dose, notes=(note, *table.notes))

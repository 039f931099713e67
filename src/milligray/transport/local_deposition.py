"""Local energy deposition: charged particles stop where they are emitted, photons leave."""

import numpy as np

from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.source.nuclide import Nuclide
from milligray.typing import FloatArray

MAX_LOCAL_PHOTON_KEV = 15.0
"""Photons up to here stay too: their mean free path in soft tissue is below 6 mm."""


def local_kev_per_decay(nuclide: Nuclide) -> float:
    """Energy of alphas, recoil nuclei, electrons, positrons and soft photons per decay [keV]."""
    total = sum(
        nuclide.energy_per_decay_kev(particle)
        for particle in ("alpha", "recoil", "electron", "positron")
    )
    photons = nuclide.lines("photon")
    if photons is not None:
        mean = photons.edges_kev.mean(axis=1)
        total += float(np.sum((photons.yields * mean)[mean <= MAX_LOCAL_PHOTON_KEV]))
    return float(total)


def deposit_locally(patient: Patient, nuclide: Nuclide, decays: FloatArray) -> FloatArray:
    """Specific energy with the density of every voxel, shape ``patient.grid.shape`` [keV/g].

    Parameters
    ----------
    patient : Patient
    nuclide : Nuclide
    decays : ndarray, shape ``patient.grid.shape``

    Notes
    -----
    ``D_v = decays_v E_local / m_v`` within the body. Right for alphas and soft betas in voxels
    larger than their range; photons above 15 keV give nothing, so organs far from the activity
    get nothing.
    """
    if decays.shape != patient.grid.shape:
        raise InputError(f"decays have shape {decays.shape}, the patient {patient.grid.shape}")
    mass = patient.mass_g.astype(np.float64)
    result = np.zeros(patient.grid.shape)
    inside = patient.body & (mass > 0)
    np.divide(decays * local_kev_per_decay(nuclide), mass, out=result, where=inside)
    return result

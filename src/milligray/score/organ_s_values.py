"""S-values between the organs of one patient, or of a phantom, by the project's own Monte Carlo."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.score.s_values import SValueTable
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import Nuclide
from milligray.transport.local_deposition import local_kev_per_decay
from milligray.transport.monte_carlo.decay_engine import transport_decays
from milligray.transport.monte_carlo.goal import batch_statistics
from milligray.typing import FloatArray

REMAINDER = "rest of the body"
DEFAULT_HISTORIES = 100_000
DECAYS_PER_MBQ_S = 1e6


def with_remainder(patient: Patient, weights: OrganMassWeights) -> OrganMassWeights:
    """Organs and, as one more, what of the body belongs to none of them."""
    mass = np.where(patient.body, patient.mass_g.astype(np.float64), 0.0).ravel()
    in_organs = np.asarray(weights.weights_g.sum(axis=0)).ravel()
    rest = np.maximum(mass - in_organs, 0.0)
    rest[rest < 1e-6 * mass] = 0.0
    density = np.maximum(patient.density_g_cm3.astype(np.float64).ravel(), 1e-6)
    return replace(
        weights, names=(*weights.names, REMAINDER),
        weights_g=scipy.sparse.vstack([weights.weights_g, rest[None, :]]).tocsr(),
        mass_g=np.append(weights.mass_g, rest.sum()),
        volume_ml=np.append(weights.volume_ml, float(np.sum(rest / density))),
    )  # fmt: skip


def organ_s_values(
    patient: Patient,
    weights: OrganMassWeights,
    nuclide: Nuclide,
    *,
    sources: Sequence[str],
    phantom: str,
    histories: int = DEFAULT_HISTORIES,
    seed: int = 1,
    threads: int | None = None,
    tell: Callable[[str], None] | None = None,
) -> SValueTable:
    """Dose of every organ per decay in each of some organs, activity uniform by mass.

    Parameters
    ----------
    patient : Patient
    weights : OrganMassWeights
        Targets; `with_remainder` adds the rest of the body.
    nuclide : Nuclide
    sources : sequence of str
        Names out of `weights`.
    phantom : str
        Whose anatomy, for the report.
    histories : int
        A source organ.
    seed, threads : int
    tell : callable, optional
        Told the name of each source as it begins.

    Returns
    -------
    SValueTable
        Charged particles: their kinetic energy stays in the source organ (MIRD's convention);
        everything else, what crosses the border of organs too, counts as photons.
    """
    unknown = set(sources) - set(weights.names)
    if unknown:
        raise InputError(f"no such source organs: {', '.join(sorted(unknown))}")
    n = len(weights.names)
    total, relative = np.zeros((n, len(sources))), np.zeros((n, len(sources)))
    charged = np.zeros_like(total)
    kinetic = local_kev_per_decay(nuclide)
    for column, name in enumerate(sources):
        if tell is not None:
            tell(name)
        row = weights.names.index(name)
        decays = uniform_by_mass(patient, weights, row)
        deposit = transport_decays(
            patient, DecaySource(nuclide=nuclide, grid=patient.grid, decays=decays),
            histories=histories, seed=seed + column, organs=weights, threads=threads,
        )  # fmt: skip
        mean, spread = batch_statistics(deposit.organ_batches_kev_g)
        total[:, column], relative[:, column] = mean, spread
        charged[row, column] = kinetic / deposit.organ_mass_g[row]
    scale = MGY_PER_KEV_PER_G * DECAYS_PER_MBQ_S
    charged = np.minimum(charged, total)
    return SValueTable(
        nuclide=nuclide.name, phantom=phantom, targets=weights.names, sources=tuple(sources),
        charged_mgy_per_mbq_s=charged * scale, photon_mgy_per_mbq_s=(total - charged) * scale,
        masses_g=dict(zip(weights.names, weights.mass_g.tolist(), strict=True)),
        relative_uncertainty=relative,
        notes=(f"S-values by Monte Carlo, {histories} emissions a source organ",),
    )  # fmt: skip


def uniform_by_mass(patient: Patient, weights: OrganMassWeights, row: int) -> FloatArray:
    """Decays spread over an organ by its mass, shape of the grid."""
    values = np.asarray(weights.weights_g[row].todense()).reshape(patient.grid.shape)
    return np.asarray(values, dtype=np.float64)

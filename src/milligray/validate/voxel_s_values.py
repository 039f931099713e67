"""S-values of voxels by our engine, in the geometry of the EGSnrc reference."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from milligray.constants import JOULE_PER_KEV
from milligray.data import load_json
from milligray.materials.material import Material
from milligray.patient.patient import Patient
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import EmissionLines, Nuclide, load_nuclide
from milligray.transport.monte_carlo.decay_engine import Electrons, transport_decays
from milligray.transport.monte_carlo.goal import batch_statistics
from milligray.volume import Grid

N, SOURCE_VOXEL, SPACING_MM = 64, 32, 3.0
DISTANCES = (1, 2, 3, 4, 5, 7, 10, 15, 20)
QUANTITIES = ("self", *(f"d{n}" for n in DISTANCES), "d1_edge12", "whole_MeV")
GRAM_PER_KG = 1000.0


@dataclass(frozen=True, slots=True)
class VoxelSValue:
    """Dose per decay [Gy], or energy per decay in the whole box [MeV], and its k = 1 there."""

    value: float
    sigma: float


def uniform_box(medium: str) -> Patient:
    """64 x 64 x 64 voxels of 3 mm of "SOFT", "LUNG" or "BONE", vacuum around."""
    entry = load_json("egsnrc/materials.json")[medium]
    density = entry["density_g_cm3"]
    grid = Grid.from_spacing((N, N, N), (SPACING_MM,) * 3)
    material = Material(
        name=medium.lower(), mass_fractions=entry["mass_fractions"],
        reference_density_g_cm3=density,
    )  # fmt: skip
    return Patient(
        grid=grid, density_g_cm3=np.full(grid.shape, density),
        material_index=np.zeros(grid.shape, dtype=np.uint8), materials=(material,),
        body=np.ones(grid.shape, dtype=bool),
    )  # fmt: skip


def source_of(name: str) -> Nuclide:
    """A nuclide without its progeny, as in the reference, or photons of 511 keV for "511"."""
    if name != "511":
        return load_nuclide(name, progeny=False)
    photons = EmissionLines(
        particle="photon", edges_kev=np.array([[511.0, 511.0]]), yields=np.array([1.0])
    )
    return Nuclide(name="511 keV photons", half_life_s=1.0, emissions=(photons,))


def voxel_s_values(
    source: Nuclide,
    medium: str,
    *,
    electrons: Electrons,
    histories: int,
    photon_share: float | None = None,
    annihilation_copies: int = 1,
    seed: int = 1,
    threads: int | None = None,
) -> dict[str, VoxelSValue]:
    """Means over the voxels at each distance along the axes, by `QUANTITIES`.

    Uncertainties are from the spread of the batches of each mean, so correlation between its
    voxels is in them.
    """
    patient = uniform_box(medium)
    decays = np.zeros(patient.grid.shape)
    decays[SOURCE_VOXEL, SOURCE_VOXEL, SOURCE_VOXEL] = 1.0
    deposit = transport_decays(
        patient,
        DecaySource(nuclide=source, grid=patient.grid, decays=decays, photon_share=photon_share),
        electrons=electrons, histories=histories, annihilation_copies=annihilation_copies,
        seed=seed, organs=_regions(patient), threads=threads,
    )  # fmt: skip
    mean, relative = batch_statistics(deposit.organ_batches_kev_g)
    scale = np.full(len(QUANTITIES), JOULE_PER_KEV * GRAM_PER_KG)
    scale[-1] = 1e-3 * deposit.organ_mass_g[-1]
    return {
        name: VoxelSValue(float(m * f), float(m * f * r))
        for name, m, f, r in zip(QUANTITIES, mean, scale, relative, strict=True)
    }


def whole_of(patient: Patient) -> OrganMassWeights:
    """All voxels as one region."""
    mass = patient.mass_g.astype(np.float64)
    volume = mass.size * patient.grid.voxel_volume_cm3
    return OrganMassWeights(
        names=("whole",), weights_g=scipy.sparse.csr_matrix(mass.reshape(1, -1)),
        mass_g=np.array([mass.sum()]), volume_ml=np.array([volume]),
    )  # fmt: skip


def _regions(patient: Patient) -> OrganMassWeights:
    """The voxels of each quantity, by mass."""
    mass = patient.mass_g.astype(np.float64)
    offset = np.indices(patient.grid.shape) - SOURCE_VOXEL
    distance = np.sort(np.abs(offset), axis=0)
    rows = []
    for name in QUANTITIES:
        wanted = {"self": (0, 0, 0), "d1_edge12": (0, 1, 1)}.get(name)
        if wanted is None and name != "whole_MeV":
            wanted = (0, 0, int(name[1:]))
        chosen = np.ones(patient.grid.shape, dtype=bool)
        if wanted is not None:
            chosen = np.all(distance == np.array(wanted)[:, None, None, None], axis=0)
        rows.append(scipy.sparse.csr_matrix(np.where(chosen, mass, 0.0).reshape(1, -1)))
    weights = scipy.sparse.vstack(rows).tocsr()
    total = np.asarray(weights.sum(axis=1)).ravel()
    density = float(patient.density_g_cm3.ravel()[0])
    return OrganMassWeights(
        names=QUANTITIES, weights_g=weights, mass_g=total, volume_ml=total / density
    )

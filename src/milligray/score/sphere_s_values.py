"""S-values of uniform spheres by the project's own Monte Carlo, and those that ship.

The energy around a point in an infinite medium, averaged over the pairs of points of a sphere: one
transport serves all masses.
"""

from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
import scipy.sparse

from milligray.constants import CM_PER_MM, MGY_PER_KEV_PER_G
from milligray.data import data_path, load_csv
from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.patient.patient import Patient
from milligray.score.s_values import SphereSValues
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.decay_source import ANNIHILATION_KEV, DecaySource
from milligray.source.nuclide import EmissionLines, Nuclide
from milligray.transport.monte_carlo.decay_engine import transport_decays
from milligray.transport.monte_carlo.goal import batch_statistics
from milligray.typing import FloatArray
from milligray.volume import Grid

DENSITY_G_CM3 = 1.04
"""Of soft tissue in lesions and in the reference persons' organs."""
MASSES_G = (*(m * 10.0**e for e in range(-2, 3) for m in (1.0, 2.0, 5.0)), 1000.0)
SHELLS_MM = (
    (0.05, 81, 0.0, 1.0, 0.2),
    (0.2, 81, 1.0, 4.0, 0.2),
    (0.8, 101, 4.0, 12.0, 0.5),
    (5.0, 91, 12.0, 1e9, 0.8),
)
"""Voxel size, number along an axis, the distances taken from this grid [mm], share of photons.

The distances end far from the faces, beyond which there is no medium to scatter back."""
DEFAULT_HISTORIES = 100_000
DECAYS_PER_MBQ_S = 1e6
ANNIHILATION_LINE_KEV = 0.5 * ANNIHILATION_KEV
TABLES = "spheres"


def sphere_radius_cm(mass_g: float, density_g_cm3: float = DENSITY_G_CM3) -> float:
    """Radius of a sphere [cm]."""
    return float((0.75 * mass_g / (np.pi * density_g_cm3)) ** (1.0 / 3.0))


def overlap(distance_cm: FloatArray, radius_cm: float) -> FloatArray:
    """Share of the points of a sphere whose neighbor at a distance, in any direction, is in it too.

    Notes
    -----
    ``1 - 3 r / (4 R) + r^3 / (16 R^3)`` up to the diameter, 0 beyond. Its integral over ``r`` is
    ``3 R / 4``, the mean chord from within.
    """
    x = np.clip(np.asarray(distance_cm) / radius_cm, 0.0, 2.0)
    return np.asarray(1.0 - 0.75 * x + x**3 / 16.0)


def absorbed_energies_kev(
    nuclide: Nuclide,
    material: Material,
    masses_g: FloatArray,
    *,
    density_g_cm3: float = DENSITY_G_CM3,
    histories: int = DEFAULT_HISTORIES,
    seed: int = 1,
    threads: int | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Energy per decay that spheres with uniform activity, in an infinite medium, absorb.

    Parameters
    ----------
    nuclide : Nuclide
    material : Material
        Within the spheres and around them.
    masses_g : ndarray, shape (n,) [g]
    density_g_cm3 : float [g/cm3]
    histories : int
        For each of four grids.
    seed, threads : int

    Returns
    -------
    energy_kev, sigma_kev : ndarray, shape (n,) [keV]

    Notes
    -----
    ``E(R) = integral of e(r) overlap(r, R) dr`` with ``e(r) dr`` the energy between ``r`` and
    ``r + dr`` of a point source. Electrons of photons travel too.
    """
    radii = [sphere_radius_cm(float(m), density_g_cm3) for m in masses_g]
    energy, variance = np.zeros(len(radii)), np.zeros(len(radii))
    for level, (spacing, n, nearest, farthest, share) in enumerate(SHELLS_MM):
        grid = Grid.from_spacing((n, n, n), (spacing,) * 3)
        box = Patient(
            grid=grid, density_g_cm3=np.full(grid.shape, density_g_cm3),
            material_index=np.zeros(grid.shape, dtype=np.uint8), materials=(material,),
            body=np.ones(grid.shape, dtype=bool),
        )  # fmt: skip
        shares = mean_overlaps(grid, radii, (nearest * CM_PER_MM, farthest * CM_PER_MM))
        rows = np.flatnonzero(shares.sum(axis=1) > 0)
        if rows.size == 0:
            continue
        source = DecaySource(nuclide=nuclide, center_lps_mm=(0.0, 0.0, 0.0), photon_share=share)
        deposit = transport_decays(
            box, source, electrons="all", histories=histories, seed=seed + level, threads=threads,
            organs=_weighted(box, shares[rows]),
        )  # fmt: skip
        mean, relative = batch_statistics(deposit.organ_batches_kev_g)
        kev = mean * deposit.organ_mass_g
        energy[rows] += kev
        variance[rows] += (kev * relative) ** 2
        if nearest == 0.0:  # what stays at the point itself
            middle = shares[:, shares.shape[1] // 2]
            energy += source.local_kev_per_decay * (1.0 - middle)
    return energy, np.sqrt(variance)


def mean_overlaps(grid: Grid, radii_cm: list[float], between_cm: tuple[float, float]) -> FloatArray:
    """Mean of `overlap` over every voxel, 0 outside the distances, shape (n_radii, n_voxels).

    Weighted by ``1 / r^2`` within a voxel, as the dose around a point falls. The grid is a cube of
    an odd number of cubes, the point in its middle.
    """
    spacing = grid.spacing_mm[0] * CM_PER_MM
    n = (grid.shape[0] + 1) // 2
    octant = np.indices((n, n, n)).reshape(3, -1).T
    away = octant.max(axis=1)
    result = np.zeros((len(radii_cm), len(octant)))
    for first, last, points in ((0, 0, 9), (1, 4, 5), (5, n, 3)):
        chosen = (away >= first) & (away <= last)
        offsets = (np.arange(points) + 0.5) / points - 0.5
        total, weight = np.zeros((len(radii_cm), int(chosen.sum()))), np.zeros(int(chosen.sum()))
        for offset in product(offsets, repeat=3):
            r = spacing * np.linalg.norm(octant[chosen] + np.array(offset), axis=1)
            r = np.maximum(r, 0.05 * spacing)
            weight += 1.0 / r**2
            inside = ((r >= between_cm[0]) & (r < between_cm[1])) / r**2
            for i, radius in enumerate(radii_cm):
                total[i] += inside * overlap(r, radius)
        result[:, chosen] = total / weight
    cube = result.reshape(len(radii_cm), n, n, n)
    for axis in (1, 2, 3):
        mirrored = np.flip(np.take(cube, np.arange(1, n), axis=axis), axis)
        cube = np.concatenate([mirrored, cube], axis=axis)
    return np.asarray(cube.reshape(len(radii_cm), -1))


def _weighted(box: Patient, shares: FloatArray) -> OrganMassWeights:
    """Weights of energies as an organ scorer takes them."""
    weights = scipy.sparse.csr_matrix(shares * box.mass_g.astype(np.float64).ravel())
    total = np.asarray(weights.sum(axis=1)).ravel()
    names = tuple(f"sphere {i}" for i in range(len(shares)))
    return OrganMassWeights(names=names, weights_g=weights, mass_g=total, volume_ml=total)


def photons_of(nuclide: Nuclide) -> Nuclide | None:
    """The nuclide's photons with those of annihilation, as if it happened at the decay."""
    edges, yields = [], []
    photons, positrons = nuclide.lines("photon"), nuclide.lines("positron")
    if photons is not None:
        edges.append(photons.edges_kev)
        yields.append(photons.yields)
    if positrons is not None:
        edges.append(np.full((1, 2), ANNIHILATION_LINE_KEV))
        yields.append(np.array([2.0 * positrons.total_yield]))
    if not edges:
        return None
    lines = EmissionLines(
        particle="photon", edges_kev=np.concatenate(edges), yields=np.concatenate(yields)
    )
    return replace(nuclide, emissions=(lines,))


def compute_sphere_s_values(
    nuclide: Nuclide,
    material: Material,
    *,
    masses_g: tuple[float, ...] = MASSES_G,
    density_g_cm3: float = DENSITY_G_CM3,
    histories: int = DEFAULT_HISTORIES,
    seed: int = 1,
    threads: int | None = None,
) -> SphereSValues:
    """Self-dose per decay of uniform spheres surrounded by the same material.

    Returns
    -------
    SphereSValues
        Photons: those emitted and those of annihilation; charged particles: all the rest, so with
        bremsstrahlung.
    """
    masses = np.array(masses_g)
    total, sigma = absorbed_energies_kev(
        nuclide, material, masses, density_g_cm3=density_g_cm3, histories=histories, seed=seed,
        threads=threads,
    )  # fmt: skip
    photon = np.zeros_like(total)
    lines = photons_of(nuclide)
    if lines is not None:
        photon, _ = absorbed_energies_kev(
            lines, material, masses, density_g_cm3=density_g_cm3, histories=histories,
            seed=seed + 100, threads=threads,
        )  # fmt: skip
    photon = np.minimum(photon, total)
    scale = MGY_PER_KEV_PER_G * DECAYS_PER_MBQ_S / masses
    return SphereSValues(
        nuclide=nuclide.name, material=f"{material.name}, {density_g_cm3:g} g/cm3",
        masses_g=masses, charged_mgy_per_mbq_s=(total - photon) * scale,
        photon_mgy_per_mbq_s=photon * scale, relative_uncertainty=float(np.max(sigma / total)),
    )  # fmt: skip


@lru_cache(maxsize=16)
def load_sphere_s_values(nuclide: str) -> SphereSValues:
    """The table of a nuclide that ships.

    Raises
    ------
    InputError
        If there is none: `compute_sphere_s_values` makes one within a minute or two.
    """
    if not (data_path(TABLES) / f"{nuclide}.csv").is_file():
        there = sorted(
            p.name.removesuffix(".csv") for p in data_path(TABLES).iterdir() if ".csv" in p.name
        )
        raise InputError(
            f"no table of spheres ships for {nuclide}; there are {', '.join(there)}. Others are"
            " computed by milligray.score.sphere_s_values.compute_sphere_s_values"
        )
    rows = load_csv(f"{TABLES}/{nuclide}.csv")

    def column(name: str) -> FloatArray:
        return np.array([float(row[name]) for row in rows])

    return SphereSValues(
        nuclide=nuclide, material=f"soft_tissue, {DENSITY_G_CM3:g} g/cm3",
        masses_g=column("mass_g"), charged_mgy_per_mbq_s=column("charged_mgy_per_mbq_s"),
        photon_mgy_per_mbq_s=column("photon_mgy_per_mbq_s"),
        relative_uncertainty=float(column("relative_uncertainty").max()),
    )  # fmt: skip

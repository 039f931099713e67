"""Transport of one source voxel's decays until its kernel is certain enough far away."""

import math
from dataclasses import dataclass

import numpy as np

from milligray.constants import ELECTRON_REST_ENERGY_KEV
from milligray.draws import fraction
from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import Nuclide
from milligray.transport.monte_carlo.decay_engine import Electrons, transport_decays
from milligray.typing import BoolArray, FloatArray

PILOT_HISTORIES = 20_000
RESERVE = 1.005
"""The mean over thousands of voxels tells the histories that are missing as well as this."""
GROWTH = 40
MAX_RUNS = 6
MAX_HISTORIES = 50_000_000
SHELL_HALF_MM = 5.0
LEAST_VOXELS = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceKernel:
    """Energy imparted around a source voxel.

    Parameters
    ----------
    energy_kev : ndarray, shape ``grid.shape``, float64 [keV per decay]
    relative_uncertainty : ndarray, shape ``grid.shape``
        k = 1; 1 where nothing was deposited.
    reached : float
        Mean relative uncertainty of the voxels that the goal is judged by.
    histories : int
        Emissions, all runs together.
    converged : bool
    """

    energy_kev: FloatArray
    relative_uncertainty: FloatArray
    reached: float
    histories: int
    converged: bool


def judged_shell(body: BoolArray, spacing_mm: float, at_mm: float) -> tuple[BoolArray, float]:
    """Voxels by which the precision of a kernel is judged, and their mean distance [mm].

    Parameters
    ----------
    body : ndarray of bool, shape (n, n, n)
        Of the patch around the source voxel ``(n // 2,) * 3``.
    spacing_mm : float [mm]
    at_mm : float [mm]
        Distance wanted.

    Returns
    -------
    shell : ndarray of bool, shape (n, n, n)
        Voxels of the patch and of the body whose center is within 5 mm of that distance from the
        center of the source voxel.
    at_mm : float [mm]
        The distance wanted; where fewer than 50 voxels lie so far away (a small patient, a small
        patch) the largest one that is shorter by whole steps of 5 mm and has them.
    """
    middle = body.shape[0] // 2
    squares = (np.arange(body.shape[0]) - middle) ** 2
    r = spacing_mm * np.sqrt(squares[:, None, None] + squares[:, None] + squares)
    while at_mm > 0:
        shell = body & (np.abs(r - at_mm) <= SHELL_HALF_MM)
        if np.count_nonzero(shell) >= LEAST_VOXELS:
            return shell, at_mm
        at_mm -= SHELL_HALF_MM
    return body, 0.0


def transport_kernel(
    box: Patient,
    nuclide: Nuclide,
    *,
    judged: BoolArray,
    precision: float,
    electrons: Electrons,
    annihilation_copies: int,
    key: tuple[object, ...],
    threads: int,
    histories: int | None = None,
) -> SourceKernel:
    """Energy around the middle voxel of a box, with as many histories as it needs.

    Parameters
    ----------
    box : Patient
        The source is the voxel ``(n // 2,) * 3``, uniform within it.
    nuclide : Nuclide
        Progeny included, as it was loaded.
    judged : ndarray of bool, shape ``box.grid.shape``
        Of `judged_shell`.
    precision : float
        Mean of the relative standard deviation (k = 1) of the judged voxels.
    electrons, annihilation_copies
        See `transport_decays`.
    key : tuple
        Of the random numbers: same key, same bits, for any number of threads.
    threads : int
    histories : int, optional
        So many instead of a precision.

    Notes
    -----
    A pilot of 20,000 emissions tells the mean s, and a second run adds what is missing to
    ``N = N_pilot (1.005 s / precision)^2``; where that was not enough, or voxels that nothing hit
    (counted as 1) make s too small, more runs follow. All runs count:

        E = sum_i N_i E_i / sum_i N_i,   var(E) = sum_i N_i^2 var_i / (sum_i N_i)^2
    """
    shape = box.grid.shape
    middle = (shape[0] // 2, shape[1] // 2, shape[2] // 2)
    decays = np.zeros(shape)
    decays[middle] = 1.0
    source = DecaySource(nuclide=nuclide, grid=box.grid, decays=decays)
    if not judged.any():
        raise InputError("no voxel of the body by which a precision could be judged")
    energy, variance = np.zeros(shape), np.zeros(shape)
    relative: FloatArray = np.ones(shape)
    done, wanted = 0, PILOT_HISTORIES if histories is None else histories
    reached, run = math.inf, 0
    while done < wanted:
        deposit = transport_decays(
            box, source, electrons=electrons, histories=wanted - done,
            annihilation_copies=annihilation_copies,
            seed=int(fraction(*key, nuclide.name, "kernel", run) * 2**48), threads=threads,
        )  # fmt: skip
        n = deposit.histories
        energy += n * deposit.energy_kev
        variance += (n * deposit.energy_kev * deposit.relative_uncertainty) ** 2
        done, run = done + n, run + 1
        relative = _relative(energy, variance)
        reached = float(relative[judged].mean())
        if histories is None and reached > precision and run < MAX_RUNS:
            missing = math.ceil(done * (RESERVE * reached / precision) ** 2)
            wanted = min(missing, GROWTH * done, MAX_HISTORIES)
    return SourceKernel(
        energy_kev=energy / done, relative_uncertainty=relative, reached=reached, histories=done,
        converged=histories is not None or reached <= precision,
    )  # fmt: skip


def emitted_kev_per_decay(nuclide: Nuclide) -> float:
    """Energy that a decay hands out, annihilation photons included, neutrinos not [keV]."""
    positrons = nuclide.lines("positron")
    count = 0.0 if positrons is None else positrons.total_yield
    return nuclide.energy_per_decay_kev() + 2.0 * ELECTRON_REST_ENERGY_KEV * count


def _relative(energy: FloatArray, variance: FloatArray) -> FloatArray:
    hit = energy > 0
    spread = np.sqrt(variance)
    return np.where(hit, np.divide(spread, energy, out=np.ones_like(energy), where=hit), 1.0)

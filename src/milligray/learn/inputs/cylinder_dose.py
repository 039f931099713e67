"""Dose of one position of the tube in a water cylinder: what a beam does to something simple."""

import contextlib
import hashlib
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milligray.errors import InputError
from milligray.learn.inputs.slab import slab_grid, water_cylinder_on
from milligray.physics.compiled import sources_stamp
from milligray.score.claim import claimed
from milligray.score.dose_scoring import score_dose
from milligray.source.ct_source import CtSource
from milligray.source.position_source import make_position_source
from milligray.source.tube import cache_folder
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.typing import FloatArray
from milligray.volume import Grid

CYLINDER_DIAMETER_MM = 320.0
HISTORIES = 40_000_000
SCATTER_MM = 100.0
"""Cylinder beyond the slab along z that scatters into it."""
_VERSION = 1
_SEED = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CylinderDose:
    """Dose of one position in the cylinder and in the air around it.

    Parameters
    ----------
    grid : Grid
        From `slab_grid` with the tube at z = 0 and the isocenter at (0, 0).
    dose_mgy : ndarray, shape ``grid.shape``, float32 [mGy per photon]
    relative_uncertainty : ndarray, same shape, float32
        k = 1.
    """

    grid: Grid
    dose_mgy: FloatArray
    relative_uncertainty: FloatArray


def cylinder_dose(
    source: CtSource,
    shape_zyx: tuple[int, int, int],
    voxel_size_mm: float,
    *,
    histories: int | None = None,
    threads: int | None = None,
    device: str = "cpu",
    cache: bool = True,
) -> CylinderDose:
    """Dose of a photon of the beam in a water cylinder of 32 cm around the axis, tube at angle 0.

    Parameters
    ----------
    source : CtSource
        Only its beam counts: with the same cylinder around the axis, the dose is the same for
        every angle and z of the tube.
    shape_zyx : (z, depth, lateral)
    voxel_size_mm : float [mm]
    histories : int, optional
        Default: `HISTORIES`.
    threads : int, optional
    device : {"cpu", "cuda", "auto"}
    cache : bool
        Take the result from the cache folder if this beam was simulated before.

    Returns
    -------
    CylinderDose
        Mean of the four mirror images (left and right, head and foot): beam and cylinder have
        both symmetries.
    """
    histories = HISTORIES if histories is None else histories
    key = _key(source, shape_zyx, voxel_size_mm, histories)
    path = cache_folder() / f"cylinder-{key}.npz"
    grid = slab_grid(shape_zyx, voxel_size_mm, (0.0, 0.0), 0.0)
    stored = _read(path, grid) if cache else None
    if stored is not None:
        return stored
    with claimed(path) if cache else contextlib.nullcontext():
        stored = _read(path, grid) if cache else None  # another process may have made it
        if stored is None:
            stored = _simulate(source, grid, histories, threads, device)
            if cache:
                _write(path, stored)
    return stored


def _simulate(
    source: CtSource, grid: Grid, histories: int, threads: int | None, device: str
) -> CylinderDose:
    nz, size = grid.shape[0], grid.spacing_mm[0]
    more = int(np.ceil(SCATTER_MM / size))
    wide = slab_grid((nz + 2 * more, *grid.shape[1:]), size, (0.0, 0.0), 0.0)
    beam = make_position_source(source.single_rotation(), angle_rad=0.0, z_mm=0.0)
    if 0.5 * grid.shape[1] * size >= source.field.focal_radius_mm:
        raise InputError("the slab of the water cylinder reaches the tube; take less depth")
    cylinder = water_cylinder_on(wide, (0.0, 0.0), CYLINDER_DIAMETER_MM)
    deposit = transport_photons(
        cylinder, beam, histories=histories, seed=_SEED, threads=threads, device=device
    )
    scored = score_dose(deposit, cylinder, photons=1.0, unit="mGy")
    dose = scored.dose_mgy[more : more + nz].astype(np.float64)
    variance = (dose * scored.relative_uncertainty[more : more + nz]) ** 2
    mean, of_mean = (sum(v[:, :, ::s][::t] for s in (1, -1) for t in (1, -1)) / 4.0
                     for v in (dose, variance))  # fmt: skip
    relative = np.divide(
        np.sqrt(of_mean) / 2.0, mean, out=np.zeros_like(mean), where=np.asarray(mean) > 0
    )
    return CylinderDose(
        grid=grid, dose_mgy=np.asarray(mean, dtype=np.float32),
        relative_uncertainty=relative.astype(np.float32),
    )  # fmt: skip


def _key(
    source: CtSource, shape_zyx: tuple[int, int, int], voxel_size_mm: float, histories: int
) -> str:
    """Hash of all that the dose depends on, physics included."""
    field = source.field
    digest = hashlib.sha256()
    head = (
        _VERSION, sources_stamp(), shape_zyx, voxel_size_mm, histories, CYLINDER_DIAMETER_MM,
        field.focal_radius_mm, field.width_mm, field.height_mm,
    )  # fmt: skip
    digest.update(repr(head).encode())
    for array in (
        field.spectrum.edges_kev, field.spectrum.weights, field.filter_mu_per_mm,
        field.filter_fan_angle_rad, field.filter_thickness_mm,
    ):  # fmt: skip
        digest.update(np.round(np.asarray(array, dtype=np.float64), 12).tobytes())
    return digest.hexdigest()[:24]


def _read(path: Path, grid: Grid) -> CylinderDose | None:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            dose, relative = file["dose"], file["relative_uncertainty"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # absent or damaged: simulate again
    if dose.shape != grid.shape or relative.shape != grid.shape:
        return None
    return CylinderDose(grid=grid, dose_mgy=dose, relative_uncertainty=relative)


def _write(path: Path, made: CylinderDose) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, dose=made.dose_mgy, relative_uncertainty=made.relative_uncertainty)
        Path(name).replace(path)
    except OSError:
        return  # a cache that cannot be written costs time, not the result

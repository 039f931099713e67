"""Kernels that ship, kernels that were computed before, kernels that must be computed now."""

import hashlib
import logging
import os
import zipfile
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np

from milligray.materials.material import Material
from milligray.source.nuclide import Nuclide
from milligray.source.tube import cache_folder
from milligray.transport.kernels.make_kernel import (
    DEFAULT_HISTORIES,
    compute_voxel_kernel,
)
from milligray.transport.kernels.voxel_kernel import VoxelKernel

PHYSICS_VERSION = 1
"""Rises with every change of the physics that moves a kernel."""
_LOG = logging.getLogger(__name__)
_ARRAYS = ("near_kev_g", "tail_mm", "tail_kev_g")
_SCALARS = ("nuclide", "medium", "density_g_cm3", "relative_uncertainty", "histories", "electrons")


def voxel_kernel(
    nuclide: Nuclide,
    medium: Material,
    spacing_mm: tuple[float, float, float],
    *,
    density_g_cm3: float | None = None,
    histories: int = DEFAULT_HISTORIES,
    threads: int | None = None,
) -> VoxelKernel:
    """Kernel of a nuclide in a medium: shipped, from the cache, or computed and kept there.

    Parameters
    ----------
    nuclide : Nuclide
    medium : Material
    spacing_mm : tuple of float (z, y, x) [mm]
        Rounded to 0.01 mm.
    density_g_cm3 : float, optional [g/cm3]
    histories : int
        For a kernel that must be computed; minutes.
    threads : int, optional

    Returns
    -------
    VoxelKernel
    """
    density = medium.reference_density_g_cm3 if density_g_cm3 is None else density_g_cm3
    spacing = (round(spacing_mm[0], 2), round(spacing_mm[1], 2), round(spacing_mm[2], 2))
    name = f"{nuclide.name}-{kernel_key(nuclide, medium, spacing, density)}.npz"
    shipped = shipped_kernel(nuclide, medium, spacing, density)
    if shipped is not None:
        return shipped
    path = cache_folder() / "kernels" / name
    if path.is_file():
        try:
            with path.open("rb") as stream:
                return _read(stream)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            _LOG.debug("damaged cache file %s is made anew: %s", path.name, error)
    kernel = compute_voxel_kernel(
        nuclide, medium, spacing, density_g_cm3=density, histories=histories, threads=threads
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_kernel(kernel, path)
    except OSError as error:
        _LOG.debug("the kernel is not kept: %s", error)
    return kernel


def shipped_kernel(
    nuclide: Nuclide,
    medium: Material,
    spacing_mm: tuple[float, float, float],
    density_g_cm3: float,
) -> VoxelKernel | None:
    """Kernel that comes with the package, None if there is none."""
    name = f"{nuclide.name}-{kernel_key(nuclide, medium, spacing_mm, density_g_cm3)}.npz"
    path = resources.files("milligray.data") / "kernels" / name
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return _read(stream)


def kernel_key(
    nuclide: Nuclide,
    medium: Material,
    spacing_mm: tuple[float, float, float],
    density_g_cm3: float,
) -> str:
    """Short hash of all that decides a kernel."""
    digest = hashlib.sha256(f"{PHYSICS_VERSION} {nuclide.name} {spacing_mm}".encode())
    digest.update(f"{density_g_cm3:.6g} {sorted(medium.mass_fractions.items())}".encode())
    for lines in nuclide.emissions:
        digest.update(lines.particle.encode())
        digest.update(np.round(lines.edges_kev, 6).tobytes() + np.round(lines.yields, 9).tobytes())
    return digest.hexdigest()[:16]


def write_kernel(kernel: VoxelKernel, path: Path) -> None:
    """Keep a kernel: the octant of its near part and its tail, in float32."""
    middle = kernel.near_kev_g.shape[0] // 2
    octant = kernel.near_kev_g[middle:, middle:, middle:]
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as stream:
        arrays: dict[str, Any] = {name: np.array(getattr(kernel, name)) for name in _SCALARS}
        np.savez_compressed(
            stream, near_kev_g=octant.astype(np.float32),
            tail_mm=kernel.tail_mm.astype(np.float32),
            tail_kev_g=kernel.tail_kev_g.astype(np.float32), spacing_mm=np.array(kernel.spacing_mm),
            **arrays,
        )  # fmt: skip
    partial.replace(path)


def _read(stream: IO[bytes]) -> VoxelKernel:
    with np.load(stream, allow_pickle=False) as file:
        arrays = {name: file[name].astype(np.float64) for name in _ARRAYS}
        values: dict[str, Any] = {name: file[name].item() for name in _SCALARS}
        spacing = tuple(float(s) for s in file["spacing_mm"])
    near = arrays.pop("near_kev_g")
    for axis in range(3):
        rest = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        near = np.concatenate([np.flip(near[rest], axis), near], axis=axis)
    return VoxelKernel(near_kev_g=near, spacing_mm=spacing, **arrays, **values)  # type: ignore[arg-type]

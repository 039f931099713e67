"""Dose of a map of decays by kernels: one of water everywhere, or one for every kind of tissue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.source.nuclide import Nuclide
from milligray.transport.kernels.voxel_kernel import VoxelKernel
from milligray.typing import FloatArray

MAX_REACH_MM = 400.0
"""Longest displacement over which a decay gives dose."""
KernelOf = Callable[[Nuclide, Material, tuple[float, float, float], float], VoxelKernel]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelMedium:
    """A kind of tissue with a kernel of its own.

    Parameters
    ----------
    name : str
    material : Material
    density_g_cm3 : float [g/cm3]
        Of the kernel.
    up_to_g_cm3 : float [g/cm3]
        Voxels of lower density than this, and not of the medium before, belong to it.
    """

    name: str
    material: Material
    density_g_cm3: float
    up_to_g_cm3: float


def water_medium() -> tuple[KernelMedium, ...]:
    """The single medium of the SSV method."""
    water = load_material("water")
    return (
        KernelMedium(name="water", material=water, density_g_cm3=1.0, up_to_g_cm3=np.inf),
    )  # fmt: skip


def tissue_media() -> tuple[KernelMedium, ...]:
    """Lung, soft tissue, spongy and compact bone, as in the published MSV method.

    Densities in between belong to the nearer kernel (the middle of the two densities).
    """
    lung, soft, bone = (load_material(n) for n in ("lung", "soft_tissue", "cortical_bone"))
    spongy = Material(
        name="spongy bone",
        mass_fractions={
            e: 0.5 * (soft.mass_fractions.get(e, 0.0) + bone.mass_fractions.get(e, 0.0))
            for e in {*soft.mass_fractions, *bone.mass_fractions}
        },
        reference_density_g_cm3=1.4,
    )
    return (
        KernelMedium(name="lung", material=lung, density_g_cm3=0.26, up_to_g_cm3=0.66),
        KernelMedium(name="soft tissue", material=soft, density_g_cm3=1.06, up_to_g_cm3=1.23),
        KernelMedium(name="spongy bone", material=spongy, density_g_cm3=1.40, up_to_g_cm3=1.62),
        KernelMedium(name="compact bone", material=bone, density_g_cm3=1.85, up_to_g_cm3=np.inf),
    )


def convolve_kernel(decays: FloatArray, kernel: VoxelKernel) -> FloatArray:
    """Specific energy of a map of decays in a uniform medium, shape of `decays` [keV/g].

    By fast Fourier transform; the error of rounding is below 1e-6 of the largest value, and
    results below zero within it are set to zero.
    """
    from scipy.signal import fftconvolve  # noqa: PLC0415 - 0.2 s, only here

    half = [
        min(n - 1, int(MAX_REACH_MM / s)) if n > 1 else 0
        for n, s in zip(decays.shape, kernel.spacing_mm, strict=True)
    ]
    response = kernel.on_offsets((half[0], half[1], half[2]))
    used = [np.flatnonzero(decays.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if any(u.size == 0 for u in used):
        raise InputError("there is no decay anywhere")
    box = tuple(slice(u[0], u[-1] + 1) for u in used)
    full = fftconvolve(decays[box], response, mode="full")
    result = np.zeros(decays.shape)
    target, origin = [], []
    for axis in range(3):
        first = box[axis].start - half[axis]
        low, high = max(0, first), min(decays.shape[axis], first + full.shape[axis])
        target.append(slice(low, high))
        origin.append(slice(low - first, high - first))
    result[tuple(target)] = full[tuple(origin)]
    return np.maximum(result, 0.0)


def superpose(
    patient: Patient,
    nuclide: Nuclide,
    decays: FloatArray,
    media: tuple[KernelMedium, ...],
    kernel_of: KernelOf,
) -> tuple[FloatArray, Mapping[str, VoxelKernel]]:
    """Specific energy by the kernel of the medium of every target voxel.

    Parameters
    ----------
    patient : Patient
    nuclide : Nuclide
    decays : ndarray, shape ``patient.grid.shape``
    media : tuple of KernelMedium
        `water_medium` (SSV) or `tissue_media` (MSV).
    kernel_of : callable (nuclide, material, spacing_mm, density) -> VoxelKernel

    Returns
    -------
    specific_energy : ndarray, shape ``patient.grid.shape`` [keV/g times the unit of decays]
        Within the body; 0 outside.
    kernels : mapping of medium to VoxelKernel
        Those that were used.

    Notes
    -----
    ``D_v = sum_u decays_u K_m(v)(v - u)`` with the medium ``m`` of the target voxel ``v``: right
    where source and target lie in one large organ, wrong at borders, for what lies between them
    counts as the target's medium (Lee et al. 2018).

    References
    ----------
    Lee MS, Kim JH, Paeng JC, et al. Whole-body voxel-based personalized dosimetry: the multiple
    voxel S-value approach. J Nucl Med 59 (2018) 1133-1139.
    """
    if decays.shape != patient.grid.shape:
        raise InputError(f"decays have shape {decays.shape}, the patient {patient.grid.shape}")
    result = np.zeros(patient.grid.shape)
    kernels: dict[str, VoxelKernel] = {}
    lower = -np.inf
    for medium in media:
        density = patient.density_g_cm3
        mask = patient.body & (density >= lower) & (density < medium.up_to_g_cm3)
        lower = medium.up_to_g_cm3
        if not mask.any():
            continue
        kernel = kernel_of(nuclide, medium.material, patient.grid.spacing_mm, medium.density_g_cm3)
        kernels[medium.name] = kernel
        result[mask] = convolve_kernel(decays, kernel)[mask]
    return result, kernels

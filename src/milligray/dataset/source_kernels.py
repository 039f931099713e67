"""Kind ``source-kernels``: matter around a voxel to the energy that its decays impart there."""

from dataclasses import replace

import numpy as np

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.dataset.anatomy_case import open_anatomy
from milligray.dataset.kernel_precision import (
    SHELL_HALF_MM,
    SourceKernel,
    emitted_kev_per_decay,
    judged_shell,
    transport_kernel,
)
from milligray.dataset.kinds import Sample, SampleArray, per_value, register
from milligray.dataset.patients import SampleSpec
from milligray.dataset.settings import SetSettings
from milligray.dataset.source_voxels import STRATA, draw_source_voxels
from milligray.errors import InputError
from milligray.learn.inputs.kernel_patch import cut_patch, middle_of
from milligray.source.decay_source import DEFAULT_PHOTON_SHARE
from milligray.source.nuclide import Nuclide, load_nuclide
from milligray.transport.monte_carlo.decay_engine import ELECTRONS

DECAYS_PER_MBQ_S = 1e6
MOST_COPIES = 16


def check_kernel_settings(settings: SetSettings) -> SetSettings:
    """Settings with the nuclides' names as ICRP 107 has them.

    Raises
    ------
    InputError
        If a nuclide is unknown or named twice, or an option has no such value.
    """
    names = tuple(load_nuclide(name).name for name in settings.nuclides)
    if len(set(names)) != len(names):
        raise InputError(f"nuclides must differ, got {', '.join(names)}")
    if settings.electrons not in ELECTRONS:
        raise InputError(
            f"electrons must be one of {', '.join(ELECTRONS)}, got {settings.electrons!r}"
        )
    if not 1 <= settings.annihilation_copies <= MOST_COPIES:
        raise InputError(
            f"annihilation_copies must lie between 1 and {MOST_COPIES}, got"
            f" {settings.annihilation_copies}"
        )
    return replace(settings, nuclides=names)


@register(
    "source-kernels",
    title="density and tissue around a source voxel -> energy imparted per decay",
    voxel_size_mm=3.0,
    voxel_precision=0.04,
    needs_scan=False,
    check=check_kernel_settings,
)
def build_source_kernels(spec: SampleSpec, threads: int) -> Sample:
    """Some source voxels of one patient."""
    settings, size = spec.settings, spec.exam.settings.voxel_size_mm
    if size is None:
        raise InputError("samples of this kind need a voxel size")
    if spec.exam.settings.device == "cuda":
        raise InputError("decays are transported by the processor: take --device cpu")
    nuclides = [load_nuclide(name) for name in settings.nuclides]
    patient, attributes = open_anatomy(spec)
    places, strata, present = draw_source_voxels(
        patient, settings.positions, weights=settings.source_weights, key=spec.key
    )
    n = settings.patch_voxels
    margin = int(np.ceil(settings.surroundings_mm / size - 1e-9))
    inputs: dict[str, list[np.ndarray]] = {name: [] for name in ("density", "material", "body")}
    kernels: dict[str, list[SourceKernel]] = {nuclide.name: [] for nuclide in nuclides}
    judged_at: list[float] = []
    names: tuple[str, ...] = ()
    for number, place in enumerate(places):
        box = cut_patch(patient, place, n + 2 * margin)
        patch = middle_of(box, n)
        names = tuple(material.name for material in patch.materials)
        inputs["density"].append(patch.density_g_cm3)
        inputs["material"].append(patch.material_index)
        inputs["body"].append(patch.body)
        shell, at_mm = judged_shell(patch.body, size, settings.precision_at_mm)
        judged_at.append(at_mm)
        core = (slice(margin, margin + n),) * 3
        judged = np.zeros(box.grid.shape, dtype=np.bool_)
        judged[core] = shell
        for nuclide in nuclides:
            kernel = transport_kernel(
                box, nuclide, judged=judged, precision=settings.voxel_precision,
                electrons=settings.electrons, annihilation_copies=settings.annihilation_copies,
                key=(spec.seed, number), threads=threads, histories=spec.exam.settings.histories,
            )  # fmt: skip
            kernels[nuclide.name].append(
                replace(
                    kernel, energy_kev=kernel.energy_kev[core].astype(np.float32),
                    relative_uncertainty=kernel.relative_uncertainty[core].astype(np.float32),
                )
            )  # fmt: skip
    arrays: dict[str, SampleArray] = {
        "density": per_value(inputs["density"], "g/cm3", "source voxel at index n // 2; air beyond"
                             " the image"),
        "material_index": per_value(inputs["material"], "", "row of the attribute materials",
                                    np.uint8),
        "body": per_value(inputs["body"], "", "1 in the patient", np.uint8),
        "source_index": per_value(places, "", "voxel (k, j, i) of the transport grid", np.int32),
        "source_lps": per_value(patient.grid.to_lps_mm(places), "mm", "its center (x, y, z)",
                                np.float64),
        "stratum": per_value([STRATA.index(s) for s in strata], "", "row of the attribute strata",
                             np.uint8),
        "judged_at": per_value(judged_at, "mm", "distance at which the precision is judged",
                               np.float64),
    }  # fmt: skip
    for name, found in kernels.items():
        arrays |= _kernel_arrays(name, found)
    every = [kernel for found in kernels.values() for kernel in found]
    return Sample(
        arrays=arrays,
        attributes=attributes | {
            "spacing_zyx_mm": [size] * 3,
            "axes": "source voxel, z to the head, y to the back, x to the left",
            "source_index_in_patch": [n // 2] * 3,
            "surroundings_mm": margin * size,
            "beyond_the_surroundings": "vacuum: nothing is scattered back",
            "precision_shell": f"mean relative standard deviation of the body's voxels within"
            f" {SHELL_HALF_MM:g} mm of judged_at from the source voxel's center",
            "nuclide": ", ".join(kernels),
            "nuclides": {nuclide.name: _about(nuclide) for nuclide in nuclides},
            "electrons": settings.electrons,
            "annihilation_copies": settings.annihilation_copies,
            "photon_share": DEFAULT_PHOTON_SHARE,
            "materials": list(names),
            "strata": list(STRATA),
            "source_voxels": {s: strata.count(s) for s in STRATA},
            "voxels_of_stratum": dict(present),
            "mgy_g_per_mbq_s_kev": MGY_PER_KEV_PER_G * DECAYS_PER_MBQ_S,
            "converged": all(kernel.converged for kernel in every),
        },
        statistics={
            "mean_relative_uncertainty": float(np.mean([k.reached for k in every])),
            "largest_mean_relative_uncertainty": float(np.max([k.reached for k in every])),
            "histories": sum(k.histories for k in every),
            "pairs": len(every),
        },
    )  # fmt: skip


def _kernel_arrays(name: str, kernels: list[SourceKernel]) -> dict[str, SampleArray]:
    return {
        f"kernel_{name}": per_value(
            [k.energy_kev for k in kernels], "keV", f"energy imparted per decay of {name}"
        ),
        f"relative_uncertainty_{name}": per_value(
            [k.relative_uncertainty for k in kernels], "1", "of the kernel, k = 1; 1 where nothing"
            " was deposited",
        ),
        f"reached_{name}": per_value(
            [k.reached for k in kernels], "1", "mean relative uncertainty of the judged voxels",
            np.float64,
        ),
        f"histories_{name}": per_value([k.histories for k in kernels], "", "emissions", np.int64),
    }  # fmt: skip


def _about(nuclide: Nuclide) -> dict[str, object]:
    return {
        "half_life_s": nuclide.half_life_s,
        "emitted_kev_per_decay": emitted_kev_per_decay(nuclide),
        "progeny": {p.name: p.decays_per_decay for p in nuclide.progeny},
        "notes": list(nuclide.notes),
    }

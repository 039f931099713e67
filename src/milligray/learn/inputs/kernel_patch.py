"""Matter around a source voxel: what a kernel network sees, and the transport of its truth."""

from collections.abc import Sequence

import numpy as np

from milligray.constants import AIR_DENSITY_G_CM3
from milligray.errors import InputError
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.volume import Grid

PATCH_VOXELS = 64
PATCH_SPACING_MM = 3.0
AIR = "air"


def cut_patch(patient: Patient, center_kji: Sequence[int], voxels: int = PATCH_VOXELS) -> Patient:
    """Cube of a patient around a voxel; what lies outside the patient's grid is air.

    Parameters
    ----------
    patient : Patient
    center_kji : (k, j, i)
        Source voxel, in the body; it becomes the voxel ``(voxels // 2,) * 3`` of the cube.
    voxels : int
        Edge of the cube.

    Returns
    -------
    Patient
        Without CT. Its grid keeps the patient's coordinates; the body ends where the patient's
        grid ends.

    Raises
    ------
    InputError
        If the voxel lies outside the grid or outside the body.

    Notes
    -----
    Of an even edge n the cube reaches n / 2 voxels below the source voxel and n / 2 - 1 above it,
    as in the published network with 64 (Akhavanallaf et al. 2021).

    References
    ----------
    Akhavanallaf A, Shiri I, Arabi H, Zaidi H. Whole-body voxel-based internal dosimetry using deep
    learning. Eur J Nucl Med Mol Imaging 48 (2021) 670-682.
    """
    if voxels < 1:
        raise InputError(f"a patch needs at least one voxel, got {voxels}")
    center = tuple(int(n) for n in center_kji)
    shape = patient.grid.shape
    if len(center) != 3 or any(not 0 <= c < n for c, n in zip(center, shape, strict=True)):
        raise InputError(f"source voxel {center} lies outside the patient's grid {shape}")
    if not patient.body[center]:
        raise InputError(
            f"source voxel {center} lies outside the body: choose one of the patient's voxels"
        )
    first = [c - voxels // 2 for c in center]
    source = tuple(slice(max(f, 0), min(f + voxels, n)) for f, n in zip(first, shape, strict=True))
    target = tuple(slice(s.start - f, s.stop - f) for s, f in zip(source, first, strict=True))
    materials = patient.materials
    names = [material.name for material in materials]
    if AIR not in names:
        materials = (*materials, load_material(AIR))
        names.append(AIR)
    cube = (voxels, voxels, voxels)
    density = np.full(cube, AIR_DENSITY_G_CM3, dtype=np.float32)
    index = np.full(cube, names.index(AIR), dtype=np.uint8)
    body = np.zeros(cube, dtype=np.bool_)
    density[target] = patient.density_g_cm3[source]
    index[target] = patient.material_index[source]
    body[target] = patient.body[source]
    x, y, z = patient.grid.to_lps_mm(first)
    return Patient(
        grid=Grid.from_spacing(cube, patient.grid.spacing_mm, origin_lps_mm=(x, y, z)),
        density_g_cm3=density, material_index=index, materials=materials, body=body,
        calibration=patient.calibration, hu_calibration=patient.hu_calibration,
    )  # fmt: skip


def middle_of(patient: Patient, voxels: int) -> Patient:
    """Smaller cube about the same source voxel, shape ``(voxels,) * 3``."""
    center = [n // 2 for n in patient.grid.shape]
    return cut_patch(patient, center, voxels)

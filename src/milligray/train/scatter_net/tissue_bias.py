"""Dose of soft tissue and of bone against the truth, apart: errors that cubes could hide."""

from collections.abc import Iterable, Mapping

import numpy as np

from milligray.evaluate.table import Column, Table
from milligray.learn.inputs.basis_materials import basis_densities, basis_fractions
from milligray.learn.inputs.coarse_grid import averaged, coarse_grid, interpolated
from milligray.learn.inputs.scatter_inputs import VOXEL_SIZE_MM
from milligray.learn.scan import Scan
from milligray.train.scatter_net.scatter_samples import BONE_FROM
from milligray.typing import BoolArray, FloatArray

NO_BONE, MUCH_BONE = 0.03, 0.15
"""Density of cortical bone, mean over a cube, that counts as none and as much [g/cm3]."""
CLASSES = ("soft tissue, no bone around", "soft tissue beside bone", "bone")


def tissue_sums(
    scan: Scan, dose_mgy: FloatArray, truth_mgy: FloatArray, mask: BoolArray
) -> dict[str, tuple[int, float, float]]:
    """Voxels and sums of predicted and true dose, by class of tissue.

    Parameters
    ----------
    scan : Scan
    dose_mgy, truth_mgy : ndarray, shape ``scan.patient.grid.shape`` [mGy]
    mask : ndarray of bool, same shape

    Returns
    -------
    dict of class to (voxels, predicted, truth)
        `CLASSES`; others (some bone around) are left out.
    """
    patient = scan.patient
    grid = coarse_grid(patient.grid, VOXEL_SIZE_MM)
    bone = np.clip(basis_densities(patient)[1][1] * patient.body, 0.0, None)
    around = interpolated(averaged(bone, patient.grid, grid), grid, patient.grid)
    fractions = basis_fractions(patient.materials).absorption[:, 1]
    is_bone = (fractions >= BONE_FROM)[patient.material_index]
    of_class = (
        ~is_bone & (around < NO_BONE), ~is_bone & (around > MUCH_BONE), is_bone
    )  # fmt: skip
    return {
        name: (
            int((mask & here).sum()), float(dose_mgy[mask & here].sum(dtype=np.float64)),
            float(truth_mgy[mask & here].sum(dtype=np.float64)),
        )
        for name, here in zip(CLASSES, of_class, strict=True)
    }  # fmt: skip


def tissue_table(scans: Iterable[Mapping[str, tuple[int, float, float]]]) -> Table:
    """Mean dose of the network over the truth's, by class, voxels of all scans together."""
    every = list(scans)
    rows: list[dict[str, str | int | float | None]] = []
    for name in CLASSES:
        voxels, predicted, truth = np.sum([scan[name] for scan in every], axis=0)
        bias = float(predicted / truth - 1.0) if truth > 0.0 else None
        rows.append({"tissue": name, "voxels": int(voxels), "bias": bias})
    return Table(
        name="tissues", title="Dose by tissue, voxels of the scanned range",
        columns=(
            Column(key="tissue", title="tissue", kind="text"),
            Column(key="voxels", title="voxels", kind="count"),
            Column(key="bias", title="network over truth [%]", kind="percent"),
        ),
        rows=tuple(rows),
    )  # fmt: skip

"""Mass of every organ within every transport voxel: what organ doses are averaged with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from milligray.errors import GeometryError, InputError
from milligray.materials.hu_calibration import HuCalibration
from milligray.patient.blocks import kernel_tables
from milligray.patient.patient import Patient
from milligray.patient.voxel_loop import last_at_or_below, voxel_loop
from milligray.segment.organs import OrganMap
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganMassWeights:
    """Organs of one patient, by mass, on the transport grid.

    Parameters
    ----------
    names : tuple of str
        Organs in ascending order of their label; those without a voxel are left out.
    weights_g : csr matrix, shape (n_organs, n_transport_voxels), float64 [g]
        Mass of the organ in the voxel, voxels in C order of ``patient.grid.shape``. The mean dose
        of an organ is ``weights_g @ dose_mgy / mass_g``.
    mass_g : ndarray, shape (n_organs,) [g]
        Sum over the CT voxels of the organ inside the transport grid.
    volume_ml : ndarray, shape (n_organs,) [mL]
    notes : tuple of str
    """

    names: tuple[str, ...]
    weights_g: Any
    mass_g: FloatArray
    volume_ml: FloatArray
    notes: tuple[str, ...] = ()


def organ_mass_weights(patient: Patient, organs: OrganMap) -> OrganMassWeights:
    """Mass of each organ in each transport voxel, from the density at CT resolution.

    Parameters
    ----------
    patient : Patient
    organs : OrganMap
        On the grid of ``patient.ct``; for a phantom made of shapes, on ``patient.grid``.

    Returns
    -------
    OrganMassWeights

    Raises
    ------
    GeometryError
        If the organs are on another grid.
    InputError
        If no organ has a voxel inside the transport grid.

    Notes
    -----
    ``weights_g[o, v] = sum over CT voxels c in v with label o of density(hu_c) * volume_c``.
    Labelled voxels outside the transport grid (it is cropped to the body) count nowhere.
    """
    grid = patient.grid if patient.ct is None else patient.ct.grid
    if not organs.grid.is_same_as(grid):
        raise GeometryError(
            "the organs are not on the grid of the patient's CT; make them with segment_organs"
        )
    labels = np.array(sorted(organs.names), dtype=np.int64)
    row_of_label = np.full(65536, -1, dtype=np.int32)
    row_of_label[labels] = np.arange(labels.size, dtype=np.int32)
    voxel_ml = grid.voxel_volume_cm3
    if patient.ct is None:
        values: npt.NDArray[Any] = patient.density_g_cm3
        tables = tuple(np.array(t) for t in ([0.0], [0.0], [1.0], [0.0]))  # density = value
    else:
        values = patient.ct.values
        tables = kernel_tables(_calibration(patient))
    geometry = (
        np.array(patient.block, dtype=np.int64),
        np.array(patient.ct_offset, dtype=np.int64),
        np.array(patient.grid.shape, dtype=np.int64),
    )
    outside = np.zeros(labels.size, dtype=np.int64)
    entries = np.zeros(labels.size, dtype=np.int64)
    voxels = np.zeros(labels.size, dtype=np.int64)
    mass = np.zeros(labels.size)
    nothing = np.empty(0, dtype=np.int32), np.empty(0)
    _count_outside(organs.labels, row_of_label, *geometry, outside)
    no_start = np.empty(0, dtype=np.int64)
    _weights_kernel(
        values, organs.labels, row_of_label, *tables[:3], voxel_ml, *geometry, no_start, *nothing,
        entries, voxels, mass,
    )  # fmt: skip
    start = np.concatenate(([0], np.cumsum(entries)))
    columns = np.empty(int(start[-1]), dtype=np.int32)
    weights = np.empty(int(start[-1]))
    entries[:], voxels[:], mass[:] = 0, 0, 0.0
    _weights_kernel(
        values, organs.labels, row_of_label, *tables[:3], voxel_ml, *geometry, start[:-1].copy(),
        columns, weights, entries, voxels, mass,
    )  # fmt: skip
    matrix = sparse.csr_matrix(
        (weights, columns, start), shape=(labels.size, int(np.prod(patient.grid.shape)))
    )
    kept = np.flatnonzero(voxels > 0)
    names = [organs.names[int(label)] for label in labels]
    if kept.size == 0:
        raise InputError(
            "no organ has a voxel inside the patient; check that labels and CT belong together"
        )
    return OrganMassWeights(
        names=tuple(names[row] for row in kept),
        weights_g=matrix if kept.size == labels.size else matrix[kept],
        mass_g=mass[kept],
        volume_ml=voxels[kept] * voxel_ml,
        notes=_notes(names, voxels, outside, voxel_ml),
    )


def _calibration(patient: Patient) -> HuCalibration:
    if patient.hu_calibration is None:
        raise InputError("this patient has a CT but no hu_calibration; make it with build_patient")
    return patient.hu_calibration


def _notes(
    names: list[str],
    voxels: npt.NDArray[np.int64],
    outside: npt.NDArray[np.int64],
    voxel_ml: float,
) -> tuple[str, ...]:
    notes = []
    empty = [name for name, n in zip(names, voxels, strict=True) if n == 0]
    if empty:
        notes.append(f"without a voxel in the image, left out: {', '.join(empty)}")
    for name, n, lost in zip(names, voxels, outside, strict=True):
        if n > 0 and lost > 0.001 * n:
            notes.append(f"{name}: {lost * voxel_ml:.2g} mL outside the body outline not counted")
    return tuple(notes)


@voxel_loop
def _count_outside(labels, row_of_label, block, ct_offset, shape, outside):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    nz, ny, nx = labels.shape
    for c in range(nz):
        off_z = not 0 <= c + ct_offset[0] < shape[0] * block[0]
        for b in range(ny):
            off_y = not 0 <= b + ct_offset[1] < shape[1] * block[1]
            for a in range(nx):
                off_x = not 0 <= a + ct_offset[2] < shape[2] * block[2]
                if off_z or off_y or off_x:
                    row = row_of_label[labels[c, b, a]]
                    if row >= 0:
                        outside[row] += 1


@voxel_loop
def _weights_kernel(  # type: ignore[no-untyped-def]  # noqa: ANN202
    values,  # noqa: ANN001
    labels,  # noqa: ANN001
    row_of_label,  # noqa: ANN001
    ramp_start,  # noqa: ANN001
    ramp_intercept,  # noqa: ANN001
    ramp_slope,  # noqa: ANN001
    voxel_ml,  # noqa: ANN001
    block,  # noqa: ANN001
    ct_offset,  # noqa: ANN001
    shape,  # noqa: ANN001
    start,  # noqa: ANN001
    columns,  # noqa: ANN001
    weights,  # noqa: ANN001
    entries,  # noqa: ANN001
    voxels,  # noqa: ANN001
    mass,  # noqa: ANN001
):
    """Count the entries of each row (`start` empty) or write them."""
    nz, ny, nx = labels.shape
    n_organs = entries.size
    in_block = np.zeros(n_organs)
    is_touched = np.zeros(n_organs, dtype=np.bool_)
    touched = np.empty(n_organs, dtype=np.int32)
    for k in range(shape[0]):
        c0 = max(0, block[0] * k - ct_offset[0])
        c1 = min(nz, block[0] * (k + 1) - ct_offset[0])
        for j in range(shape[1]):
            b0 = max(0, block[1] * j - ct_offset[1])
            b1 = min(ny, block[1] * (j + 1) - ct_offset[1])
            for i in range(shape[2]):
                a0 = max(0, block[2] * i - ct_offset[2])
                a1 = min(nx, block[2] * (i + 1) - ct_offset[2])
                n_touched = 0
                for c in range(c0, c1):
                    for b in range(b0, b1):
                        for a in range(a0, a1):
                            row = row_of_label[labels[c, b, a]]
                            if row < 0:
                                continue
                            if not is_touched[row]:
                                is_touched[row] = True
                                touched[n_touched] = row
                                n_touched += 1
                            value = float(values[c, b, a])
                            ramp = last_at_or_below(ramp_start, value)
                            in_block[row] += ramp_intercept[ramp] + ramp_slope[ramp] * value
                            voxels[row] += 1
                for t in range(n_touched):
                    row = touched[t]
                    if start.size > 0:
                        at = start[row] + entries[row]
                        columns[at] = (k * shape[1] + j) * shape[2] + i
                        weights[at] = in_block[row] * voxel_ml
                    mass[row] += in_block[row] * voxel_ml
                    entries[row] += 1
                    in_block[row] = 0.0
                    is_touched[row] = False

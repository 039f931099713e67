"""Maps of a result as NIfTI files: which, with what description."""

from collections.abc import Mapping

import numpy as np

from milligray.patient.patient import Patient
from milligray.report.nifti import DoseGrid, write_nifti
from milligray.report.staging import Writer
from milligray.score.dose import DoseMap
from milligray.typing import FloatArray


def map_writers(
    maps: Mapping[str, tuple[FloatArray, str]], patient: Patient, dose_grid: DoseGrid
) -> dict[str, Writer]:
    """Writers of maps on the transport grid; those of which nothing is known are left out.

    Parameters
    ----------
    maps : mapping of file name to (values, description)
    patient : Patient
    dose_grid : {"ct", "transport"}
    """

    def writer(values: FloatArray, description: str) -> Writer:
        return lambda path: write_nifti(
            values, patient, path, dose_grid=dose_grid, description=description
        )

    return {
        name: writer(values, description)
        for name, (values, description) in maps.items()
        if not np.isnan(values).all()
    }


def dose_maps(dose: DoseMap) -> dict[str, tuple[FloatArray, str]]:
    """Dose and its uncertainty as files with a description each."""
    return {
        "dose.nii.gz": (dose.dose_mgy, f"absorbed dose [{dose.unit}] {dose.method}"),
        "dose_uncertainty.nii.gz": (
            dose.relative_uncertainty, "relative standard deviation of the voxel dose, k = 1",
        ),
    }  # fmt: skip

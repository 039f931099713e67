"""DICOM objects beside the other files of a result, where the CT was DICOM."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from milligray.patient.patient import Patient
    from milligray.read.dicom_reference import DicomReference
    from milligray.score.dose import DoseMap

Referred = tuple["DicomReference | None", tuple[str, ...]]
"""What to refer to, and notes where there is nothing to refer to."""


def refer_to(find: Callable[[], "DicomReference | None"], *, wanted: bool) -> Referred:
    """Find what a DICOM object would refer to, before the long computation.

    Parameters
    ----------
    find : callable
        Gives the reference; None if the CT is not DICOM.
    wanted : bool
    """
    from milligray.errors import InputError

    if not wanted:
        return None, ()
    try:
        return find(), ()
    except InputError as error:
        return None, (f"no dose.dcm: {error}",)


def rtdose_extra(
    dose: "DoseMap | None",
    patient: "Patient",
    reference: "DicomReference | None",
    *,
    description: str,
    created: Any,  # noqa: ANN401 - of a manifest
) -> dict[str, Callable[[Path], None]]:
    """Writer of ``dose.dcm``; none without a CT to refer to, a map, or an absolute scale."""
    from milligray.report.rtdose import write_rtdose

    if dose is None or reference is None or dose.unit != "mGy" or not (dose.dose_mgy > 0).any():
        return {}
    moment = datetime.fromisoformat(str(created)) if created else None
    return {
        "dose.dcm": lambda path: write_rtdose(
            dose, patient, reference, path, description=description, created=moment
        )
    }

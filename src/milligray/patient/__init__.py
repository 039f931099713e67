"""The patient: HU to density and tissue, body outline, water-equivalent diameter, phantoms."""

from milligray.patient.body import find_body
from milligray.patient.build import build_patient
from milligray.patient.patient import Patient

__all__ = [
    "Patient",
    "build_patient",
    "find_body",
]

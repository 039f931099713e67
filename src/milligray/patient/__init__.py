"""The patient: HU to density and tissue, body outline, water-equivalent diameter, phantoms."""

from milligray.patient.body import find_body
from milligray.patient.build import build_patient
from milligray.patient.patient import Patient
from milligray.patient.phantoms.shapes import shape_phantom, water_box, water_cylinder
from milligray.patient.water_equivalent_diameter import (
    effective_diameter_mm,
    water_equivalent_diameter_mm,
)

__all__ = [
    "Patient",
    "build_patient",
    "effective_diameter_mm",
    "find_body",
    "shape_phantom",
    "water_box",
    "water_cylinder",
    "water_equivalent_diameter_mm",
]

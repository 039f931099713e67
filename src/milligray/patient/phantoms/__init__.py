"""Patients made of shapes."""

from milligray.patient.phantoms.shapes import shape_phantom, water_box, water_cylinder

__all__ = [
    "shape_phantom",
    "water_box",
    "water_cylinder",
]

"""Parts of the body that a scan shows, by the bones that bound them."""

import numpy as np

from milligray.anatomy.anatomy import Anatomy
from milligray.anatomy.image import cropped
from milligray.errors import InputError

FIELDS = {
    "whole": ("", ""),
    "head-neck": ("vertebrae_T4", ""),
    "torso": ("femur_left", "vertebrae_C6"),
    "chest": ("vertebrae_L1", "vertebrae_C7"),
    "abdomen-pelvis": ("femur_left", "vertebrae_T7"),
}
"""Structure at whose middle the field begins and ends; of the femur, its upper third."""


def check_field(field: str) -> None:
    """Refuse a field of view that is none of `FIELDS`."""
    if field not in FIELDS:
        raise InputError(f"no field of view {field!r}; there are {', '.join(FIELDS)}")


def part_of(anatomy: Anatomy, field: str) -> Anatomy:
    """The part of an anatomy in a field of view, cut to the body.

    Parameters
    ----------
    anatomy : Anatomy
    field : str
        One of `FIELDS`.
    """
    check_field(field)
    low, high = FIELDS[field]
    return cropped(
        anatomy,
        _height_mm(anatomy, low) if low else None,
        _height_mm(anatomy, high) if high else None,
    )


def _height_mm(anatomy: Anatomy, name: str) -> float:
    values = [v for v, n in anatomy.names.items() if n == name]
    rows = np.flatnonzero((anatomy.structure == values[0]).any(axis=(1, 2)))
    share = 0.72 if name.startswith("femur") else 0.5
    z = anatomy.grid.axis_centers_mm(0)
    return float(z[round(rows[0] + share * (rows[-1] - rows[0]))])

"""What is measured on a synthetic person: volumes, masses, diameters, fat."""

from typing import Any

import numpy as np
from scipy import ndimage

from milligray.anatomy.anatomy import Anatomy
from milligray.anatomy.targets import tissue_density
from milligray.typing import BoolArray
from milligray.volume import Volume

LEVELS = {
    "head": ("skull", 0.6), "neck": ("thyroid_gland", 0.5), "chest": ("vertebrae_T8", 0.5),
    "abdomen": ("vertebrae_L2", 0.5), "pelvis": ("femur_left", 1.0),
}  # fmt: skip
"""Where diameters are taken: at this share of the height of a structure."""
FAT = ("subcutaneous_fat", "torso_fat")


def measures_of(anatomy: Anatomy, ct: Volume) -> dict[str, Any]:
    """Measures of one person.

    Parameters
    ----------
    anatomy : Anatomy
    ct : Volume [HU]
        On its grid.

    Returns
    -------
    dict
        ``volume_ml`` and ``target_ml`` by structure, ``mass_kg``, ``fat_share`` (mass of fat over
        mass), and by level (those on the grid) ``effective_diameter_mm = 2 sqrt(area / pi)`` and
        ``water_equivalent_diameter_mm`` (AAPM 220), of the largest part of the body in that slice:
        arms that hang beside it do not count.
    """
    volumes = anatomy.volume_ml()
    table = anatomy.tissue_volume_ml()
    density = np.array([tissue_density(name) for name in anatomy.tissues])
    density[list(anatomy.tissues).index("lung")] = anatomy.parameters.lung_density_g_cm3
    mass = table[1:] @ density
    rows = {name: value - 1 for value, name in anatomy.names.items()}
    fat = sum(float(mass[rows[name]]) for name in FAT if name in rows)
    pixel_mm2 = float(np.prod(anatomy.grid.spacing_mm[1:]))
    effective, water = {}, {}
    for name, k in _levels(anatomy).items():
        trunk = _largest(anatomy.structure[k] > 0)
        relative = np.maximum(ct.values[k][trunk] / 1000.0 + 1.0, 0.0)
        effective[name] = round(_diameter_mm(trunk.sum() * pixel_mm2), 1)
        water[name] = round(_diameter_mm(relative.sum() * pixel_mm2), 1)
    return {
        "volume_ml": {n: round(v, 3) for n, v in volumes.items()},
        "target_ml": {n: round(v, 3) for n, v in anatomy.target_ml.items() if n in volumes},
        "mass_kg": round(float(mass.sum()) * 1e-3, 3),
        "fat_share": round(fat / float(mass.sum()), 4),
        "effective_diameter_mm": effective,
        "water_equivalent_diameter_mm": water,
    }


def _levels(anatomy: Anatomy) -> dict[str, int]:
    """Slice of every level."""
    found = {}
    values = {name: value for value, name in anatomy.names.items()}
    for level, (name, share) in LEVELS.items():
        if name not in values:
            continue
        rows = np.flatnonzero((anatomy.structure == values[name]).any(axis=(1, 2)))
        if rows.size:
            found[level] = round(rows[0] + share * (rows[-1] - rows[0]))
    return found


def _largest(body: BoolArray) -> BoolArray:
    parts, n = ndimage.label(ndimage.binary_fill_holes(body))
    if n < 2:
        return np.asarray(parts > 0)
    sizes = np.bincount(parts.ravel())[1:]
    return np.asarray(parts == 1 + int(np.argmax(sizes)))


def _diameter_mm(area_mm2: float) -> float:
    return float(2.0 * np.sqrt(area_mm2 / np.pi))

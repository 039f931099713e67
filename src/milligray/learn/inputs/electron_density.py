"""Electron density relative to water: what attenuates, in one number a voxel."""

import numpy as np

from milligray.materials.cross_sections import atomic_number, atomic_weight
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.typing import FloatArray


def electrons_per_gram(material: Material) -> float:
    """Electrons per mass of a mixture [mol/g]: ``sum_i w_i Z_i / A_i``."""
    numbers = ((atomic_number(symbol), f) for symbol, f in material.mass_fractions.items())
    return sum(fraction * z / atomic_weight(z) for z, fraction in numbers)


def relative_electron_density(patient: Patient) -> FloatArray:
    """Electrons per volume over those of water of 1 g/cm3, shape ``patient.grid.shape``, float32.

    Notes
    -----
    ``n_e = density (Z/A) / (Z/A of water)``, with the very densities and tissues that the
    transport sees.
    """
    water = electrons_per_gram(load_material("water"))
    ratio = np.array([electrons_per_gram(m) / water for m in patient.materials])
    return np.asarray(
        patient.density_g_cm3 * ratio[patient.material_index].astype(np.float32), dtype=np.float32
    )

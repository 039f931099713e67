"""Print our stopping powers and ranges of electrons beside ESTAR's, as a table for the docs.

Usage: python tools/compare_stopping_powers.py
"""

import numpy as np

from milligray.data import load_csv
from milligray.materials import stopping_power as sp
from milligray.materials.charged_tables import build_charged_tables
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.physics import charged

BONE = Material(
    name="cortical bone (ICRP)",
    mass_fractions={
        "H": 0.047234, "C": 0.14433, "N": 0.04199, "O": 0.446096, "Mg": 0.0022, "P": 0.10497,
        "S": 0.00315, "Ca": 0.20993, "Zn": 0.0001,
    },
    reference_density_g_cm3=1.85,
)  # fmt: skip


def main() -> None:
    """Print."""
    print("| material | energy keV | collision % | radiative % | range % |")
    print("|---|---|---|---|---|")
    materials = {
        "water": load_material("water"),
        "bone_cortical_icrp": BONE,
        "air": load_material("air"),
    }
    for name, material in materials.items():
        rows = [r for r in load_csv("electrons/estar.csv") if r["material"] == name]
        energy = np.array([float(r["energy_kev"]) for r in rows])
        tables = build_charged_tables([material], max_energy_kev=max(3500.0, energy.max()))
        step = 1.0 / tables.inverse_log_step
        grid = np.exp(tables.log_energy_min + np.arange(tables.values.shape[1]) * step)
        ours = (
            sp.collision_stopping_power(material, energy) * 1e-3,
            sp.radiative_stopping_power(material, energy) * 1e-3,
            np.interp(energy, grid, tables.values[charged.ELECTRON, :, 0, charged.RANGE]),
        )
        columns = ("collision_mev_cm2_g", "radiative_mev_cm2_g", "csda_range_g_cm2")
        for i, row in enumerate(rows):
            if energy[i] > grid[-1]:
                continue
            text = [
                f"{100.0 * (value[i] / float(row[column]) - 1.0):+.2f}"
                for value, column in zip(ours, columns, strict=True)
            ]
            print(f"| {name} | {energy[i]:g} | {' | '.join(text)} |")


if __name__ == "__main__":
    main()

"""Build data/anatomy/beam_hardening.csv: errors of a water-corrected CT by bone and metal.

Usage: python tools/build_beam_hardening.py OUT.csv

An energy-integrating detector behind `water_cm` of water and `other_cm` of another material reads
the length of water that would give the same signal, ``apparent_cm``. A scanner that is corrected
for water shows the first centimeters of that material (behind 20 cm of water) with the right CT
number; what misses to a straight line is the error that makes dark bands and streaks.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from milligray.materials.cross_sections import mu_rho_cm2_g
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.source.tube import make_spectrum

HALF_VALUE_LAYER_MM_AL = 8.0
REFERENCE_WATER_CM = 20.0
WATER_CM = np.array([0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 50.0])
BONE_CM = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0])
METAL_CM = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])


def alloy(name: str, fractions: dict[str, float], density: float) -> Material:
    """Material from mass fractions."""
    return Material(name=name, mass_fractions=fractions, reference_density_g_cm3=density)


METALS = (
    alloy("titanium", {"Ti": 1.0}, 4.54),
    alloy("cobalt_chromium", {"Co": 0.66, "Cr": 0.28, "Mo": 0.06}, 8.3),
    alloy("amalgam", {"Hg": 0.45, "Ag": 0.35, "Sn": 0.14, "Cu": 0.06}, 11.0),
)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    spectrum = make_spectrum(120.0, half_value_layer_mm_al=HALF_VALUE_LAYER_MM_AL)
    energy = 0.5 * (spectrum.edges_kev[1:] + spectrum.edges_kev[:-1])
    signal = spectrum.weights * energy
    signal /= signal.sum()

    def mu(material: Material) -> np.ndarray:
        return mu_rho_cm2_g(material, energy) * material.reference_density_g_cm3

    mu_water = mu(load_material("water"))
    length = np.linspace(-5.0, 2000.0, 40101)
    attenuation = -np.log(np.exp(-np.outer(length, mu_water)) @ signal)

    def apparent(water_cm: float, other_cm: float, mu_other: np.ndarray) -> float:
        p = -np.log(np.exp(-water_cm * mu_water - other_cm * mu_other) @ signal)
        return float(np.interp(p, attenuation, length))

    with out.open("w", newline="", encoding="utf-8") as file:
        file.write(
            "# Apparent length of water of bone and metal at 120 kV, table version 1; made by"
            " tools/build_beam_hardening.py\n"
            "# water_cm, other_cm: lengths on the ray [cm]; relative_slope: d apparent / d other"
            " behind 20 cm of water; error_cm = apparent - water - relative_slope * other [cm]\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("material", "relative_slope", "water_cm", "other_cm", "error_cm"))
        cases = [(load_material("cortical_bone"), WATER_CM, BONE_CM)]
        cases += [(m, np.array([REFERENCE_WATER_CM]), METAL_CM) for m in METALS]
        for material, water, other in cases:
            mu_other = mu(material)
            step = 1e-3
            slope = (
                apparent(REFERENCE_WATER_CM, step, mu_other)
                - apparent(REFERENCE_WATER_CM, 0.0, mu_other)
            ) / step
            for w in water:
                for x in other:
                    error = apparent(w, x, mu_other) - w - slope * x
                    writer.writerow(
                        (material.name, f"{slope:.3f}", f"{w:g}", f"{x:g}", f"{error:.4f}")
                    )
    print(f"{out} written")


if __name__ == "__main__":
    main()

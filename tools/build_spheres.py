"""Compute the S-values of spheres that ship (`data/spheres`).

Usage: python tools/build_spheres.py [NUCLIDE ...] [--threads N]
Some minutes a nuclide on two cores; those that are there already are left alone.
"""

import argparse
import csv
from pathlib import Path

from milligray.materials.tissues import load_material
from milligray.score.sphere_s_values import (
    DEFAULT_HISTORIES,
    DENSITY_G_CM3,
    compute_sphere_s_values,
)
from milligray.source.nuclide import load_nuclide

TARGET = Path(__file__).parent.parent / "src" / "milligray" / "data" / "spheres"
NUCLIDES = (
    "F-18", "Lu-177", "Y-90", "I-131", "Tc-99m", "Ga-68", "In-111", "I-123", "Zr-89", "Cu-64",
    "Ho-166", "Re-188", "Sm-153", "I-124",
)  # fmt: skip


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nuclides", nargs="*", default=NUCLIDES)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    TARGET.mkdir(exist_ok=True)
    for name in options.nuclides:
        path = TARGET / f"{name}.csv"
        if path.exists():
            continue
        spheres = compute_sphere_s_values(
            load_nuclide(name), load_material("soft_tissue"), threads=options.threads
        )
        with path.open("w", newline="") as file:
            file.write(f"# {name}: S-values of spheres, table version 1; see SOURCE.md\n")
            file.write(
                f"# soft tissue (ICRU 44), {DENSITY_G_CM3:g} g/cm3, the same around;"
                f" {4 * DEFAULT_HISTORIES} emissions; mGy/(MBq s)\n"
            )
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(
                ["mass_g", "charged_mgy_per_mbq_s", "photon_mgy_per_mbq_s", "relative_uncertainty"]
            )
            for mass, charged, photon in zip(
                spheres.masses_g, spheres.charged_mgy_per_mbq_s, spheres.photon_mgy_per_mbq_s,
                strict=True,
            ):  # fmt: skip
                writer.writerow(
                    [f"{mass:g}", f"{charged:.5g}", f"{photon:.5g}",
                     f"{spheres.relative_uncertainty:.2g}"]
                )  # fmt: skip
        print(f"{name}: k=1 at most {100 * spheres.relative_uncertainty:.2f} %", flush=True)


if __name__ == "__main__":
    main()

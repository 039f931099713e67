"""Write the shipped EGSnrc reference table from the JSON that the reference runs left.

Usage: python tools/build_egsnrc_tables.py FOLDER
FOLDER holds A_water_depth_xcom.json (30, 60, 100 keV, plain XCOM photoelectric data).
"""

import csv
import json
import sys
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "milligray" / "data" / "egsnrc"


OUTSIDE_CM = (5.5, 10.5)


def _outside_field(profile: dict) -> tuple[float, float]:
    """Mean dose at 0.75-5.25 cm outside the field and its standard uncertainty [%]."""
    inside = [OUTSIDE_CM[0] < o < OUTSIDE_CM[1] for o in profile["offaxis_cm"]]
    entries = [e["tle"] for e, use in zip(profile["dose"], inside, strict=True) if use]
    mean = sum(value for value, _ in entries) / len(entries)
    sigma = sum((value * percent) ** 2 for value, percent in entries) ** 0.5 / len(entries)
    return mean, sigma / mean


def main() -> None:
    """Convert."""
    cases = json.loads((Path(sys.argv[1]) / "A_water_depth_xcom.json").read_text())["A"]
    TARGET.mkdir(parents=True, exist_ok=True)
    with (TARGET / "water_depth.csv").open("w", newline="") as file:
        file.write("# EGSnrc depth doses in water, table version 1; see SOURCE.md\n")
        file.write(
            "# cax: mean dose of the axis [Gy per photon]; slab: energy in 30 x 30 x 0.5 cm3\n"
        )
        file.write(
            "# [MeV per photon]; outside: mean dose at 10 cm depth, 5.5-10.5 cm off the axis on\n"
        )
        file.write("# four sides [Gy per photon]; sigma_percent: k = 1, history by history\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["energy_kev", "quantity", "depth_cm", "value", "sigma_percent"])
        for name, case in cases.items():
            energy = name.split()[0]
            for quantity, key in (("cax", "cax"), ("slab", "slab_MeV")):
                for depth, entry in zip(case["depth_cm"], case[key], strict=True):
                    writer.writerow([energy, quantity, depth, *entry["tle"]])
            writer.writerow([energy, "whole", "", *case["whole_MeV"]["tle"]])
            writer.writerow([energy, "outside", 10.0, *_outside_field(case["profile_10cm"])])


if __name__ == "__main__":
    main()

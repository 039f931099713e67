"""Write the shipped EGSnrc reference table from the JSON that the reference runs left.

Usage: python tools/build_egsnrc_tables.py FOLDER
FOLDER holds A_water_depth_xcom.json (30, 60, 100 keV, plain XCOM photoelectric data).
"""

import csv
import json
import sys
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "milligray" / "data" / "egsnrc"


def main() -> None:
    """Convert."""
    cases = json.loads((Path(sys.argv[1]) / "A_water_depth_xcom.json").read_text())["A"]
    TARGET.mkdir(parents=True, exist_ok=True)
    with (TARGET / "water_depth.csv").open("w", newline="") as file:
        file.write("# EGSnrc depth doses in water, table version 1; see SOURCE.md\n")
        file.write(
            "# cax: mean dose of the axis [Gy per photon]; slab: energy in 30 x 30 x 0.5 cm3\n"
        )
        file.write("# [MeV per photon]; sigma_percent: k = 1, history by history\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["energy_kev", "quantity", "depth_cm", "value", "sigma_percent"])
        for name, case in cases.items():
            energy = name.split()[0]
            for quantity, key in (("cax", "cax"), ("slab", "slab_MeV")):
                for depth, entry in zip(case["depth_cm"], case[key], strict=True):
                    writer.writerow([energy, quantity, depth, *entry["tle"]])
            writer.writerow([energy, "whole", "", *case["whole_MeV"]["tle"]])


if __name__ == "__main__":
    main()

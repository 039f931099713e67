"""Write the shipped EGSnrc reference tables from the JSON that the reference runs left.

Usage: python tools/build_egsnrc_tables.py FOLDER
FOLDER holds A_water_depth_xcom.json (30, 60, 100 keV, plain XCOM photoelectric data),
D_svalues_soft_tissue.json (S-values of voxels) and materials.json.
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


NEIGHBORS = ("self", "d1", "d1_edge12", "whole_MeV")
REACHED = {"Y-90": (*NEIGHBORS, "d2", "d3", "d4")}
"""Voxels that the charged particles of the source reach; a range of 2.3 MeV in soft tissue is
10 mm. The few electrons of I-131 that could reach the second voxel (yield 0.4 %) do not count."""


def main() -> None:
    """Convert."""
    folder = Path(sys.argv[1])
    TARGET.mkdir(parents=True, exist_ok=True)
    write_depth_doses(folder)
    write_s_values(folder)
    materials = json.loads((folder / "materials.json").read_text())
    for entry in materials.values():
        entry["mass_fractions"] = {
            symbol.capitalize(): share for symbol, share in entry["mass_fractions"].items()
        }
    kept = {name: materials[name] for name in ("SOFT", "LUNG", "BONE")}
    (TARGET / "materials.json").write_text(json.dumps(kept, indent=1) + "\n")


def write_s_values(folder: Path) -> None:
    """S-values of voxels in soft tissue."""
    entries = json.loads((folder / "D_svalues_soft_tissue.json").read_text())["entries"]
    with (TARGET / "svalues_soft_tissue.csv").open("w", newline="") as file:
        file.write(
            "# EGSnrc S-values of voxels of 3 mm in soft tissue, table version 1; see SOURCE.md\n"
            "# self, dN, d1_edge12 [Gy per decay or photon]; whole_MeV: energy in the box [MeV]\n"
            "# analog: energy deposited; tle: collision kerma by track length; sigma: k = 1 [%]\n"
            "# reference: which of the two is the dose there; charged, photon: energy per decay\n"
            "# that the reference emits as charged particles and as photons [MeV]\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["source", "electrons", "quantity", "analog", "analog_sigma_percent", "tle",
             "tle_sigma_percent", "reference", "charged_mev", "photon_mev"]
        )  # fmt: skip
        for name, entry in entries.items():
            source, _, electrons = name.split()
            info = entry["source_info"]
            photon = info.get("photon_energy_per_decay_MeV", info.get("energy_MeV", 0.0))
            charged = info.get("energy_per_decay_MeV", photon) - photon
            for quantity, value in entry.items():
                if not isinstance(value, dict) or "analog" not in value:
                    continue
                reached = REACHED.get(source, NEIGHBORS)
                column = "analog" if electrons == "full" and quantity in reached else "tle"
                writer.writerow(
                    [source, electrons, quantity, *value["analog"], *value["tle"], column,
                     f"{charged:.6g}", f"{photon:.6g}"]
                )  # fmt: skip


def write_depth_doses(folder: Path) -> None:
    """Depth doses in water."""
    cases = json.loads((folder / "A_water_depth_xcom.json").read_text())["A"]
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

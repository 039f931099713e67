"""Write the shipped TG-195 tables from the machine-readable collection of its results.

Usage: python tools/build_tg195_tables.py FOLDER
FOLDER holds tg195.json, spectra.json, materials.json (published results, spectra, compositions).
"""

import csv
import json
import sys
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "milligray" / "data" / "tg195"
CITATION = "Sechopoulos I et al., Med Phys 42(10), 5679-5691 (2015), AAPM TG-195"


def _entries(node: dict, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], dict]]:
    if "codes" in node:
        return [(path, node)]
    return [entry for key, child in node.items() for entry in _entries(child, (*path, key))]


def main() -> None:
    """Convert."""
    folder = Path(sys.argv[1])
    TARGET.mkdir(parents=True, exist_ok=True)
    collection = json.loads((folder / "tg195.json").read_text())
    with (TARGET / "results.csv").open("w", newline="") as file:
        file.write(f"# TG-195 results, table version 1. {CITATION}\n")
        file.write("# mean and sample standard deviation over the codes that reported; cases 2-5\n")
        file.write("# in eV per primary photon, case 1 air kerma per primary photon as published\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "path", "mean", "sd_percent", "n_codes"])
        for case, node in collection["results"].items():
            for path, entry in _entries(node):
                writer.writerow(
                    [case, "|".join(path), repr(entry["mean"]), f"{entry['sd_percent']:.4f}",
                     len(entry["codes"])]
                )  # fmt: skip
    spectra = json.loads((folder / "spectra.json").read_text())
    with (TARGET / "spectra.csv").open("w", newline="") as file:
        file.write(f"# TG-195 spectra, table version 1. {CITATION}\n")
        file.write("# photons per 0.5 keV bin at bin center [keV], energy uniform in the bin\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["spectrum", "bin_center_kev", "weight"])
        for name, s in spectra["spectra"].items():
            for energy, weight in zip(s["bin_centre_keV"], s["fluence_weight"], strict=True):
                writer.writerow([name, energy, weight])
    air = spectra["air_mass_energy_absorption_cm2_per_g"]
    with (TARGET / "air_mu_en.csv").open("w", newline="") as file:
        file.write(f"# TG-195 case 1 air mu_en/rho, table version 1. {CITATION}\n")
        file.write("# cm2/g at bin center [keV]; zero below 3.5 keV as published\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["energy_kev", "mu_en_rho_cm2_g"])
        writer.writerows(zip(air["energy_keV"], air["mu_en_over_rho"], strict=True))
    materials = json.loads((folder / "materials.json").read_text())
    keep = ("density_g_cm3", "mass_fraction")
    compact = {
        "materials": {n: {k: m[k] for k in keep} for n, m in materials["materials"].items()},
        "case5": [{k: m[k] for k in ("index", "name", *keep)} for m in materials["case5"]],
    }
    (TARGET / "materials.json").write_text(json.dumps(compact, indent=1) + "\n")


if __name__ == "__main__":
    main()

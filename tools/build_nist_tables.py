"""Build data/nist from copies of the NIST XAAMDI pages.

Usage: python tools/build_nist_tables.py ROENTGEN_DATA

ROENTGEN_DATA is the folder ``roentgen/data`` of the unpacked wheel roentgen 2.4.0 (Apache-2.0),
which holds the NIST pages ``ComTab/*.html`` and ``ElemTab/*.html`` as CSV (MeV, cm2/g, cm2/g).
Compositions and densities (NIST tab2) are transcribed in ``tools/raw/nist_tab2.txt``.
Before anything is written, mu/rho is compared with xraylib, mu_en/rho with the sum over NIST's own
elements, and every composition with spekpy's ICRU material files (where it has one).
xraylib's CS_Energy is no check of mu_en/rho: for water it is 30 % low at 20 keV and 8 % at 60 keV.
"""

import csv
import json
import sys
from pathlib import Path

import spekpy
import xraylib

RAW = Path(__file__).parent / "raw" / "nist_tab2.txt"
OUT = Path(__file__).parents[1] / "src" / "milligray" / "data" / "nist"
KEV_PER_MEV = 1000.0
XRAYLIB_MAX_KEV = 800
GRID_KEV = (10, 15, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 600, 800, 1000)
WHEEL_FILE = {"soft_tissue": "tissue", "cortical_bone": "bone"}
SPEKPY_FILE = {
    "adipose": "Adipose Tissue (ICRU)",
    "cortical_bone": "Bone, Cortical (ICRU)",
    "lung": "Lung Tissue (ICRU)",
    "muscle": "Muscle Skeletal (ICRU)",
    "brain": "Brain, Grey and White Matter (ICRU)",
    "blood": "Blood, Whole (ICRU)",
    "breast": "Breast Tissue (ICRU)",
    "water": "Water, Liquid",
    "air": "Air Dry (Near Sea Level)",
    "pmma": "Polymethyl Methacrylate (Lucite Perspex or Plexiglas)",
}
ELEMENTS = {
    1: "H", 6: "C", 7: "N", 8: "O", 11: "Na", 12: "Mg", 13: "Al", 15: "P", 16: "S", 17: "Cl",
    18: "Ar", 19: "K", 20: "Ca", 26: "Fe", 53: "I",
}  # fmt: skip
HEADER = (
    "# NIST XAAMDI (Hubbell & Seltzer, NISTIR 5632, version 1.4): {what}",
    "# table version 1; energy_kev [keV], mu_rho_cm2_g and mu_en_rho_cm2_g [cm2/g]",
    "# interpolate linearly in log(value) against log(energy); do not extrapolate",
    "# absorption edges: {edges}",
)


def read_page(path: Path) -> dict[int, tuple[str, str]]:
    """One NIST page as {keV: (mu/rho, mu_en/rho)} in the digits as printed."""
    found: dict[int, tuple[str, str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        energy, mu, mu_en = line.split(",")
        kev = float(energy) * KEV_PER_MEV
        if abs(kev - round(kev)) < 1e-9 and round(kev) in GRID_KEV:
            found[round(kev)] = (mu, mu_en)
    if tuple(found) != GRID_KEV:
        raise SystemExit(f"{path.name}: energies {sorted(set(GRID_KEV) - set(found))} are missing")
    return found


def read_compositions() -> dict[str, dict]:
    """NIST tab2 as transcribed."""
    materials = {}
    for line in RAW.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        key, name, density, text = (part.strip() for part in line.split("|"))
        words = text.replace(":", "").split()
        fractions = {int(z): float(w) for z, w in zip(words[::2], words[1::2], strict=True)}
        if abs(sum(fractions.values()) - 1) > 1.1e-6:
            raise SystemExit(f"{key}: fractions sum to {sum(fractions.values())}")
        materials[key] = {"name": name, "density_g_cm3": float(density), "fractions": fractions}
    return materials


def compare_with_spekpy(key: str, material: dict) -> float:
    """Largest difference of a mass fraction; the density must agree where spekpy's is NIST's."""
    folder = Path(spekpy.__file__).parent / "data" / "matl_def"
    record = json.loads((folder / f"{SPEKPY_FILE[key]}.comp").read_text(encoding="utf-8"))
    other = {int(z): w for z, w in record["composition"]["elements"]}
    if set(other) != set(material["fractions"]):
        raise SystemExit(f"{key}: elements differ from {SPEKPY_FILE[key]}")
    density = record["composition"]["density"]
    if abs(density / material["density_g_cm3"] - 1) > 0.01:
        raise SystemExit(f"{key}: density {density} in spekpy")
    return max(abs(other[z] - w) for z, w in material["fractions"].items())


def compare_mu(fractions: dict[int, float], page: dict) -> float:
    """Largest relative difference of mu/rho to xraylib."""
    worst = 0.0
    for kev, (mu, _) in page.items():
        if kev <= XRAYLIB_MAX_KEV:
            own = sum(w * xraylib.CS_Total(z, float(kev)) for z, w in fractions.items())
            worst = max(worst, abs(own / float(mu) - 1))
    return worst


def compare_mu_en(fractions: dict[int, float], page: dict, elements: dict[int, dict]) -> float:
    """Largest relative difference of mu_en/rho to the sum over NIST's own elements."""
    worst = 0.0
    for kev, (_, mu_en) in page.items():
        own = sum(w * float(elements[z][kev][1]) for z, w in fractions.items())
        worst = max(worst, abs(own / float(mu_en) - 1))
    return worst


def write_csv(path: Path, what: str, edges: str, column: str, pages: dict[str, dict]) -> None:
    """One table in the shipped form."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in HEADER:
            file.write(line.format(what=what, edges=edges) + "\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column, "energy_kev", "mu_rho_cm2_g", "mu_en_rho_cm2_g"])
        for key, page in pages.items():
            writer.writerows([key, kev, *values] for kev, values in page.items())


def main() -> None:
    """Read, compare, write."""
    source = Path(sys.argv[1])
    OUT.mkdir(parents=True, exist_ok=True)
    compositions = read_compositions()
    by_z = {z: read_page(source / "elements" / f"z{z:02d}.csv") for z in ELEMENTS}
    for z, symbol in ELEMENTS.items():
        print(f"{symbol:14s} mu to xraylib {compare_mu({z: 1.0}, by_z[z]):.2%}")
    elements = {symbol: by_z[z] for z, symbol in ELEMENTS.items()}
    pages = {}
    for key, material in compositions.items():
        name = WHEEL_FILE.get(key, key)
        pages[key] = read_page(source / "compounds_mixtures" / f"{name}.csv")
        mu = compare_mu(material["fractions"], pages[key])
        mu_en = compare_mu_en(material["fractions"], pages[key], by_z)
        spekpy_difference = compare_with_spekpy(key, material) if key in SPEKPY_FILE else None
        print(
            f"{key:14s} mu to xraylib {mu:.2%}, mu_en to elements {mu_en:.2%}, {spekpy_difference}"
        )
        if mu > 0.002 or mu_en > 0.004:
            raise SystemExit(f"{key}: differs")
    write_csv(OUT / "coefficients.csv", "materials (tab4)", "none above 10 keV", "material", pages)
    edges = "only iodine, K, 33.1694 keV, which this grid leaves out"
    write_csv(OUT / "elements.csv", "elements (tab3)", edges, "element", elements)
    shipped = {
        key: {
            "name": material["name"],
            "density_g_cm3": material["density_g_cm3"],
            "mass_fractions": {ELEMENTS[z]: w for z, w in material["fractions"].items()},
        }
        for key, material in compositions.items()
    }
    text = json.dumps(shipped, indent=1) + "\n"
    (OUT / "materials.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Write docs/validation/nuclides.csv: what ICRP 107 gives per decay, and two checks of it.

    python tools/write_nuclide_table.py [--write docs/validation]

Data: packages icrp107-database and radioactivedecay (masses of AME2020). The mean beta energy is
compared with that of the branch table, which was computed apart from the spectrum.
"""

import argparse
import csv
import json
import sys
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from milligray.source.emission_data import nuclide_names
from milligray.source.nuclide import PARTICLES, load_nuclide

NAMES = (
    "C-11 N-13 O-15 F-18 Cu-64 Ga-67 Ga-68 Rb-82 Sr-89 Zr-89 Y-90 Tc-99m In-111 I-123 I-124 I-125"
    " I-131 Xe-133 Sm-153 Tb-161 Ho-166 Er-169 Lu-177 Re-186 Re-188 Tl-201 Pb-212 Bi-213 Ra-223"
    " Ac-225"
)


def spectrum_deviation_percent(name: str) -> str:
    """Mean beta energy of the bins against the branches [%], over both signs."""
    file = resources.files("icrp107_database") / "icrp107" / f"{name}.json"
    emitted = json.loads(json.loads(file.read_text(encoding="utf-8")))["emissions"]
    branches = np.array([*emitted["beta-"], *emitted["beta+"]]).reshape(-1, 2)
    if branches[:, 1].sum() < 1e-3:
        return ""
    own = 0.0
    for particle in ("electron", "positron"):
        lines = load_nuclide(name, progeny=False).lines(particle)
        if lines is not None:
            is_bin = np.diff(lines.edges_kev)[:, 0] > 0
            own += float(lines.yields[is_bin] @ lines.edges_kev[is_bin].mean(axis=1))
    return f"{100 * (own / (1e3 * float(branches[:, 0] @ branches[:, 1])) - 1):+.2f}"


def interpolation_lines() -> list[str]:
    """How well lines and the cubic through all tabulated spectra meet yield and mean energy."""
    missed: dict[str, list[tuple[float, float]]] = {"lines": [], "cubic": []}
    for name in nuclide_names():
        file = resources.files("icrp107_database") / "icrp107" / f"{name}.json"
        emitted = json.loads(json.loads(file.read_text(encoding="utf-8")))["emissions"]
        branches = np.array([*emitted["beta-"], *emitted["beta+"]]).reshape(-1, 2)
        spectrum = np.array(emitted["b-spectra"]).reshape(-1, 2)
        if branches[:, 1].sum() < 1e-3 or emitted["fission"]:
            continue
        nodes = [np.linspace(a, b, 20) for a, b in pairwise(spectrum[:, 0])]
        energy = np.unique(np.concatenate(nodes))
        for kind, density in (
            ("lines", np.interp(energy, *spectrum.T)),
            ("cubic", PchipInterpolator(*spectrum.T)(energy)),
        ):
            counts = 0.5 * (density[1:] + density[:-1]) * np.diff(energy)
            mean = counts @ (0.5 * (energy[1:] + energy[:-1])) / counts.sum()
            total = branches[:, 1].sum()
            expected = branches[:, 0] @ branches[:, 1] / total
            missed[kind].append((counts.sum() / total - 1.0, mean / expected - 1.0))
    lines = []
    for kind, pairs in missed.items():
        size = 100 * np.quantile(np.abs(pairs), 0.95, axis=0)
        middle = 100 * np.median(pairs, axis=0)
        lines.append(
            f"{kind}: {len(pairs)} nuclides, 95 % of them meet the yield within {size[0]:.2f} % and"
            f" the mean energy within {size[1]:.2f} % (median {middle[0]:+.2f}, {middle[1]:+.2f} %)"
        )
    return lines


def main() -> None:
    """Print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    columns = ["nuclide", "half_life_h", *(f"{p}_kev_per_decay" for p in PARTICLES)]
    columns += ["positrons_per_decay", "progeny", "beta_mean_deviation_percent"]
    rows = []
    for name in NAMES.split():
        nuclide = load_nuclide(name)
        positrons = nuclide.lines("positron")
        row = {"nuclide": name, "half_life_h": f"{nuclide.half_life_s / 3600.0:.5g}"}
        for particle in PARTICLES:
            row[f"{particle}_kev_per_decay"] = f"{nuclide.energy_per_decay_kev(particle):.5g}"
        row["positrons_per_decay"] = f"{positrons.total_yield:.4g}" if positrons else "0"
        row["progeny"] = " ".join(p.name for p in nuclide.progeny)
        row["beta_mean_deviation_percent"] = spectrum_deviation_percent(name)
        rows.append(row)
        print("|", " | ".join(row[column] for column in columns), "|")
    print("\n".join(interpolation_lines()))
    if options.write:
        with (options.write / "nuclides.csv").open("w", newline="", encoding="utf-8") as file:
            file.write("# written by tools/write_nuclide_table.py; progeny included\n")
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())

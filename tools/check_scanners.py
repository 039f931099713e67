"""Simulate the CTDI of every scanner in the library, beside published ratios.

    python tools/check_scanners.py [--write docs/validation/scanners.csv] [--threads N]

Prints the table of docs/validation/scanners.md: head bowtie in the 160 mm phantom and body
bowtie in the 320 mm phantom, 120 kV. The seed is fixed, so the figures are the same every time.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milligray.data import load_csv
from milligray.score.ctdi import simulate_ctdi
from milligray.source.ct_scan import make_fan_field
from milligray.source.ct_source import CtSource
from milligray.source.scanner import Scanner
from milligray.source.scanner_library import list_scanners, load_scanner

TUBE_VOLTAGE_KV = 120
COLLIMATION_MM = 20.0
SETUPS = (("head", 160), ("body", 320))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """CTDI of one beam.

    Parameters
    ----------
    scanner, bowtie : str
    phantom_diameter_mm : int
    half_value_layer_mm_al : float
    ratio : float
        CTDI_100 in the center / at the periphery.
    reference : float
    z_score : float
        (ratio - reference) / standard uncertainty of the reference.
    ctdi_w_mgy_per_100mas : float
        With the photons per mAs of the tube model: an absolute figure, uncertain by about 20 %.
    relative_uncertainty : float
        Of CTDI_w, statistics, k = 1.
    """

    scanner: str
    bowtie: str
    phantom_diameter_mm: int
    half_value_layer_mm_al: float
    ratio: float
    reference: float
    z_score: float
    ctdi_w_mgy_per_100mas: float
    relative_uncertainty: float


def one_rotation(scanner: Scanner, bowtie: str) -> CtSource:
    """One axial rotation of a scanner at 120 kV and 20 mm nominal collimation."""
    field = make_fan_field(
        scanner, bowtie, tube_voltage_kv=TUBE_VOLTAGE_KV, collimation_mm=COLLIMATION_MM
    )
    return CtSource(
        field=field,
        isocenter_lps_mm=(0.0, 0.0),
        z_bins_mm=np.zeros((1, 2)),
        z_weights=np.ones(1),
        rotations=1.0,
        feed_mm=COLLIMATION_MM,
        collimation_mm=COLLIMATION_MM,
        start_angle_rad=None,
        mode="axial",
    )


def check(name: str, bowtie: str, diameter_mm: int, *, precision: float, threads: int) -> Row:
    """Simulate one scanner, bowtie and phantom."""
    scanner = load_scanner(name)
    source = one_rotation(scanner, bowtie)
    ctdi = simulate_ctdi(source, diameter_mm, precision=precision, threads=threads)
    reference = next(
        r for r in load_csv("scanners/ctdi_ratios.csv")
        if int(r["phantom_diameter_mm"]) == diameter_mm and r["scanner"] in ("any", name)
    )  # fmt: skip
    expected = float(reference["ratio"])
    ratio = ctdi.center_mgy / ctdi.periphery_mgy
    return Row(
        scanner=name,
        bowtie=bowtie,
        phantom_diameter_mm=diameter_mm,
        half_value_layer_mm_al=scanner.half_value_layer_at(bowtie, TUBE_VOLTAGE_KV),
        ratio=ratio,
        reference=expected,
        z_score=(ratio / expected - 1.0) / float(reference["relative_uncertainty"]),
        ctdi_w_mgy_per_100mas=100.0 * ctdi.weighted_mgy * source.field.photons_per_mas(),
        relative_uncertainty=ctdi.relative_uncertainty,
    )


def print_row(row: Row) -> None:
    """Print one line of the Markdown table."""
    print(
        f"| {row.scanner} | {row.bowtie} | {row.phantom_diameter_mm} |"
        f" {row.half_value_layer_mm_al:.2f} | {row.ratio:.3f} | {row.reference:.2f} |"
        f" {row.z_score:+.1f} | {row.ctdi_w_mgy_per_100mas:.1f} |"
        f" {100 * row.relative_uncertainty:.1f} |",
        flush=True,
    )


def main() -> None:
    """Simulate all scanners and print, and write if asked, the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", type=float, default=0.01, help="of CTDI_w, k = 1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", type=Path, help="CSV file")
    arguments = parser.parse_args()
    print(
        "| scanner | bowtie | phantom mm | HVL mm Al | center / periphery | published |"
        " difference / u | CTDI_w mGy/100 mAs | k=1 % |\n|---|---|---|---|---|---|---|---|---|"
    )
    rows = []
    for bowtie, diameter_mm in SETUPS:
        for name in list_scanners():
            row = check(
                name, bowtie, diameter_mm,
                precision=arguments.precision, threads=arguments.threads,
            )  # fmt: skip
            print_row(row)
            rows.append(row)
    if arguments.write:
        with arguments.write.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row.__slots__)
            for row in rows:
                cells = (getattr(row, name) for name in Row.__slots__)
                writer.writerow(f"{c:.4g}" if isinstance(c, float) else c for c in cells)


if __name__ == "__main__":
    main()

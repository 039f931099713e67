"""CTDI of beams from the table of phantom responses, beside simulations of the same beams.

    python tools/compare_ctdi_response.py [--precision 0.002] [--threads N] [--write CSV]

Prints the table of docs/methods/absolute-scale.md: beams of the library at both ends of what the
table leaves out (focal distance, width of the beam) and in between.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from milligray.score.ctdi import simulate_ctdi
from milligray.score.ctdi_response import ctdi_from_response
from milligray.source.ct_scan import make_fan_field
from milligray.source.ct_source import CtSource
from milligray.source.scanner_library import load_scanner

BEAMS = (
    ("siemens-definition", "head", 120, 38.4, 160),
    ("siemens-definition", "body", 120, 38.4, 320),
    ("siemens-definition", "head", 120, 10.0, 160),
    ("siemens-definition", "body", 120, 10.0, 320),
    ("siemens-emotion", "head", 80, 19.2, 160),
    ("siemens-emotion", "body", 130, 19.2, 320),
    ("philips-brilliance-big-bore", "head", 140, 24.0, 160),
    ("philips-brilliance-big-bore", "body", 90, 24.0, 320),
    ("ge-optima-ct660", "head", 100, 40.0, 160),
    ("ge-optima-ct660", "medium", 120, 20.0, 320),
    ("ge-optima-ct660", "body", 140, 40.0, 320),
    ("ge-optima-ct660", "body", 80, 20.0, 160),
    ("ge-revolution-ct", "body", 100, 80.0, 320),
    ("canon-aquilion", "head", 135, 32.0, 320),
    ("siemens-force", "body", 70, 57.6, 320),
    ("generic", "body", 110, 40.0, 160),
)
"""Scanner, bowtie, kV, collimation [mm], phantom [mm]."""
COLUMNS = (
    "scanner", "bowtie", "tube_voltage_kv", "collimation_mm", "phantom_diameter_mm",
    "weighted", "center", "periphery", "relative_uncertainty", "seconds_table",
)  # fmt: skip


def rotation(name: str, bowtie: str, tube_voltage_kv: float, collimation_mm: float) -> CtSource:
    """One axial rotation of a scanner of the library."""
    field = make_fan_field(
        load_scanner(name), bowtie, tube_voltage_kv=tube_voltage_kv, collimation_mm=collimation_mm
    )
    return CtSource(
        field=field, isocenter_lps_mm=(0.0, 0.0), z_bins_mm=np.zeros((1, 2)),
        z_weights=np.ones(1), rotations=1.0, feed_mm=collimation_mm,
        collimation_mm=collimation_mm, start_angle_rad=None, mode="axial",
    )  # fmt: skip


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", type=float, default=0.002, help="of the simulations, k = 1")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", type=Path, help="CSV file")
    arguments = parser.parse_args()
    rows, pulls = [], []
    print(
        "| scanner, bowtie | kV | collimation mm | phantom mm | table / simulation - 1 [%]", end=""
    )
    print(" | center | periphery | k=1 % | pull |\n" + "|---" * 9 + "|")
    for name, bowtie, kv, width, diameter in BEAMS:
        source = rotation(name, bowtie, kv, width)
        ctdi_from_response(source, diameter)  # reads the table
        started = time.perf_counter()
        table = ctdi_from_response(source, diameter)
        seconds_table = time.perf_counter() - started
        direct = simulate_ctdi(
            source, diameter, precision=arguments.precision, threads=arguments.threads
        )
        ratios = [
            getattr(table, key) / getattr(direct, key) - 1.0
            for key in ("weighted_mgy", "center_mgy", "periphery_mgy")
        ]
        sigma = float(np.hypot(table.relative_uncertainty, direct.relative_uncertainty))
        pulls.append(ratios[0] / sigma)
        rows.append([name, bowtie, kv, width, diameter, *(f"{r:.5f}" for r in ratios),
                     f"{sigma:.5f}", f"{seconds_table:.4f}"])  # fmt: skip
        shown = " | ".join(f"{100 * r:+.2f}" for r in ratios)
        print(f"| {name}, {bowtie} | {kv} | {width:g} | {diameter} | {shown} |"
              f" {100 * sigma:.2f} | {pulls[-1]:+.1f} |", flush=True)  # fmt: skip
    weighted = 100 * np.array([float(row[5]) for row in rows])
    pull = np.sqrt(np.mean(np.square(pulls)))
    print(
        f"\nmean {weighted.mean():+.2f} %, standard deviation {weighted.std(ddof=1):.2f} %,", end=""
    )
    print(f" largest {np.abs(weighted).max():.2f} %, RMS pull {pull:.2f}")
    if arguments.write:
        with arguments.write.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)


if __name__ == "__main__":
    main()

"""Compare organ doses of real CTs with the size-specific dose estimate.

    python tools/compare_with_ssde.py [--shared ../shared/data] [--write docs/validation]

Ten head-and-neck patients with examples/head_neck_helical.toml, and the shipped abdomen: as they
are, and with scatterer (abdomen: and scan) continued by 150 mm at both ends. Prints the tables of
docs/validation/plausibility.md and writes plausibility.csv and plausibility_trunk.csv.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from milligray.data import sample_folder
from milligray.exam import CtSettings, compute_ct_exam
from milligray.read import open_ct, read_labels
from milligray.report.result import ExamResult
from milligray.score.ssde import ssde_conversion_factor
from milligray.source.ct_scan import nominal_range_mm

N_PATIENTS = 10
EXTENSION_MM = 150.0
PROTOCOL = Path(__file__).parent.parent / "examples" / "head_neck_helical.toml"


def mean_body_dose_mgy(result: ExamResult) -> float:
    """Mass-weighted mean dose of all imaged tissue."""
    inside = result.patient.body
    mass = result.patient.mass_g[inside].astype(np.float64)
    return float(np.sum(result.dose.dose_mgy[inside] * mass) / mass.sum())


def local_ssde_mgy(result: ExamResult, organ: str) -> float:
    """CTDIvol x current x factor of the slices that the organ lies in, weighted by its voxels."""
    protocol, organs = result.protocol, result.organs
    assert protocol.ctdi_vol_mgy is not None  # noqa: S101 - told to the type checker
    assert protocol.phantom_diameter_mm is not None  # noqa: S101
    label = next(number for number, name in organs.names.items() if name == organ)
    voxels = np.count_nonzero(organs.labels == label, axis=(1, 2))
    z = organs.grid.axis_centers_mm(0)
    current = np.interp(z, protocol.slice_position_mm, protocol.relative_current)
    diameter = result.water_equivalent_diameter_mm
    factor = ssde_conversion_factor(diameter, protocol.phantom_diameter_mm)
    return float(protocol.ctdi_vol_mgy * np.average(current * factor, weights=voxels))


def rows_of(case: str, result: ExamResult) -> list[dict[str, str | float]]:
    """One row an organ, and one for the whole body."""
    assert result.ssde_mgy is not None  # noqa: S101 - told to the type checker
    assert result.protocol.ctdi_vol_mgy is not None  # noqa: S101
    diameter = result.water_equivalent_diameter_mm
    common = {
        "case": case,
        "ctdi_vol_mgy": result.protocol.ctdi_vol_mgy,
        "ssde_mgy": result.ssde_mgy,
        "median_water_equivalent_diameter_mm": float(np.median(diameter[diameter > 0])),
    }
    doses = [
        (r.organ, r.mean_dose_mgy, r.relative_uncertainty, r.volume_ml, local)
        for r in result.organ_doses.rows
        if not r.organ.lower().startswith("body")
        for local in (local_ssde_mgy(result, r.organ),)
    ]
    body = float(result.patient.body.sum() * result.patient.grid.voxel_volume_cm3)
    doses.append(("whole body", mean_body_dose_mgy(result), 0.0, body, result.ssde_mgy))
    return [
        {
            **common, "organ": organ, "volume_ml": volume, "dose_mgy": dose,
            "relative_uncertainty": relative, "ratio_to_ssde": dose / result.ssde_mgy,
            "ratio_to_local_ssde": dose / local,
        }
        for organ, dose, relative, volume, local in doses
    ]  # fmt: skip


def head_and_neck(data: Path, settings: CtSettings) -> list[dict[str, str | float]]:
    """Run the first patients of the index."""
    with (data / "headneck" / "index.csv").open(encoding="utf-8") as file:
        patients = [row["id"] for row in csv.DictReader(file)][:N_PATIENTS]
    rows = []
    for patient in patients:
        ct, protocol = open_ct(data / "headneck" / f"{patient}_ct.nii.gz", PROTOCOL)
        labels = read_labels(data / "headneck" / f"{patient}_labels.nii.gz")
        result = compute_ct_exam(ct, protocol, labels, settings)
        extended = compute_ct_exam(ct, protocol, labels, replace(settings, extend_mm=EXTENSION_MM))
        more = {r["organ"]: r["dose_mgy"] for r in rows_of(patient, extended)}
        own = rows_of(patient, result)
        rows += [
            r | {"extended_to_own": float(more[r["organ"]]) / float(r["dose_mgy"])} for r in own
        ]
        print(f"{patient}: SSDE {result.ssde_mgy:.2f} mGy", flush=True)
    return rows


def trunk(settings: CtSettings) -> list[dict[str, str | float]]:
    """The shipped abdomen, as it is and continued at both ends."""
    with sample_folder("siemens_upper_abdomen") as folder:
        ct, protocol = open_ct(folder / "ct")
        labels = read_labels(folder / "labels.nii.gz")
    low, high = nominal_range_mm(protocol)
    longer = replace(protocol, scan_start_mm=low - EXTENSION_MM, scan_end_mm=high + EXTENSION_MM)
    extended = replace(settings, extend_mm=EXTENSION_MM)
    rows = []
    for case, scan, how in (
        ("as it is", protocol, settings),
        ("scatterer continued", protocol, extended),
        ("scan continued", longer, settings),
        ("scan and scatterer continued", longer, extended),
    ):
        result = compute_ct_exam(ct, scan, labels, how)
        rows += rows_of(case, result)
        print(f"{case}: SSDE {result.ssde_mgy:.2f} mGy", flush=True)
    return rows


def print_summary(rows: Sequence[dict[str, str | float]]) -> None:
    """Median and range of the ratios, per organ."""
    columns = ("ratio_to_ssde", "ratio_to_local_ssde", "extended_to_own")
    print("\n| organ | patients | median dose mGy | / SSDE | / local SSDE | continued / as it is |")
    print("|---|---|---|---|---|---|")
    for organ in sorted({str(row["organ"]) for row in rows}):
        part = [row for row in rows if row["organ"] == organ]
        cells = []
        for column in columns:
            ratio = np.array([row[column] for row in part], dtype=float)
            cells.append(f"{np.median(ratio):.2f} ({ratio.min():.2f}-{ratio.max():.2f})")
        dose = np.median(np.array([row["dose_mgy"] for row in part], dtype=float))
        print(f"| {organ} | {len(part)} | {dose:.1f} | " + " | ".join(cells) + " |")


def print_trunk(rows: Sequence[dict[str, str | float]]) -> None:
    """Ratio to SSDE of each organ of at least 10 mL, one column a run."""
    cases = list(dict.fromkeys(str(row["case"]) for row in rows))
    print("\n| organ | " + " | ".join(cases) + " |\n|---|" + "---|" * len(cases))
    for organ in dict.fromkeys(row["organ"] for row in rows if float(row["volume_ml"]) >= 10.0):
        cells = [f"{r['ratio_to_ssde']:.2f}" for r in rows if r["organ"] == organ]
        print(f"| {organ} | " + " | ".join(cells) + " |")


def write(path: Path, rows: Sequence[dict[str, str | float]]) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--precision", type=float, default=0.02)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", type=Path, help="folder for the CSV files")
    arguments = parser.parse_args()
    settings = CtSettings(precision=arguments.precision, threads=arguments.threads)
    trunk_rows = trunk(settings)
    print_trunk(trunk_rows)
    patient_rows = head_and_neck(arguments.shared, settings)
    print_summary(patient_rows)
    if arguments.write:
        write(arguments.write / "plausibility.csv", patient_rows)
        write(arguments.write / "plausibility_trunk.csv", trunk_rows)


if __name__ == "__main__":
    main()

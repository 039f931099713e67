"""Compare organ doses per CTDIvol of the reference adults with published coefficients.

    python tools/compare_reference_coefficients.py [--shared ../shared/data] [--write FOLDER]
    python tools/compare_reference_coefficients.py --ct CT --labels LABELS --sex male

120 kV, fixed current, helical; chest, abdomen and abdomen-pelvis by landmarks; three scanners. With
them a real patient, the one with organs in the shared data (image from the liver's dome on), and a
water cylinder of 32 cm. Writes reference_anatomies.csv, water_cylinder.csv and the page
reference_anatomies.md.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from compare_reference_page import write_page
from published_coefficients import Scan, belongs, published_frame, published_organs

from milligray.exam import CtSettings, compute_ct_exam
from milligray.patient import effective_diameter_mm, water_equivalent_diameter_mm
from milligray.read import CtProtocol, CtSeries, LabelMap, read_ct_nifti, read_labels
from milligray.report.result import ExamResult
from milligray.score.ssde import ssde_conversion_factor
from milligray.volume import Grid, Volume

SCANNERS = ("generic", "siemens-definition", "ge-revolution-ct")
REGIONS = ("chest", "abdomen", "abdomen_pelvis")
REAL_PATIENT = "ts_abdomen_pelvis_ct.nii.gz"
CTDI_VOL_MGY = 10.0
MARGIN_MM = 10.0
CYLINDER_MM = (320.0, 400.0, 300.0)
"""Diameter and length of the water, length of the scan."""

Row = dict[str, str | float]


@dataclass(frozen=True)
class Body:
    """A body to be scanned."""

    name: str
    sex: str
    ct: CtSeries
    labels: LabelMap


def reference_bodies(spacing_mm: float) -> Iterator[Body]:
    """The synthetic reference adults, arms up as in scans of the trunk."""
    from milligray.anatomy import AnatomyParameters, anatomy_ct, build_anatomy  # noqa: PLC0415

    for sex in ("male", "female"):
        parameters = AnatomyParameters(sex=sex, masses="icrp145", arms="up")
        ct, labels = anatomy_ct(build_anatomy(parameters, spacing_mm=spacing_mm))
        yield Body(f"reference {sex}", sex, ct, labels)


def given_body(ct_file: Path, labels_file: Path, sex: str) -> Body:
    """A patient with organ labels, from NIfTI files."""
    name = ct_file.name.split(".")[0].removesuffix("_ct").replace("_", " ")
    return Body(f"patient {name}", sex, read_ct_nifti(ct_file), read_labels(labels_file))


def extent_mm(labels: LabelMap, beginnings: Sequence[str]) -> tuple[float, float] | None:
    """Lowest and highest z of the labels whose names begin so [mm]; None if there is none."""
    wanted = [v for v, name in labels.names.items() if name.startswith(tuple(beginnings))]
    planes = np.isin(labels.volume.values, wanted).any(axis=(1, 2))
    if not planes.any():
        return None
    grid = labels.volume.grid
    z, half = grid.axis_centers_mm(0)[planes], 0.5 * grid.spacing_mm[0]
    return float(z.min() - half), float(z.max() + half)


def symphysis_mm(labels: LabelMap) -> float | None:
    """Lower end of the hip bones next to the midline [mm]."""
    grid = labels.volume.grid
    hips = np.isin(
        labels.volume.values, [v for v, n in labels.names.items() if n in ("hip_left", "hip_right")]
    )
    if not hips.any():
        return None
    x = grid.axis_centers_mm(2)
    near = np.abs(x - x[hips.any(axis=(0, 1))].mean()) < 20.0
    z = grid.axis_centers_mm(0)[hips[:, :, near].any(axis=(1, 2))]
    sacral = 60.0  # the pubic bones end at least this far below the top of the hip bones
    top = extent_mm(labels, ("hip_",))
    assert top is not None  # noqa: S101 - hips were found
    low = z[z < top[1] - sacral]
    return float(low.min()) if low.size else None


def scan_range_mm(region: str, labels: LabelMap) -> tuple[float, float] | None:
    """First and last z of a scan by its landmarks; None where the image does not hold them."""
    grid = labels.volume.grid
    lungs, liver, hips = (extent_mm(labels, (name,)) for name in ("lung_", "liver", "hip_"))
    found: tuple[float, float] | None = None
    if region == "chest" and lungs:
        found = lungs[0] - MARGIN_MM, lungs[1] + MARGIN_MM
    elif region == "abdomen" and liver and hips:
        found = hips[1], liver[1] + MARGIN_MM
    elif region == "abdomen_pelvis" and liver and (low := symphysis_mm(labels)) is not None:
        found = low, liver[1] + MARGIN_MM
    z = grid.axis_centers_mm(0)
    if found is None or region != "chest":
        return found
    return found if found[0] + MARGIN_MM > z[0] and found[1] - MARGIN_MM < z[-1] else None


def compared_labels(labels: LabelMap, region: str) -> LabelMap:
    """Only the organs that have a published number, so that no other one prolongs the run."""
    organs = published_organs(region)
    names = {v: n for v, n in labels.names.items() if any(belongs(n, o) for o in organs)}
    values = np.where(np.isin(labels.volume.values, list(names)), labels.volume.values, 0)
    volume = Volume(grid=labels.volume.grid, values=values.astype(np.uint16))
    return LabelMap(volume=volume, names=names, notes=labels.notes)


def protocol_of(low_mm: float, high_mm: float) -> CtProtocol:
    """A helical scan of 120 kV with a fixed current."""
    return CtProtocol(
        tube_voltage_kv=120.0, scan_mode="helical", pitch=1.0, collimation_mm=40.0,
        slice_position_mm=np.array([low_mm, high_mm]), relative_current=np.ones(2),
        scan_start_mm=low_mm, scan_end_mm=high_mm, slice_thickness_mm=1.0,
        ctdi_vol_mgy=CTDI_VOL_MGY, phantom_diameter_mm=320, body_region="body",
    )  # fmt: skip


def scan_of(result: ExamResult, region: str, sex: str, range_mm: tuple[float, float]) -> Scan:
    """Size of the body where it is scanned."""
    ct = result.patient.ct
    assert ct is not None  # noqa: S101 - exams have a CT
    outline = ct.values > -400.0
    z = ct.grid.axis_centers_mm(0)
    inside = (z >= range_mm[0]) & (z <= range_mm[1])
    diameter, water = effective_diameter_mm(ct, _filled(outline)), water_equivalent_diameter_mm(ct)
    middle = int(np.argmin(np.abs(z - 0.5 * sum(range_mm))))
    lateral = np.ptp(np.flatnonzero(outline[middle].any(axis=0))) * ct.grid.spacing_mm[2]
    depth = np.ptp(np.flatnonzero(outline[middle].any(axis=1))) * ct.grid.spacing_mm[1]
    perimeter = np.pi * (
        3 * (lateral + depth) - np.sqrt((3 * lateral + depth) * (lateral + 3 * depth))
    )
    assert result.dlp_mgy_cm is not None  # noqa: S101 - there is a CTDIvol
    return Scan(
        region=region, sex=sex, diameter_cm=float(diameter[inside].mean()) / 10.0,
        perimeter_cm=float(perimeter) / 20.0, length_cm=result.dlp_mgy_cm / CTDI_VOL_MGY,
        ssde=float(ssde_conversion_factor(water[inside].mean(), 320)),
    )  # fmt: skip


def _filled(outline: np.ndarray) -> np.ndarray:
    from scipy.ndimage import binary_fill_holes  # noqa: PLC0415

    return np.stack([binary_fill_holes(plane) for plane in outline])


def rows_of(body: Body, scanner: str, scan: Scan, result: ExamResult) -> Iterator[Row]:
    """One row an organ of the published table."""
    doses = {row.organ: row for row in result.organ_doses.rows}
    for organ in published_organs(scan.region):
        parts = [row for name, row in doses.items() if belongs(name, organ)]
        frame = published_frame(organ, scan)
        mass = sum(row.mass_g for row in parts)
        if not mass or frame is None:
            continue
        ours = sum(row.mean_dose_mgy * row.mass_g for row in parts) / mass / CTDI_VOL_MGY
        noise = sum(row.relative_uncertainty * row.mass_g for row in parts) / mass
        low, high = frame.low, frame.high
        yield {
            "body": body.name, "region": scan.region, "scanner": scanner, "organ": organ,
            "ours": ours, "relative_uncertainty": noise, "published_low": low,
            "published_high": high, "flag": flag(ours, low, high),
            "to_middle": ours / (0.5 * (low + high)), "current": frame.current,
            "ssde": scan.ssde,
            "diameter_cm": scan.diameter_cm, "perimeter_cm": scan.perimeter_cm,
            "length_cm": scan.length_cm, "mass_g": mass, "sources": "; ".join(frame.sources),
        }  # fmt: skip


def flag(value: float, low: float, high: float) -> str:
    """Where a number lies beside a range; "near": not more than 15 % beyond an end."""
    if low <= value <= high:
        return "inside"
    return "near" if 0.85 * low <= value <= 1.15 * high else "outside"


def compare_body(body: Body, scanners: Sequence[str], settings: dict[str, object]) -> list[Row]:
    """All regions that the body has, with all scanners."""
    rows: list[Row] = []
    for region in REGIONS:
        span = scan_range_mm(region, body.labels)
        if span is None:
            print(f"{body.name}: no {region} (landmarks not in the image)")
            continue
        labels = compared_labels(body.labels, region)
        for scanner in scanners:
            options = CtSettings(scanner=scanner, bowtie="body", couch="keep", **settings)  # type: ignore[arg-type]
            result = compute_ct_exam(body.ct, protocol_of(*span), labels, options)
            scan = scan_of(result, region, body.sex, span)
            new = list(rows_of(body, scanner, scan, result))
            for row in new:
                print(
                    f"{row['body']:18s}{region:15s}{scanner:20s}{row['organ']:16s}{row['ours']:6.2f}"
                    f"  {row['published_low']:.2f}-{row['published_high']:.2f}  {row['flag']}"
                )
            rows += new
    return rows


def water_cylinder(scanners: Sequence[str], settings: dict[str, object]) -> list[Row]:
    """Center, edge and mean dose of the middle section of a water cylinder, per CTDIvol."""
    diameter, length, scan = CYLINDER_MM
    spacing = 4.0
    n, nz = round((diameter + 40.0) / spacing), round(length / spacing)
    grid = Grid.from_spacing((nz, n, n), (spacing, spacing, spacing))
    radius = np.hypot(grid.axis_centers_mm(1)[:, None], grid.axis_centers_mm(2)[None, :])
    middle = np.abs(grid.axis_centers_mm(0)) < 6.0
    hu = np.where(radius <= 0.5 * diameter, 0.0, -1000.0).astype(np.float32)
    zones = np.zeros((n, n), dtype=np.uint16)
    zones[radius <= 0.5 * diameter] = 3
    zones[(radius <= 0.5 * diameter - 6.0) & (radius > 0.5 * diameter - 14.0)] = 2
    zones[radius <= 8.0] = 1
    names = {1: "center", 2: "edge", 3: "rest"}
    ct = CtSeries(
        volume=Volume(grid=grid, values=np.repeat(hu[None], nz, axis=0)), slice_thickness_mm=spacing
    )
    labels = LabelMap(
        volume=Volume(grid=grid, values=(zones[None] * middle[:, None, None]).astype(np.uint16)),
        names=names,
    )
    rows: list[Row] = []
    for scanner in scanners:
        options = CtSettings(scanner=scanner, bowtie="body", couch="keep", **settings)  # type: ignore[arg-type]
        result = compute_ct_exam(ct, protocol_of(-0.5 * scan, 0.5 * scan), labels, options)
        dose = {row.organ: row for row in result.organ_doses.rows}
        total = sum(row.mass_g for row in dose.values())
        mean = sum(row.mean_dose_mgy * row.mass_g for row in dose.values()) / total
        center, edge = (dose[k].mean_dose_mgy / CTDI_VOL_MGY for k in ("center", "edge"))
        rows.append({
            "scanner": scanner, "center": center, "edge": edge, "mean": mean / CTDI_VOL_MGY,
            "ssde": float(ssde_conversion_factor(diameter, 320)),
            "relative_uncertainty": dose["center"].relative_uncertainty,
        })  # fmt: skip
        print(
            f"water 32 cm, {scanner}: center {center:.3f}, edge {edge:.3f}, {rows[-1]['mean']:.3f}"
        )
    return rows


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spacing-mm", type=float, default=3.0)
    parser.add_argument("--voxel-mm", type=float, default=4.0)
    parser.add_argument("--precision", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scanners", nargs="+", default=list(SCANNERS))
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--ct", type=Path, help="NIfTI CT instead of the reference adults")
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--sex", choices=("male", "female"), default="male")
    parser.add_argument("--write", type=Path, help="folder for the page and the CSV files")
    arguments = parser.parse_args()
    settings: dict[str, object] = {
        "precision": arguments.precision, "voxel_size_mm": arguments.voxel_mm,
        "threads": arguments.threads,
    }  # fmt: skip
    if arguments.ct:
        bodies = [given_body(arguments.ct, arguments.labels, arguments.sex)]
    else:
        bodies = list(reference_bodies(arguments.spacing_mm))
        real = arguments.shared / "torso" / REAL_PATIENT
        if real.exists():
            labels = real.with_name(real.name.replace("_ct", "_labels"))
            bodies.append(given_body(real, labels, "male"))
    rows = [row for body in bodies for row in compare_body(body, arguments.scanners, settings)]
    water = water_cylinder(arguments.scanners, settings)
    if arguments.write:
        write_csv(arguments.write / "reference_anatomies.csv", rows)
        write_csv(arguments.write / "water_cylinder.csv", water)
        write_page(arguments.write / "reference_anatomies.md", rows, water)


if __name__ == "__main__":
    main()

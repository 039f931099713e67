"""Print what `read_activity` and `activity_on_patient` make of a PET/CT folder, as Markdown.

The how-to docs/how-to/read-a-pet-or-spect.md shows its output for STS_002 of the IBSI validation
set (CC BY 3.0, TCIA doi 10.7937/K9/TCIA.2015.7GO2GSKS):

    python tools/show_activity_image.py ../shared/data/dicom/sts_002_petct
"""

import argparse
from pathlib import Path

import milligray as mg
from milligray.read import read_activity, read_patient_keys
from milligray.source.activity_on_patient import activity_on_patient
from milligray.source.nuclide import load_nuclide
from milligray.source.partial_volume import partial_volume_note
from milligray.source.time_points import compare_half_life


def main() -> None:
    """Read, place, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--voxel-size-mm", type=float, default=3.0)
    given = parser.parse_args()

    image = read_activity(given.folder)
    nuclide = load_nuclide(image.nuclide or "")
    hours = image.reference_s_after_administration / 3600.0
    rows = [
        ("grid [z, y, x]", f"{image.grid.shape}, {_mm(image.grid.spacing_mm)} mm"),
        ("units, decay correction", f"{image.units}, {image.decay_correction}"),
        ("nuclide", f"{image.nuclide}, half-life {image.half_life_s:g} s"),
        ("administered", f"{image.administered_activity_mbq:.1f} MBq"),
        ("values hold for", f"{hours:.3f} h after administration"),
        ("activity in the image", f"{image.total_activity_mbq:.3f} MBq"),
        ("highest concentration", f"{1e3 * float(image.activity_mbq_ml.max()):.2f} kBq/mL"),
    ]
    ct = mg.read_ct_series(given.folder)
    patient = mg.build_patient(ct, calibration="schneider2000", voxel_size_mm=given.voxel_size_mm)
    placed = activity_on_patient(image, patient, patient_keys=read_patient_keys(given.folder))
    rows += [
        ("transport grid", f"{placed.grid.shape}, {_mm(placed.grid.spacing_mm)} mm"),
        ("activity on it", f"{placed.activity_mbq.sum():.3f} MBq"),
        ("beyond the CT", f"{100 * placed.outside_ct_fraction:.1f} %"),
        ("in the CT, outside the body", f"{100 * placed.outside_body_fraction:.1f} %"),
        ("lost beyond the transport grid", f"{100 * placed.outside_grid_fraction:.1f} %"),
    ]
    print("| | |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print()
    for note in (*placed.notes, *compare_half_life(image, nuclide.half_life_s)):
        print(f"- {note}")
    print("-", partial_volume_note({"10 mL": 10.0, "53 mL": 53.0}, 7.0))


def _mm(spacing: tuple[float, ...]) -> str:
    return " x ".join(f"{value:.4g}" for value in spacing)


if __name__ == "__main__":
    main()

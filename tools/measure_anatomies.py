"""Volumes and masses of the reference anatomies beside the reference values.

    python tools/measure_anatomies.py --write docs/validation

Volumes: of the structures against their targets. Masses: through the image, the calibration of
Schneider et al. (2000) and the organ masses that doses are averaged with, as for any CT, against
ICRP 89 (bones: ICRP 145).
"""

import argparse
import csv
import re
from pathlib import Path

from milligray.anatomy import Anatomy, AnatomyParameters, anatomy_ct, build_anatomy
from milligray.anatomy.targets import reference_mass_g
from milligray.errors import InputError
from milligray.patient import build_patient
from milligray.segment import organ_mass_weights, segment_organs

TITLE = "# The reference man and woman beside ICRP 89"
LIMIT = 0.05
SUMS = {
    "brain": ("brain", "brainstem"),
    "heart": ("heart_ventricle_left", "heart_ventricle_right", "heart_atrium_left",
              "heart_atrium_right", "heart_myocardium"),
    "small_bowel": ("small_bowel", "duodenum"),
    "colon": ("colon", "rectum"),
    "lungs": ("lung_upper_lobe_left", "lung_lower_lobe_left", "lung_upper_lobe_right",
              "lung_middle_lobe_right", "lung_lower_lobe_right"),
}  # fmt: skip
"""Rows of the references that hold several structures."""
SINGLE_NAMES = {n for names in SUMS.values() for n in names}
SIDES = ("left", "right")
OWN_SIZE = ("spinal_cord",)
"""Structures with a size of their own (the length of the canal), not the reference's."""


def masses_by_ct(anatomy: Anatomy) -> dict[str, float]:
    """Mass of every structure as the dose computation sees it [g]."""
    ct, labels = anatomy_ct(anatomy)
    patient = build_patient(ct, calibration="schneider2000")
    weights = organ_mass_weights(patient, segment_organs(patient, labels))
    return dict(zip(weights.names, (float(m) for m in weights.mass_g), strict=True))


def reference_g(name: str, parameters: AnatomyParameters) -> float | None:
    """Reference mass of a structure with its content, None if there is no row of that name."""
    if name in OWN_SIZE:
        return None
    if name == "lungs":
        return sum(reference_mass_g(f"lung_{side}", "whole", parameters) for side in SIDES)
    if name.startswith("breast_"):
        return reference_mass_g(name, "glandular", parameters)
    try:
        return reference_mass_g(name, "whole", parameters)
    except (InputError, KeyError):
        pass
    total = 0.0
    for part in ("wall", "content"):
        try:
            total += reference_mass_g(name, part, parameters)
        except (InputError, KeyError):
            continue
    return total or None


def rows_of(sex: str, spacing_mm: float) -> list[dict[str, object]]:
    """One row a structure."""
    parameters = AnatomyParameters(sex=sex)  # type: ignore[arg-type]
    anatomy = build_anatomy(parameters, spacing_mm=spacing_mm)
    volumes, masses = anatomy.volume_ml(), masses_by_ct(anatomy)
    rows = []
    wanted_ml = dict(anatomy.target_ml)
    for name, parts in SUMS.items():
        present = [p for p in parts if p in masses]
        masses[f"{name}, all"] = sum(masses[p] for p in present)
        volumes[f"{name}, all"] = sum(volumes[p] for p in present)
        wanted_ml[f"{name}, all"] = sum(wanted_ml[p] for p in present)
    for name, wanted in wanted_ml.items():
        is_part = name in SINGLE_NAMES
        row = re.sub("^skeletal_|, all$", "", name)
        own = None if is_part else reference_g(row, parameters)
        mass = masses.get(name)
        rows.append({
            "sex": sex, "structure": name, "target_ml": round(wanted, 3),
            "volume_ml": round(volumes[name], 3),
            "volume_deviation": round(volumes[name] / wanted - 1.0, 4),
            "reference_g": "" if own is None else round(own, 2),
            "mass_by_ct_g": "" if mass is None else round(mass, 2),
            "mass_deviation": (
                "" if own is None or mass is None else round(mass / own - 1.0, 4)
            ),
        })  # fmt: skip
    body = sum(mass for name, mass in masses.items() if not name.endswith(", all"))
    rows.append({
        "sex": sex, "structure": "body", "target_ml": "", "volume_ml": "", "volume_deviation": "",
        "reference_g": round(1e3 * parameters.weight_kg), "mass_by_ct_g": round(body, 0),
        "mass_deviation": round(body / (1e3 * parameters.weight_kg) - 1.0, 4),
    })  # fmt: skip
    return rows


def page(rows: list[dict[str, object]], spacing_mm: float) -> str:
    """The table as a page."""
    lines = [
        TITLE,
        "",
        f"Voxels of {spacing_mm:g} mm, written by `tools/measure_anatomies.py`.",
        "",
    ]
    for sex in ("male", "female"):
        mine = [r for r in rows if r["sex"] == sex]
        volumes = [r for r in mine if r["volume_deviation"] != ""]
        worst = max(volumes, key=lambda r: abs(float(str(r["volume_deviation"]))))
        judged = [r for r in mine if r["mass_deviation"] != ""]
        far = [r for r in judged if abs(float(str(r["mass_deviation"]))) > LIMIT]
        summary = (
            f"{len(volumes)} structures have a target volume; largest deviation"
            f" {100 * float(str(worst['volume_deviation'])):+.1f} % ({worst['structure']})."
            f" {len(judged) - len(far)} of {len(judged)} masses lie within {LIMIT:.0%} of ICRP 89;"
            f" beyond: {', '.join(str(r['structure']) for r in far) or 'none'}."
        )
        lines += [
            f"## {sex.capitalize()}",
            "",
            summary,
            "",
            "| Structure | Reference [g] | Mass by the CT calibration [g] | Deviation |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {r['structure']} | {r['reference_g']} | {r['mass_by_ct_g']} |"
            f" {100 * float(str(r['mass_deviation'])):+.1f} % |"
            for r in judged
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spacing-mm", type=float, default=2.0)
    parser.add_argument("--write", type=Path, default=None, help="directory of the page")
    args = parser.parse_args()
    rows = rows_of("male", args.spacing_mm) + rows_of("female", args.spacing_mm)
    text = page(rows, args.spacing_mm)
    print(text)
    if args.write:
        (args.write / "reference_masses.md").write_text(text, encoding="utf-8")
        with (args.write / "reference_masses.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()

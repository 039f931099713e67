"""The list and the table of a population."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milligray.report.nifti_image import CT_FILE, LABELS_FILE, NAMES_FILE

LIST_FILE, TABLE_FILE = "patients.csv", "population.csv"
PLAIN = ("sex", "height_mm", "weight_kg", "fat_scale", "lung_density_g_cm3", "arms", "variation",
         "seed")  # fmt: skip


def write_list(documents: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Write ``patients.csv``: the list that `milligray cohort` and `milligray dataset` take."""
    rows = [
        {
            "exam": d["name"],
            "input": f"phantoms/{d['name']}/{CT_FILE}",
            "organs": f"phantoms/{d['name']}/{LABELS_FILE}",
            "organ_names": f"phantoms/{d['name']}/{NAMES_FILE}",
            "patient": d["name"],
            "kind_of_anatomy": "synthetic",
        }
        for d in documents
    ]
    _write(out / LIST_FILE, list(rows[0]) if rows else ["exam"], rows)


def write_table(documents: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Write ``population.csv``: parameters and measures, one row a person."""
    rows = []
    for d in documents:
        row = {"name": d["name"], **{k: d["parameters"][k] for k in PLAIN}, "bmi": d["bmi"]}
        row |= {"mass_kg": d["mass_kg"], "fat_share": d["fat_share"]}
        for kind in ("effective_diameter_mm", "water_equivalent_diameter_mm", "volume_ml"):
            row |= {f"{kind[:-3]}_{name}_{kind[-2:]}": v for name, v in d[kind].items()}
        rows.append(row)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    _write(out / TABLE_FILE, columns, rows)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    partial.rename(path)

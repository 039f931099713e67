"""Organ table as CSV and the result as strict JSON."""

import csv
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from milligray.report.plain import to_plain
from milligray.report.result import ExamResult
from milligray.score.budget import COVERAGE_FACTOR, combine, organ_budget
from milligray.score.dose import OrganDose, OrganDoses
from milligray.volume import Grid

SCHEMA = "milligray-result/1"

_DOSE_COLUMN = {"mGy": "mean_dose_mgy", "mGy per 100 mAs": "mean_dose_mgy_per_100mas"}


def dose_column(unit: str) -> str:
    """Name of the dose column for a unit."""
    return _DOSE_COLUMN[unit]


def write_organ_csv(
    organ_doses: OrganDoses,
    path: Path,
    *,
    appended: Mapping[str, Sequence[float | None]] | None = None,
) -> None:
    """Write ``organ_doses.csv``: one row an organ, in the order of the organ map.

    Parameters
    ----------
    organ_doses : OrganDoses
    path : Path
    appended : mapping of str to sequence of float or None, optional
        Further columns after those of every result, one value a row.

    Notes
    -----
    Uncertainties are relative, k = 1, statistics only. The field `fraction_in_image` is empty
    when the organ is cut by the image and its full size is not known.
    """
    more = dict(appended or {})
    further = zip(*more.values(), strict=True) if more else ((),) * len(organ_doses.rows)
    write_csv(
        (*_columns(organ_doses.unit), *more),
        (
            (*_row(row), *(digits(value, 6) for value in values))
            for row, values in zip(organ_doses.rows, further, strict=True)
        ),
        path,
    )


def write_csv(
    columns: Sequence[str], rows: Iterable[Sequence[str | float | None]], path: Path
) -> None:
    """Write a table; None is an empty field."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(["" if value is None else value for value in row])


def _columns(unit: str) -> list[str]:
    return [
        "organ",
        dose_column(unit),
        "relative_uncertainty",
        "volume_ml",
        "mass_g",
        "fraction_in_image",
        "method",
    ]


def _row(row: OrganDose) -> list[str | None]:
    return [
        row.organ,
        digits(row.mean_dose_mgy, 6),
        digits(row.relative_uncertainty, 4),
        digits(row.volume_ml, 6),
        digits(row.mass_g, 6),
        digits(row.fraction_in_image, 4),
        row.method,
    ]


def digits(value: float | None, n: int) -> str | None:
    """Number with `n` significant digits; None for what is unknown."""
    return None if value is None or not math.isfinite(value) else f"{value:.{n}g}"


def result_document(result: ExamResult) -> dict[str, Any]:
    """Collect the whole result but its maps, ready for JSON: ``result.json`` and ``--json``.

    Parameters
    ----------
    result : ExamResult

    Returns
    -------
    dict
        The manifest's keys, and: ``schema``, ``unit``, ``method``, ``organ_doses`` (with the
        expanded uncertainty of each), ``ctdi_vol_mgy``, ``dlp_mgy_cm``, ``ssde_mgy``,
        ``calibration``, ``uncertainty_budget``, ``scanner``, ``spectrum``, ``protocol``,
        ``warnings``, ``notes``. No NaN, no NumPy types.
    """
    unit = result.organ_doses.unit
    organs = [
        organ_fields(row, unit, combine(organ_budget(row.relative_uncertainty, result.budget)))
        for row in result.organ_doses.rows
    ]
    protocol = {
        field.name: getattr(result.protocol, field.name)
        for field in dataclasses.fields(result.protocol)
        if field.name not in {"slice_position_mm", "relative_current", "notes"}
    }
    document = {
        "schema": SCHEMA,
        **result.manifest,
        "unit": unit,
        "method": result.method,
        "organ_doses": organs,
        "ctdi_vol_mgy": result.protocol.ctdi_vol_mgy,
        "dlp_mgy_cm": result.dlp_mgy_cm,
        "ssde_mgy": result.ssde_mgy,
        "calibration": result.calibration,
        "uncertainty_budget": result.budget,
        "combined_relative_uncertainty_k1": combine(result.budget),
        "scanner": {
            "name": result.scanner.name,
            "label": result.scanner.label,
            "is_generic": result.scanner.is_generic,
            "bowtie": result.bowtie_name,
            "sources": result.scanner.sources,
        },
        "spectrum": {
            "name": result.spectrum.name,
            "mean_energy_kev": result.spectrum.mean_energy_kev,
            "half_value_layer_mm_al": result.spectrum.half_value_layer_mm_al,
        },
        "protocol": protocol,
        "segmentation": result.organs.method,
        "transport_grid": transport_grid(result.patient.grid),
        "warnings": result.warnings,
        "notes": notes(result),
        "intended_use": "not for clinical decisions",
    }
    return {str(key): to_plain(item) for key, item in document.items()}


def organ_fields(row: OrganDose, unit: str, combined: float | None) -> dict[str, Any]:
    """One organ for JSON: dose first, and the uncertainty that all components give.

    Parameters
    ----------
    row : OrganDose
    unit : str
    combined : float or None
        Combined relative standard uncertainty (k = 1), if there is one.
    """
    fields = dataclasses.asdict(row)
    shown = {"organ": fields.pop("organ"), dose_column(unit): fields.pop("mean_dose_mgy"), **fields}
    if combined is not None:
        shown["expanded_relative_uncertainty_k2"] = COVERAGE_FACTOR * combined
    return shown


def transport_grid(grid: Grid) -> dict[str, Any]:
    """Transport grid for JSON."""
    return {"shape_zyx": grid.shape, "spacing_zyx_mm": grid.spacing_mm}


def notes(result: ExamResult) -> tuple[str, ...]:
    """List what every stage assumed, mended or left out, without repetitions."""
    return tuple(
        dict.fromkeys(
            (
                *result.notes,
                *result.protocol.notes,
                *result.patient.notes,
                *result.organs.notes,
            )
        )
    )


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write strict JSON (RFC 8259: no NaN, no Infinity), two spaces of indent."""
    text = json.dumps(to_plain(document), indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")

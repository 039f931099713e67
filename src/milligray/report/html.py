"""The report of a CT exam as one HTML page that needs nothing but itself."""

from pathlib import Path
from typing import Any

import numpy as np

from milligray.report import charts, records, sections, wording
from milligray.report.dvh_curves import MAX_CURVES, dvh_curves
from milligray.report.network import network_limits, network_table
from milligray.report.overlay import montage_png, three_planes_png
from milligray.report.page import render
from milligray.report.result import ExamResult
from milligray.report.scene import (
    WINDOW_CENTER_HU,
    WINDOW_WIDTH_HU,
    has_outlines,
    make_scene,
)
from milligray.report.tables import notes
from milligray.score.budget import COVERAGE_FACTOR, combine, organ_budget

LIMITS = (
    (
        "The patient ends where the image ends: scatter from tissue beyond it, and dose to organs"
        " beyond it, are missing."
    ),
    (
        "Organs at the ends of the scan depend on the true start and end of irradiation"
        " (over-ranging), which headers do not state; a few centimeters can change their"
        " dose by a factor of two."
    ),
    "Localizer, bolus-tracking and other series of the same exam are not included unless given.",
    (
        "Small organs near the skin depend on the tube's start angle, which is unknown; their"
        " uncertainty is larger than the budget says."
    ),
    (
        "Absorbed dose is not risk: no effective dose is derived, since it is defined for reference"
        " persons only."
    ),
)


def write_html(result: ExamResult, path: Path) -> None:
    """Write ``report.html``.

    Parameters
    ----------
    result : ExamResult
    path : Path

    Notes
    -----
    No script, no external resource, no patient identity; prints on A4.
    """
    path.write_text(render("report.html.j2", page_context(result)), encoding="utf-8")


def page_context(result: ExamResult) -> dict[str, Any]:
    """Everything the template shows.

    Parameters
    ----------
    result : ExamResult

    Returns
    -------
    dict
        Text, tables and pictures by the template's names.
    """
    unit = result.unit
    curves = dvh_curves(result.organ_doses, result.dvh)
    scene = make_scene(result) if result.dose is not None else None
    combined = combine(result.budget)
    return {
        "title": f"CT organ doses, {result.protocol.tube_voltage_kv:g} kV, {result.scanner.label}",
        "heading": "CT organ doses",
        "subtitle": [result.scanner.label, wording.method_label(result.method)],
        "created": wording.moment(result.manifest.get("created")),
        "version": result.manifest.get("milligray_version") or "",
        "is_predicted": result.is_predicted,
        "unit": unit,
        "headlines": sections.headlines(result),
        "not_clinical": sections.NOT_CLINICAL,
        "cautions": sections.cautions(result),
        "organs": sections.organ_lines(result),
        "segmentation": result.organs.method,
        "bar_chart": charts.organ_bar_chart(_bars(result), unit),
        "planes_png": three_planes_png(scene) if scene else "",
        "montage_png": montage_png(scene) if scene else "",
        "window": f"center {WINDOW_CENTER_HU:g} HU, width {WINDOW_WIDTH_HU:g} HU",
        "has_ct": result.patient.ct is not None,
        "has_outlines": has_outlines(result.organs),
        "voxel_mm": " × ".join(f"{s:.3g}" for s in result.patient.grid.spacing_mm[::-1]),
        "dvh_chart": charts.dvh_chart(curves, unit) if curves else "",
        "dvh_is_partial": len(result.dvh) > MAX_CURVES,
        "n_dvh": MAX_CURVES,
        "profile_chart": charts.profile_chart(_profiles(result), _scan_range(result)),
        "protocol": sections.protocol_table(result),
        "calibration": sections.calibration_table(result),
        "budget": sections.budget_table(result),
        "combined": wording.percent(combined),
        "expanded": wording.percent(COVERAGE_FACTOR * combined),
        "records": [] if result.is_predicted else records.records_table(result),
        "network": network_table(result) if result.is_predicted else [],
        "provenance": records.provenance_table(result.manifest),
        "notes": notes(result),
        "limits": (*LIMITS, *network_limits(result)),
        "sources": result.scanner.sources,
        "files": f"{_maps(result)}organ_doses.csv, result.json",
    }


def _maps(result: ExamResult) -> str:
    """Names of the map files beside the page, each with a comma after it."""
    if result.dose is None:
        return ""
    is_known = not np.isnan(result.dose.relative_uncertainty).all()
    return "dose.nii.gz, " + ("dose_uncertainty.nii.gz, " if is_known else "")


def _bars(result: ExamResult) -> list[charts.Bar]:
    return [
        charts.Bar(
            label=wording.plain_name(row.organ),
            dose=row.mean_dose_mgy,
            expanded=COVERAGE_FACTOR
            * row.mean_dose_mgy
            * combine(organ_budget(row.relative_uncertainty, result.budget)),
        )
        for row in result.organ_doses.rows
        if np.isfinite(row.mean_dose_mgy)
    ]


def _profiles(result: ExamResult) -> list[charts.Profile]:
    protocol, body = result.protocol, result.patient.body
    current, label = protocol.relative_current, "tube current\n/ mean"
    if protocol.tube_current_ma is not None:
        current, label = current * protocol.tube_current_ma, "tube current\n[mA]"
    profiles = [charts.Profile(z_mm=protocol.slice_position_mm, values=current, label=label)]
    diameter = result.water_equivalent_diameter_mm
    if diameter is not None:
        own = next(g for g in result.image_grids if g.shape[0] == diameter.size)
        z = own.axis_centers_mm(0)
        profiles.append(
            charts.Profile(z_mm=z, values=diameter, label="water-equiv.\ndiameter [mm]")
        )
    if result.dose is None:
        return profiles
    mass = np.where(body, result.patient.density_g_cm3, np.float32(0.0)).astype(np.float64)
    per_slice = mass.sum(axis=(1, 2))
    energy = (mass * result.dose.dose_mgy).sum(axis=(1, 2))
    mean = np.divide(energy, per_slice, out=np.full_like(energy, np.nan), where=per_slice > 0)
    profiles.append(
        charts.Profile(
            z_mm=result.dose.grid.axis_centers_mm(0),
            values=mean,
            label=f"mean dose\n[{result.unit}]",
        )
    )
    return profiles


def _scan_range(result: ExamResult) -> tuple[float, float] | None:
    first, last = result.protocol.scan_start_mm, result.protocol.scan_end_mm
    if first is None or last is None:
        return None
    return min(first, last), max(first, last)

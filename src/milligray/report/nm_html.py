"""The report of a nuclear-medicine exam as one HTML page that needs nothing but itself."""

from pathlib import Path
from typing import Any

import numpy as np

from milligray.report import charts, nm_charts, nm_parts, nm_sections, records, sections, wording
from milligray.report.dvh_curves import MAX_CURVES, dvh_curves
from milligray.report.nm_records import nm_records_table
from milligray.report.nm_result import NmResult
from milligray.report.nm_tables import (
    SECONDS_PER_HOUR,
    combined_uncertainty,
    expanded,
    nm_notes,
    nm_table_writers,
)
from milligray.report.overlay import montage_png, three_planes_png
from milligray.report.page import render
from milligray.report.scene import (
    WINDOW_CENTER_HU,
    WINDOW_WIDTH_HU,
    has_outlines,
    scene_of,
)
from milligray.score.budget import COVERAGE_FACTOR
from milligray.typing import FloatArray

LIMITS = (
    (
        "The patient ends where the CT ends, and the activity where the images end: dose from"
        " activity elsewhere in the body is missing, and so is scatter from tissue beyond the CT."
    ),
    (
        "Images blur activity. Regions smaller than about three times the images’ resolution lose"
        " activity to their surroundings, or gain some; unless a recovery curve was given, nothing"
        " is corrected for it."
    ),
    (
        "CT and emission images are taken in different states of breathing; near the diaphragm"
        " activity may lie in the wrong organ, above all in the lung."
    ),
    (
        "Activity within a voxel is taken as evenly spread. Dose to cells, to bone marrow within"
        " bone and to walls of organs is not computed."
    ),
    (
        "What happens before the first and after the last image is extrapolated; it can be the"
        " larger part of the integral."
    ),
    "Absorbed dose is not risk, and doses of different radiations do not add up in effect.",
)


def write_nm_html(result: NmResult, path: Path) -> None:
    """Write ``report.html`` of a nuclear-medicine exam.

    Parameters
    ----------
    result : NmResult
    path : Path

    Notes
    -----
    No script, no external resource, no patient identity; prints on A4.
    """
    path.write_text(render("nm_report.html.j2", nm_page_context(result)), encoding="utf-8")


def nm_page_context(result: NmResult) -> dict[str, Any]:
    """Everything the template shows.

    Parameters
    ----------
    result : NmResult

    Returns
    -------
    dict
        Text, tables and pictures by the template's names.
    """
    curves = dvh_curves(result.organ_doses, result.dvh)
    is_simulated = result.method.startswith("monte-carlo")
    provenance = {k: v for k, v in result.manifest.items() if k not in {"nuclide", "activity"}}
    return {
        "title": f"Organ doses of {result.nuclide.name}",
        "heading": "Organ doses of a radiopharmaceutical",
        "subtitle": [result.nuclide.name, nm_sections.method_name(result.method)],
        "created": wording.moment(result.manifest.get("created")),
        "version": result.manifest.get("milligray_version") or "",
        "headlines": nm_sections.nm_headlines(result),
        "not_clinical": sections.NOT_CLINICAL,
        "cautions": nm_sections.nm_cautions(result),
        "regions": nm_sections.region_lines(result),
        "has_activity": result.administered_activity_mbq is not None,
        "segmentation": result.organs.method,
        "bar_chart": charts.organ_bar_chart(_bars(result), "mGy"),
        **_pictures(result),
        "has_ct": result.patient.ct is not None,
        "has_outlines": has_outlines(result.organs),
        "window": f"center {WINDOW_CENTER_HU:g} HU, width {WINDOW_WIDTH_HU:g} HU",
        "voxel_mm": " × ".join(f"{s:.3g}" for s in result.patient.grid.spacing_mm[::-1]),
        "dvh_chart": charts.dvh_chart(curves, "mGy") if curves else "",
        "dvh_is_partial": len(result.dvh) > MAX_CURVES,
        "n_dvh": MAX_CURVES,
        "administration": nm_sections.administration_table(result),
        "images": nm_sections.image_table(result.images),
        "n_images": len(result.images),
        "kinetics": nm_sections.kinetics_lines(result),
        "activity_chart": _activity_chart(result),
        "n_curves": nm_charts.MAX_CURVES,
        "dose_rates": nm_parts.dose_rate_lines(result),
        **_exam_parts(result),
        **_methods(result),
        "effective_dose": nm_sections.effective_dose_table(result),
        "effective_notes": () if result.effective_dose is None else result.effective_dose.notes,
        "effects": nm_sections.effect_lines(result),
        "budget_matrix": nm_parts.budget_matrix(result),
        "budgets": _budgets(result),
        "is_simulated": is_simulated,
        "records": nm_records_table(result),
        "provenance": records.provenance_table(provenance),
        "notes": nm_notes(result),
        "limits": LIMITS,
        "files": _files(result),
    }


def _pictures(result: NmResult) -> dict[str, str]:
    """Dose and time-integrated activity in the same planes, and dose in axial slices."""
    dose = scene_of(result.dose.dose_mgy, "mGy", result.patient, result.organs)
    voxel_ml = result.patient.grid.voxel_volume_cm3
    concentration: FloatArray = result.tia.tia_mbq_s / (voxel_ml * SECONDS_PER_HOUR)
    activity = scene_of(
        concentration.astype(np.float32), "MBq h per mL", result.patient, result.organs,
        center_mm=dose.center_mm,
    )  # fmt: skip
    return {
        "planes_png": three_planes_png(dose),
        "montage_png": montage_png(dose),
        "activity_png": three_planes_png(activity),
    }


def _bars(result: NmResult) -> list[charts.Bar]:
    return [
        charts.Bar(
            label=wording.plain_name(row.organ),
            dose=row.mean_dose_mgy,
            expanded=row.mean_dose_mgy * expanded(result, row.organ),
        )
        for row in result.organ_doses.rows
        if np.isfinite(row.mean_dose_mgy)
    ]


def _activity_chart(result: NmResult) -> str:
    if not result.kinetics:
        return ""
    ordered = sorted(result.kinetics, key=lambda item: item.tia_mbq_s, reverse=True)
    return nm_charts.time_activity_chart([
        nm_charts.ActivityCurve(
            label=wording.plain_name(item.region),
            times_h=item.times_s / SECONDS_PER_HOUR,
            activity_mbq=item.activity_mbq,
            curve_times_h=item.curve_times_s / SECONDS_PER_HOUR,
            curve_mbq=item.curve_mbq,
        )
        for item in ordered
    ])  # fmt: skip


def _exam_parts(result: NmResult) -> dict[str, Any]:
    """The CT part beside the nuclear-medicine part: table, chart and what the CT was."""
    parts = nm_parts.exam_parts(result)
    both = sorted(
        (p for p in parts if np.isfinite(p.total_mgy)), key=lambda p: p.total_mgy, reverse=True
    )
    chart = ""
    if both:
        names = [wording.plain_name(p.organ) for p in both]
        chart = nm_charts.parts_chart(names, [p.nuclear_mgy for p in both],
                                      [p.ct_mgy for p in both])  # fmt: skip
    return {
        "parts": nm_parts.part_lines(parts),
        "parts_chart": chart,
        "ct_headlines": [] if result.ct is None else sections.headlines(result.ct),
        "ct_cautions": [] if result.ct is None else sections.cautions(result.ct),
        "ct_method": "" if result.ct is None else wording.method_label(result.ct.method),
    }


def _methods(result: NmResult) -> dict[str, Any]:
    names, lines = nm_parts.method_lines(result)
    organs = [line[0] for line in lines]
    return {
        "methods": names,
        "method_lines": lines if names else [],
        "methods_chart": (
            nm_charts.methods_chart(organs, nm_parts.method_ratios(result)) if names else ""
        ),
    }


def _budgets(result: NmResult) -> list[tuple[str, Any, str, str]]:
    """Whole budgets of the region with the highest dose and of the least certain one."""
    rows = [r for r in result.organ_doses.rows if r.volume_ml >= sections.SMALL_ORGAN_ML]
    rows = rows or list(result.organ_doses.rows)
    chosen = (
        ("highest dose", max(rows, key=lambda row: row.mean_dose_mgy).organ),
        ("least certain", max(rows, key=lambda row: combined_uncertainty(result, row.organ)).organ),
    )
    titles: dict[str, str] = {}
    for why, organ in chosen:
        titles[organ] = f"{titles[organ]} and {why}" if organ in titles else why
    return [
        (
            f"{wording.plain_name(organ)} ({why})",
            sections.budget_rows(result.budgets[organ]),
            wording.percent(combined_uncertainty(result, organ)),
            wording.percent(COVERAGE_FACTOR * combined_uncertainty(result, organ)),
        )
        for organ, why in titles.items()
    ]


def _files(result: NmResult) -> str:
    """Names of the files beside the page."""
    maps = ["dose.nii.gz"]
    if not np.isnan(result.dose.relative_uncertainty).all():
        maps.append("dose_uncertainty.nii.gz")
    if result.administered_activity_mbq is not None:
        maps.append("dose_per_activity.nii.gz")
    if result.dose_rates:
        maps.append("dose_rate_*h.nii.gz")
    return ", ".join((*maps, *nm_table_writers(result), "result.json"))

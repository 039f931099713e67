"""The report's words and tables: headline, warnings, organs, protocol, calibration, budget."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from milligray.report.result import ExamResult
from milligray.report.wording import count, interval, number, percent, plain_name, show
from milligray.score.budget import COVERAGE_FACTOR, combine, organ_budget
from milligray.score.dose import BudgetEntry, OrganDose, OrganDoses

SMALL_ORGAN_ML = 10.0
NOT_CLINICAL = (
    "Not for clinical decisions. Research software: it is no medical device, and no person has"
    " checked this result."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One figure at the top of the report."""

    label: str
    value: str
    unit: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganLine:
    """One row of the organ table, formatted."""

    organ: str
    dose: str
    statistics: str
    expanded: str
    interval: str
    volume: str
    mass: str
    fraction: str
    is_cut: bool
    is_small: bool


def headlines(result: ExamResult) -> list[Headline]:
    """Figures for the top of the page; what is unknown is left out or said to be."""
    protocol = result.protocol
    phantom = protocol.phantom_diameter_mm
    ctdi_hint = f"{phantom / 10:.0f} cm phantom" if phantom else "phantom not stated"
    lines = [
        Headline(
            label="CTDIvol",
            value=number(protocol.ctdi_vol_mgy),
            unit="mGy" if protocol.ctdi_vol_mgy is not None else "",
            hint=ctdi_hint if protocol.ctdi_vol_mgy is not None else "not given",
        ),
        Headline(
            label="DLP",
            value=number(result.dlp_mgy_cm),
            unit="mGy cm" if result.dlp_mgy_cm is not None else "",
        ),
        Headline(
            label="SSDE",
            value=number(result.ssde_mgy),
            unit="mGy" if result.ssde_mgy is not None else "",
            hint="AAPM 204/220/293" if result.ssde_mgy is not None else "",
        ),
        Headline(label="Tube voltage", value=f"{protocol.tube_voltage_kv:g}", unit="kV"),
    ]
    histories = result.manifest.get("histories")
    if isinstance(histories, int | float):
        lines.append(
            Headline(
                label="Histories",
                value=count(histories),
                unit="",
                hint=worst_statistics(result.organ_doses),
            )
        )
    elif result.is_predicted:
        seconds = result.manifest.get("seconds")
        shown = f"{seconds:.2g}" if isinstance(seconds, int | float) else ""
        lines.append(
            Headline(
                label="Network", value=shown, unit="s", hint=worst_statistics(result.organ_doses)
            )
        )
    return lines


def cautions(result: ExamResult) -> list[str]:
    """Reasons to read this result with care: those given with it, then those seen here.

    A reason that the warnings already name is not repeated.
    """
    found: list[str] = []
    said = " ".join(result.warnings).lower()
    if not result.is_absolute and "no ctdivol" not in said:
        found.append(
            f"Doses are in {result.unit}, not in mGy of this exam: no CTDIvol and no"
            " measurement was given, so the absolute scale is that of the tube model."
        )
    if result.scanner.is_generic and "generic scanner" not in said:
        found.append(
            "The scanner was not found in the library; a generic one stands in for it. Spectrum,"
            " bowtie and geometry may differ, which the budget covers only roughly."
        )
    if "threshold" in result.organs.method.lower() and "not organs" not in said:
        found.append(
            "The regions are tissues found by threshold, not organs. Give organ labels to get"
            " organ doses."
        )
    if result.is_predicted:
        found.append(f"The dose was predicted by a network ({result.method}), not simulated.")
        if result.dose is None:
            found.append("This network gives organ doses and no dose map.")
    found += cut_organs(result.organ_doses)
    if result.manifest.get("converged") is False:
        found.append("The statistical goal was not met; see the uncertainty of each organ.")
    return [*result.warnings, *found]


def cut_organs(organ_doses: OrganDoses) -> list[str]:
    """Cautions for organs that the image does not hold as a whole."""
    unknown = [r.organ for r in organ_doses.rows if math.isnan(r.fraction_in_image)]
    partly = [r.organ for r in organ_doses.rows if r.fraction_in_image < 0.995]
    found = []
    if unknown:
        found.append(
            f"Cut by the edge of the image: {listed(unknown)}. The dose is that of the part"
            " inside the image; the dose of the whole organ differs, mostly it is lower."
        )
    if partly:
        found.append(f"Only partly inside the image: {listed(partly)} (see the table).")
    return found


def organ_lines(result: ExamResult) -> list[OrganLine]:
    """Rows of the organ table in the order of the organ map."""
    return [
        organ_line(row, combine(organ_budget(row.relative_uncertainty, result.budget)))
        for row in result.organ_doses.rows
    ]


def organ_line(row: OrganDose, combined: float) -> OrganLine:
    """One row of the organ table from the combined relative uncertainty (k = 1) of its dose."""
    expanded = COVERAGE_FACTOR * combined
    return OrganLine(
        organ=plain_name(row.organ),
        dose=number(row.mean_dose_mgy),
        statistics=percent(row.relative_uncertainty),
        expanded=percent(expanded),
        interval=interval(row.mean_dose_mgy, expanded),
        volume=number(row.volume_ml),
        mass=number(row.mass_g),
        fraction=percent(row.fraction_in_image, "cut"),
        is_cut=not row.fraction_in_image >= 0.995,
        is_small=row.volume_ml < SMALL_ORGAN_ML,
    )


def protocol_table(result: ExamResult) -> list[tuple[str, str]]:
    """How the scan was made, as (what, value)."""
    protocol = result.protocol
    phantom = protocol.phantom_diameter_mm
    current = protocol.relative_current
    spread = f"{float(current.min()):.2f} to {float(current.max()):.2f} of the mean"
    ctdi = "not given" if protocol.ctdi_vol_mgy is None else f"{protocol.ctdi_vol_mgy:.4g} mGy"
    if protocol.ctdi_vol_mgy is not None and phantom:
        ctdi += f" ({phantom / 10:.0f} cm phantom)"
    hvl, name = result.spectrum.half_value_layer_mm_al, result.spectrum.name
    rows: list[tuple[str, str | None]] = [
        ("Scanner in the header", f"{protocol.manufacturer} {protocol.model}".strip() or None),
        ("Scanner model used", result.scanner.label),
        ("Bowtie filter", result.bowtie_name + _given(" (header: {})", protocol.filter_type)),
        ("Tube voltage", f"{protocol.tube_voltage_kv:g} kV"),
        (
            "Spectrum",
            f"{name}, mean {result.spectrum.mean_energy_kev:.1f} keV"
            + ("" if hvl is None or "HVL" in name else f", first HVL {hvl:.2f} mm Al"),
        ),
        ("Scan mode", protocol.scan_mode),
        ("Pitch", f"{protocol.pitch:g}"),
        ("Total collimation", f"{protocol.collimation_mm:g} mm"),
        ("Over-beaming", f"{result.scanner.over_beaming_mm:g} mm"),
        ("Rotation time", _with_unit(protocol.rotation_time_s, "s")),
        ("Mean tube current", _with_unit(protocol.tube_current_ma, "mA")),
        ("Mean effective exposure", _with_unit(protocol.effective_mas, "mAs")),
        ("Tube current along z", spread),
        ("Slice thickness", _with_unit(protocol.slice_thickness_mm, "mm")),
        ("Images along z", _range(*map(float, protocol.slice_position_mm[[0, -1]]))),
        ("Irradiated range", _scan_range(result)),
        ("Patient position", protocol.patient_position),
        ("CTDIvol", ctdi),
        ("Protocol read from", {"dicom": "DICOM header", "file": "protocol file"}[protocol.origin]),
    ]
    return [(name, value) for name, value in rows if value is not None]


_CALIBRATION_LABELS = {
    "ctdi_vol_mgy": "CTDIvol taken as the truth [mGy]",
    "phantom_diameter_mm": "CTDI phantom diameter [mm]",
    "simulated_ctdi_w_mgy_per_history": "Simulated CTDIw per history [mGy]",
    "simulated_center_to_periphery": "Simulated center / periphery of the phantom",
    "factor": "Photons emitted in the scan",
    "irradiated_length_mm": "Irradiated length with over-ranging [mm]",
    "rotations": "Rotations",
    "relative_uncertainty": "Statistics of the simulated CTDI (k = 1)",
}


def calibration_table(result: ExamResult) -> list[tuple[str, str]]:
    """How the absolute scale was made, as (what, value)."""
    rows = []
    for key, value in result.calibration.items():
        label = _CALIBRATION_LABELS.get(key, key.replace("_", " ").capitalize())
        if key == "relative_uncertainty":
            text = percent(value)
        elif isinstance(value, float) and value >= 1e5:
            text = count(value)
        else:
            text = show(value)
        rows.append((label, text))
    return rows


def budget_table(result: ExamResult) -> list[tuple[str, str, str, str]]:
    """Lines of the uncertainty budget: component, kind, relative uncertainty (k = 1), basis."""
    return budget_rows(result.budget)


def budget_rows(budget: Iterable[BudgetEntry]) -> list[tuple[str, str, str, str]]:
    """Lines of any budget as `budget_table` gives them."""
    return [
        (entry.component, entry.kind, percent(entry.relative_uncertainty), entry.basis)
        for entry in budget
    ]


def worst_statistics(organ_doses: OrganDoses) -> str:
    """Largest statistical uncertainty of the organs that are judged, in words."""
    large = [r for r in organ_doses.rows if r.volume_ml >= SMALL_ORGAN_ML]
    values = [r.relative_uncertainty for r in large if math.isfinite(r.relative_uncertainty)]
    return f"organs ≤ {percent(max(values))} (k = 1)" if values else ""


def listed(names: list[str]) -> str:
    """Up to eight names, and how many more there are."""
    shown = ", ".join(plain_name(name) for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _given(template: str, value: Any) -> str:  # noqa: ANN401 - any printable value
    return template.format(value) if value else ""


def _with_unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.4g} {unit}"


def _range(first: float, last: float) -> str:
    return f"{first:.1f} to {last:.1f} mm ({abs(last - first) / 10:.1f} cm)"


def _scan_range(result: ExamResult) -> str:
    first, last = result.protocol.scan_start_mm, result.protocol.scan_end_mm
    if first is None or last is None:
        return "start and end not given; modeled from the images’ range"
    return _range(min(first, last), max(first, last))

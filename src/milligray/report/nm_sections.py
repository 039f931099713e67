"""Words and tables of the nuclear-medicine report."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from milligray.report.nm_result import NmResult
from milligray.report.nm_tables import (
    SECONDS_PER_HOUR,
    combined_uncertainty,
    dose_per_activity_mgy_mbq,
)
from milligray.report.sections import (
    SMALL_ORGAN_ML,
    Headline,
    OrganLine,
    cut_organs,
    listed,
    organ_line,
    worst_statistics,
)
from milligray.report.wording import count, number, percent, plain_name, show

SECONDS_PER_DAY = 86400.0

METHOD_LABELS = {
    "monte-carlo": "Monte Carlo",
    "msv": "kernels of several tissues (MSV)",
    "ssv": "one water kernel (SSV)",
    "local": "local energy deposition",
    "mird": "organ-level MIRD",
    "kernel-network": "kernel network",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionLine:
    """One row of the table of organs and lesions: as for CT, and the dose per activity."""

    line: OrganLine
    per_activity: str


def method_name(method: str) -> str:
    """Name of a method in words; what is unknown stays as it is."""
    kind, _, detail = method.partition(":")
    label = METHOD_LABELS.get(kind)
    if label is None:
        return method
    return f"{label}, {detail}" if detail else label


def nm_headlines(result: NmResult) -> list[Headline]:
    """Figures for the top of the page; what is unknown is said to be."""
    nuclide, administered = result.nuclide, result.administered_activity_mbq
    judged = [r for r in result.organ_doses.rows if r.volume_ml >= SMALL_ORGAN_ML]
    highest = max(judged or result.organ_doses.rows, key=lambda row: row.mean_dose_mgy)
    lines = [
        Headline(
            label="Nuclide", value=nuclide.name, unit="",
            hint=f"half-life {duration(nuclide.half_life_s)}",
        ),
        Headline(
            label="Administered", value=number(administered),
            unit="" if administered is None else "MBq",
            hint="not known" if administered is None else "",
        ),
        Headline(
            label="Highest organ dose", value=number(highest.mean_dose_mgy), unit="mGy",
            hint=plain_name(highest.organ),
        ),
    ]  # fmt: skip
    if administered is not None:
        hours = result.tia.coefficient_s() / SECONDS_PER_HOUR
        lines.append(
            Headline(
                label="Time-integrated", value=number(hours), unit="h",
                hint="MBq h per MBq, whole image",
            )
        )  # fmt: skip
    if result.effective_dose is not None:
        dose = result.effective_dose.effective_dose_msv
        lines.append(
            Headline(
                label="Effective dose", value=number(dose), unit="mSv", hint="reference person"
            )
        )
    histories = result.manifest.get("histories")
    if isinstance(histories, int | float):
        hint = worst_statistics(result.organ_doses)
        lines.append(Headline(label="Histories", value=count(histories), unit="", hint=hint))
    return lines


def nm_cautions(result: NmResult) -> list[str]:
    """Reasons to read this result with care: those given with it, then those seen here."""
    found: list[str] = []
    if "threshold" in result.organs.method.lower():
        found.append(
            "The regions are tissues found by threshold, not organs. Give organ labels to get"
            " organ doses."
        )
    if result.administered_activity_mbq is None:
        found.append(
            "The administered activity is not known: no dose per activity and no coefficients."
            " The doses are those of the activity in the images."
        )
    said = " ".join(result.warnings).lower()
    assumed = [k.region for k in result.kinetics if math.isnan(k.relative_uncertainty)]
    if assumed and "kinetics" not in said:
        found.append(
            f"Kinetics were assumed, not measured: {listed(assumed)}; the uncertainty of the time"
            " integral is a judgement."
        )
    if not result.method.startswith("monte-carlo"):
        found.append(
            f"The dose is by {method_name(result.method)}, not by Monte Carlo; see the limits."
        )
    alpha = result.nuclide.lines("alpha")
    if alpha is not None:
        found.append(
            f"{result.nuclide.name} emits alpha particles: doses are absorbed doses without any"
            " weight for their effect, and their distribution below the size of a voxel is not"
            " computed."
        )
    if result.ct is not None and not result.ct.is_absolute:
        found.append(
            f"The CT part is in {result.ct.unit}, not in mGy of this exam: it is not added."
        )
    found += cut_organs(result.organ_doses)
    if result.manifest.get("converged") is False:
        found.append("The statistical goal was not met; see the uncertainty of each organ.")
    return [*result.warnings, *found]


def region_lines(result: NmResult) -> list[RegionLine]:
    """Rows of the table of organs and lesions."""
    administered = result.administered_activity_mbq
    return [
        RegionLine(
            line=organ_line(row, combined_uncertainty(result, row.organ)),
            per_activity=number(dose_per_activity_mgy_mbq(row.mean_dose_mgy, administered)),
        )
        for row in result.organ_doses.rows
    ]


def administration_table(result: NmResult) -> list[tuple[str, str]]:
    """What was given and what it emits, as (what, value)."""
    nuclide, administered = result.nuclide, result.administered_activity_mbq
    told = dict(result.manifest.get("dose_report") or {})
    energy = "; ".join(
        f"{lines.particle} {lines.energy_per_decay_kev:.4g} keV ({lines.total_yield:.3g})"
        for lines in nuclide.emissions
    )
    progeny = "; ".join(f"{p.name} {p.decays_per_decay:.4g}" for p in nuclide.progeny)
    total_h = result.tia.total_mbq_s / SECONDS_PER_HOUR
    rows = [
        ("Agent", str(told["agent"]) if told.get("agent") else ""),
        ("Nuclide", nuclide.name),
        ("Half-life", duration(nuclide.half_life_s)),
        ("Energy per decay (number)", energy),
        ("Progeny, decays per decay", progeny),
        ("Administered activity", "not known" if administered is None else f"{administered:g} MBq"),
        ("Time-integrated activity", f"{number(total_h)} MBq h in the image"),
        ("Kinetics", result.tia.method),
    ]
    stated = told.get("stated_effective_dose_msv")
    if isinstance(stated, int | float):
        rows.append(("Effective dose stated by the scanner", f"{number(stated)} mSv"))
    return [(name, value) for name, value in rows if value]


_IMAGE_LABELS = {
    "hours_after_administration": "Time after administration [h]",
    "time_s": "Time after administration [s]",
    "total_activity_mbq": "Activity in the image [MBq]",
    "on_patient_mbq": "Activity on the patient’s grid [MBq]",
    "voxel_mm": "Voxel [mm] (z, y, x)",
    "frame_duration_s": "Duration [s]",
    "outside_ct_fraction": "Outside the CT",
    "outside_body_fraction": "Outside the body",
    "resampling_correction": "Factor that keeps the activity",
    "units": "Stored units",
}


def image_table(images: tuple[Mapping[str, Any], ...]) -> list[tuple[str, list[str]]]:
    """Time points side by side, as (what, one text an image)."""
    keys = list(dict.fromkeys(key for image in images for key in image))
    return [
        (
            _IMAGE_LABELS.get(key, key.replace("_", " ").capitalize()),
            [_image_value(key, image.get(key)) for image in images],
        )
        for key in keys
    ]


def _image_value(key: str, value: Any) -> str:  # noqa: ANN401 - any value of a manifest
    if isinstance(value, float) and key.endswith("_fraction"):
        return percent(value)
    if isinstance(value, float) and key == "resampling_correction":
        return f"{value:.4f}"
    if isinstance(value, list | tuple):
        return ", ".join(f"{v:.3g}" if isinstance(v, float) else show(v) for v in value)
    return number(value) if isinstance(value, float) and abs(value) >= 0.01 else show(value)


def kinetics_lines(result: NmResult) -> list[tuple[str, ...]]:
    """Region, time-integrated activity [MBq h], coefficient [h], half-life [h], u, model."""
    return [
        (
            plain_name(item.region),
            number(item.tia_mbq_s / SECONDS_PER_HOUR),
            number(item.tia_coefficient_s / SECONDS_PER_HOUR),
            number(item.effective_half_life_s / SECONDS_PER_HOUR),
            percent(item.relative_uncertainty, "assumed"),
            item.method,
        )
        for item in result.kinetics
    ]


def effective_dose_table(result: NmResult) -> list[tuple[str, str]]:
    """Effective dose and its parts, as (what, value)."""
    dose = result.effective_dose
    if dose is None:
        return []
    rows = [("Effective dose", f"{number(dose.effective_dose_msv)} mSv")]
    if math.isfinite(dose.coefficient_msv_per_mbq):
        rows.append(("Per administered activity", f"{dose.coefficient_msv_per_mbq:.3g} mSv/MBq"))
    if dose.stood_in:
        pairs = ", ".join(
            f"{plain_name(tissue)} by {plain_name(name)}" for tissue, name in dose.stood_in.items()
        )
        rows.append(("Tissues without a dose of their own", pairs))
        rows.append(("Their share of the tissue weights", percent(dose.stood_in_weight)))
    tissues = sorted(dose.tissues.items(), key=lambda item: -item[1])
    text = "; ".join(f"{plain_name(name)} {number(value)}" for name, value in tissues)
    rows.append(("Equivalent dose of the tissues [mSv]", text))
    return rows


def effect_lines(result: NmResult) -> list[tuple[str, ...]]:
    """Region, alpha/beta [Gy], repair half-life [h], G, BED, EQD2, EUD [mGy]."""
    return [
        (
            plain_name(item.region),
            f"{item.alpha_beta_gy:g}",
            number(item.repair_half_life_s / SECONDS_PER_HOUR),
            number(item.protraction_factor),
            number(item.bed_mgy),
            number(item.eqd2_mgy),
            number(item.eud_mgy),
        )
        for item in result.effects
    ]


def duration(seconds: float) -> str:
    """Time as a reader says it: minutes, hours or days.

    Examples
    --------
    >>> duration(6586.2), duration(574300.8), duration(4062.6)
    ('109.8 min', '6.647 d', '67.71 min')
    """
    for limit, unit, length in ((7200.0, "min", 60.0), (SECONDS_PER_DAY, "h", SECONDS_PER_HOUR)):
        if seconds < limit:
            return f"{seconds / length:.4g} {unit}"
    return f"{seconds / SECONDS_PER_DAY:.4g} d"

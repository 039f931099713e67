"""Tables of a nuclear-medicine result as CSV, and the whole of it as strict JSON."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from milligray.report.nm_rates import mean_dose_rates_mgy_h
from milligray.report.nm_result import NmResult
from milligray.report.plain import to_plain
from milligray.report.tables import (
    digits,
    organ_fields,
    result_document,
    transport_grid,
    write_csv,
    write_organ_csv,
)
from milligray.score.budget import COVERAGE_FACTOR, combine
from milligray.score.dose import OrganDose

NM_SCHEMA = "milligray-nm-result/1"
SECONDS_PER_HOUR = 3600.0


def dose_per_activity_mgy_mbq(dose_mgy: float, administered_mbq: float | None) -> float | None:
    """Dose per administered activity [mGy/MBq], None if that is not known."""
    return None if administered_mbq is None else dose_mgy / administered_mbq


def combined_uncertainty(result: NmResult, region: str) -> float:
    """Combined relative standard uncertainty (k = 1) of one region: all of its budget."""
    return combine(result.budgets[region])


def nm_table_writers(result: NmResult) -> dict[str, Callable[[Path], None]]:
    """Writers of the tables there is something to say in, by file name.

    Parameters
    ----------
    result : NmResult
    """
    writers: dict[str, Callable[[Path], None]] = {
        "organ_doses.csv": lambda path: _write_organs(result, path)
    }
    if result.kinetics:
        writers["kinetics.csv"] = lambda path: _write_kinetics(result, path)
        writers["time_activity.csv"] = lambda path: _write_curves(result, path)
    if result.dose_rates:
        writers["dose_rates.csv"] = lambda path: _write_rates(result, path)
    if result.compared:
        writers["methods.csv"] = lambda path: _write_methods(result, path)
    if result.effects:
        writers["effects.csv"] = lambda path: _write_effects(result, path)
    if result.dvh:
        writers["dvh.csv"] = lambda path: _write_dvh(result, path)
    return writers


def nm_result_document(result: NmResult) -> dict[str, Any]:
    """Collect the whole result but its maps, ready for JSON: ``result.json`` and ``--json``.

    Parameters
    ----------
    result : NmResult

    Returns
    -------
    dict
        The manifest's keys, and: ``schema``, ``unit``, ``method``, ``nuclide``,
        ``administered_activity_mbq``, ``organ_doses`` (each with its dose per activity, its
        expanded uncertainty and its whole budget), ``time_integrated_activity``, ``kinetics``,
        ``images``, ``dose_rates``, ``effective_dose``, ``effects``, ``compared_methods``, ``ct``
        (the CT part's own document, or null), ``warnings``, ``notes``. No NaN, no NumPy types.
    """
    rate_times, rates = mean_dose_rates_mgy_h(result)
    document = {
        "schema": NM_SCHEMA,
        **result.manifest,
        "unit": result.organ_doses.unit,
        "method": result.method,
        "nuclide": _nuclide(result),
        "administered_activity_mbq": result.administered_activity_mbq,
        "organ_doses": [_organ(result, row) for row in result.organ_doses.rows],
        "time_integrated_activity": {
            "method": result.tia.method,
            "total_mbq_s": result.tia.total_mbq_s,
            "coefficient_s": _coefficient(result),
        },
        "kinetics": [
            {
                "region": item.region,
                "tia_mbq_s": item.tia_mbq_s,
                "tia_coefficient_s": item.tia_coefficient_s,
                "effective_half_life_s": item.effective_half_life_s,
                "relative_uncertainty": item.relative_uncertainty,
                "method": item.method,
                "times_s": item.times_s,
                "activity_mbq": item.activity_mbq,
            }
            for item in result.kinetics
        ],
        "images": result.images,
        "dose_rates": [
            {
                "time_s": time_s,
                "file": dose_rate_file(time_s),
                "highest_mgy_h": float(np.max(rate, where=result.patient.body, initial=0.0)),
                "mean_mgy_h": {
                    organ: values[rate_times.index(time_s)] for organ, values in rates.items()
                },
            }
            for time_s, rate in sorted(result.dose_rates.items())
        ],
        "effective_dose": result.effective_dose,
        "effects": result.effects,
        "compared_methods": {
            name: [
                organ_fields(row, doses.unit, None) for row in doses.rows
            ]
            for name, doses in result.compared.items()
        },
        "segmentation": result.organs.method,
        "transport_grid": transport_grid(result.patient.grid),
        "ct": None if result.ct is None else result_document(result.ct),
        "warnings": result.warnings,
        "notes": nm_notes(result),
        "intended_use": "not for clinical decisions",
    }  # fmt: skip
    return {str(key): to_plain(item) for key, item in document.items()}


def nm_notes(result: NmResult) -> tuple[str, ...]:
    """List what every stage assumed, mended or left out, without repetitions."""
    effective = () if result.effective_dose is None else result.effective_dose.notes
    return tuple(
        dict.fromkeys(
            (
                *result.notes,
                *result.tia.notes,
                *result.nuclide.notes,
                *result.patient.notes,
                *result.organs.notes,
                *effective,
            )
        )
    )


def dose_rate_file(time_s: float) -> str:
    """Name of the dose-rate map at a time after administration: ``dose_rate_24h.nii.gz``.

    Examples
    --------
    >>> dose_rate_file(86400.0), dose_rate_file(5400.0), dose_rate_file(3541.0)
    ('dose_rate_24h.nii.gz', 'dose_rate_1.5h.nii.gz', 'dose_rate_0.984h.nii.gz')
    """
    hours = f"{time_s / SECONDS_PER_HOUR:.3f}".rstrip("0").rstrip(".")
    return f"dose_rate_{hours}h.nii.gz"


def _nuclide(result: NmResult) -> dict[str, Any]:
    nuclide = result.nuclide
    return {
        "name": nuclide.name,
        "half_life_s": nuclide.half_life_s,
        "progeny": nuclide.progeny,
        "energy_per_decay_kev": {
            lines.particle: lines.energy_per_decay_kev for lines in nuclide.emissions
        },
    }


def _coefficient(result: NmResult) -> float | None:
    return None if result.administered_activity_mbq is None else result.tia.coefficient_s()


def _organ(result: NmResult, row: OrganDose) -> dict[str, Any]:
    combined = combined_uncertainty(result, row.organ)
    return {
        **organ_fields(row, result.organ_doses.unit, combined),
        "dose_per_activity_mgy_mbq": dose_per_activity_mgy_mbq(
            row.mean_dose_mgy, result.administered_activity_mbq
        ),
        "combined_relative_uncertainty_k1": combined,
        "uncertainty_budget": result.budgets[row.organ],
    }


def _write_organs(result: NmResult, path: Path) -> None:
    rows, administered = result.organ_doses.rows, result.administered_activity_mbq
    appended: dict[str, list[float | None]] = {
        "dose_per_activity_mgy_mbq": [
            dose_per_activity_mgy_mbq(row.mean_dose_mgy, administered) for row in rows
        ],
        "combined_relative_uncertainty": [combined_uncertainty(result, row.organ) for row in rows],
    }
    write_organ_csv(result.organ_doses, path, appended=appended)


def _write_kinetics(result: NmResult, path: Path) -> None:
    columns = (
        "region", "tia_mbq_s", "tia_coefficient_s", "effective_half_life_s",
        "relative_uncertainty", "n_times", "method",
    )  # fmt: skip
    rows = [
        (
            item.region,
            digits(item.tia_mbq_s, 6),
            digits(item.tia_coefficient_s, 6),
            digits(item.effective_half_life_s, 6),
            digits(item.relative_uncertainty, 4),
            item.times_s.size,
            item.method,
        )
        for item in result.kinetics
    ]
    write_csv(columns, rows, path)


def _write_curves(result: NmResult, path: Path) -> None:
    rows = [
        (item.region, kind, digits(float(time), 6), digits(float(activity), 6))
        for item in result.kinetics
        for kind, times, values in (
            ("measured", item.times_s, item.activity_mbq),
            ("curve", item.curve_times_s, item.curve_mbq),
        )
        for time, activity in zip(times, values, strict=True)
    ]
    write_csv(("region", "kind", "time_s", "activity_mbq"), rows, path)


def _write_rates(result: NmResult, path: Path) -> None:
    times, rates = mean_dose_rates_mgy_h(result)
    rows = [
        (organ, digits(time, 6), digits(value, 6))
        for organ, values in rates.items()
        for time, value in zip(times, values, strict=True)
    ]
    write_csv(("organ", "time_s", "mean_dose_rate_mgy_h"), rows, path)


def _write_methods(result: NmResult, path: Path) -> None:
    reported = {row.organ: row.mean_dose_mgy for row in result.organ_doses.rows}
    own = ((row, 1.0) for row in result.organ_doses.rows)
    others = (
        (row, ratio(row.mean_dose_mgy, reported.get(row.organ)))
        for doses in result.compared.values()
        for row in doses.rows
    )
    rows = [
        (
            row.organ, row.method, digits(row.mean_dose_mgy, 6),
            digits(row.relative_uncertainty, 4), digits(value, 6),
        )
        for row, value in (*own, *others)
    ]  # fmt: skip
    columns = ("organ", "method", "mean_dose_mgy", "relative_uncertainty", "ratio_to_reported")
    write_csv(columns, rows, path)


def ratio(value: float, reference: float | None) -> float | None:
    """Quotient, None without a reference or with one of 0."""
    return None if not reference else value / reference


def _write_effects(result: NmResult, path: Path) -> None:
    columns = (
        "region", "alpha_beta_gy", "repair_half_life_s", "protraction_factor", "bed_mgy",
        "eqd2_mgy", "eud_mgy",
    )  # fmt: skip
    rows = [
        (item.region, *(digits(getattr(item, name), 6) for name in columns[1:]))
        for item in result.effects
    ]
    write_csv(columns, rows, path)


def _write_dvh(result: NmResult, path: Path) -> None:
    rows = [
        (organ, digits(float(dose), 6), digits(float(share), 6))
        for organ, (doses, shares) in result.dvh.items()
        for dose, share in zip(doses, shares, strict=True)
    ]
    write_csv(("organ", "dose_mgy", "volume_fraction_at_least"), rows, path)


def expanded(result: NmResult, region: str) -> float:
    """Expanded relative uncertainty (k = 2) of one region."""
    return COVERAGE_FACTOR * combined_uncertainty(result, region)

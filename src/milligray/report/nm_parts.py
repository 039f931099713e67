"""Doses of an exam beside each other: its parts, other methods, dose rates, budgets."""

import math
from dataclasses import dataclass

from milligray.report.nm_rates import mean_dose_rates_mgy_h
from milligray.report.nm_result import NmResult
from milligray.report.nm_sections import method_name
from milligray.report.nm_tables import SECONDS_PER_HOUR, combined_uncertainty, ratio
from milligray.report.wording import number, percent, plain_name
from milligray.score.budget import COVERAGE_FACTOR, combine, organ_budget


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamPart:
    """Dose of one organ by the radiopharmaceutical, by the CT, and of both.

    Parameters
    ----------
    organ : str
    nuclear_mgy, ct_mgy : float [mGy]
        NaN where a part has no dose of the organ.
    total_mgy : float [mGy]
        NaN if one of them is missing.
    expanded : float
        Relative, k = 2, of the sum.
    """

    organ: str
    nuclear_mgy: float
    ct_mgy: float
    total_mgy: float
    expanded: float


def exam_parts(result: NmResult) -> list[ExamPart]:
    """Sum the parts of an exam, organ by organ; empty without an absolute CT part.

    Parameters
    ----------
    result : NmResult

    Returns
    -------
    list of ExamPart
        In the order of the nuclear-medicine part, then what only the CT has.

    Notes
    -----
    ``u**2 = (D1 u1)**2 + (D2 u2)**2``: the parts are taken as independent. Contours and densities
    are common to both; fully correlated, the uncertainties would add up linearly.
    """
    if result.ct is None or not result.ct.is_absolute:
        return []
    nuclear = {row.organ: row for row in result.organ_doses.rows}
    ct = {row.organ: row for row in result.ct.organ_doses.rows}
    parts = []
    for organ in dict.fromkeys((*nuclear, *ct)):
        first, second = nuclear.get(organ), ct.get(organ)
        doses = [math.nan if row is None else row.mean_dose_mgy for row in (first, second)]
        total = sum(doses)
        relative = math.nan
        if first is not None and second is not None and total > 0:
            own = first.mean_dose_mgy * combined_uncertainty(result, organ)
            entries = organ_budget(second.relative_uncertainty, result.ct.budget)
            relative = math.hypot(own, second.mean_dose_mgy * combine(entries)) / total
        parts.append(
            ExamPart(
                organ=organ, nuclear_mgy=doses[0], ct_mgy=doses[1], total_mgy=total,
                expanded=COVERAGE_FACTOR * relative,
            )
        )  # fmt: skip
    return parts


def part_lines(parts: list[ExamPart]) -> list[tuple[str, ...]]:
    """Organ, radiopharmaceutical, CT, sum [mGy], its U (k = 2), share of the CT."""
    return [
        (
            plain_name(part.organ),
            number(part.nuclear_mgy),
            number(part.ct_mgy),
            number(part.total_mgy),
            percent(part.expanded),
            percent(part.ct_mgy / part.total_mgy if part.total_mgy > 0 else None),
        )
        for part in parts
    ]


def method_ratios(result: NmResult) -> list[tuple[str, list[float]]]:
    """Dose by each other method over the reported dose, by organ; NaN where there is none."""
    ratios = []
    for name, doses in result.compared.items():
        own = {row.organ: row.mean_dose_mgy for row in doses.rows}
        values = [
            ratio(own[row.organ], row.mean_dose_mgy) if row.organ in own else None
            for row in result.organ_doses.rows
        ]
        ratios.append((method_name(name), [math.nan if v is None else v for v in values]))
    return ratios


def method_lines(result: NmResult) -> tuple[list[str], list[tuple[str, ...]]]:
    """Headings of the methods, and per organ the reported dose and each method's, with its ratio.

    Returns
    -------
    list of str, list of tuple of str
    """
    ratios = method_ratios(result)
    lines = []
    for n, row in enumerate(result.organ_doses.rows):
        cells = [
            f"{number(values[n] * row.mean_dose_mgy)} ({_difference(values[n])})"
            for _, values in ratios
        ]
        lines.append((plain_name(row.organ), number(row.mean_dose_mgy), *cells))
    return [name for name, _ in ratios], lines


def dose_rate_lines(result: NmResult) -> tuple[list[str], list[tuple[str, ...]]]:
    """Times [h] as headings, and per organ the mean dose rate at each time [mGy/h].

    Returns
    -------
    list of str, list of tuple of str
    """
    times, rates = mean_dose_rates_mgy_h(result)
    headings = [f"{time / SECONDS_PER_HOUR:.4g} h" for time in times]
    return headings, [
        (plain_name(organ), *(number(value) for value in values)) for organ, values in rates.items()
    ]


def budget_matrix(result: NmResult) -> tuple[list[str], list[tuple[str, ...]]]:
    """Components as headings, and per region each one's uncertainty (k = 1) and all combined.

    Returns
    -------
    list of str, list of tuple of str
    """
    rows = result.organ_doses.rows
    components = list(
        dict.fromkeys(entry.component for row in rows for entry in result.budgets[row.organ])
    )
    lines = []
    for row in rows:
        own = {e.component: e.relative_uncertainty for e in result.budgets[row.organ]}
        lines.append(
            (
                plain_name(row.organ),
                *(percent(own.get(name)) for name in components),
                percent(combined_uncertainty(result, row.organ)),
            )
        )
    return components, lines


def _difference(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{100.0 * (value - 1.0):+.1f}\N{NO-BREAK SPACE}%"

"""The result of a nuclear-medicine exam for the terminal."""

# ruff: noqa: PLC0415 - rich is loaded only when a table is shown

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from milligray.report.nm_result import NmResult
from milligray.report.nm_tables import dose_per_activity_mgy_mbq, expanded
from milligray.report.sections import SMALL_ORGAN_ML
from milligray.report.wording import count, number, percent

if TYPE_CHECKING:
    from rich.table import Table


def nm_organ_table(result: NmResult, *, title: str = "") -> "Table":
    """Organ and lesion doses as a table of rich.

    Parameters
    ----------
    result : NmResult
    title : str

    Returns
    -------
    rich.table.Table
        Region, mean dose, dose per administered activity (if that is known), statistics (k = 1),
        total uncertainty (k = 2), volume, and the dose of the CT part where there is one. Regions
        below 10 mL are dimmed, those cut by the image are marked.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    administered = result.administered_activity_mbq
    ct = None if result.ct is None else result.ct.organ_doses
    ct_mgy = {} if ct is None else {row.organ: row.mean_dose_mgy for row in ct.rows}
    table = Table(
        title=escape(title) or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False
    )
    table.add_column("region", no_wrap=True)
    columns = ["mean dose [mGy]", "mGy/MBq", "k=1 (stat.)", "U k=2", "volume [mL]"]
    if administered is None:
        columns.remove("mGy/MBq")
    if ct is not None:
        columns.append(f"CT [{ct.unit}]")
    for name in columns:
        table.add_column(escape(name), justify="right")
    for row in result.organ_doses.rows:
        is_cut = not row.fraction_in_image >= 0.995
        per_activity = dose_per_activity_mgy_mbq(row.mean_dose_mgy, administered)
        table.add_row(
            escape(row.organ) + ("*" if is_cut else ""),
            number(row.mean_dose_mgy),
            *([] if per_activity is None else [number(per_activity)]),
            percent(row.relative_uncertainty),
            percent(expanded(result, row.organ)),
            number(row.volume_ml),
            *([] if ct is None else [number(ct_mgy.get(row.organ))]),
            style="dim" if row.volume_ml < SMALL_ORGAN_ML else None,
        )
    if any(not row.fraction_in_image >= 0.995 for row in result.organ_doses.rows):
        table.caption = "* only the part inside the image; the whole organ's dose differs"
        table.caption_justify = "left"
    return table


def nm_summary_line(result: NmResult) -> str:
    """Nuclide, activity, kinetics, effective dose and work done, in one line."""
    administered = result.administered_activity_mbq
    parts = [
        f"{result.nuclide.name}, "
        + ("administered activity not known" if administered is None else f"{administered:g} MBq"),
        f"{len(result.images)} image{'' if len(result.images) == 1 else 's'}, {result.tia.method}",
    ]
    if administered is not None:
        parts.append(f"{result.tia.coefficient_s() / 3600:.3g} h in all")
    if result.effective_dose is not None:
        dose = result.effective_dose.effective_dose_msv
        parts.append(f"effective dose {dose:.3g} mSv (reference person)")
    how, seconds = result.method, result.manifest.get("seconds")
    histories = result.manifest.get("histories")
    if isinstance(histories, int | float):
        how = f"{how}, {count(histories)} histories"
    if isinstance(seconds, int | float):
        how += f" in {seconds:.1f} s"
    return "; ".join((*parts, how))


def print_nm_summary(result: NmResult, out: Path) -> None:
    """Organ table on stdout; the summary, warnings and the place of the report on stderr."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 110
    Console(width=width).print(nm_organ_table(result))
    messages = Console(stderr=True, width=width, highlight=False)
    messages.print(nm_summary_line(result), markup=False)
    for warning in result.warnings:
        messages.print(f"note: {warning}", style="yellow", markup=False)
    report = out / "report.html"
    messages.print(f"report: {report if report.exists() else out}", markup=False)

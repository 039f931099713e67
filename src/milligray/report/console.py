"""The organ table for the terminal."""

# ruff: noqa: PLC0415 - rich is loaded only when a table is shown

import math
from typing import TYPE_CHECKING

from milligray.report.sections import SMALL_ORGAN_ML
from milligray.report.wording import number, percent
from milligray.score.dose import OrganDoses

if TYPE_CHECKING:
    from rich.table import Table


def organ_table(organ_doses: OrganDoses, *, title: str = "") -> "Table":
    """Organ doses as a table of rich.

    Parameters
    ----------
    organ_doses : OrganDoses
    title : str

    Returns
    -------
    rich.table.Table
        Organ, mean dose, statistics (k = 1), volume, share inside the image. Organs below 10 mL
        are dimmed, those cut by the image are marked.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column("organ", no_wrap=True)
    by_network = any(row.method.startswith("network:") for row in organ_doses.rows)
    kind = "k=1 (network)" if by_network else "k=1 (stat.)"
    for name in (f"mean dose [{organ_doses.unit}]", kind, "volume [mL]", "in image"):
        table.add_column(escape(name), justify="right")
    for row in organ_doses.rows:
        is_cut = math.isnan(row.fraction_in_image) or row.fraction_in_image < 0.995
        table.add_row(
            escape(row.organ),
            number(row.mean_dose_mgy),
            percent(row.relative_uncertainty),
            number(row.volume_ml),
            percent(row.fraction_in_image, "cut") + ("*" if is_cut else ""),
            style="dim" if row.volume_ml < SMALL_ORGAN_ML else None,
        )
    if any(not row.fraction_in_image >= 0.995 for row in organ_doses.rows):
        table.caption = "* only the part inside the image; the whole organ's dose differs"
        table.caption_justify = "left"
    return table

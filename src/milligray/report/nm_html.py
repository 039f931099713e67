"""The report of a nuclear-medicine exam as one HTML page."""

from html import escape
from pathlib import Path

from milligray.report.nm_result import NmResult


def write_nm_html(result: NmResult, path: Path) -> None:
    """Write ``report.html``."""
    rows = "".join(
        f"<tr><th>{escape(row.organ)}</th><td>{row.mean_dose_mgy:.4g}</td></tr>"
        for row in result.organ_doses.rows
    )
    text = f"<!DOCTYPE html><html lang=en><body><h1>Dose</h1><table>{rows}</table></body></html>"
    path.write_text(text, encoding="utf-8")

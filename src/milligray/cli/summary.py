"""What a person sees on the terminal after a run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milligray.report.result import ExamResult


def print_summary(result: "ExamResult", out: Path) -> None:
    """Organ table on stdout; warnings and the place of the report on stderr."""
    from rich.console import Console

    from milligray.report import organ_table

    width = None if sys.stdout.isatty() else 100
    Console(width=width).print(organ_table(result.organ_doses))
    messages = Console(stderr=True, width=width, highlight=False)
    if result.ssde_mgy is not None:
        how = result.method
        if not result.is_predicted:
            how = f"{result.manifest['histories'] / 1e6:.1f} M histories"
        messages.print(
            f"CTDIvol {result.protocol.ctdi_vol_mgy:.2f} mGy"
            f" ({result.protocol.phantom_diameter_mm} mm), SSDE {result.ssde_mgy:.1f} mGy,"
            f" DLP {result.dlp_mgy_cm:.0f} mGy cm, {how} in {result.manifest['seconds']:.1f} s"
        )
    for warning in result.warnings:
        messages.print(f"note: {warning}", style="yellow", markup=False)
    report = out / "report.html"
    messages.print(f"report: {report if report.exists() else out}", markup=False)

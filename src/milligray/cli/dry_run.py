"""`milligray ct-dose --dry-run`: what would be done, on the terminal."""

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milligray.exam.plan import CtPlan

MB, GB = 1e6, 1e9


def print_plan(plan: "CtPlan", *, json_output: bool) -> None:
    """Write the plan to stdout, as text or JSON."""
    if json_output:
        json.dump(plan.as_document(), sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    sys.stdout.write("\n".join(plan_lines(plan)) + "\n")


def plan_lines(plan: "CtPlan") -> list[str]:
    """The plan as lines of text."""
    image, transport, scan = plan.image, plan.transport, plan.scan
    goal = f"{transport['histories']} histories"
    if transport["histories"] is None:
        goal = f"until every organ >= 10 mL is known to {100 * transport['precision']:g} %"
    ctdi = "no CTDIvol"
    if scan["ctdi_vol_mgy"] is not None:
        ctdi = f"CTDIvol {scan['ctdi_vol_mgy']:.3g} mGy ({scan['phantom_diameter_mm']} mm phantom)"
    low, high = scan["current_over_mean"]
    lines = [
        f"image      {image['found']}, {image['files']} files",
        f"           {_times(image['shape'])} voxels of {_times(image['spacing_mm'])} mm (z, y, x)",
        (
            f"transport  {_times(transport['shape'])} = {transport['voxels'] / 1e6:.2f} M voxels of"
            f" {_times(transport['spacing_mm'])} mm (at most"
            f" {transport['voxels_at_most'] / 1e6:.2f} M), {goal}"
        ),
        (
            f"scan       {scan['tube_voltage_kv']:g} kV, {scan['scan_mode']}, pitch"
            f" {scan['pitch']:.3g}, collimation {scan['collimation_mm']:g} mm, {ctdi}"
        ),
        f"           tube current {low:.2f} to {high:.2f} of its mean, from {scan['origin']}",
    ]
    if "scanner" in scan:
        lines.append(
            f"scanner    {scan['scanner']}, bowtie {scan['bowtie']},"
            f" HVL {scan['half_value_layer_mm_al']:.2f} mm Al"
        )
    lines += ["", "memory     " + _peak(plan)]
    lines += [
        f"  {name:12s}{value / MB:8.0f} MB{'  <- peak' if name == plan.memory.peak_stage else ''}"
        for name, value in plan.memory.stage_bytes.items()
    ]
    lines.append(
        f"  tally       {plan.memory.tally_bytes_per_thread / MB:8.1f} MB a thread,"
        f" {transport['threads']} threads"
    )
    room = "" if plan.disk_free_bytes is None else f", {plan.disk_free_bytes / GB:.1f} GB free"
    lines.append(f"disk       about {plan.disk_bytes / MB:.0f} MB{room}")
    lines += [f"note: {note}" for note in plan.notes]
    lines += [f"REFUSED: {obstacle}" for obstacle in plan.obstacles]
    return lines


def _peak(plan: "CtPlan") -> str:
    text = (
        f"about {plan.memory.peak_bytes / GB:.2f} GB"
        f" (at most {plan.memory_at_most.peak_bytes / GB:.2f} GB)"
    )
    if plan.available_bytes is not None:
        text += f", {plan.available_bytes / GB:.1f} GB free"
    return text


def _times(values: "tuple[float, ...]") -> str:
    return " x ".join(f"{value:.4g}" for value in values)

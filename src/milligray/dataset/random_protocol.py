"""A random but plausible protocol for one patient."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from milligray.dataset.distributions import ProtocolDistributions
from milligray.dataset.modulation import modulated_current
from milligray.draws import Distribution, fraction
from milligray.errors import InputError
from milligray.read.series import CtProtocol
from milligray.segment.organs import OrganMap
from milligray.segment.regions import region_range_mm
from milligray.source.ct_scan import make_fan_field
from milligray.source.scanner_library import bowtie_name, load_scanner
from milligray.source.spectrum import effective_water_mu_per_mm
from milligray.typing import FloatArray
from milligray.volume import Grid

SHORTEST_RANGE_MM = 20.0


def random_protocol(
    distributions: ProtocolDistributions,
    key: tuple[object, ...],
    grid: Grid,
    diameter_mm: FloatArray,
    organs: OrganMap | None,
) -> tuple[CtProtocol, dict[str, Any]]:
    """Draw a protocol.

    Parameters
    ----------
    distributions : ProtocolDistributions
    key : tuple
        Seed of the set, exam, number of the sample: the same key, the same protocol.
    grid : Grid
        Of the CT.
    diameter_mm : ndarray, shape (n_slices,) [mm]
        Water-equivalent diameter of the CT's slices, 0 where there is no patient.
    organs : OrganMap or None
        For ranges named by regions.

    Returns
    -------
    CtProtocol
    drawn : dict
        What was drawn, as plain values.
    """

    def draw(name: str, distribution: Distribution | None = None) -> Any:  # noqa: ANN401
        wanted = distribution or getattr(distributions, name)
        return wanted.draw(fraction(*key, name))

    scanner = load_scanner(str(draw("scanner")))
    kv = float(draw("tube_voltage_kv"))
    width = float(draw("collimation_mm", distributions.collimation_mm[scanner.name]))
    mode: Literal["helical", "axial"] = "axial" if draw("scan_mode") == "axial" else "helical"
    pitch = 1.0 if mode == "axial" else float(draw("pitch"))
    low, high, region = _range_mm(draw, key, grid, diameter_mm, organs)
    z = grid.axis_centers_mm(0)
    inside = (z >= low) & (z <= high) & (diameter_mm > 0)
    if not inside.any():
        inside = np.zeros_like(inside)
        inside[int(np.argmin(np.abs(z - 0.5 * (low + high))))] = True
    mean_diameter = float(diameter_mm[inside].mean())
    is_head = mean_diameter < float(draw("head_below_diameter_mm"))
    part: Literal["head", "body"] = "head" if is_head else "body"
    bowtie, _ = bowtie_name(scanner, "", part, 160 if is_head else 320)
    field = make_fan_field(scanner, bowtie, tube_voltage_kv=kv, collimation_mm=width)
    strength = 0.0
    if fraction(*key, "modulated") < distributions.modulated_share:
        strength = float(draw("strength", distributions.modulation_strength))
    first, last = np.flatnonzero(inside)[[0, -1]]
    path = slice(int(first), int(last) + 1)
    current = modulated_current(
        z[path], diameter_mm[path], mu_per_mm=effective_water_mu_per_mm(field.spectrum),
        strength=strength, window_mm=width, limits=distributions.modulation_limits,
    )  # fmt: skip
    dose = distributions.ctdi_vol_head_mgy if is_head else distributions.ctdi_vol_body_mgy
    angle = None
    if draw("start_angle") == "random":
        angle = 2.0 * np.pi * fraction(*key, "start angle")
    protocol = CtProtocol(
        tube_voltage_kv=kv, slice_position_mm=z[path], relative_current=current, scan_mode=mode,
        pitch=pitch, collimation_mm=width, ctdi_vol_mgy=float(draw("ctdi_vol_mgy", dose)),
        phantom_diameter_mm=160 if is_head else 320, slice_thickness_mm=grid.spacing_mm[0],
        scan_start_mm=low, scan_end_mm=high, start_angle_rad=angle, body_region=part,
        scanner=scanner.name,
    )  # fmt: skip
    return protocol, {
        "region": region, "modulation_strength": strength, "mean_diameter_mm": mean_diameter,
    }  # fmt: skip


def _range_mm(
    draw: Callable[..., Any],
    key: tuple[object, ...],
    grid: Grid,
    diameter_mm: FloatArray,
    organs: OrganMap | None,
) -> tuple[float, float, str]:
    """Nominal range [mm], within the slices that hold patient, and what it is."""
    z = grid.axis_centers_mm(0)
    filled = np.flatnonzero(diameter_mm > 0)
    if filled.size == 0:
        raise InputError("no slice of this CT holds patient")
    half = 0.5 * grid.spacing_mm[0]
    bottom, top = float(z[filled[0]]) - half, float(z[filled[-1]]) + half
    region = str(draw("region"))
    if region not in ("whole", "part"):
        found = region_range_mm(region, organs) if organs is not None else None
        if found is not None:
            margin = float(draw("region_margin_mm"))
            low, high = max(bottom, found[0] - margin), min(top, found[1] + margin)
            if high - low >= SHORTEST_RANGE_MM:
                return low, high, region
        region = "part"
    if region == "whole":
        return bottom, top, region
    length = max(SHORTEST_RANGE_MM, float(draw("part_of_image")) * (top - bottom))
    length = min(length, top - bottom)
    low = bottom + fraction(*key, "place of the part") * (top - bottom - length)
    return low, low + length, region

"""Tube current by slice, effective mAs and CTDIvol from headers of all vendors."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from milligray.read.scan_motion import Found
from milligray.read.slice_header import ScanHeader
from milligray.typing import FloatArray

_PHANTOM_MM = {"113690": 160, "113691": 320}
"""DICOM codes of the IEC head and body dosimetry phantoms."""

_EFFECTIVE_EXPOSURE = ("SIEMENS", "PHILIPS")
"""Vendors whose Exposure (0018,1152) is mA x rotation time / pitch."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurrentProfile:
    """Tube current by slice divided by its mean, and that mean [mA] if it is known."""

    relative: FloatArray
    mean_ma: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ctdi:
    """Mean CTDIvol [mGy] and its phantom [mm], None if the header is silent."""

    ctdi_vol_mgy: float | None
    phantom_diameter_mm: int | None


def relative_current(scans: list[ScanHeader], notes: list[str]) -> CurrentProfile:
    """Relative tube current of the slices, from the best attribute that is filled.

    Notes
    -----
    A source counts if at least half of the slices have it; gaps (empty or 0) are interpolated.
    """
    sources: tuple[tuple[str, Callable[[ScanHeader], float | None]], ...] = (
        ("XRayTubeCurrent (0018,1151)", lambda scan: scan.tube_current_ma),
        ("Exposure (0018,1152)", lambda scan: scan.exposure_mas),
        ("CTDIvol (0018,9345)", lambda scan: scan.ctdi_vol_mgy),
    )
    for number, (name, value_of) in enumerate(sources):
        values = np.array([value_of(scan) or np.nan for scan in scans], dtype=np.float64)
        known = np.isfinite(values)
        if 2 * known.sum() < len(values):
            continue
        if number > 0:
            notes.append(f"tube current by slice taken from {name}: no XRayTubeCurrent there")
        if not known.all():
            notes.append(f"{name} is missing in {int((~known).sum())} slices: interpolated")
            index = np.arange(len(values))
            values = np.interp(index, index[known], values[known])
        mean = float(values.mean())
        return CurrentProfile(relative=values / mean, mean_ma=mean if number == 0 else None)
    notes.append("tube current by slice is not in the header: constant current assumed")
    return CurrentProfile(relative=np.ones(len(scans)), mean_ma=None)


def effective_mas(
    scans: list[ScanHeader],
    current: CurrentProfile,
    turn_s: float | None,
    pitch: Found,
    notes: list[str],
) -> float | None:
    """Mean of current x rotation time / pitch [mAs], None if it cannot be known.

    Notes
    -----
    Exposure means different things: effective mAs at Siemens and Philips, mA x ExposureTime at
    Canon, and the whole helix at some GE scanners. It is used only where it is effective.
    """
    computed = None
    if current.mean_ma is not None and turn_s is not None and pitch.is_known:
        computed = current.mean_ma * turn_s / pitch.value
    exposures = [scan.exposure_mas for scan in scans if scan.exposure_mas is not None]
    written = float(np.mean(exposures)) if exposures else None
    if written is None or not scans[0].manufacturer.upper().startswith(_EFFECTIVE_EXPOSURE):
        return computed
    if computed is not None and abs(computed - written) > 0.15 * written:
        notes.append(
            f"Exposure (0018,1152) says {written:.4g} effective mAs, but current x rotation time /"
            f" pitch is {computed:.4g}: Exposure was taken"
        )
    return written


def ctdi(scans: list[ScanHeader], notes: list[str]) -> Ctdi:
    """Mean CTDIvol over the slices and the phantom it refers to."""
    values = [scan.ctdi_vol_mgy for scan in scans if scan.ctdi_vol_mgy is not None]
    if not values:
        notes.append("CTDIvol (0018,9345) is not in the header: give it in a protocol file")
    elif len(values) < len(scans):
        notes.append(f"CTDIvol is missing in {len(scans) - len(values)} slices: mean of the others")
    codes = {scan.phantom_code for scan in scans if scan.phantom_code}
    diameter = _PHANTOM_MM.get(next(iter(codes))) if len(codes) == 1 else None
    filter_type = scans[0].filter_type
    if diameter is None and ("HEAD" in filter_type or "BODY" in filter_type):
        diameter = 160 if "HEAD" in filter_type else 320
        if values:
            notes.append(
                f"CTDI phantom is not in the header: {diameter} mm taken from FilterType"
                f" {filter_type!r}"
            )
    if diameter is None and values:
        notes.append(
            "CTDI phantom (0018,9346) is not in the header: give phantom_diameter_mm in a"
            " protocol file"
        )
    return Ctdi(
        ctdi_vol_mgy=float(np.mean(values)) if values else None, phantom_diameter_mm=diameter
    )

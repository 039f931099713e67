"""Spread of the published organ dose coefficients at a body size, for the comparison tool."""

import math
from dataclasses import dataclass

from milligray.data import load_csv

OWN_SPREAD = 0.10
"""Half width for a number whose source states no spread."""
SIZE_SLOPE_PER_CM = 0.03671937
"""Fall of the dose with the diameter (AAPM 204, 32 cm phantom)."""

GROUPS = {
    "lung": ("lung_",),
    "kidney": ("kidney_left", "kidney_right"),
    "kidney_left": ("kidney_left",),
    "adrenal_gland": ("adrenal_gland_",),
    "breast": ("breast_",),
    "heart": ("heart", "heart_"),
}
"""Organ of the published table: beginnings of our organs' names; default the name itself."""


@dataclass(frozen=True)
class Scan:
    """What the published formulas need to know of the scan and the body.

    Parameters
    ----------
    region : {"chest", "abdomen", "abdomen_pelvis"}
    sex : {"male", "female"}
    diameter_cm : float [cm]
        Mean effective diameter in the scanned range.
    perimeter_cm : float [cm]
        Outline in the middle slice of the range.
    length_cm : float [cm]
        DLP / CTDIvol.
    ssde : float
        Size-specific dose / CTDIvol at the mean water-equivalent diameter of the range.
    """

    region: str
    sex: str
    diameter_cm: float
    perimeter_cm: float
    length_cm: float
    ssde: float


@dataclass(frozen=True)
class Frame:
    """Lowest and highest published coefficient of an organ [mGy/mGy].

    Parameters
    ----------
    low, high : float
    sources : tuple of str
        ``source low-high`` of every number in it; ``*`` after the name: from memory.
    current : str
        "fixed", "modulated" or both: scans with modulated current count where not at least two
        publications with a fixed one are known.
    """

    low: float
    high: float
    sources: tuple[str, ...]
    current: str


def published_organs(region: str) -> tuple[str, ...]:
    """Organs that have any number for a region, in alphabetic order."""
    return tuple(sorted({row["organ"] for row in _rows(region)} - {"effective_dose"}))


def published_frame(organ: str, scan: Scan) -> Frame | None:
    """Spread of the published numbers for one organ; None where there is none."""
    rows = [row for row in _rows(scan.region) if row["organ"] == organ]
    rows = _enough([row for row in rows if row["sex"] in (scan.sex, "both")], rows)
    used = _enough([row for row in rows if row["current"] == "fixed"], rows)
    if not used:
        return None
    ranges = [_range(row, scan) for row in used]
    sources = tuple(
        f"{row['source']}{'*' if row['found'] == 'memory' else ''} {low:.2f}-{high:.2f}"
        for row, (low, high) in zip(used, ranges, strict=True)
    )
    return Frame(
        low=min(low for low, _ in ranges),
        high=max(high for _, high in ranges),
        sources=sources,
        current="/".join(sorted({row["current"] for row in used})),
    )


def belongs(our_organ: str, group: str) -> bool:
    """Whether one of our organs is (part of) an organ of the published table."""
    return any(
        our_organ == name or (name.endswith("_") and our_organ.startswith(name))
        for name in GROUPS.get(group, (group,))
    )


def _rows(region: str) -> list[dict[str, str]]:
    """Rows of a region: for people of normal weight; the upper abdomen also counts with pelvis."""
    regions = {region, "abdomen"} if region == "abdomen_pelvis" else {region}
    table = load_csv("ct_coefficients/organ_coefficients.csv")
    return [r for r in table if r["region"] in regions and _is_normal_weight(r["subject"])]


def _enough(best: list[dict[str, str]], rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The better rows if they come from at least two publications, else all."""
    return best if len({row["source"].split("_")[0] for row in best}) > 1 else rows


def _is_normal_weight(subject: str) -> bool:
    return not any(word in subject.split() for word in ("obese", "overweight"))


def _range(row: dict[str, str], scan: Scan) -> tuple[float, float]:
    size = 1.0
    if row["form"] == "ratio" and row["diameter_cm"]:
        size = math.exp(-SIZE_SLOPE_PER_CM * (scan.diameter_cm - float(row["diameter_cm"])))
    if row["low"]:
        return size * float(row["low"]), size * float(row["high"])
    value = size * float(row["value"])
    if row["form"] == "exp_perimeter":
        value *= math.exp(float(row["b"]) * scan.perimeter_cm)
    elif row["form"] == "exp_diameter":
        value *= math.exp(float(row["b"]) * scan.diameter_cm)
    elif row["form"] == "per_dlp":
        value *= scan.length_cm
    return value * (1.0 - OWN_SPREAD), value * (1.0 + OWN_SPREAD)

"""Regions of the body along z, from the organs that are labelled."""

from collections.abc import Iterable

import numpy as np

from milligray.segment.organs import OrganMap

LANDMARKS: dict[str, tuple[str, ...]] = {
    "head": ("brain", "brainstem", "skull", "eye_left", "eye_right"),
    "neck": ("larynx", "thyroid_gland", "parotid_gland_left", "parotid_gland_right",
             "submandibular_gland_left", "submandibular_gland_right", "mandible"),
    "chest": ("lung_left", "lung_right", "lung_upper_lobe_left", "lung_lower_lobe_left",
              "lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"),
    "abdomen": ("liver", "spleen", "kidney_left", "kidney_right", "pancreas", "stomach"),
    "pelvis": ("urinary_bladder", "hip_left", "hip_right", "sacrum", "prostate", "uterus"),
}  # fmt: skip
"""Organs whose extent along z makes a region."""


def organ_extents_mm(organs: OrganMap) -> dict[str, tuple[float, float]]:
    """Lower and upper end of every organ along z [mm]."""
    z = organs.grid.axis_centers_mm(0)
    half = 0.5 * organs.grid.spacing_mm[0]
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for k, plane in enumerate(organs.labels):
        for label in np.flatnonzero(np.bincount(plane.ravel())):
            first.setdefault(int(label), k)
            last[int(label)] = k
    return {
        name: (float(z[first[label]]) - half, float(z[last[label]]) + half)
        for label, name in organs.names.items()
        if label in first
    }


def region_range_mm(region: str, organs: OrganMap) -> tuple[float, float] | None:
    """Extent of a region along z [mm]; None where none of its organs is labelled."""
    extents = organ_extents_mm(organs)
    found = [extents[name] for name in LANDMARKS[region] if name in extents]
    if not found:
        return None
    return min(low for low, _ in found), max(high for _, high in found)


def region_of_organs(names: Iterable[str]) -> str | None:
    """Part of the body that labelled organs speak for.

    Parameters
    ----------
    names : iterable of str
        Canonical names of organs that are there.

    Returns
    -------
    str or None
        "head_neck", "chest", "abdomen" or "pelvis", by the number of `LANDMARKS`; several joined by
        "+" where another has at least half as many as the first; None without any.

    Examples
    --------
    >>> from milligray.segment.regions import region_of_organs
    >>> region_of_organs(["brainstem", "mandible", "spinal_cord"])
    'head_neck'
    """
    present = set(names)
    found = {region: len(present & set(organs)) for region, organs in LANDMARKS.items()}
    found["head_neck"] = found.pop("head") + found.pop("neck")
    most = max(found.values())
    if most == 0:
        return None
    order = ("head_neck", "chest", "abdomen", "pelvis")
    return "+".join(region for region in order if 2 * found[region] >= most)

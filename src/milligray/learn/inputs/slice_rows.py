"""Rows of the slice-wise network of our own truth: one row an organ and slice of a scan."""

import numpy as np

from milligray.errors import InputError
from milligray.learn.inputs.organ_slices import FEATURES
from milligray.learn.inputs.slice_context import CONTEXT, ScanProfile, slice_context
from milligray.typing import FloatArray, LabelArray

ROW = (*CONTEXT, "log_area")
"""Columns of `slice_rows`."""
_COLUMN = {name: i for i, (name, _) in enumerate(FEATURES)}
_LEAST_AREA_MM2 = 10.0


def slice_rows(
    features: FloatArray, organ: LabelArray, range_mm: tuple[float, float]
) -> FloatArray:
    """What the network sees of the organs in the slices of one scan.

    Parameters
    ----------
    features : ndarray, shape (n, len(FEATURES))
        Of `milligray.learn.inputs.organ_slices`, all rows of one scan: together they give current
        and size along z.
    organ : ndarray of int, shape (n,)
    range_mm : (low, high) [mm]
        Scanned.

    Returns
    -------
    ndarray, shape (n, len(ROW))

    Notes
    -----
    The current outside the range, 0 in `features`, counts as the mean inside: the range itself says
    where it is released.
    """
    if features.ndim != 2 or features.shape[1] != len(FEATURES):
        raise InputError(f"rows of slices have {len(FEATURES)} columns, got {features.shape}")
    z = features[:, _COLUMN["z_mm"]]
    places, first = np.unique(z, return_index=True)
    current = features[first, _COLUMN["relative_current"]].astype(np.float64)
    inside = (places >= range_mm[0]) & (places <= range_mm[1]) & (current > 0)
    if not inside.any():
        raise InputError("no slice of an organ lies in the scanned range")
    current = np.where(inside, current, current[inside].mean())
    profile = ScanProfile(
        z_mm=places, current=current, range_mm=range_mm,
        diameter_mm=features[first, _COLUMN["water_equivalent_diameter_mm"]].astype(np.float64),
    )  # fmt: skip
    found = slice_context(
        profile, organ, z, features[:, _COLUMN["mean_hu"]], features[:, _COLUMN["sd_hu"]]
    )
    area = np.log(np.maximum(features[:, _COLUMN["area_mm2"]], _LEAST_AREA_MM2) / 1000.0)
    return np.column_stack([found, area])

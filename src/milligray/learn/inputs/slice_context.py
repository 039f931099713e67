"""What surrounds an organ's slice in its scan: current, size, place, gas, other organs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.special

from milligray.errors import InputError
from milligray.typing import FloatArray, LabelArray

PRIMARY_MM, SCATTER_MM = 12.0, (50.0, 120.0)
"""Width of the primary beam's edge (Gaussian) and reaches of scatter (exponential)."""
AIR_HU = (-850.0, -880.0, -910.0, -940.0)
_EDGE_MM, _PAD_MM, _STEP_MM = 10.0, 30.0, 2.5
_LEAST_CURRENT, _LEAST_SHARE, _LEAST_SD_HU = 0.01, 0.02, 15.0

CONTEXT = (
    "log_current_around", "size_around", "size_scan", "log_air_880",
    "log_scatter_50", "log_scatter_120", "log_primary", "log_current_slice", "log_current_range",
    "size_slice", "size_wide", "size_squared", "size_slope", "size_largest", "size_smallest",
    "log_air_850", "log_air_910", "log_air_940", "log_sd", "hu",
    "organ_place", "organ_place_squared", "organ_extent", "organ_fill", "organ_low", "organ_high",
    "organ_hu", "organ_hu_difference",
    "range_length", "range_place", "range_place_squared", "range_low", "range_high",
    "range_high_wide",
)  # fmt: skip
"""Columns of `slice_context`, all of order one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanProfile:
    """A scan along z.

    Parameters
    ----------
    z_mm : ndarray, shape (n,) [mm]
        Image slices, rising.
    current : ndarray, shape (n,)
        Tube current, any unit: only its ratio to the mean over the slices is used.
    diameter_mm : ndarray, shape (n,) [mm]
        Water-equivalent diameter.
    range_mm : (low, high) [mm]
        Irradiated.
    """

    z_mm: FloatArray
    current: FloatArray
    diameter_mm: FloatArray
    range_mm: tuple[float, float]

    def __post_init__(self) -> None:
        n = len(self.z_mm)
        if n < 2 or len(self.current) != n or len(self.diameter_mm) != n:
            raise InputError("a scan profile needs two or more slices, each with current and size")
        if (np.diff(self.z_mm) <= 0).any() or not self.range_mm[0] < self.range_mm[1]:
            raise InputError("slices of a profile must rise, and so must its range")
        if not (np.isfinite(self.diameter_mm).all() and np.mean(self.current) > 0):
            raise InputError("sizes of a profile must be finite and its mean current > 0")


def slice_context(
    profile: ScanProfile, organ: LabelArray, z_mm: FloatArray, mean_hu: FloatArray,
    sd_hu: FloatArray,
) -> FloatArray:  # fmt: skip
    """Features of organs in slices that need the rest of the scan.

    Parameters
    ----------
    profile : ScanProfile
    organ : ndarray of int, shape (n,)
        Which rows belong to one organ.
    z_mm, mean_hu, sd_hu : ndarray, shape (n,)
        Of the organ's slices.

    Returns
    -------
    ndarray, shape (n, len(CONTEXT))

    Notes
    -----
    With the current ``I`` over its mean and the irradiated range ``w`` (1 inside, edges smooth):

    ``current_around = sum_z' I w (G(z - z') / 2 + exp(-|z - z'| / 120 mm) / 480 mm) dz``

    is the primary beam and the scatter that reach the slice; the other ``scatter`` and
    ``primary`` columns are logarithms of their ratios to it. ``air_t = Phi((hu - t) / sd)`` is the
    share of the organ's voxels denser than ``t`` if they were normally distributed: dose engines
    may leave out what they take for air. Sizes are in 100 mm, lengths in 100 mm, HU in 200.
    """
    currents = _currents(profile, z_mm)
    around = currents[0]
    sizes = _sizes(profile, z_mm)
    deviation = np.maximum(sd_hu, _LEAST_SD_HU)
    air = {
        -int(t): np.log(scipy.special.ndtr((mean_hu - t) / deviation) + _LEAST_SHARE)
        for t in AIR_HU
    }
    place = _organ_columns(organ, z_mm, mean_hu)
    low, high = profile.range_mm
    relative = (z_mm - low) / (high - low)
    columns = [
        around, sizes[0], sizes[1] - sizes[0], air[880],
        *(one - around for one in currents[1:5]), np.full(len(z_mm), currents[5]),
        sizes[2] - sizes[0], sizes[3] - sizes[0], (sizes[0] - 2.8) ** 2, sizes[4],
        sizes[5] - sizes[1], sizes[6] - sizes[1],
        air[850], air[910], air[940], np.log(np.maximum(sd_hu, 3.0) / 100.0), mean_hu / 200.0,
        *place,
        np.full(len(z_mm), (high - low) / 100.0 - 3.0), relative - 0.5, (relative - 0.5) ** 2,
        np.exp(-np.maximum(z_mm - low, 0.0) / 30.0), np.exp(-np.maximum(high - z_mm, 0.0) / 30.0),
        np.exp(-np.maximum(high - z_mm, 0.0) / 60.0),
    ]  # fmt: skip
    return np.stack(columns, axis=1)


def landmark_features(
    landmarks: Mapping[str, tuple[FloatArray, FloatArray]], z_mm: FloatArray
) -> FloatArray:
    """Where slices lie relative to organs of the same scan, and HU of these organs there.

    Parameters
    ----------
    landmarks : mapping of organ to (z_mm, mean_hu)
        Its slices; empty arrays where the scan has none.
    z_mm : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n, 3 len(landmarks))
        Distance above the organ's lower end and below its upper end (2 % of its slices left out)
        in 100 mm; mean HU / 200 in the slice. NaN where unknown.
    """
    columns = []
    for there, hu in landmarks.values():
        if len(there) == 0:
            columns += [np.full(len(z_mm), np.nan)] * 3
            continue
        low, high = np.percentile(there, [2, 98])
        order = np.argsort(there)
        nearest = np.clip(np.searchsorted(there[order], z_mm - 0.1), 0, len(there) - 1)
        same = np.abs(there[order][nearest] - z_mm) < 0.2
        columns += [
            (z_mm - low) / 100.0, (high - z_mm) / 100.0,
            np.where(same, hu[order][nearest] / 200.0, np.nan),
        ]  # fmt: skip
    return np.stack(columns, axis=1) if columns else np.empty((len(z_mm), 0))


def _currents(profile: ScanProfile, z_mm: FloatArray) -> tuple[FloatArray, ...]:
    """Logarithms of the relative current seen from the slices, by parts; last: of the range."""
    low, high = profile.range_mm
    ends = profile.z_mm[[0, -1]]
    grid = np.arange(min(low, ends[0]) - _PAD_MM, max(high, ends[1]) + _PAD_MM, _STEP_MM)
    relative = profile.current / profile.current.mean()
    steep = 1.7 / _EDGE_MM  # a logistic edge like a Gaussian one of _EDGE_MM
    window = scipy.special.expit((grid - low) * steep) * scipy.special.expit((high - grid) * steep)
    released = np.interp(grid, profile.z_mm, relative) * window
    places, owner = np.unique(z_mm, return_inverse=True)
    away = np.abs(places[:, None] - grid)
    gauss = np.exp(-0.5 * (away / PRIMARY_MM) ** 2) / (PRIMARY_MM * np.sqrt(2.0 * np.pi))
    primary = gauss @ released * _STEP_MM
    scatter = [np.exp(-away / s) @ released * _STEP_MM / (2.0 * s) for s in SCATTER_MM]
    around = np.log(0.5 * primary + 0.5 * scatter[1] + _LEAST_CURRENT)
    parts = [np.log(one + _LEAST_CURRENT) for one in (*scatter, primary)]
    here = np.log(np.maximum(np.interp(places, profile.z_mm, relative), _LEAST_CURRENT))
    mean = np.log(max(released.sum() / window.sum(), _LEAST_CURRENT))
    return (around[owner], *(one[owner] for one in parts), here[owner], mean)


def _sizes(profile: ScanProfile, z_mm: FloatArray) -> tuple[FloatArray, ...]:
    """Size in 100 mm: around, scan, slice, wide, slope, largest, smallest."""
    size = profile.diameter_mm / 100.0
    places, owner = np.unique(z_mm, return_inverse=True)
    away = np.abs(places[:, None] - profile.z_mm)

    def mean(weights: FloatArray) -> FloatArray:
        return np.asarray(((weights @ size) / weights.sum(axis=1))[owner])

    near = mean(np.exp(-0.5 * (away / 15.0) ** 2))
    slope = np.gradient(size, profile.z_mm) * 100.0
    ones = np.ones(len(z_mm))
    return (
        mean(np.exp(-away / 40.0)), size.mean() * ones, near,
        mean(np.exp(-0.5 * (away / 80.0) ** 2)), np.interp(z_mm, profile.z_mm, slope) / 10.0,
        size.max() * ones, size.min() * ones,
    )  # fmt: skip


def _organ_columns(
    organ: LabelArray, z_mm: FloatArray, mean_hu: FloatArray
) -> tuple[FloatArray, ...]:
    """Place in the organ and the organ's own figures."""
    found = np.zeros((8, len(z_mm)))
    for one in np.unique(organ):
        rows = np.flatnonzero(organ == one)
        z = z_mm[rows]
        extent = max(float(np.ptp(z)), 1.0)
        spacing = np.median(np.diff(np.sort(z))) if len(z) > 1 else extent
        place = (z - z.min()) / extent - 0.5
        hu = mean_hu[rows].mean()
        found[:, rows] = np.stack([
            place, place**2, np.full(len(z), np.log(extent + 5.0) - 4.0),
            np.full(len(z), len(z) * spacing / (extent + spacing)),
            np.exp(-(z - z.min()) / 15.0), np.exp(-(z.max() - z) / 15.0),
            np.full(len(z), hu / 200.0), np.tanh((mean_hu[rows] - hu) / 100.0),
        ])  # fmt: skip
    return tuple(found)

"""What the published slice arrays tell of their own Monte Carlo: noise, range, scale."""

from collections.abc import Sequence

import numpy as np

from milligray.train.slice_mlp.slice_arrays import SKIN, SliceRows
from milligray.typing import FloatArray

SIZE_SLOPE_PER_MM = 0.0045
"""Of the skin's dose per current against the water-equivalent diameter."""
_MIDDLE_MM = (60.0, 80.0)
"""Not to be taken for the middle of a scan: so much from its lower and from its upper end."""
COLUMNS = (
    "region", "CT there twice", "difference of its organ doses, rms %", "noise of a slice, %",
    "skin dose falls to a half below the uppermost slice, mm: median (10-90 %)",
    "scale of the skin dose off by more than 15 %",
)  # fmt: skip
_ODD = 0.15
_LEAST_SLICES = 10


def about_truth(regions: Sequence[tuple[str, SliceRows]]) -> list[str]:
    """Table of all that, one row a region."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for region, rows in regions:
        count, rms = twin_difference(rows)
        edges, scales = skin_of_patients(rows)
        low, middle, high = np.percentile(edges, [10, 50, 90])
        odd = int((np.abs(scales / np.median(scales) - 1.0) > _ODD).sum())
        lines.append(
            f"| {region} | {count} | {rms:.2f} | {slice_noise(rows):.1f} |"
            f" {middle:.0f} ({low:.0f}-{high:.0f}) | {odd} of {len(scales)} |"
        )
    return lines


def twin_difference(r: SliceRows) -> tuple[int, float]:
    """Scans of a CT that is there twice, and the rms difference of their organ doses [%].

    Notes
    -----
    Over the slices that both masks of the organ have: organs were outlined twice, too. NaN without
    such scans.
    """
    again = np.unique(r.patient[r.patient != r.person])
    ratios = []
    for patient in again:
        twin = int(r.person[r.patient == patient][0])
        for j in range(len(r.organ_names)):
            a, b = ((r.patient == p) & (r.organ == j) for p in (patient, twin))
            both = np.intersect1d(r.z_mm[a], r.z_mm[b])
            if len(both):
                doses = [r.dose_mgy[of & np.isin(r.z_mm, both)].mean() for of in (a, b)]
                ratios.append(doses[0] / doses[1] - 1.0)
    rms = 100.0 * float(np.sqrt(np.mean(np.square(ratios)))) if ratios else float("nan")
    return len(again), rms


def slice_noise(r: SliceRows) -> float:
    """Median over organs of the noise of a slice [%], from second differences along z."""
    found = []
    for j in range(len(r.organ_names)):
        of = (r.organ == j) & (r.dose_mgy > 0)
        patient, log = r.patient[of], np.log(r.dose_mgy[of])
        even = (np.diff(patient)[1:] == 0) & (np.diff(patient)[:-1] == 0)
        even &= np.abs(np.diff(np.diff(r.z_mm[of]))) < 0.01
        second = (log[2:] - 2.0 * log[1:-1] + log[:-2])[even]
        if len(second):
            found.append(100.0 * 1.4826 * float(np.median(np.abs(second))) / np.sqrt(6.0))
    return float(np.median(found))


def skin_of_patients(r: SliceRows) -> tuple[FloatArray, FloatArray]:
    """Skin dose over current, corrected for size, of every scan.

    Returns
    -------
    edge : ndarray, shape (n_patients,) [mm]
        From the uppermost slice down to where it has risen to half its value in the middle; 0 if
        it is not below.
    scale : ndarray, shape (n_patients,)
        That value.
    """
    edges, scales = [], []
    for patient in np.unique(r.patient):
        of = (r.patient == patient) & r.of_organ(SKIN)
        z = r.z_mm[of]
        value = r.dose_mgy[of] / r.current_ma[of]
        value = value / np.exp(-SIZE_SLOPE_PER_MM * r.diameter_mm[of])
        middle = (z > z.min() + _MIDDLE_MM[0]) & (z < z.max() - _MIDDLE_MM[1])
        if middle.sum() < _LEAST_SLICES:
            continue
        scale = float(np.median(value[middle]))
        above = z[value >= 0.5 * scale]
        edges.append(float(z.max() - above.max()))
        scales.append(scale)
    return np.array(edges), np.array(scales)

"""Judge whether slices are even, one is missing, or the spacing changes on purpose."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import FormatError, GeometryError
from milligray.typing import FloatArray

JITTER = 0.01
"""Spacings are equal when they differ by less than this fraction (or by 0.02 mm: rounding)."""

_ROUNDING_MM = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSpacing:
    """Verdict on a stack.

    Parameters
    ----------
    spacing_mm : float [mm]
        Of the regular stack: the common one, or the finest if the spacing varies.
    is_uniform : bool
        False: the stack must be interpolated to ``spacing_mm``.
    block_spacings_mm : tuple of float
        Spacings that occur, in order from inferior to superior.
    """

    spacing_mm: float
    is_uniform: bool
    block_spacings_mm: tuple[float, ...]


def slice_spacing(z_mm: FloatArray) -> SliceSpacing:
    """Judge ascending slice positions.

    Parameters
    ----------
    z_mm : ndarray, shape (n >= 2,) [mm]
        Strictly ascending.

    Returns
    -------
    SliceSpacing

    Raises
    ------
    FormatError
        If slices are missing: a single gap at least twice as wide as the spacing around it.

    Notes
    -----
    A single wide gap is a loss; two or more equal gaps in a row are a block scanned or
    reconstructed with another spacing, which is kept and interpolated.

    Examples
    --------
    >>> slice_spacing(np.array([0.0, 2.0, 4.0, 9.0, 14.0])).block_spacings_mm
    (2.0, 5.0)
    >>> slice_spacing(np.array([0.0, 2.0, 4.0, 8.0, 10.0]))
    Traceback (most recent call last):
        ...
    milligray.errors.FormatError: 1 slice is missing between z = 4 and z = 8 mm ...
    """
    gaps = np.diff(np.asarray(z_mm, dtype=np.float64))
    if gaps.size == 0 or np.any(gaps <= 0):
        raise GeometryError("slice positions must ascend and be at least two")
    mean = round(float(gaps.mean()), 6)
    tolerance = max(JITTER * mean, _ROUNDING_MM)
    even = z_mm[0] + mean * np.arange(len(z_mm))
    if np.all(np.abs(gaps - mean) <= tolerance) and np.all(
        np.abs(z_mm - even) <= max(0.1 * mean, _ROUNDING_MM)
    ):
        return SliceSpacing(spacing_mm=mean, is_uniform=True, block_spacings_mm=(mean,))
    runs = _runs(gaps)
    _refuse_missing(z_mm, gaps, runs)
    spacings = tuple(round(float(np.mean(gaps[first:last])), 6) for first, last in runs)
    long = [s for s, (first, last) in zip(spacings, runs, strict=True) if last - first > 1]
    finest = min(long or spacings)
    return SliceSpacing(spacing_mm=finest, is_uniform=False, block_spacings_mm=spacings)


def _runs(gaps: FloatArray) -> list[tuple[int, int]]:
    """Half-open ranges of consecutive equal gaps."""
    runs = []
    first = 0
    for index in range(1, len(gaps) + 1):
        if index < len(gaps):
            reference = float(np.median(gaps[first:index]))
            if abs(gaps[index] - reference) <= max(JITTER * reference, _ROUNDING_MM):
                continue
        runs.append((first, index))
        first = index
    return runs


def _refuse_missing(z_mm: FloatArray, gaps: FloatArray, runs: list[tuple[int, int]]) -> None:
    for number, (first, last) in enumerate(runs):
        if last - first > 1:
            continue
        around = [float(gaps[runs[n][0]]) for n in (number - 1, number + 1) if 0 <= n < len(runs)]
        gap = float(gaps[first])
        usual = min(around)
        ratio = gap / usual
        n_lost = round(ratio) - 1
        place = f"between z = {z_mm[first]:g} and z = {z_mm[first + 1]:g} mm"
        if n_lost >= 1 and abs(ratio - round(ratio)) <= 0.05:
            lost = "1 slice is missing" if n_lost == 1 else f"{n_lost} slices are missing"
            raise FormatError(
                f"{lost} {place} (spacing elsewhere {usual:g} mm); export the complete series"
            )
        if gap > 2.0 * max(around):
            raise FormatError(
                f"there is a gap of {gap:g} mm {place}, with a spacing of {usual:g} mm beside it;"
                " these are two scans or slices are missing: export one complete series"
            )

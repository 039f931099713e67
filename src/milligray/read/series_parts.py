"""Slices that occur more than once in a series: copies, phases, or a conflict."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from milligray.read.dicom_tags import quiet_pydicom
from milligray.read.slice_header import PHASE_NAMES, SliceHeader
from milligray.read.slice_pixels import hounsfield_slice

Place = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPart:
    """Slices of which every place occurs once.

    Parameters
    ----------
    headers : tuple of SliceHeader
    name : str
        What distinguishes the part, "" if the series was not split.
    conflict : str
        Not empty if different images of one place could not be told apart.
    notes : tuple of str
    """

    headers: tuple[SliceHeader, ...]
    name: str = ""
    conflict: str = ""
    notes: tuple[str, ...] = ()


def split_repeated(headers: tuple[SliceHeader, ...]) -> list[SeriesPart]:
    """Drop exact copies of slices and split a series that holds several images.

    Parameters
    ----------
    headers : tuple of SliceHeader
        One series, any order.

    Returns
    -------
    list of SeriesPart
        One part if nothing but copies was repeated; else one a phase or acquisition.
    """
    at: dict[Place, list[SliceHeader]] = {}
    for header in headers:
        at.setdefault(_place(header), []).append(header)
    most = max(len(members) for members in at.values())
    if most == 1:
        return [SeriesPart(headers=headers)]
    different = _first_difference(at)
    if different is None:
        kept = tuple(members[0] for members in at.values())
        note = f"{len(headers) - len(kept)} slices that occur twice with equal pixels were dropped"
        return [SeriesPart(headers=kept, notes=(note,))]
    for index, name in enumerate(PHASE_NAMES):
        parts = _split(headers, lambda h, i=index: h.phase[i], name, most)  # type: ignore[misc]
        if parts:
            return parts
    first, second = different
    z = (first.position_lps_mm or (0.0, 0.0, 0.0))[2]
    return [
        SeriesPart(
            headers=headers,
            conflict=(
                f"{first.path.name} and {second.path.name} show different images of the same"
                f" place (z = {z:g} mm) and nothing in the header tells them apart; export one"
                " phase or one reconstruction"
            ),
        )
    ]


def _place(header: SliceHeader) -> Place:
    return tuple(round(value * 50.0) for value in header.position_lps_mm or ())


def _first_difference(
    at: dict[Place, list[SliceHeader]],
) -> tuple[SliceHeader, SliceHeader] | None:
    with quiet_pydicom():
        for members in at.values():
            if len(members) < 2:
                continue
            first = hounsfield_slice(members[0])
            for other in members[1:]:
                if not np.array_equal(first, hounsfield_slice(other)):
                    return members[0], other
    return None


def _split(
    headers: Sequence[SliceHeader],
    value_of: Callable[[SliceHeader], str],
    name: str,
    most: int,
) -> list[SeriesPart]:
    """Parts by one attribute, [] unless that leaves every place once in each of few parts."""
    by_value: dict[str, list[SliceHeader]] = {}
    for header in headers:
        by_value.setdefault(value_of(header), []).append(header)
    if not 1 < len(by_value) <= 2 * most:
        return []
    for members in by_value.values():
        if max(Counter(_place(header) for header in members).values()) > 1:
            return []
    return [
        SeriesPart(headers=tuple(members), name=f"{name} {value or 'unnamed'}")
        for value, members in sorted(by_value.items(), key=lambda pair: _natural(pair[0]))
    ]


def _natural(text: str) -> tuple[float, str]:
    """Sort key that puts 2 before 10."""
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text

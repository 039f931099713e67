"""Organ masks of a patient, on the CT's grid, from the segmenter asked for."""

from typing import Literal

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.patient.patient import Patient
from milligray.read.series import LabelMap
from milligray.segment.catalog import canonical_name, reference_volume_ml
from milligray.segment.given_labels import resample_labels, shares_inside
from milligray.segment.organs import OrganMap
from milligray.segment.threshold_tissues import THRESHOLD_TISSUES, threshold_tissues
from milligray.segment.total_segmentator import run_total_segmentator
from milligray.typing import LabelArray
from milligray.volume import Grid

Segmenter = Literal["labels", "threshold", "totalsegmentator"]


def segment_organs(
    patient: Patient,
    labels: LabelMap | None = None,
    *,
    segmenter: Segmenter | None = None,
) -> OrganMap:
    """Organs of a patient.

    Parameters
    ----------
    patient : Patient
    labels : LabelMap, optional
        Given organs, on the CT's grid or another one of the same frame of reference.
    segmenter : {"labels", "threshold", "totalsegmentator"}, optional
        Where the organs come from; only with `labels` given it need not be said.

    Returns
    -------
    OrganMap
        On the CT's grid (phantoms made of shapes: the transport grid), with canonical names.

    Raises
    ------
    GeometryError
        If the labels do not overlap the CT.
    InputError
        If it is not clear which segmenter is wanted, or the segmenter failed.

    Notes
    -----
    ``fraction_in_image`` is counted where the labels reach beyond the CT. An organ that the first
    or last slice cuts gets ``volume / reference volume`` as an estimate when the catalog
    knows the organ and the estimate is below 1, with a note; organs that touch neither are whole.
    """
    if segmenter is None:
        if labels is None:
            raise InputError(
                "say where the organs come from: labels=..., or segmenter='threshold' or"
                " 'totalsegmentator'"
            )
        segmenter = "labels"
    if segmenter == "labels":
        if labels is None:
            raise InputError("segmenter='labels' needs labels=read_labels(FILE)")
        return _from_labels(patient, labels, "labels given")
    if labels is not None:
        raise InputError(f"labels are given, yet segmenter={segmenter!r}: choose one of them")
    if patient.ct is None:
        raise InputError(f"segmenter={segmenter!r} needs a CT; a phantom of shapes has none")
    if segmenter == "threshold":
        values = threshold_tissues(patient.ct)
        names = {v: n for v, n in THRESHOLD_TISSUES.items() if np.any(values == v)}
        return OrganMap(
            grid=patient.ct.grid,
            labels=values,
            names=names,
            method="threshold tissues, not organs",
            fraction_in_image={},
            notes=("tissues by CT number: contrast medium and calcifications pass for bone",),
        )
    if segmenter == "totalsegmentator":
        return _from_labels(patient, run_total_segmentator(patient.ct), "TotalSegmentator")
    raise InputError(
        f"no segmenter {segmenter!r}; there are 'labels', 'threshold', 'totalsegmentator'"
    )


def _from_labels(patient: Patient, labels: LabelMap, method: str) -> OrganMap:
    grid = patient.grid if patient.ct is None else patient.ct.grid
    notes = list(labels.notes)
    values = resample_labels(labels.volume, grid)
    if not labels.volume.grid.is_same_as(grid):
        notes.append(
            f"labels of {_spacing(labels.volume.grid)} brought to the CT's grid of"
            f" {_spacing(grid)} by nearest neighbor"
        )
    names, renamed = _canonical(labels.names)
    notes += renamed
    shares = shares_inside(labels.volume, grid)
    here = set(np.flatnonzero(_present(values)).tolist())
    missing = [names[v] for v in sorted(names) if v in shares and v not in here]
    if missing and not here & set(names):
        raise GeometryError(
            "none of the labels lies inside the CT, although the grids overlap; check that both"
            " belong to the same examination"
        )
    if missing:
        notes.append(f"outside the CT or lost on its grid, left out: {', '.join(missing)}")
    names = {v: n for v, n in names.items() if v in here}
    fractions = {names[v]: s for v, s in shares.items() if v in names and s < 1.0}
    estimated, cut = _estimates(values, names, fractions, grid)
    return OrganMap(
        grid=grid,
        labels=values,
        names=names,
        method=method,
        fraction_in_image={**fractions, **estimated},
        notes=tuple(notes + cut),
    )


def _canonical(given: dict[int, str]) -> tuple[dict[int, str], list[str]]:
    """Catalog names where known; a name that two labels would share stays as it was given."""
    wanted = {v: canonical_name(n) for v, n in given.items()}
    counts: dict[str, int] = {}
    for name in wanted.values():
        counts[name] = counts.get(name, 0) + 1
    names = {v: n if counts[n] == 1 else given[v] for v, n in wanted.items()}
    changed = [f"{given[v]} = {names[v]}" for v in sorted(names) if given[v] != names[v]]
    notes = [f"organ names as in the catalog: {', '.join(changed)}"] if changed else []
    return names, notes


def _estimates(
    values: LabelArray, names: dict[int, str], known: dict[str, float], grid: Grid
) -> tuple[dict[str, float], list[str]]:
    ends = _present(values[:1]) | _present(values[-1:])
    counts = np.zeros(65536, dtype=np.int64)
    for plane in values:
        counts += np.bincount(plane.ravel(), minlength=65536)
    shares, notes, unknown = {}, [], []
    for label, name in sorted(names.items()):
        if name in known:
            continue
        if not ends[label]:
            shares[name] = 1.0
            continue
        reference = reference_volume_ml(name)
        estimate = None if reference is None else counts[label] * grid.voxel_volume_cm3 / reference
        if estimate is not None and estimate < 1.0:
            shares[name] = float(estimate)
            notes.append(
                f"{name} is cut by the end of the scan: about {estimate:.0%} of it is inside,"
                " judged by its ICRP 89 reference mass"
            )
        else:
            unknown.append(name)
    if unknown:
        notes.append(f"cut by the end of the scan, share inside unknown: {', '.join(unknown)}")
    return shares, notes


def _present(values: LabelArray) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    present = np.zeros(65536, dtype=np.bool_)
    for plane in values:
        present[np.unique(plane)] = True
    return present


def _spacing(grid: Grid) -> str:
    return " x ".join(f"{s:.3g}" for s in grid.spacing_mm) + " mm (z, y, x)"

"""Compare predicted with reference results: everything that is computed, as one noun."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.evaluate.agreement import (
    BlandAltman,
    DistributionTest,
    bland_altman,
    joint_histogram,
    kolmogorov_smirnov,
    mann_whitney,
)
from milligray.evaluate.bootstrap import RESAMPLES
from milligray.evaluate.errors_of_values import mean_relative_absolute_error, mean_relative_error
from milligray.evaluate.gamma import GammaResult, GammaSettings, gamma_index
from milligray.evaluate.images import ImageAgreement, compare_images
from milligray.evaluate.pairs import ValuePairs
from milligray.evaluate.results import ResultPair, organ_pairs, pair_results, read_maps
from milligray.evaluate.summary import ErrorSummary, summarize_errors
from milligray.evaluate.table import Cell, Column, Table
from milligray.evaluate.tables import image_table, organ_table
from milligray.read.labels import read_labels
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

MASK = "reference dose > 0 (result files are 0 outside the body)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapComparison:
    """Dose maps of one exam: their agreement, gamma by criterion, voxel table rows by organ."""

    agreement: ImageAgreement
    gammas: tuple[GammaResult, ...]
    organs: tuple[dict[str, Cell], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Predicted against reference results of one or many exams.

    Parameters
    ----------
    pairs : tuple of ResultPair
    unpaired : tuple of str
        Exams that only one side has.
    values : ValuePairs
        Organ doses; the exam stands for the patient.
    unit : str
    summary : ErrorSummary
        All organ doses together.
    absolute, relative : BlandAltman or None
        Of organ doses; None for fewer than three pairs.
    tests : tuple of DistributionTest
    maps : dict of str to MapComparison
        By exam, where both sides have a dose map.
    tables : tuple of Table
    """

    pairs: tuple[ResultPair, ...]
    unpaired: tuple[str, ...]
    values: ValuePairs
    unit: str
    summary: ErrorSummary
    absolute: BlandAltman | None
    relative: BlandAltman | None
    tests: tuple[DistributionTest, ...]
    maps: dict[str, MapComparison]
    tables: tuple[Table, ...]

    @property
    def can_check_claims(self) -> bool:
        """True if predictions state uncertainties, so that their coverage can be judged."""
        sigma = self.values.predicted_sigma
        return sigma is not None and bool(np.any(sigma[self.values.is_complete] > 0))


def compare_results(
    predicted: Path,
    reference: Path,
    *,
    gammas: Sequence[GammaSettings] = (),
    labels: Path | None = None,
    resamples: int = RESAMPLES,
    draw: Callable[[str, FloatArray, FloatArray, Grid, BoolArray], None] | None = None,
) -> Comparison:
    """Compare two results, or two folders of results exam by exam.

    Parameters
    ----------
    predicted, reference : Path
        See `milligray.evaluate.results.pair_results`.
    gammas : sequence of GammaSettings
        Criteria for the dose maps; none by default.
    labels : Path, optional
        Organ labels on the grid of the maps, for voxel errors by organ: a NIfTI file for one
        exam, or a folder with ``EXAM.nii.gz`` for each.
    resamples : int
        Of the bootstrap by patient.
    draw : callable, optional
        Called with exam, predicted, reference, grid and mask while the maps are in memory.

    Raises
    ------
    InputError
        If nothing can be paired.
    GeometryError
        If maps or labels lie on different grids.
    """
    pairs, unpaired = pair_results(predicted, reference)
    values = organ_pairs(pairs)
    if not np.any(values.is_complete):
        raise InputError("predicted and reference results have no organ in common")
    unit = pairs[0].reference.unit
    maps: dict[str, MapComparison] = {}
    for pair in pairs:
        found = read_maps(pair)
        if found is not None:
            p, r, grid = found
            mask = r > 0
            maps[pair.name] = _compare_maps(
                p, r, grid, mask, gammas, _labels_of(labels, pair.name, len(pairs))
            )
            if draw is not None:
                draw(pair.name, p, r, grid, mask)
    complete = values.complete()
    enough = complete.predicted.size >= 3
    return Comparison(
        pairs=pairs,
        unpaired=unpaired,
        values=values,
        unit=unit,
        summary=summarize_errors(values, resamples=resamples),
        absolute=bland_altman(complete) if enough else None,
        relative=bland_altman(complete, is_relative=True) if enough else None,
        tests=(
            kolmogorov_smirnov(complete.predicted, complete.reference),
            mann_whitney(complete.predicted, complete.reference),
        ),
        maps=maps,
        tables=_tables(values, unit, maps, resamples),
    )


def voxel_histogram(
    predicted: FloatArray, reference: FloatArray, mask: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Joint histogram of the voxels of a mask, up to the 99.9th percentile of the reference."""
    p, r = predicted[mask], reference[mask]
    top = float(np.percentile(r, 99.9))
    inside = (r <= top) & (p <= 1.1 * top)
    return joint_histogram(p[inside], r[inside])


def _compare_maps(
    p: FloatArray,
    r: FloatArray,
    grid: Grid,
    mask: BoolArray,
    gammas: Sequence[GammaSettings],
    labels: Path | None,
) -> MapComparison:
    return MapComparison(
        agreement=compare_images(p, r, mask),
        gammas=tuple(gamma_index(p, r, grid, mask=mask, settings=one) for one in gammas),
        organs=() if labels is None else _by_organ(p, r, grid, mask, labels),
    )


def _labels_of(labels: Path | None, exam: str, n_exams: int) -> Path | None:
    if labels is None:
        return None
    if labels.is_dir():
        path = labels / f"{exam}.nii.gz"
        return path if path.is_file() else None
    if n_exams > 1:
        raise InputError(
            f"{labels} is one file, but there are {n_exams} exams; give a folder with"
            " EXAM.nii.gz for each"
        )
    return labels


def _by_organ(
    p: FloatArray, r: FloatArray, grid: Grid, mask: BoolArray, path: Path
) -> tuple[dict[str, Cell], ...]:
    found = read_labels(path)
    if not found.volume.grid.is_same_as(grid):
        raise GeometryError(
            f"{path.name} has {found.volume.grid.shape} voxels, the dose maps {grid.shape}, or they"
            " lie apart; give labels on the grid of the maps (those of the CT with --dose-grid ct)"
        )
    rows: list[dict[str, Cell]] = []
    for label, name in sorted(found.names.items()):
        organ = (found.volume.values == label) & mask
        n = int(np.sum(organ))
        if n:
            ours, theirs = p[organ], r[organ]
            rows.append(
                {
                    "organ": name,
                    "n_voxels": n,
                    "reference": float(theirs.mean()),
                    "relative_error_of_mean": float(ours.mean() / theirs.mean() - 1.0),
                    "mean_relative_error": mean_relative_error(ours, theirs),
                    "mean_relative_absolute_error": mean_relative_absolute_error(ours, theirs),
                }
            )
    return tuple(rows)


def _tables(
    values: ValuePairs, unit: str, maps: dict[str, MapComparison], resamples: int
) -> tuple[Table, ...]:
    tables = [organ_table(values, unit=unit, resamples=resamples)]
    if maps:
        tables.append(
            image_table(
                {exam: one.agreement for exam, one in maps.items()},
                {
                    exam: {gamma.settings.label: gamma.pass_rate for gamma in one.gammas}
                    for exam, one in maps.items()
                },
                unit=unit,
                mask=MASK,
            )
        )
    rows = [{"exam": exam, **row} for exam, one in maps.items() for row in one.organs]
    if rows:
        tables.append(
            Table(
                name="voxels_by_organ",
                title="Voxels of the dose maps by organ",
                columns=(
                    Column(key="exam", title="exam", kind="text"),
                    Column(key="organ", title="organ", kind="text"),
                    Column(key="n_voxels", title="voxels", kind="count"),
                    Column(key="reference", title=f"reference [{unit}]"),
                    Column(
                        key="relative_error_of_mean", title="error of the mean [%]", kind="percent"
                    ),
                    Column(key="mean_relative_error", title="voxel RE [%]", kind="percent"),
                    Column(
                        key="mean_relative_absolute_error", title="voxel RAE [%]", kind="percent"
                    ),
                ),
                rows=tuple(rows),
                notes=("Means over voxels, not weighted by mass.",),
            )
        )
    return tuple(tables)

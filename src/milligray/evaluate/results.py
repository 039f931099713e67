"""Read dose results from disk and pair predicted with reference ones by name."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milligray.errors import FormatError, GeometryError, InputError
from milligray.evaluate.pairs import ValuePairs
from milligray.read.nifti_axes import read_nifti
from milligray.typing import FloatArray
from milligray.volume import Grid, Volume

ORGANS, DOSE, RESULT, EXAMS = "organ_doses.csv", "dose.nii.gz", "result.json", "exams"
_DOSE_COLUMNS = {"mean_dose_mgy": "mGy", "mean_dose_mgy_per_100mas": "mGy per 100 mAs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganValue:
    """Dose of one organ with its standard uncertainty (k = 1), in the unit of the result."""

    dose: float
    sigma: float
    volume_ml: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseResult:
    """What one result folder says; its map is read when asked for.

    Parameters
    ----------
    folder : Path
    unit : str
        "mGy" or "mGy per 100 mAs".
    organs : dict of str to OrganValue
    method : str
        As the organ table names it.
    """

    folder: Path
    unit: str
    organs: dict[str, OrganValue]
    method: str

    @property
    def has_map(self) -> bool:
        """True if the folder holds a dose map."""
        return (self.folder / DOSE).is_file()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPair:
    """Predicted and reference result of one exam; `name` stands for the patient."""

    name: str
    predicted: DoseResult
    reference: DoseResult


def read_result(folder: Path) -> DoseResult:
    """Read the organ doses of a result folder.

    Raises
    ------
    InputError
        If there is no ``organ_doses.csv``.
    FormatError
        If the table lacks a column, holds broken numbers or an organ twice.
    """
    path = folder / ORGANS
    if not path.is_file():
        raise InputError(
            f"{folder} holds no {ORGANS}: give a folder that milligray ct-dose or predict wrote"
        )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    column = next((name for name in _DOSE_COLUMNS if rows and name in rows[0]), None)
    if column is None or "organ" not in rows[0]:
        raise FormatError(
            f"{path} needs the columns organ and {' or '.join(_DOSE_COLUMNS)}, and a row"
        )
    organs: dict[str, OrganValue] = {}
    for row in rows:
        name = row["organ"]
        if name in organs:
            raise FormatError(f"{path} names {name} twice")
        dose = _number(path, row, column)
        organs[name] = OrganValue(
            dose=dose,
            sigma=dose * _number(path, row, "relative_uncertainty"),
            volume_ml=_number(path, row, "volume_ml"),
        )
    return DoseResult(
        folder=folder,
        unit=_DOSE_COLUMNS[column],
        organs=organs,
        method=rows[0].get("method") or "",
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Content of ``result.json``, empty if there is none."""
    path = folder / RESULT
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise FormatError(f"{path} is not a result: it holds no object")
    return content


def pair_results(
    predicted: Path, reference: Path
) -> tuple[tuple[ResultPair, ...], tuple[str, ...]]:
    """Pair the results of two folders.

    Parameters
    ----------
    predicted, reference : Path
        Two results, or two folders of results, or two cohorts (their ``exams``): paired by the
        names of the folders.

    Returns
    -------
    pairs : tuple of ResultPair
    unpaired : tuple of str
        Names that only one side has, told to the user by the caller.

    Raises
    ------
    InputError
        If one is a result and the other a folder of results, no name is common, or units differ.
    """
    ours, theirs = _results_under(predicted), _results_under(reference)
    if (None in ours) != (None in theirs):
        raise InputError(
            f"one of {predicted} and {reference} is a single result, the other a folder of"
            " results; give two of a kind"
        )
    common = [name for name in ours if name in theirs]
    if not common:
        raise InputError(
            f"no result in {predicted} has the name of one in {reference}; results are paired by"
            f" folder name, there are {_some(ours)} and {_some(theirs)}"
        )
    pairs = []
    for name in common:
        pair = ResultPair(
            name=name or reference.resolve().name,
            predicted=read_result(ours[name]),
            reference=read_result(theirs[name]),
        )
        if pair.predicted.unit != pair.reference.unit:
            raise InputError(
                f"{pair.name}: predicted doses are in {pair.predicted.unit}, those of the reference"
                f" in {pair.reference.unit}; compute both on the same absolute scale"
            )
        pairs.append(pair)
    if len({pair.reference.unit for pair in pairs}) > 1:
        raise InputError("some exams are in mGy and some in mGy per 100 mAs; evaluate them apart")
    alone = sorted(str(name) for name in set(ours) ^ set(theirs))
    return tuple(pairs), tuple(alone)


def organ_pairs(pairs: tuple[ResultPair, ...]) -> ValuePairs:
    """Organ doses of all exams side by side; NaN where one side lacks the organ."""
    nothing = OrganValue(dose=math.nan, sigma=math.nan, volume_ml=math.nan)
    rows = [
        (pair.name, organ, pair.predicted.organs.get(organ, nothing), value)
        for pair in pairs
        for organ, value in _all_organs(pair, nothing).items()
    ]
    sigma = [row[3].sigma for row in rows]
    claimed = [row[2].sigma for row in rows]
    return ValuePairs.from_arrays(
        [row[2].dose for row in rows],
        [row[3].dose for row in rows],
        patients=[row[0] for row in rows],
        organs=[row[1] for row in rows],
        reference_sigma=sigma if np.any(np.isfinite(sigma)) else None,
        predicted_sigma=claimed if np.any(np.isfinite(claimed)) else None,
    )


def read_maps(pair: ResultPair) -> tuple[FloatArray, FloatArray, Grid] | None:
    """Predicted and reference map on their common grid; None if one has no map.

    Raises
    ------
    GeometryError
        If the grids differ.
    """
    if not (pair.predicted.has_map and pair.reference.has_map):
        return None
    ours, theirs = _map(pair.predicted), _map(pair.reference)
    if not ours.grid.is_same_as(theirs.grid):
        raise GeometryError(
            f"{pair.name}: the predicted map has {ours.grid.shape} voxels of"
            f" {_spacing(ours.grid)} mm, the reference {theirs.grid.shape} of"
            f" {_spacing(theirs.grid)} mm, or they lie apart; write both on the same grid"
            " (--dose-grid ct or --dose-grid transport for both)"
        )
    return (
        np.asarray(ours.values, dtype=np.float64),
        np.asarray(theirs.values, dtype=np.float64),
        theirs.grid,
    )


def _results_under(folder: Path) -> dict[str | None, Path]:
    """Result folders by name; a folder that is itself a result has the name None."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give a result or a folder of results")
    if (folder / ORGANS).is_file():
        return {None: folder}
    root = folder / EXAMS if (folder / EXAMS).is_dir() else folder
    found: dict[str | None, Path] = {
        path.name: path for path in sorted(root.iterdir()) if (path / ORGANS).is_file()
    }
    if not found:
        raise InputError(f"{folder} holds no {ORGANS}, nor do the folders in it")
    return found


def _all_organs(pair: ResultPair, nothing: OrganValue) -> dict[str, OrganValue]:
    return {
        **pair.reference.organs,
        **{name: nothing for name in pair.predicted.organs if name not in pair.reference.organs},
    }


def _map(result: DoseResult) -> Volume:
    image = read_nifti(result.folder / DOSE)
    return Volume(grid=image.grid, values=np.asarray(image.values, dtype=np.float32))


def _number(path: Path, row: dict[str, str], column: str) -> float:
    text = row.get(column) or ""
    if not text:
        return math.nan
    try:
        return float(text)
    except ValueError as error:
        raise FormatError(f"{path}: {column} of {row['organ']} is {text!r}, no number") from error


def _spacing(grid: Grid) -> str:
    return " x ".join(f"{s:g}" for s in grid.spacing_mm)


def _some(names: dict[str | None, Path]) -> str:
    listed = [str(name) for name in names][:5]
    return ", ".join(listed) + (", ..." if len(names) > 5 else "")

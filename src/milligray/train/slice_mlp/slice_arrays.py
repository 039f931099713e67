"""Published arrays of organ slices (Tzanis and Damilakis 2024), with patients."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.typing import BoolArray, FloatArray

REGIONS = ("chest", "abdomen")
SKIN = "skin"
_COLUMNS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceRows:
    """Organs in slices of scans, one row an organ and slice.

    Parameters
    ----------
    organ_names : tuple of str
    organ : ndarray of int, shape (n,)
        Index into `organ_names`.
    patient : ndarray of int, shape (n,)
        Scans.
    person : ndarray of int, shape (n,)
        What a split must keep together: scans of one CT that is there twice have one number.
    mean_hu, sd_hu, current_ma, diameter_mm, z_mm, dose_mgy : ndarray, shape (n,)
    """

    organ_names: tuple[str, ...]
    organ: npt.NDArray[np.int64]
    patient: npt.NDArray[np.int64]
    person: npt.NDArray[np.int64]
    mean_hu: FloatArray
    sd_hu: FloatArray
    current_ma: FloatArray
    diameter_mm: FloatArray
    z_mm: FloatArray
    dose_mgy: FloatArray

    def of_organ(self, name: str) -> BoolArray:
        """Rows of an organ."""
        return np.asarray(self.organ == self.organ_names.index(name))


def read_slice_arrays(folder: Path, region: str) -> SliceRows:
    """Read the arrays of a region; rows with NaN are left out, as the authors do.

    Parameters
    ----------
    folder : Path
        With ``chest.npz`` and ``abdomen.npz``: arrays (rows, 6) by organ, and ``<organ>__patient``.
    region : {"chest", "abdomen"}

    Raises
    ------
    InputError
        If there are none, or of another form.
    """
    if region not in REGIONS:
        raise InputError(f"regions are {', '.join(REGIONS)}, got {region!r}")
    path = folder / f"{region}.npz"
    if not path.is_file():
        raise InputError(f"{folder} holds no {path.name}; give the folder of the published arrays")
    with np.load(path) as file:
        names = tuple(name for name in file.files if not name.endswith("__patient"))
        if SKIN not in names or any(f"{name}__patient" not in file.files for name in names):
            raise InputError(f"{path.name} needs the skin, and patients beside each organ")
        rows = [np.asarray(file[name], dtype=np.float64) for name in names]
        patients = [np.asarray(file[f"{name}__patient"], dtype=np.int64) for name in names]
    if any(r.shape != (len(p), _COLUMNS) for r, p in zip(rows, patients, strict=True)):
        raise InputError(f"arrays of {path.name} must have {_COLUMNS} columns and a patient a row")
    table = np.concatenate(rows)
    patient = np.concatenate(patients)
    organ = np.repeat(np.arange(len(names)), [len(r) for r in rows])
    complete = np.isfinite(table).all(axis=1)
    twin = _twins(table[:, (4, 2)], patient)
    order = np.flatnonzero(complete)
    order = order[np.lexsort((table[order, 4], organ[order], patient[order]))]
    table, patient, organ = table[order], patient[order], organ[order]
    return SliceRows(
        organ_names=names, organ=organ, patient=patient,
        person=np.array([twin[int(p)] for p in patient]), mean_hu=table[:, 0], sd_hu=table[:, 1],
        current_ma=table[:, 2], diameter_mm=table[:, 3], z_mm=table[:, 4], dose_mgy=table[:, 5],
    )  # fmt: skip


def _twins(place_and_current: FloatArray, patient: npt.NDArray[np.int64]) -> dict[int, int]:
    """First patient with the very same slices and currents, by patient."""
    first: dict[bytes, int] = {}
    found = {}
    for one in np.unique(patient):
        key = np.unique(place_and_current[patient == one], axis=0).tobytes()
        found[int(one)] = first.setdefault(key, int(one))
    return found


def grouped_folds(
    person: npt.NDArray[np.int64], count: int, *, seed: int = 5
) -> npt.NDArray[np.int64]:
    """Fold of every row, 0 to count - 1; the rows of a person are in one fold.

    Parameters
    ----------
    person : ndarray of int, shape (n,)
    count : int
    seed : int
    """
    people = np.unique(person)
    if not 2 <= count <= len(people):
        raise InputError(f"{count} folds of {len(people)} patients; give 2 to that number")
    order = np.random.default_rng(seed).permutation(people)
    fold = {int(one): i % count for i, one in enumerate(order)}
    return np.array([fold[int(one)] for one in person])

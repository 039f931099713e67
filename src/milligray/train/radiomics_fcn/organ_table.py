"""Sets of the kind ``organ-features`` as one table: a row is an organ in a scan."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milligray.dataset.reader import open_set
from milligray.errors import InputError
from milligray.learn.inputs.organ_features import OrganFeatures
from milligray.typing import BoolArray, FloatArray

KIND = "organ-features"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganTable:
    """Organs of many scans.

    Parameters
    ----------
    features : OrganFeatures
        n rows.
    scans, patients, splits : ndarray of str, shape (n,)
    set_index : ndarray of int, shape (n,)
        Which of the sets a row is from.
    dose_mgy : ndarray, shape (n,) [mGy]
        Monte Carlo.
    relative_uncertainty : ndarray, shape (n,)
        Of the Monte Carlo, k = 1.
    ctdi_vol_mgy : ndarray, shape (n,) [mGy]
    """

    features: OrganFeatures
    scans: npt.NDArray[np.str_]
    patients: npt.NDArray[np.str_]
    splits: npt.NDArray[np.str_]
    set_index: npt.NDArray[np.int64]
    dose_mgy: FloatArray
    relative_uncertainty: FloatArray
    ctdi_vol_mgy: FloatArray

    @property
    def organs(self) -> npt.NDArray[np.str_]:
        """Organ of every row."""
        return np.array(self.features.organs, dtype=np.str_)

    @property
    def organ_names(self) -> tuple[str, ...]:
        """Organs that occur, by name."""
        return tuple(sorted(set(self.features.organs)))

    @property
    def dose_per_ctdi(self) -> FloatArray:
        """Dose over CTDIvol [mGy/mGy], shape (n,)."""
        return np.asarray(self.dose_mgy / self.ctdi_vol_mgy)

    def __len__(self) -> int:
        return len(self.features.organs)

    def take(self, rows: BoolArray | npt.NDArray[np.int64]) -> "OrganTable":
        """Some of its rows: a mask, or indices."""
        index = np.asarray(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows, np.int64)
        return OrganTable(
            features=self.features.take(index),
            scans=self.scans[index], patients=self.patients[index], splits=self.splits[index],
            set_index=self.set_index[index], dose_mgy=self.dose_mgy[index],
            relative_uncertainty=self.relative_uncertainty[index],
            ctdi_vol_mgy=self.ctdi_vol_mgy[index],
        )  # fmt: skip


def read_organ_table(
    sets: tuple[Path, ...], *, least_dose_per_ctdi: float = 0.0, least_patients: int = 10
) -> OrganTable:
    """Read sets of organ features.

    Parameters
    ----------
    sets : tuple of Path
        Directories of ``milligray dataset make --kind organ-features``.
    least_dose_per_ctdi : float
        Leave out organs of less dose over CTDIvol: far from the beam.
    least_patients : int
        Leave out organs of fewer patients.

    Returns
    -------
    OrganTable
        Without the organs that have no radiomics features (the rest of the body, a few voxels).

    Raises
    ------
    InputError
        If a set is of another kind, or their columns differ.
    """
    names: tuple[str, ...] | None = None
    rows: list[tuple[str, str, str, str, int, float, float, float]] = []
    values: list[FloatArray] = []
    for number, path in enumerate(sets):
        opened = open_set(path)
        if opened.kind != KIND:
            raise InputError(f"{path} is a set of {opened.kind}, not of {KIND}")
        for name in opened.samples():
            sample = opened.read(name)
            arrays = {key: array.values for key, array in sample.arrays.items()}
            columns = tuple(n.decode() for n in arrays["feature_names"])
            if names not in (None, columns):
                raise InputError(f"{path} has other columns than the sets before; make it again")
            names = columns
            about = sample.attributes
            for i, organ in enumerate(arrays["organ_names"]):
                rows.append((
                    organ.decode(), name, str(about["patient"]), str(about["split"]), number,
                    float(arrays["organ_dose"][i]), float(arrays["organ_relative_uncertainty"][i]),
                    float(about["ctdi_vol_mgy"]),
                ))  # fmt: skip
                values.append(arrays["features"][i])
    if names is None:
        raise InputError("the sets hold no sample")
    organ, scan, patient, split, index, dose, uncertainty, ctdi = zip(*rows, strict=True)
    table = OrganTable(
        features=OrganFeatures(organs=organ, names=names, values=np.array(values)),
        scans=np.array(scan), patients=np.array(patient), splits=np.array(split),
        set_index=np.array(index), dose_mgy=np.array(dose),
        relative_uncertainty=np.array(uncertainty), ctdi_vol_mgy=np.array(ctdi),
    )  # fmt: skip
    radiomics = table.features.columns(table.features.radiomics)
    kept = np.isfinite(radiomics).all(axis=1) & (table.dose_per_ctdi > least_dose_per_ctdi)
    table = table.take(np.asarray(kept, dtype=np.bool_))
    organs = table.organs
    often = [
        o for o in table.organ_names if len(set(table.patients[organs == o])) >= least_patients
    ]
    return table.take(np.asarray(np.isin(organs, often), dtype=np.bool_))

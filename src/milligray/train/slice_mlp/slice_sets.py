"""Sets of slice features as one table for the slice-wise network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milligray.dataset.reader import open_set
from milligray.errors import InputError
from milligray.learn.inputs.organ_slices import FEATURES
from milligray.learn.inputs.slice_rows import slice_rows
from milligray.typing import BoolArray, FloatArray

KIND = "slice-features"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceSet:
    """Organs in slices of scans, one row each.

    Parameters
    ----------
    organ_names : tuple of str
    organ : ndarray of int, shape (n,)
    scan, patient, split : ndarray of str, shape (n,)
    rows : ndarray, shape (n, len(ROW))
        Of `milligray.learn.inputs.slice_rows`.
    published : ndarray, shape (n, 5)
        Mean and deviation of HU, relative current, water-equivalent diameter, z.
    dose_per_ctdi, relative_uncertainty, mass_g : ndarray, shape (n,)
        Monte Carlo; mass of the organ in the slice.
    """

    organ_names: tuple[str, ...]
    organ: npt.NDArray[np.int64]
    scan: npt.NDArray[np.str_]
    patient: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    rows: FloatArray
    published: FloatArray
    dose_per_ctdi: FloatArray
    relative_uncertainty: FloatArray
    mass_g: FloatArray

    def __len__(self) -> int:
        return len(self.organ)

    def take(self, rows: BoolArray) -> "SliceSet":
        """Some of its rows; the organs stay as they are."""
        return SliceSet(
            organ_names=self.organ_names, organ=self.organ[rows], scan=self.scan[rows],
            patient=self.patient[rows], split=self.split[rows], rows=self.rows[rows],
            published=self.published[rows], dose_per_ctdi=self.dose_per_ctdi[rows],
            relative_uncertainty=self.relative_uncertainty[rows], mass_g=self.mass_g[rows],
        )  # fmt: skip

    def organ_dose(self, dose: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Scans, organs and mass-weighted means of doses of slices.

        Returns
        -------
        scan : ndarray of str, organ : ndarray of int, mean : ndarray, shape (n_pairs,)
        """
        scans, of = np.unique(self.scan, return_inverse=True)
        n = len(self.organ_names)
        pairs, owner = np.unique(of * n + self.organ, return_inverse=True)
        mean = np.bincount(owner, self.mass_g * dose) / np.bincount(owner, self.mass_g)
        return scans[pairs // n], pairs % n, mean


def read_slice_sets(sets: tuple[Path, ...], *, least_patients: int = 10) -> SliceSet:
    """Read sets of slice features.

    Parameters
    ----------
    sets : tuple of Path
        Directories of ``milligray dataset make --kind slice-features``.
    least_patients : int
        Organs of fewer patients are left out.

    Raises
    ------
    InputError
        If a set is of another kind, or there is nothing in them.
    """
    names: list[str] = []
    texts: list[tuple[str, str, str, str]] = []
    parts: list[tuple[FloatArray, ...]] = []
    for path in sets:
        opened = open_set(path)
        if opened.kind != KIND:
            raise InputError(f"{path} is a set of {opened.kind}, not of {KIND}")
        for name in opened.samples():
            sample = opened.read(name)
            about, a = sample.attributes, {k: v.values for k, v in sample.arrays.items()}
            columns = tuple(n.decode() for n in a["feature_names"])
            if columns != tuple(n for n, _ in FEATURES):
                raise InputError(f"{path} has other columns; make it again with this version")
            span = (float(about["scan_low_mm"]), float(about["scan_high_mm"]))
            rows = slice_rows(a["features"], a["organ_index"], span)
            seen = (a["slice_dose"] > 0) & (a["slice_mass"] > 0)
            organs = [n.decode() for n in a["organ_names"]]
            names += [n for n in organs if n not in names]
            texts += [
                (organs[i], name, str(about["patient"]), str(about["split"]))
                for i in a["organ_index"][seen]
            ]
            parts.append((
                rows[seen], a["features"][seen][:, :5],
                a["slice_dose"][seen] / float(about["ctdi_vol_mgy"]),
                a["slice_relative_uncertainty"][seen], a["slice_mass"][seen],
            ))  # fmt: skip
    if not parts:
        raise InputError("the sets hold no finished samples")
    organ, scan, patient, split = (np.array(one) for one in zip(*texts, strict=True))
    kept = [n for n in names if len(set(patient[organ == n])) >= least_patients]
    if not kept:
        raise InputError(f"no organ is there in {least_patients} patients or more")
    rows, published, dose, sigma, mass = (np.concatenate(one) for one in zip(*parts, strict=True))
    use = np.isin(organ, kept)
    return SliceSet(
        organ_names=tuple(kept), organ=np.array([kept.index(o) for o in organ[use]]),
        scan=scan[use], patient=patient[use], split=split[use], rows=rows[use],
        published=published[use], dose_per_ctdi=dose[use], relative_uncertainty=sigma[use],
        mass_g=mass[use],
    )  # fmt: skip

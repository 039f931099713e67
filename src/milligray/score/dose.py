"""Dose nouns: the map and the organ table."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray
from milligray.volume import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganStatistics:
    """Mean organ doses with the uncertainty of their sums, as the transport scored them.

    A voxel's uncertainty says nothing of an organ's: neighboring voxels share histories. So these
    travel with the map instead of being made from it.

    Parameters
    ----------
    names : tuple of str
    mean_dose_mgy : ndarray, shape (n_organs,) [mGy]
    relative_uncertainty : ndarray, shape (n_organs,)
        k = 1.
    mass_g, volume_ml : ndarray, shape (n_organs,)
    """

    names: tuple[str, ...]
    mean_dose_mgy: FloatArray
    relative_uncertainty: FloatArray
    mass_g: FloatArray
    volume_ml: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseMap:
    """Absorbed dose on a grid.

    Parameters
    ----------
    grid : Grid
        The transport grid.
    dose_mgy : ndarray, shape ``grid.shape``, float32 [mGy]
        0 outside the body.
    relative_uncertainty : ndarray, shape ``grid.shape``, float32
        One standard deviation (k = 1) / dose, statistics only; 0 where the dose is 0. NaN
        everywhere if it is not known.
    method : str
        E.g. "monte-carlo:track-length".
    unit : {"mGy", "mGy per 100 mAs"}
    organs : OrganStatistics or None
        None if the transport scored no organs.
    """

    grid: Grid
    dose_mgy: FloatArray
    relative_uncertainty: FloatArray
    method: str
    unit: str = "mGy"
    organs: OrganStatistics | None = None

    def __post_init__(self) -> None:
        for name in ("dose_mgy", "relative_uncertainty"):
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            if array.shape != self.grid.shape:
                raise InputError(f"{name} has shape {array.shape}, the grid has {self.grid.shape}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganDose:
    """Mean absorbed dose of one organ.

    Parameters
    ----------
    organ : str
    mean_dose_mgy : float [mGy]
    relative_uncertainty : float
        k = 1, statistics of the organ sum from batches.
    volume_ml : float [mL]
    mass_g : float [g]
    fraction_in_image : float
        1 if whole; NaN if the organ is cut by the image and its full size is not known.
    method : str
    """

    organ: str
    mean_dose_mgy: float
    relative_uncertainty: float
    volume_ml: float
    mass_g: float
    fraction_in_image: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganDoses:
    """Organ doses of one exam, in the order of the organ map.

    Parameters
    ----------
    rows : tuple of OrganDose
    unit : {"mGy", "mGy per 100 mAs"}
    """

    rows: tuple[OrganDose, ...]
    unit: str = "mGy"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetEntry:
    """One line of the uncertainty budget.

    Parameters
    ----------
    component : str
    relative_uncertainty : float
        k = 1.
    kind : {"A", "B"}
        GUM: A from statistics, B from other knowledge.
    basis : str
        Where the figure comes from.
    """

    component: str
    relative_uncertainty: float
    kind: str
    basis: str

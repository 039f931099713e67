"""Decays in every voxel over all time: what the transport of nuclear medicine begins with."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.source.kinetics.time_activity import tia_coefficient_s
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeIntegratedActivity:
    """Time-integrated activity of every voxel.

    Parameters
    ----------
    grid : Grid
    tia_mbq_s : ndarray, shape ``grid.shape``, float64 [MBq s]
        Decays per voxel (not per mL) / 1e6, from administration to infinity.
    relative_uncertainty : ndarray, shape ``grid.shape``, or float
        k = 1, of the kinetics alone: points and fit. NaN where it is not known.
    administered_activity_mbq : float or None [MBq]
    nuclide : str
    method : str
    notes : tuple of str
    effective_half_life_s : ndarray, shape ``grid.shape``, or float, or None [s]
        With which the activity falls, for dose rates and biological effect; NaN in voxels, or None,
        where the method tells none.
    """

    grid: Grid
    tia_mbq_s: FloatArray
    relative_uncertainty: FloatArray | float
    administered_activity_mbq: float | None
    nuclide: str
    method: str
    notes: tuple[str, ...] = ()
    effective_half_life_s: FloatArray | float | None = None

    def __post_init__(self) -> None:
        tia = np.ascontiguousarray(self.tia_mbq_s, dtype=np.float64).view()
        if tia.shape != self.grid.shape:
            raise GeometryError(f"tia_mbq_s has shape {tia.shape}, its grid {self.grid.shape}")
        if not np.all(np.isfinite(tia)) or float(tia.min()) < 0:
            raise InputError("time-integrated activity must be finite and >= 0 MBq s")
        if not np.any(tia > 0):
            raise InputError("no voxel holds any time-integrated activity")
        tia.setflags(write=False)
        object.__setattr__(self, "tia_mbq_s", tia)
        for name in ("relative_uncertainty", "effective_half_life_s"):
            values = getattr(self, name)
            if not isinstance(values, np.ndarray):
                continue
            array = np.ascontiguousarray(values, dtype=np.float64).view()
            if array.shape != self.grid.shape:
                raise GeometryError(f"{name} has shape {array.shape}, its grid {self.grid.shape}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        administered = self.administered_activity_mbq
        if administered is not None and not (isfinite(administered) and administered > 0):
            raise InputError(f"administered activity must be > 0 MBq, got {administered}")

    @property
    def total_mbq_s(self) -> float:
        """Sum over all voxels [MBq s]."""
        return float(self.tia_mbq_s.sum())

    def coefficient_s(self, mask: BoolArray | None = None) -> float:
        """Time-integrated activity of a region per administered activity [s].

        Parameters
        ----------
        mask : ndarray of bool, shape ``grid.shape``, optional
            Default: all voxels.

        Raises
        ------
        InputError
            If the administered activity is not known.
        """
        if self.administered_activity_mbq is None:
            raise InputError(
                "the administered activity is not known: give it (--activity-mbq) to get"
                " time-integrated activity coefficients"
            )
        tia = self.total_mbq_s if mask is None else float(self.tia_mbq_s[mask].sum())
        return tia_coefficient_s(tia, self.administered_activity_mbq)

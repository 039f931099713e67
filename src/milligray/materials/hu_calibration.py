"""CT numbers to mass density and tissue composition."""

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from milligray.data.loader import load_csv
from milligray.errors import FormatError, InputError
from milligray.materials.material import Material
from milligray.typing import FloatArray, LabelArray

MetalModel = Literal["titanium", "bone"]

_METAL_START_HU = 3000
_NOT_ELEMENTS = ("name", "hu_start")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HuCalibration:
    """Piecewise-linear density and step-wise tissue against CT number.

    Parameters
    ----------
    name : str
        For manifests and reports.
    ramp_start_hu : ndarray, shape (n_ramp,) [HU]
        First CT number of each density ramp, ascending; the first ramp also holds below it.
    ramp_intercept_g_cm3 : ndarray, shape (n_ramp,) [g/cm3]
    ramp_slope_g_cm3_per_hu : ndarray, shape (n_ramp,) [g/cm3 per HU]
    tissue_start_hu : ndarray of int, shape (n_tissue,) [HU]
        First CT number of each tissue bin, ascending; the first bin also holds below it.
    materials : tuple of Material, length n_tissue
        One per bin; the first is air.

    Notes
    -----
    ``density_g_cm3 = ramp_intercept_g_cm3[r] + ramp_slope_g_cm3_per_hu[r] * hu``
    with ``r`` the last ramp that begins at or below ``hu``. Steps between ramps are allowed (the
    published curve has them). End a calibration with a ramp of slope zero: nothing is known above.
    """

    name: str
    ramp_start_hu: FloatArray
    ramp_intercept_g_cm3: FloatArray
    ramp_slope_g_cm3_per_hu: FloatArray
    tissue_start_hu: LabelArray
    materials: tuple[Material, ...]

    def __post_init__(self) -> None:
        start, intercept, slope = (
            np.array(getattr(self, name), dtype=np.float64)
            for name in ("ramp_start_hu", "ramp_intercept_g_cm3", "ramp_slope_g_cm3_per_hu")
        )
        tissue = np.array(self.tissue_start_hu, dtype=np.int32)
        if start.ndim != 1 or start.size < 1 or not start.shape == intercept.shape == slope.shape:
            raise InputError("the three ramp arrays must be equally long vectors")
        if np.any(np.diff(start) <= 0) or np.any(np.diff(tissue) <= 0):
            raise InputError("ramp_start_hu and tissue_start_hu must ascend")
        if tissue.shape != (len(self.materials),) or not 1 <= len(self.materials) <= 255:
            raise InputError("tissue_start_hu needs one entry per material, 1 to 255 of them")
        if np.any(tissue != np.array(self.tissue_start_hu)):
            raise InputError("tissue_start_hu must be whole CT numbers")
        ends = np.append(start[1:], start[-1])
        for hu in (start, ends):
            density = intercept + slope * hu
            if not np.all(np.isfinite(density)) or float(density.min()) < -1e-9:
                raise InputError(f"calibration {self.name!r} gives a density below zero")
        for name, array in (
            ("ramp_start_hu", start),
            ("ramp_intercept_g_cm3", intercept),
            ("ramp_slope_g_cm3_per_hu", slope),
            ("tissue_start_hu", tissue),
        ):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def from_points(
        cls, name: str, hu: npt.ArrayLike, density_g_cm3: npt.ArrayLike
    ) -> "HuCalibration":
        """Facility curve through measured points, with the tissue bins of Schneider 2000.

        Parameters
        ----------
        name : str
        hu : array_like, shape (n,), n >= 2 [HU]
            CT numbers of the inserts, ascending.
        density_g_cm3 : array_like, shape (n,) [g/cm3]
            Their mass densities, >= 0 and not falling. Constant outside the points.
        """
        x = np.asarray(hu, dtype=np.float64)
        y = np.asarray(density_g_cm3, dtype=np.float64)
        if x.ndim != 1 or x.size < 2 or x.shape != y.shape:
            raise InputError("a calibration needs two or more pairs of HU and density_g_cm3")
        if np.any(np.diff(x) <= 0):
            raise InputError("the HU of a calibration must ascend; sort the rows")
        if np.any(np.diff(y) < 0) or y[0] < 0:
            raise InputError(
                "density_g_cm3 of a calibration must be >= 0 and must not fall with HU"
            )
        slope = np.diff(y) / np.diff(x)
        intercept = y[:-1] - slope * x[:-1]
        tissues = load_hu_calibration("schneider2000", metal="bone")
        return cls(
            name=name,
            ramp_start_hu=np.concatenate(([x[0] - 1.0], x)),
            ramp_intercept_g_cm3=np.concatenate(([y[0]], intercept, [y[-1]])),
            ramp_slope_g_cm3_per_hu=np.concatenate(([0.0], slope, [0.0])),
            tissue_start_hu=tissues.tissue_start_hu,
            materials=tissues.materials,
        )

    def density_g_cm3(self, hu: npt.ArrayLike) -> FloatArray:
        """Mass density [g/cm3] of CT numbers, any shape [HU]."""
        values = np.asarray(hu, dtype=np.float64)
        ramp = np.searchsorted(self.ramp_start_hu, values, side="right") - 1
        ramp = np.maximum(ramp, 0)
        return np.asarray(
            self.ramp_intercept_g_cm3[ramp] + self.ramp_slope_g_cm3_per_hu[ramp] * values
        )

    def material_index(self, hu: npt.ArrayLike) -> LabelArray:
        """Row of `materials` (uint8) of CT numbers, any shape [HU]."""
        bins = np.searchsorted(self.tissue_start_hu, np.asarray(hu), side="right") - 1
        return np.maximum(bins, 0).astype(np.uint8)


def load_hu_calibration(name: str, *, metal: MetalModel = "titanium") -> HuCalibration:
    """Shipped calibration by name; the only one is ``"schneider2000"``.

    Parameters
    ----------
    name : {"schneider2000"}
    metal : {"titanium", "bone"}
        What 3000 HU and more are: titanium of 4.54 g/cm3, or the last bone bin with the density
        that the ramp reaches at 3000 HU.

    Returns
    -------
    HuCalibration
        24 tissues of the paper, air first (+ titanium).

    References
    ----------
    Schneider W, Bortfeld T, Schlegel W, Phys Med Biol 45 (2000) 459-478;
    ``data/schneider2000/SOURCE.md`` says what was added above 1600 HU.

    Examples
    --------
    >>> calibration = load_hu_calibration("schneider2000")
    >>> float(calibration.density_g_cm3(0).round(3))
    1.018
    >>> calibration.materials[int(calibration.material_index(40))].name
    'soft_tissue'
    """
    if name != "schneider2000":
        raise InputError(
            f"no HU calibration named {name!r}; known: schneider2000, or a .csv or .toml file of"
            " (HU, density) pairs"
        )
    ramps = load_csv("schneider2000/density.csv")
    start = np.array([float(row["hu_start"]) for row in ramps])
    intercept = np.array([float(row["intercept_g_cm3"]) for row in ramps])
    slope = np.array([float(row["slope_g_cm3_per_hu"]) for row in ramps])
    if metal == "bone":
        intercept[-1] = intercept[-2] + slope[-2] * start[-1]
    rows = [
        row
        for row in load_csv("schneider2000/tissues.csv")
        if metal == "titanium" or float(row["hu_start"]) < _METAL_START_HU
    ]
    edges = np.array([int(row["hu_start"]) for row in rows])
    centers = np.append(0.5 * (edges[:-1] + edges[1:]), edges[-1])
    ramp = np.searchsorted(start, centers, side="right") - 1
    density = intercept[ramp] + slope[ramp] * centers
    return HuCalibration(
        name=name if metal == "titanium" else f"{name}, metal as bone",
        ramp_start_hu=start,
        ramp_intercept_g_cm3=intercept,
        ramp_slope_g_cm3_per_hu=slope,
        tissue_start_hu=edges,
        materials=tuple(
            Material(
                name=row["name"],
                mass_fractions={e: float(w) for e, w in row.items() if e not in _NOT_ELEMENTS},
                reference_density_g_cm3=float(rho),
            )
            for row, rho in zip(rows, density, strict=True)
        ),
    )


def read_hu_calibration(path: str | Path) -> HuCalibration:
    """Facility calibration from a file of (HU, density) pairs.

    Parameters
    ----------
    path : str or Path
        ``.csv`` with the columns ``hu`` and ``density_g_cm3`` (lines that begin with ``#`` are
        notes), or ``.toml`` with the lists ``hu`` and ``density_g_cm3`` and, optionally, ``name``.

    Returns
    -------
    HuCalibration
        See :meth:`HuCalibration.from_points`.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"no calibration file {file}")
    text = file.read_text(encoding="utf-8")
    try:
        if file.suffix.lower() == ".toml":
            table = tomllib.loads(text)
            hu, density = table["hu"], table["density_g_cm3"]
            name = str(table.get("name", file.stem))
        else:
            lines = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
            rows = list(csv.DictReader(lines, skipinitialspace=True))
            hu = [float(row["hu"]) for row in rows]
            density = [float(row["density_g_cm3"]) for row in rows]
            name = file.stem
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(
            f"{file.name} is not a calibration: columns (CSV) or lists (TOML) 'hu' and"
            f" 'density_g_cm3' are needed ({error})"
        ) from error
    return HuCalibration.from_points(name, hu, density)

"""CT scanners: the noun. The library of scanners stands in `scanner_library.py`."""

from dataclasses import dataclass, field

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bowtie:
    """A shaped filter as thickness of one material against fan angle.

    Parameters
    ----------
    name : str
        "head", "body", ...
    material : str
        Name of the filter's equivalent material: "aluminum", "pmma" or "teflon".
    fan_angle_rad : ndarray, shape (n,) [rad]
        Ascending from 0 (central ray); symmetric.
    thickness_mm : ndarray, shape (n,) [mm]
        Path length along the ray, over that on the central ray (so it begins with 0).
    """

    name: str
    material: str
    fan_angle_rad: FloatArray
    thickness_mm: FloatArray

    def __post_init__(self) -> None:
        angle = np.array(self.fan_angle_rad, dtype=np.float64)
        thickness = np.array(self.thickness_mm, dtype=np.float64)
        if angle.ndim != 1 or angle.shape != thickness.shape or angle.size < 2:
            raise InputError("fan_angle_rad and thickness_mm must be equally long vectors")
        if angle[0] != 0 or np.any(np.diff(angle) <= 0) or np.any(thickness < 0):
            raise InputError("fan_angle_rad must ascend from 0 and thickness_mm be >= 0")
        for array in (angle, thickness):
            array.setflags(write=False)
        object.__setattr__(self, "fan_angle_rad", angle)
        object.__setattr__(self, "thickness_mm", thickness)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scanner:
    """What the dose depends on in a scanner.

    Parameters
    ----------
    name : str
        Key in the library, e.g. "ge-optima-ct660".
    label : str
        Name for the report.
    focal_radius_mm : float
        Focal spot to axis of rotation.
    fan_fov_mm : float
        Diameter of the fan at the isocenter (field is ``|y| <= fan_fov_mm / 2`` on the plane
        through the axis).
    anode_angle_deg : float
    half_value_layer_mm_al : dict of (bowtie name, kV) to float [mm Al]
        First HVL on the central ray, behind the bowtie's thinnest part.
    bowties : dict of str to Bowtie
    over_beaming_mm : float
        Width by which the beam at the isocenter exceeds the nominal collimation.
    is_generic : bool
        True for the class that stands in for an unknown scanner.
    sources : tuple of str
        Literature for every figure above.
    model_relative_uncertainty : float
        Relative standard uncertainty (k = 1) of an organ dose that comes from this model of the
        scanner (beam quality, bowtie, geometry), after calibration to the CTDIvol.
    filter_patterns : tuple of (str, str)
        Regular expression on the header's FilterType, and the bowtie it means; first match wins.
    """

    name: str
    label: str
    focal_radius_mm: float
    fan_fov_mm: float
    anode_angle_deg: float
    half_value_layer_mm_al: dict[tuple[str, int], float]
    bowties: dict[str, Bowtie]
    over_beaming_mm: float = 0.0
    is_generic: bool = False
    sources: tuple[str, ...] = field(default=())
    model_relative_uncertainty: float = 0.0
    filter_patterns: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name in ("focal_radius_mm", "fan_fov_mm", "anode_angle_deg"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be > 0, got {getattr(self, name)}")
        if not self.fan_fov_mm < 2 * self.focal_radius_mm:
            raise InputError("fan_fov_mm must be below twice focal_radius_mm")
        for name in ("over_beaming_mm", "model_relative_uncertainty"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be >= 0, got {getattr(self, name)}")
        if not self.bowties:
            raise InputError(f"scanner {self.name!r} needs at least one bowtie")
        for name in self.bowties:
            if not any(bowtie == name for bowtie, _ in self.half_value_layer_mm_al):
                raise InputError(f"scanner {self.name!r} has no half-value layer for {name!r}")
        unknown = {name for _, name in self.filter_patterns} - set(self.bowties)
        if unknown:
            raise InputError(f"filter_patterns name unknown bowties: {sorted(unknown)}")

    def half_value_layer_at(self, bowtie: str, tube_voltage_kv: float) -> float:
        """First half-value layer [mm Al], linear in the tube voltage between tabulated ones.

        Raises
        ------
        InputError
            If the bowtie is unknown or the voltage lies outside its table.
        """
        pairs = sorted(
            (kv, hvl) for (name, kv), hvl in self.half_value_layer_mm_al.items() if name == bowtie
        )
        if not pairs or not pairs[0][0] <= tube_voltage_kv <= pairs[-1][0]:
            known = f"{pairs[0][0]}-{pairs[-1][0]} kV" if pairs else f"{sorted(self.bowties)}"
            raise InputError(
                f"scanner {self.name!r} has no half-value layer for bowtie {bowtie!r} at"
                f" {tube_voltage_kv:g} kV; known: {known}"
            )
        voltage, hvl = zip(*pairs, strict=True)
        return float(np.interp(tube_voltage_kv, voltage, hvl))

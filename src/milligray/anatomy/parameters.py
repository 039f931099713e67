"""What is asked of an anatomy: sex, size, fat, organ volumes, pose, chance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from milligray.errors import InputError

Sex = Literal["male", "female"]
Arms = Literal["down", "up"]
Masses = Literal["icrp89", "icrp145"]
REFERENCE_HEIGHT_MM = MappingProxyType({"male": 1760.0, "female": 1630.0})
REFERENCE_WEIGHT_KG = MappingProxyType({"male": 73.0, "female": 60.0})
HEIGHT_RANGE_MM = (1500.0, 2100.0)
BMI_RANGE = (15.0, 50.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomyParameters:
    """Parameters of one synthetic adult.

    Parameters
    ----------
    sex : {"male", "female"}
    height_mm : float, optional [mm]
        1500 to 2100. Default: the ICRP 89 reference adult, 1760 or 1630.
    weight_kg : float, optional [kg]
        BMI 15 to 50. Default: the BMI of the reference adult.
    fat_scale : float
        Factor on the mass of subcutaneous fat, on top of what the weight asks for; the weight
        changes with it. 0.5 to 2.
    organ_scale : mapping of str to float
        Factors on the volumes of single organs (e.g. ``{"liver": 1.1}``), 0.5 to 2; ``"*"`` holds
        for all organs not named.
    lung_density_g_cm3 : float [g/cm3]
        Inflation: 0.18 (full inspiration) to 0.50; the reference is that of ICRP 110.
    masses : {"icrp89", "icrp145"}
        Reference masses of the organs: without the blood in them, or with it.
    arms : {"down", "up"}
    variation : float
        Strength of the random differences between persons (shape, place of organs, curve of the
        spine): 0 none, 1 as among healthy adults.
    seed : int
        Of those differences.
    """

    sex: Sex
    height_mm: float = 0.0
    weight_kg: float = 0.0
    fat_scale: float = 1.0
    organ_scale: Mapping[str, float] = field(default_factory=dict)
    lung_density_g_cm3: float = 0.385
    masses: Masses = "icrp89"
    arms: Arms = "down"
    variation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sex not in get_args(Sex):
            raise InputError(f"sex must be 'male' or 'female', got {self.sex!r}")
        if self.arms not in get_args(Arms):
            raise InputError(f"arms must be 'down' or 'up', got {self.arms!r}")
        if self.masses not in get_args(Masses):
            raise InputError(f"masses must be 'icrp89' or 'icrp145', got {self.masses!r}")
        if self.height_mm == 0.0:
            object.__setattr__(self, "height_mm", REFERENCE_HEIGHT_MM[self.sex])
        _check("height_mm", self.height_mm, HEIGHT_RANGE_MM, "mm")
        if self.weight_kg == 0.0:
            object.__setattr__(self, "weight_kg", _reference_bmi(self.sex) * self.height_m**2)
        if not BMI_RANGE[0] <= self.bmi <= BMI_RANGE[1]:
            raise InputError(
                f"weight_kg {self.weight_kg:g} at {self.height_mm:g} mm is a BMI of {self.bmi:.1f};"
                f" anatomies are made for {BMI_RANGE[0]:g} to {BMI_RANGE[1]:g} kg/m2"
            )
        _check("fat_scale", self.fat_scale, (0.5, 2.0), "")
        _check("lung_density_g_cm3", self.lung_density_g_cm3, (0.18, 0.50), "g/cm3")
        _check("variation", self.variation, (0.0, 1.5), "")
        for name, scale in self.organ_scale.items():
            _check(f"organ_scale of {name}", scale, (0.5, 2.0), "")
        object.__setattr__(self, "organ_scale", dict(self.organ_scale))

    @property
    def height_m(self) -> float:
        """Height [m]."""
        return self.height_mm * 1e-3

    @property
    def bmi(self) -> float:
        """Body mass index [kg/m2]."""
        return self.weight_kg / self.height_m**2

    @property
    def height_ratio(self) -> float:
        """Height over that of the reference adult of this sex."""
        return self.height_mm / REFERENCE_HEIGHT_MM[self.sex]

    def scale_of(self, organ: str) -> float:
        """Factor on the volume of an organ."""
        return float(self.organ_scale.get(organ, self.organ_scale.get("*", 1.0)))


def _reference_bmi(sex: str) -> float:
    return REFERENCE_WEIGHT_KG[sex] / (REFERENCE_HEIGHT_MM[sex] * 1e-3) ** 2


def _check(name: str, value: float, allowed: tuple[float, float], unit: str) -> None:
    if not allowed[0] <= value <= allowed[1]:
        raise InputError(f"{name} must be {allowed[0]:g} to {allowed[1]:g} {unit}, got {value:g}")

"""A material: what it is made of, by mass."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from milligray.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A homogeneous mixture of elements; its density belongs to the voxel, not to it.

    Parameters
    ----------
    name : str
    mass_fractions : mapping of element symbol to fraction
        Normalized to a sum of one on construction.
    reference_density_g_cm3 : float
        Usual density, for phantoms made of shapes.
    """

    name: str
    mass_fractions: Mapping[str, float]
    reference_density_g_cm3: float = 1.0

    def __post_init__(self) -> None:
        total = sum(self.mass_fractions.values())
        if not self.mass_fractions or total <= 0 or min(self.mass_fractions.values()) < 0:
            raise InputError(
                f"material {self.name!r} needs mass fractions >= 0 with a positive sum"
            )
        fractions = {e: f / total for e, f in self.mass_fractions.items() if f > 0}
        object.__setattr__(self, "mass_fractions", MappingProxyType(fractions))

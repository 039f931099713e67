"""What every tissue looks like on a CT at 120 kV: the table, and HU from a density."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from milligray.data.loader import load_csv
from milligray.errors import InputError
from milligray.materials.hu_calibration import load_hu_calibration

ContrastPhase = Literal["none", "arterial", "portal", "late"]
TextureKind = Literal["smooth", "septa", "plates", "fibers", "vessels", "bubbles"]

CONTRAST_PHASES = ("none", "arterial", "portal", "late")
TEXTURE_KINDS = ("smooth", "septa", "plates", "fibers", "vessels", "bubbles")
_NUMBERS = (
    "density_g_cm3",
    "hu_120kv",
    "hu_published",
    "texture_hu",
    "texture_mm",
    "variation_hu",
    "enhancement_arterial_hu",
    "enhancement_portal_hu",
    "enhancement_late_hu",
)
_HIGHEST_HU = 2999


@dataclass(frozen=True, slots=True, kw_only=True)
class TissueAppearance:
    """One row of the table.

    Parameters
    ----------
    name : str
    density_g_cm3 : float [g/cm3]
        Nominal mass density; Schneider's curve gives it from `hu_120kv` within 2 % (bone 4 %).
    hu_120kv : float [HU]
        Mean CT number, unenhanced.
    hu_published : float [HU]
        What clinical scans show, where it differs.
    texture_hu : float [HU]
        Standard deviation of the biological texture.
    texture_mm : float [mm]
        Length at which the texture's autocorrelation falls to 1/e.
    texture_kind : {"smooth", "septa", "plates", "fibers", "vessels", "bubbles"}
    variation_hu : float [HU]
        Standard deviation between persons of the tissue's mean.
    enhancement_arterial_hu, enhancement_portal_hu, enhancement_late_hu : float [HU]
        Typical increments by iodinated contrast medium.
    material : str
        Nearest row of ``data/tissues``, or the ICRP tissue.
    """

    name: str
    density_g_cm3: float
    hu_120kv: float
    hu_published: float
    texture_hu: float
    texture_mm: float
    texture_kind: TextureKind
    variation_hu: float
    enhancement_arterial_hu: float
    enhancement_portal_hu: float
    enhancement_late_hu: float
    material: str

    def __post_init__(self) -> None:
        if not self.density_g_cm3 > 0 or not self.texture_mm > 0:
            raise InputError(f"tissue {self.name!r}: density_g_cm3 and texture_mm must be > 0")
        if self.texture_hu < 0 or self.variation_hu < 0:
            raise InputError(f"tissue {self.name!r}: texture_hu and variation_hu must be >= 0")
        if self.texture_kind not in TEXTURE_KINDS:
            raise InputError(
                f"tissue {self.name!r}: texture_kind must be one of {', '.join(TEXTURE_KINDS)},"
                f" got {self.texture_kind!r}"
            )

    def enhancement_hu(self, phase: ContrastPhase) -> float:
        """Increment by contrast medium [HU]; 0 for ``"none"``."""
        if phase == "none":
            return 0.0
        increments = {
            "arterial": self.enhancement_arterial_hu,
            "portal": self.enhancement_portal_hu,
            "late": self.enhancement_late_hu,
        }
        if phase not in increments:
            raise InputError(f"contrast must be one of {CONTRAST_PHASES}, got {phase!r}")
        return increments[phase]


@lru_cache(maxsize=1)
def load_tissue_appearances() -> tuple[TissueAppearance, ...]:
    """Rows of ``data/anatomy/tissues.csv``; the position of a row is its code in tissue arrays.

    Examples
    --------
    >>> tissues = load_tissue_appearances()
    >>> tissues[0].name, tissues[tissue_codes()["liver"]].hu_120kv
    ('air', 55.0)
    """
    return tuple(
        TissueAppearance(
            name=row["name"],
            material=row["material"],
            texture_kind=row["texture_kind"],  # type: ignore[arg-type]  # checked on construction
            **{name: float(row[name]) for name in _NUMBERS},
        )
        for row in load_csv("anatomy/tissues.csv")
    )


def tissue_codes(tissues: tuple[TissueAppearance, ...] | None = None) -> dict[str, int]:
    """Code (row) of every tissue by name; of the shipped table by default."""
    rows = load_tissue_appearances() if tissues is None else tissues
    return {tissue.name: code for code, tissue in enumerate(rows)}


def hu_of_density(density_g_cm3: float) -> float:
    """CT number that Schneider's curve takes for a density: the lowest one [HU].

    Parameters
    ----------
    density_g_cm3 : float [g/cm3]
        From that of air to 2.79. To give a lung the mass that it has to have, whatever its
        inflation, override its HU by this of mass / volume.

    Examples
    --------
    >>> round(hu_of_density(0.26))
    -749
    """
    curve = load_hu_calibration("schneider2000", metal="bone")
    hu = np.arange(-10000, 10 * _HIGHEST_HU + 1) / 10.0
    density = curve.density_g_cm3(hu)
    if not density[0] <= density_g_cm3 <= density.max():
        raise InputError(
            f"density_g_cm3 must be from {density[0]:.4f} to {density.max():.2f},"
            f" got {density_g_cm3}"
        )
    return float(hu[int(np.argmax(density >= density_g_cm3 - 1e-9))])

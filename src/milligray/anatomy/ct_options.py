"""How a synthetic CT shall look: options with the defaults of an ideal image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from milligray.anatomy.tissue_appearance import CONTRAST_PHASES, ContrastPhase
from milligray.errors import InputError

MetalKind = Literal["dental_fillings", "hip_left", "hip_right", "pacemaker"]
METAL_KINDS = ("dental_fillings", "hip_left", "hip_right", "pacemaker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Couch:
    """A CT table: a trough of foam between two carbon shells, with a mattress on it.

    Parameters
    ----------
    width_mm : float
    radius_mm : float
        Radius of the trough's upper face (concave, open to anterior).
    thickness_mm : float
        From the upper to the lower face, shells included, in the middle.
    shell_mm : float
        Thickness of each carbon shell.
    mattress_mm : float
        Distance between the body and the upper face, filled with soft foam.
    shell_hu, core_hu, mattress_hu : float [HU]
        Of the material itself; shells thinner than a voxel appear with their share of it.

    Notes
    -----
    Carbon fiber laminate is about 1.4 g/cm3, but little absorbing: near 250 HU at 120 kV; rigid
    foam is 0.05 g/cm3, a mattress 0.04 g/cm3.
    """

    width_mm: float = 430.0
    radius_mm: float = 450.0
    thickness_mm: float = 40.0
    shell_mm: float = 1.5
    mattress_mm: float = 12.0
    shell_hu: float = 250.0
    core_hu: float = -950.0
    mattress_hu: float = -960.0

    def __post_init__(self) -> None:
        if not 100.0 <= self.width_mm <= 2.0 * self.radius_mm:
            raise InputError("couch: width_mm must be from 100 to twice radius_mm")
        if not 0 < 2.0 * self.shell_mm < self.thickness_mm or not self.mattress_mm >= 0:
            raise InputError("couch: two shells must fit into thickness_mm, mattress_mm be >= 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class CtAppearance:
    """Options of a synthetic CT. The defaults give the ideal image: one CT number a tissue.

    Parameters
    ----------
    contrast : {"none", "arterial", "portal", "late"}
    hu_overrides : mapping of str to float [HU]
        Mean CT number of tissues by name, instead of the table's and without variation; for lungs
        see `hu_of_density`.
    variation : float
        Times the table's standard deviation between persons; 1 is a real population.
    texture : float
        Times the table's texture; 1 is a real tissue.
    lung_gradient_hu_per_cm : float [HU/cm]
        Rise of the lung's CT number to posterior (supine: 5 to 10); the mean is kept.
    resolution_mm : float [mm]
        Full width at half maximum of the point spread in the slice; 0: none.
    slice_width_mm : float [mm]
        The same along z.
    noise_hu : float [HU]
        Standard deviation of the quantum noise in the middle of 300 mm of water.
    current_modulation : float
        0: the same tube current in all slices; 1: current that keeps the noise in the middle of
        all slices the same.
    beam_hardening : float
        Times the error of a scanner that is corrected for water only; scanners with a bone
        correction are near 0.3.
    cupping_hu : float [HU]
        How much lower the middle of 300 mm of water is than its rim (scatter, residual hardening).
    metal : tuple of {"dental_fillings", "hip_left", "hip_right", "pacemaker"}
        Implants with their streaks. Needs the organ labels.
    metal_streaks : float
        Times the error in the projections through metal: 1 without any correction; 0: none.
    table : bool
        Put the couch under the body.
    couch : Couch
    """

    contrast: ContrastPhase = "none"
    hu_overrides: Mapping[str, float] = field(default_factory=dict)
    variation: float = 0.0
    texture: float = 0.0
    lung_gradient_hu_per_cm: float = 0.0
    resolution_mm: float = 0.0
    slice_width_mm: float = 0.0
    noise_hu: float = 0.0
    current_modulation: float = 0.7
    beam_hardening: float = 0.0
    cupping_hu: float = 0.0
    metal: tuple[MetalKind, ...] = ()
    metal_streaks: float = 0.3
    table: bool = False
    couch: Couch = field(default_factory=Couch)

    def __post_init__(self) -> None:
        if self.contrast not in CONTRAST_PHASES:
            raise InputError(f"contrast must be one of {CONTRAST_PHASES}, got {self.contrast!r}")
        for name, highest in (
            ("variation", 5.0), ("texture", 5.0), ("resolution_mm", 20.0), ("slice_width_mm", 50.0),
            ("noise_hu", 500.0), ("current_modulation", 1.0), ("beam_hardening", 3.0),
            ("cupping_hu", 200.0), ("metal_streaks", 3.0),
        ):  # fmt: skip
            value = getattr(self, name)
            if not 0.0 <= value <= highest:
                raise InputError(f"{name} must be from 0 to {highest:g}, got {value}")
        if not abs(self.lung_gradient_hu_per_cm) <= 30.0:
            raise InputError("lung_gradient_hu_per_cm must be from -30 to 30")
        unknown = [kind for kind in self.metal if kind not in METAL_KINDS]
        if unknown or len(set(self.metal)) != len(self.metal):
            raise InputError(
                f"metal must be different ones of {', '.join(METAL_KINDS)}, got {self.metal}"
            )
        overrides = {str(name): float(hu) for name, hu in self.hu_overrides.items()}
        if not all(np.isfinite(hu) and -1024 <= hu <= 3071 for hu in overrides.values()):
            raise InputError("hu_overrides must be from -1024 to 3071 HU")
        object.__setattr__(self, "hu_overrides", overrides)

    @property
    def needs_projections(self) -> bool:
        """True if noise, beam hardening, cupping or streaks are wanted."""
        return self.noise_hu > 0 or self.beam_hardening > 0 or self.cupping_hu > 0


def typical_appearance(**changes: object) -> CtAppearance:
    """Options of an ordinary clinical CT of 2 mm slices: everything on, at usual size.

    Parameters
    ----------
    **changes
        Fields of `CtAppearance` to set otherwise.
    """
    usual: dict[str, object] = {
        "variation": 1.0, "texture": 1.0, "lung_gradient_hu_per_cm": 6.0, "resolution_mm": 2.0,
        "slice_width_mm": 2.5, "noise_hu": 15.0, "beam_hardening": 0.3, "cupping_hu": 4.0,
        "table": True,
    }  # fmt: skip
    return CtAppearance(**{**usual, **changes})  # type: ignore[arg-type]  # checked on construction

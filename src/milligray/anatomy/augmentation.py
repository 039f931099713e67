"""What an augmentation is, and from which ranges it is drawn."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from milligray.errors import InputError

_DRAW_STREAM = 29


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentRanges:
    """From what augmentations are drawn; a width of zero turns a part off.

    Parameters
    ----------
    deformation_mm : float [mm]
        Greatest root mean square of the displacement; uniform from half of it.
    deformation_length_mm : float [mm]
    bone_stiffness : float
    scale_in_plane, scale_z : float
        Half width of the uniform factors around 1; x and y are drawn apart.
    mirror_probability : float
    crop_share : float
        Least share of the slices that is kept; 1: no crop. Start and length are uniform.
    gain : float
        Standard deviation of the factor on ``hu + 1000`` around 1 (calibration, voltage).
    noise_hu : float [HU]
        Greatest added noise, in the middle of 300 mm of water; uniform from zero.
    """

    deformation_mm: float = 6.0
    deformation_length_mm: float = 60.0
    bone_stiffness: float = 0.8
    scale_in_plane: float = 0.08
    scale_z: float = 0.08
    mirror_probability: float = 0.0
    crop_share: float = 1.0
    gain: float = 0.003
    noise_hu: float = 15.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("deformation_mm", 0, 50), ("deformation_length_mm", 16, 500), ("bone_stiffness", 0, 1),
            ("scale_in_plane", 0, 0.5), ("scale_z", 0, 0.5), ("mirror_probability", 0, 1),
            ("crop_share", 0.02, 1), ("gain", 0, 0.05), ("noise_hu", 0, 200),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name} must be from {low} to {high}, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Everything that makes one augmented CT from its source, bit for bit.

    Parameters
    ----------
    seed : int
        Of the deformation and the noise.
    deformation_mm, deformation_length_mm, bone_stiffness : float
    scale_zyx : tuple of float
        Factors on the voxel size.
    is_mirrored : bool
    first_slice, n_slices : int
        Slices of the source that are kept.
    gain : float
    noise_hu : float [HU]
    """

    seed: int
    deformation_mm: float
    deformation_length_mm: float
    bone_stiffness: float
    scale_zyx: tuple[float, float, float]
    is_mirrored: bool
    first_slice: int
    n_slices: int
    gain: float
    noise_hu: float

    def as_dict(self) -> dict[str, Any]:
        """For records."""
        return asdict(self)


def draw_augmentation(
    ranges: AugmentRanges, n_slices: int, *, seed: int, number: int = 0
) -> Augmentation:
    """Draw one augmentation of a CT.

    Parameters
    ----------
    ranges : AugmentRanges
    n_slices : int
        Of the source.
    seed : int
    number : int
        Which one of a series; each is independent of how many others are drawn.
    """
    rng = np.random.default_rng([seed, _DRAW_STREAM, number])
    own_seed = int(rng.integers(2**31))
    deformation_mm = ranges.deformation_mm * float(rng.uniform(0.5, 1.0))
    y, x = (1.0 + ranges.scale_in_plane * float(v) for v in rng.uniform(-1.0, 1.0, 2))
    z = 1.0 + ranges.scale_z * float(rng.uniform(-1.0, 1.0))
    is_mirrored = bool(rng.uniform() < ranges.mirror_probability)
    least = max(1, int(np.ceil(ranges.crop_share * n_slices)))
    kept = int(rng.integers(least, n_slices + 1))
    first = int(rng.integers(0, n_slices - kept + 1))
    return Augmentation(
        seed=own_seed,
        deformation_mm=deformation_mm,
        deformation_length_mm=ranges.deformation_length_mm,
        bone_stiffness=ranges.bone_stiffness,
        scale_zyx=(z, y, x),
        is_mirrored=is_mirrored,
        first_slice=first,
        n_slices=kept,
        gain=1.0 + ranges.gain * float(rng.standard_normal()),
        noise_hu=ranges.noise_hu * float(rng.uniform()),
    )

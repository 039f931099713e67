"""Tube current along the patient as a user writes it down."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray
from milligray.volume import Grid

ProfilePosition = Literal["z_mm", "from_top_mm", "fraction"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """Pairs of position and relative current.

    Parameters
    ----------
    position : ndarray, shape (n,)
        z [mm]; or distance below the top of the image [mm]; or fraction of the image's height,
        0 at its top and 1 at its bottom.
    current : ndarray, shape (n,)
        In any unit: it is divided by its mean later.
    kind : {"z_mm", "from_top_mm", "fraction"}
    """

    position: FloatArray
    current: FloatArray
    kind: ProfilePosition


def profile_from(section: dict[str, Any], name: str) -> Profile | None:
    """Check the keys ``profile`` and ``profile_position`` of a protocol file."""
    pairs = section.get("profile")
    kind = section.get("profile_position", "z_mm")
    if kind not in get_args(ProfilePosition):
        allowed = ", ".join(get_args(ProfilePosition))
        raise InputError(f"{name}: [current] profile_position must be {allowed}; got {kind!r}")
    if pairs is None:
        return None
    form = f"{name}: [current] profile must be pairs [position, relative current]"
    try:
        array = np.array(pairs, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{form}, got {pairs!r}") from error
    if array.ndim != 2 or array.shape[1] != 2 or len(array) < 1:
        raise InputError(f"{form}, got {pairs!r}")
    array = array[np.argsort(array[:, 0], kind="stable")]
    position, current = array[:, 0], array[:, 1]
    if not np.all(np.isfinite(array)) or np.any(current < 0) or current.sum() <= 0:
        raise InputError(f"{form}; currents must be >= 0 and not all 0")
    if np.any(np.diff(position) <= 0):
        raise InputError(f"{form}; a position occurs twice")
    if kind == "fraction" and (position[0] < 0 or position[-1] > 1):
        raise InputError(f"{form}; fractions run from 0 (top) to 1 (bottom)")
    return Profile(position=position, current=current, kind=kind)


def profile_on(profile: Profile, z_mm: FloatArray, grid: Grid | None) -> FloatArray:
    """Currents at slice positions, linear between the pairs, constant beyond the ends.

    Parameters
    ----------
    profile : Profile
    z_mm : ndarray, shape (n,) [mm]
    grid : Grid or None
        Of the image; needed unless the profile is given by z.

    Returns
    -------
    ndarray, shape (n,)
    """
    if profile.kind == "z_mm":
        return np.asarray(np.interp(z_mm, profile.position, profile.current))
    if grid is None:
        raise InputError("a current profile from the top or by fraction needs the image")
    height = grid.shape[0] * grid.spacing_mm[0]
    top = float(grid.axis_centers_mm(0)[-1]) + 0.5 * grid.spacing_mm[0]
    below = top - z_mm
    if profile.kind == "fraction":
        below = below / height
    return np.asarray(np.interp(below, profile.position, profile.current))

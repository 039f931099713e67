"""Judge the values of an activity image: negative voxels, and more than was administered."""

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError

NEGATIVE_SHARE = 0.01
"""Negative activity up to this share of the positive is spread, more is refused."""

_TOO_MUCH = 1.5
_MUCH = 1.1


def without_negatives(
    values: npt.NDArray[np.float32], *, smallest: float = 0.0
) -> tuple[npt.NDArray[np.float32], tuple[str, ...]]:
    """Values >= 0 with the same sum.

    Parameters
    ----------
    values : ndarray, float32
        Rescaled; any unit.
    smallest : float
        Magnitude below which a negative value is rounding.

    Raises
    ------
    InputError
        If nothing is positive, or the negative sum is more than 1 % of the positive one.

    Notes
    -----
    OSEM images have no negative voxel; filtered backprojection and some time-of-flight
    reconstructions scatter around zero. No source can be negative: negatives are set to 0 and the
    rest is lowered by the same factor everywhere, so that the activity in the image stays.
    """
    below = values < 0
    positive = float(values.sum(dtype=np.float64, where=~below))
    if not positive > 0:
        raise InputError("the activity image is empty: no voxel holds activity")
    if not below.any():
        return values, ()
    negative = -float(values.sum(dtype=np.float64, where=below))
    clipped = np.where(below, np.float32(0.0), values)
    if negative <= smallest * below.sum():
        return clipped, ()
    share = negative / positive
    if share > NEGATIVE_SHARE:
        raise InputError(
            f"negative voxels hold {100 * share:.1f} % of the positive activity (limit"
            f" {100 * NEGATIVE_SHARE:g} %): these are not values of activity, or a filtered"
            " backprojection; reconstruct iteratively (OSEM) or check the rescale"
        )
    return (clipped * np.float32(1.0 - share)).astype(np.float32), (
        (
            f"{int(below.sum())} negative voxels ({100 * share:.2g} % of the activity) set to 0,"
            " the others lowered by that share"
        ),
    )


def check_total(
    total_mbq: float, administered_mbq: float | None, half_life_s: float | None, elapsed_s: float
) -> tuple[str, ...]:
    """Refuse an image with more activity than what is left of the administered.

    Parameters
    ----------
    total_mbq : float [MBq]
        In the image at the reference time.
    administered_mbq, half_life_s : float or None
    elapsed_s : float [s]
        Reference time after the administration; NaN: unknown, nothing is checked.
    """
    if administered_mbq is None or half_life_s is None or not np.isfinite(elapsed_s):
        return ()
    left = administered_mbq * 2.0 ** (-elapsed_s / half_life_s)
    ratio = total_mbq / left
    if ratio > _TOO_MUCH:
        raise InputError(
            f"the image holds {total_mbq:.4g} MBq, {ratio:.3g} times what is left of the"
            f" administered {administered_mbq:g} MBq after {elapsed_s / 3600:.2f} h"
            f" ({left:.4g} MBq): units, times or the administered activity are wrong"
        )
    words = f"the image holds {100 * ratio:.3g} % of the administered activity (decayed)"
    return (words + (": more than was given" if ratio > _MUCH else ""),)

"""Judge whether activity images are time points of one administration."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from milligray.errors import InputError
from milligray.read.activity_series import ActivityImage
from milligray.read.patient_keys import check_same_patient

_SAME_TIME_S = 1.0


def check_time_points(images: Sequence[ActivityImage]) -> tuple[str, ...]:
    """Refuse images that are not ascending time points of one administration.

    Parameters
    ----------
    images : sequence of ActivityImage

    Returns
    -------
    tuple of str
        Notes.

    Raises
    ------
    InputError
        If a time is unknown, times do not ascend or occur twice, the same image is given twice, or
        patient, nuclide, half-life or administered activity differ.
    """
    if not images:
        raise InputError("no activity image was given")
    notes: list[str] = []
    times = [image.reference_s_after_administration for image in images]
    if len(images) > 1 and not all(np.isfinite(times)):
        lost = [str(n) for n, time in enumerate(times, 1) if not np.isfinite(time)]
        raise InputError(
            f"the time after administration of image {', '.join(lost)} is not known: give"
            " administration_time or reference_s_after_administration"
        )
    hashes = [image.input_sha256 for image in images if image.input_sha256]
    if len(set(hashes)) < len(hashes):
        raise InputError("the same activity image was given twice")
    listed = ", ".join(f"{time / 3600.0:.3f}" for time in times)
    for earlier, later in pairwise(times):
        if abs(later - earlier) < _SAME_TIME_S:
            raise InputError(f"two activity images are of one time ({listed} h)")
        if later < earlier:
            raise InputError(
                f"the time points are out of order ({listed} h after administration): give them in"
                " the order of their measurement"
            )
    first = images[0]
    for number, image in enumerate(images[1:], 2):
        names = "image 1", f"image {number}"
        notes += check_same_patient(first.patient, image.patient, names=names)
        if first.nuclide and image.nuclide and first.nuclide != image.nuclide:
            raise InputError(
                f"{names[0]} is of {first.nuclide}, {names[1]} of {image.nuclide}: time points"
                " must be of one nuclide"
            )
        _same(first.half_life_s, image.half_life_s, "half-lives", "s", names)
        _same(
            first.administered_activity_mbq, image.administered_activity_mbq,
            "administered activities", "MBq", names,
        )  # fmt: skip
    return tuple(dict.fromkeys(notes))


def compare_half_life(image: ActivityImage, half_life_s: float) -> tuple[str, ...]:
    """Compare the half-life with which an image was corrected with that of the nuclide tables.

    Raises
    ------
    InputError
        If they differ by more than 2 %: another nuclide, or another unit.
    """
    if image.half_life_s is None:
        return ("the image's half-life is not known: its decay correction was not checked",)
    ratio = image.half_life_s / half_life_s
    if abs(ratio - 1.0) > 0.02:
        raise InputError(
            f"the half-life of the image is {image.half_life_s:g} s, that of the nuclide"
            f" {half_life_s:g} s: wrong nuclide or wrong header; give nuclide and half_life_s"
        )
    if abs(ratio - 1.0) > 0.002:
        return (
            f"half-life of the header {image.half_life_s:g} s, of the tables {half_life_s:g} s",
        )
    return ()


def _same(
    first: float | None, second: float | None, what: str, unit: str, names: tuple[str, str]
) -> None:
    if first and second and abs(first / second - 1.0) > 0.02:
        raise InputError(
            f"the {what} of {names[0]} ({first:g} {unit}) and {names[1]} ({second:g} {unit})"
            " differ: time points must be of one administration"
        )

"""From activity on a patient's grid at some times to decays over all time."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.source.activity_on_patient import PatientActivity
from milligray.source.kinetics.image_integral import tia_from_images
from milligray.source.kinetics.trapezoid import Start
from milligray.source.nuclide import Nuclide, load_nuclide
from milligray.source.nuclide_names import canonical_name
from milligray.source.time_integrated_activity import TimeIntegratedActivity
from milligray.source.time_points import check_time_points, compare_half_life

_ADMINISTERED_DIFFER = 0.02


def integrate_patient_activity(
    points: Sequence[PatientActivity],
    *,
    kinetics: str,
    nuclide: str | None = None,
    administered_activity_mbq: float | None = None,
    start: Start = "linear-from-zero",
    effective_half_life_s: float | None = None,
    half_life_spread: float = 0.2,
) -> TimeIntegratedActivity:
    """Integrate the images of one administration, voxel by voxel.

    Parameters
    ----------
    points : sequence of PatientActivity
        On one grid, in the order of time.
    kinetics : str
        "physical", "haenscheid", "prior" or "trapezoid" for one image, "trapezoid" or "mono" for
        several: see `milligray.source.kinetics.image_integral.tia_from_images`.
    nuclide : str, optional
        Default: that of the images.
    administered_activity_mbq : float, optional [MBq]
        Default: that of the images.
    start, effective_half_life_s, half_life_spread
        See `tia_from_images`.

    Returns
    -------
    TimeIntegratedActivity
        With the notes of images, nuclide and kinetics.

    Raises
    ------
    InputError
        If the images are no time points of one administration, the nuclide is unknown or another
        than the images say, or the half-life of a header is not the nuclide's.
    GeometryError
        If the images lie on different grids.
    """
    if not points:
        raise InputError("no activity image was given")
    images = [point.image for point in points]
    notes = [note for point in points for note in point.notes]
    notes += check_time_points(images)
    chosen = _nuclide(nuclide, {image.nuclide for image in images if image.nuclide})
    for image in images:
        notes += compare_half_life(image, chosen.half_life_s)
    first = points[0].grid
    for number, point in enumerate(points[1:], 2):
        if point.grid.shape != first.shape or not np.allclose(point.grid.affine, first.affine):
            raise GeometryError(f"image {number} lies on another grid than image 1")
    stated = [i.administered_activity_mbq for i in images if i.administered_activity_mbq]
    administered = administered_activity_mbq or (stated[0] if stated else None)
    if administered and stated and abs(administered / stated[0] - 1.0) > _ADMINISTERED_DIFFER:
        notes.append(
            f"administered activity {administered:g} MBq as given; the images say {stated[0]:g} MBq"
        )
    integrated = tia_from_images(
        first,
        [point.activity_mbq for point in points],
        [image.reference_s_after_administration for image in images],
        nuclide=chosen.name,
        half_life_s=chosen.half_life_s,
        kinetics=kinetics,
        administered_activity_mbq=administered,
        start=start,
        effective_half_life_s=effective_half_life_s,
        half_life_spread=half_life_spread,
    )
    return replace(
        integrated, notes=tuple(dict.fromkeys((*notes, *chosen.notes, *integrated.notes)))
    )


def _nuclide(given: str | None, found: set[str]) -> Nuclide:
    """The nuclide asked for, or that of the images; refused if they disagree or none is known."""
    names = {canonical_name(name) for name in found}
    if given is None:
        if len(names) != 1:
            known = ", ".join(sorted(names)) or "none"
            raise InputError(f"give the nuclide (--nuclide F-18): the images name {known}")
        return load_nuclide(names.pop())
    name = canonical_name(given)
    if names and names != {name}:
        raise InputError(
            f"nuclide {name} was asked for, but the images are of {', '.join(sorted(names))}"
        )
    return load_nuclide(name)

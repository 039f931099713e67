"""From images of one or more times to the time-integrated activity of every voxel."""

from collections.abc import Sequence
from math import log

import numpy as np

from milligray.errors import GeometryError, InputError
from milligray.source.kinetics.single_time_point import (
    IntegralPerActivity,
    haenscheid_integral,
    physical_decay_integral,
    prior_half_life_integral,
)
from milligray.source.kinetics.time_activity import (
    TimeActivityCurve,
    check_half_life,
    check_times,
)
from milligray.source.kinetics.trapezoid import Start, integrate_trapezoid, trapezoid_weights
from milligray.source.kinetics.voxel_fit import fit_voxels
from milligray.source.time_integrated_activity import TimeIntegratedActivity
from milligray.typing import FloatArray
from milligray.volume import Grid

OVERFULL = 1.2
"""Activity in the image / that given and decayed, beyond which the input is refused."""


def tia_from_images(
    grid: Grid,
    activity_mbq: Sequence[FloatArray],
    times_s: Sequence[float],
    *,
    nuclide: str,
    half_life_s: float,
    kinetics: str,
    administered_activity_mbq: float | None = None,
    start: Start = "linear-from-zero",
    effective_half_life_s: float | None = None,
    half_life_spread: float = 0.2,
) -> TimeIntegratedActivity:
    """Integrate images of one or more times on one grid, voxel by voxel.

    Parameters
    ----------
    grid : Grid
    activity_mbq : sequence of ndarray, shape ``grid.shape`` [MBq]
        Activity PER VOXEL at the times given, as it was then (not decay-corrected back).
    times_s : sequence of float [s]
        After administration, ascending.
    nuclide : str
    half_life_s : float [s]
        Physical.
    kinetics : {"physical", "haenscheid", "prior", "trapezoid", "mono"}
        One image: "physical" (decay alone), "haenscheid" (needs no half-life), "prior" (needs
        `effective_half_life_s`), "trapezoid". Several: "trapezoid" (straight lines, then physical
        decay), "mono" (an exponential per voxel, trapezoid where it fails). There is no default:
        the choice changes the dose.
    administered_activity_mbq : float, optional [MBq]
    start : {"linear-from-zero", "physical-decay", "constant"}
        Before the first image, for "trapezoid".
    effective_half_life_s, half_life_spread : float, float
        For "prior": median of a population [s] and its relative standard deviation.

    Returns
    -------
    TimeIntegratedActivity

    Raises
    ------
    InputError
        If times are out of order or unknown, images are of another shape, values are negative,
        the kinetics do not fit the number of images, or more activity is seen than was given.
    """
    times = check_times(times_s)
    decay = log(2.0) / check_half_life(half_life_s)
    if len(activity_mbq) != times.size:
        raise InputError(f"{len(activity_mbq)} images but {times.size} times")
    images = [checked_activity_mbq(grid, image, k) for k, image in enumerate(activity_mbq)]
    notes = _check_total(images, times, decay, administered_activity_mbq)
    sigma: FloatArray | float = float("nan")
    effective: FloatArray | float | None = None
    if kinetics in ("physical", "haenscheid", "prior"):
        factor = _single(kinetics, times, half_life_s, effective_half_life_s, half_life_spread)
        tia, sigma, method = images[0] * factor.seconds, factor.relative_uncertainty, factor.method
        notes += factor.notes
        effective = {"physical": half_life_s, "prior": effective_half_life_s}.get(kinetics)
    elif kinetics == "trapezoid":
        weights = trapezoid_weights(times, half_life_s, start=start)
        tia = sum((w * a for w, a in zip(weights.total_s, images, strict=True)), np.zeros(1))
        method = f"trapezoid of {times.size} images, physical decay after the last"
        whole = integrate_trapezoid(_whole_curve(images, times, half_life_s), start=start)
        sigma = whole.relative_uncertainty
        notes += whole.notes
    elif kinetics == "mono":
        stack = np.stack([image.ravel() for image in images])
        fit = fit_voxels(stack, times, half_life_s, start=start)
        tia = fit.tia_mbq_s.reshape(grid.shape)
        sigma = fit.relative_uncertainty.reshape(grid.shape)
        effective = fit.effective_half_life_s.reshape(grid.shape)
        method = f"one exponential per voxel through {times.size} images"
        notes += fit.notes()
    else:
        raise InputError(
            f"unknown kinetics {kinetics!r}; one image: physical, haenscheid, prior, trapezoid;"
            " several: trapezoid, mono"
        )
    return TimeIntegratedActivity(
        grid=grid,
        tia_mbq_s=tia,
        relative_uncertainty=sigma,
        administered_activity_mbq=administered_activity_mbq,
        nuclide=nuclide,
        method=method,
        notes=notes,
        effective_half_life_s=effective,
    )


def checked_activity_mbq(grid: Grid, image: FloatArray, number: int) -> FloatArray:
    """Activity of image `number` (from 0) per voxel [MBq]; refused if it cannot be."""
    values: FloatArray = np.asarray(image, dtype=np.float64)
    if values.shape != grid.shape:
        raise GeometryError(
            f"image {number + 1} has shape {values.shape}, the grid {grid.shape}: resample it first"
        )
    if not np.all(np.isfinite(values)) or float(values.min()) < 0:
        raise InputError(f"image {number + 1} has negative or undefined activity")
    return values


def _single(
    kinetics: str,
    times: FloatArray,
    half_life_s: float,
    effective_half_life_s: float | None,
    half_life_spread: float,
) -> IntegralPerActivity:
    """Factor of a method for one image."""
    if times.size != 1:
        raise InputError(
            f"kinetics {kinetics!r} is for one image, {times.size} are given; choose 'mono' or"
            " 'trapezoid'"
        )
    time = float(times[0])
    if kinetics == "physical":
        return physical_decay_integral(time, half_life_s)
    if kinetics == "haenscheid":
        return haenscheid_integral(time, half_life_s)
    if effective_half_life_s is None:
        raise InputError("kinetics 'prior' needs the effective half-life of the population")
    return prior_half_life_integral(
        time,
        half_life_s,
        effective_half_life_s=effective_half_life_s,
        relative_uncertainty=half_life_spread,
    )


def _check_total(
    images: Sequence[FloatArray], times: FloatArray, decay: float, administered_mbq: float | None
) -> tuple[str, ...]:
    """Compare the activity seen with the activity given."""
    if administered_mbq is None:
        return ("administered activity not known: no coefficients, and no check of the total",)
    notes = []
    for k, (image, time) in enumerate(zip(images, times, strict=True)):
        there = administered_mbq * float(np.exp(-decay * time))
        share = float(image.sum()) / there
        if share > OVERFULL:
            raise InputError(
                f"image {k + 1} holds {100 * share:.0f} % of the administered activity left at"
                f" {time / 3600.0:.3g} h: units, calibration, administered activity or times are"
                " wrong"
            )
        notes.append(f"{100 * share:.0f} % at {time / 3600.0:.3g} h")
    return (f"share of the administered, decayed activity in the images: {', '.join(notes)}",)


def _whole_curve(
    images: Sequence[FloatArray], times: FloatArray, half_life_s: float
) -> TimeActivityCurve:
    """Curve of all voxels together: what lines and tail may err by is judged on it."""
    return TimeActivityCurve(
        region="all voxels",
        times_s=times,
        activity_mbq=np.array([float(image.sum()) for image in images]),
        half_life_s=half_life_s,
    )

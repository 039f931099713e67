"""Time-integrated activity of an exam: voxels, organs, and their curves for the report."""

from collections.abc import Sequence
from math import log, nan

import numpy as np

from milligray.errors import InputError
from milligray.exam.nm_settings import NmSettings
from milligray.report.nm_result import RegionKinetics
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.activity_on_patient import PatientActivity
from milligray.source.kinetics.image_integral import tia_from_images
from milligray.source.kinetics.model_choice import choose_model
from milligray.source.kinetics.time_activity import TimeActivityCurve
from milligray.source.kinetics.trapezoid import Start
from milligray.source.nuclide import Nuclide
from milligray.source.time_integrated_activity import TimeIntegratedActivity
from milligray.typing import FloatArray

SECONDS_PER_HOUR = 3600.0
N_CURVE = 121
MIN_FIT_IMAGES = 2


def shares_of_voxels(weights: OrganMassWeights, mass_g: FloatArray) -> FloatArray:
    """Share of every voxel that belongs to each organ, by mass; a sparse matrix.

    Returns
    -------
    csr matrix, shape (n_organs, n_voxels)
    """
    import scipy.sparse  # noqa: PLC0415

    flat = mass_g.ravel().astype(np.float64)
    inverse = np.divide(1.0, flat, out=np.zeros_like(flat), where=flat > 0)
    return (weights.weights_g @ scipy.sparse.diags(inverse)).tocsr()  # type: ignore[no-any-return]


def integrate(
    placed: Sequence[PatientActivity],
    times_s: Sequence[float],
    nuclide: Nuclide,
    administered_mbq: float | None,
    shares: FloatArray,
    names: Sequence[str],
    settings: NmSettings,
) -> tuple[TimeIntegratedActivity, tuple[RegionKinetics, ...]]:
    """Decays of every voxel, and the curve of every organ with activity.

    Parameters
    ----------
    placed : sequence of PatientActivity
        One a time point, on one grid.
    times_s : sequence of float [s]
        After administration.
    nuclide : Nuclide
    administered_mbq : float or None [MBq]
    shares : csr matrix, shape (n_organs, n_voxels)
    names : sequence of str
    settings : NmSettings
    """
    activity = [p.activity_mbq for p in placed]
    is_fit = settings.kinetics == "fit"
    if is_fit and len(placed) < MIN_FIT_IMAGES:
        raise InputError(
            "kinetics 'fit' needs images of at least two times; for one image choose physical,"
            " haenscheid or prior"
        )
    voxels = tia_from_images(
        placed[0].grid, activity, times_s, nuclide=nuclide.name, half_life_s=nuclide.half_life_s,
        kinetics="mono" if is_fit else settings.kinetics,
        administered_activity_mbq=administered_mbq, start=settings.start,
        effective_half_life_s=(
            None
            if settings.effective_half_life_h is None
            else settings.effective_half_life_h * SECONDS_PER_HOUR
        ),
        half_life_spread=settings.half_life_spread,
    )  # fmt: skip
    seen = np.array([shares @ a.ravel() for a in activity])
    regions: list[RegionKinetics] = []
    factors = np.ones(len(names))
    whole = np.asarray(shares @ voxels.tia_mbq_s.ravel())
    notes = list(voxels.notes)
    for i, name in enumerate(names):
        if not seen[:, i].any():
            continue
        if is_fit:
            region, note = _fitted(name, seen[:, i], times_s, nuclide, administered_mbq)
            notes += note
            if region is not None and whole[i] > 0:
                factors[i] = region.tia_mbq_s / whole[i]
        else:
            region = None
        if region is None:
            region = _integrated(
                name, seen[:, i], times_s, float(whole[i]), voxels, nuclide, administered_mbq,
                settings.start,
            )  # fmt: skip
        regions.append(region)
    if not is_fit:
        return voxels, tuple(regions)
    scale = 1.0 + np.asarray(shares.T @ (factors - 1.0)).reshape(voxels.grid.shape)
    fitted = TimeIntegratedActivity(
        grid=voxels.grid, tia_mbq_s=voxels.tia_mbq_s * scale,
        relative_uncertainty=voxels.relative_uncertainty,
        administered_activity_mbq=administered_mbq, nuclide=nuclide.name,
        method=(
            f"exponentials fitted to the organs ({len(times_s)} images), voxels by one"
            " exponential each, scaled to them"
        ),
        notes=tuple(dict.fromkeys(notes)),
    )  # fmt: skip
    return fitted, tuple(regions)


def _fitted(
    name: str,
    activity: FloatArray,
    times_s: Sequence[float],
    nuclide: Nuclide,
    administered_mbq: float | None,
) -> tuple[RegionKinetics | None, tuple[str, ...]]:
    """Curve of an organ by the model that AICc chooses; None if no model can be fitted."""
    curve = TimeActivityCurve(
        region=name, times_s=np.asarray(times_s, dtype=np.float64), activity_mbq=activity,
        half_life_s=nuclide.half_life_s,
    )  # fmt: skip
    try:
        choice = choose_model(curve)
    except InputError as error:
        return None, (f"{name}: voxels one by one instead of a fit ({error})",)
    result = choice.result
    drawn = _times(times_s)
    return RegionKinetics(
        region=name, times_s=curve.times_s, activity_mbq=curve.activity_mbq, curve_times_s=drawn,
        curve_mbq=choice.best.activity_mbq(drawn), tia_mbq_s=result.tia_mbq_s,
        tia_coefficient_s=result.tia_mbq_s / administered_mbq if administered_mbq else nan,
        effective_half_life_s=result.effective_half_life_s,
        relative_uncertainty=result.relative_uncertainty, method=result.method,
    ), result.notes  # fmt: skip


def _integrated(
    name: str,
    activity: FloatArray,
    times_s: Sequence[float],
    tia_mbq_s: float,
    voxels: TimeIntegratedActivity,
    nuclide: Nuclide,
    administered_mbq: float | None,
    start: Start,
) -> RegionKinetics:
    """Curve of an organ whose voxels were integrated one by one."""
    drawn = _times(times_s)
    half_life = voxels.effective_half_life_s
    spread = voxels.relative_uncertainty
    return RegionKinetics(
        region=name, times_s=np.asarray(times_s, dtype=np.float64), activity_mbq=activity,
        curve_times_s=drawn,
        curve_mbq=curve_of_voxels(drawn, times_s, activity, voxels, nuclide, start),
        tia_mbq_s=tia_mbq_s,
        tia_coefficient_s=tia_mbq_s / administered_mbq if administered_mbq else nan,
        effective_half_life_s=float(half_life) if isinstance(half_life, float) else nan,
        relative_uncertainty=nan if isinstance(spread, np.ndarray) else float(spread),
        method=voxels.method,
    )  # fmt: skip


def curve_of_voxels(
    drawn_s: FloatArray,
    times_s: Sequence[float],
    activity_mbq: FloatArray,
    voxels: TimeIntegratedActivity,
    nuclide: Nuclide,
    start: Start,
) -> FloatArray:
    """Curve whose area is the integral of an organ's voxels [MBq].

    Parameters
    ----------
    drawn_s : ndarray, shape (m,) [s]
    times_s, activity_mbq : sequence of float [s], ndarray [MBq]
        Of the images.
    voxels : TimeIntegratedActivity
        Tells the kinetics.
    nuclide : Nuclide
    start : {"linear-from-zero", "physical-decay", "constant"}

    Returns
    -------
    ndarray, shape (m,) [MBq]
        NaN where the kinetics are no curve of the whole organ: exponentials voxel by voxel outside
        the images, and single-time integrals without a half-life. For "prior" it is the curve of
        the median half-life; the integral is the mean over the population's spread.
    """
    times = np.asarray(times_s, dtype=np.float64)
    first, last = times[0], times[-1]
    half_life = voxels.effective_half_life_s
    if isinstance(half_life, float):  # one image
        return np.asarray(activity_mbq[0] * np.exp(-log(2.0) / half_life * (drawn_s - first)))
    inside = np.interp(drawn_s, times, activity_mbq)
    if not voxels.method.startswith("trapezoid"):
        return np.where((drawn_s < first) | (drawn_s > last), nan, inside)
    decay = nuclide.decay_constant_per_s
    before = {
        "linear-from-zero": activity_mbq[0] * drawn_s / first,
        "physical-decay": activity_mbq[0] * np.exp(-decay * (drawn_s - first)),
        "constant": np.full_like(drawn_s, activity_mbq[0]),
    }[start]
    after = activity_mbq[-1] * np.exp(-decay * (drawn_s - last))
    return np.where(drawn_s < first, before, np.where(drawn_s > last, after, inside))


def _times(times_s: Sequence[float]) -> FloatArray:
    return np.linspace(0.0, 1.5 * float(times_s[-1]), N_CURVE)

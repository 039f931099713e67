"""Weighted least squares of one time-activity curve, with the uncertainty of its integral."""

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from milligray.errors import InputError
from milligray.source.kinetics.exponential_models import (
    ExponentialModel,
    central_differences,
    find_model,
)
from milligray.source.kinetics.extrapolation import TRUSTED_SHARE, extrapolation_uncertainty
from milligray.source.kinetics.fit_scale import CurveScale, starting_points
from milligray.source.kinetics.time_activity import RegionTia, TimeActivityCurve
from milligray.typing import FloatArray

UPHILL_LIMIT = 9.0
"""Fall in chi-square (3 standard deviations) from letting the slowest rate pass below physical
decay, at which the data are refused."""
_REWEIGHTS = 4
_TRIED_STARTS = 3
_RANK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KineticFit:
    """One model fitted to one curve.

    Parameters
    ----------
    model : ExponentialModel
    parameters : ndarray, shape (n_parameters,)
        Amplitude [MBq], rates [1/s], shares; see `ExponentialModel.terms`.
    covariance : ndarray, shape (n_parameters, n_parameters)
    amplitudes_mbq, rates_per_s : ndarray, shape (n_exponentials,)
        Effective rates: physical plus biological.
    result : RegionTia
    chi_square : float
        Weighted sum of squared residuals; with unknown uncertainties in units of the proportional
        deviation ``max(A, 0.05 max A)``.
    n_free : int
        Points less parameters.
    aicc : float
        Akaike's criterion for few points; inf if there are too few for it.
    """

    model: ExponentialModel
    parameters: FloatArray
    covariance: FloatArray
    amplitudes_mbq: FloatArray
    rates_per_s: FloatArray
    result: RegionTia
    chi_square: float
    n_free: int
    aicc: float

    def activity_mbq(self, times_s: FloatArray) -> FloatArray:
        """Fitted activity at the times [MBq]."""
        values: FloatArray = np.exp(-np.outer(times_s, self.rates_per_s)) @ self.amplitudes_mbq
        return values


def fit_curve(curve: TimeActivityCurve, model: str) -> KineticFit:
    """Fit a sum of exponentials.

    Parameters
    ----------
    curve : TimeActivityCurve
    model : str
        See `milligray.source.kinetics.exponential_models.list_models`.

    Returns
    -------
    KineticFit

    Raises
    ------
    InputError
        If there are fewer points than parameters, or the activity falls more slowly than physical
        decay by more than its uncertainty (uptake goes on, or an image is wrong).

    Notes
    -----
    Minimizes ``sum ((A_i - A(t_i)) / sigma_i)**2``. Without uncertainties ``sigma_i = s max(A(t_i),
    0.05 max A)`` with ``s`` from the residuals: points are alike in proportion, which is how
    counts, contours and registration err. Covariance ``C = (J^T W J)^-1``, times
    ``chi2 / (n - p)`` and the square of Student's factor for ``n - p`` degrees of freedom (68.3 %)
    where ``s`` is from the residuals; the integral's variance is ``g^T C g`` with its gradient
    ``g``, plus `extrapolation_uncertainty`.
    ``AICc = -2 ln L + 2 p + 2 p (p + 1) / (n - p - 1)``; an estimated ``s``, common to all models,
    is not counted.

    References
    ----------
    Kletting et al., Med Phys 40 (2013) 102504 (NUKFIT); Glatting et al., Med Phys 34 (2007) 4285
    (model choice); Burnham and Anderson, Model Selection and Multimodel Inference (2002)
    """
    chosen = find_model(model)
    n, p = curve.times_s.size, chosen.n_parameters
    if n < p:
        raise InputError(
            f"{curve.region}: {n} time points cannot tell the {p} parameters of {model!r}; choose a"
            " model with fewer, or the trapezoid"
        )
    scale = CurveScale(curve)
    parameters, spread = _best(chosen, scale)
    notes = _check_slope(curve, chosen, scale, parameters)
    return _assemble(curve, chosen, scale, parameters, spread, notes)


def _best(model: ExponentialModel, scale: CurveScale) -> tuple[FloatArray, FloatArray]:
    """Scaled parameters of the best of several starts, and the points' (relative) spread."""
    low, high = model.bounds(scale.fastest)
    start_spread = scale.spread_of(scale.values)
    best: Any = None
    starts = starting_points(model, scale)
    misfit = [
        np.sum(
            ((model.activity_mbq(x, scale.decay, scale.times) - scale.values) / start_spread) ** 2
        )
        for x in starts
    ]
    for start in [starts[k] for k in np.argsort(misfit)[:_TRIED_STARTS]]:
        found = _solve(model, scale, start, start_spread, low, high)
        if best is None or found.cost < best.cost:
            best = found
    spread = start_spread
    if scale.sigma is None:
        for _ in range(_REWEIGHTS):
            spread = scale.spread_of(model.activity_mbq(best.x, scale.decay, scale.times))
            best = _solve(model, scale, best.x, spread, low, high)
    return np.asarray(best.x), spread


def _solve(
    model: ExponentialModel,
    scale: CurveScale,
    start: FloatArray,
    spread: FloatArray,
    low: FloatArray,
    high: FloatArray,
) -> Any:  # noqa: ANN401 - scipy's result
    from scipy.optimize import least_squares  # noqa: PLC0415 - slow to import

    inside = np.clip(start, low + 1e-9, np.where(np.isfinite(high), high - 1e-9, start + 1.0))
    return least_squares(
        lambda x: (model.activity_mbq(x, scale.decay, scale.times) - scale.values) / spread,
        inside,
        bounds=(low, high),
        x_scale="jac",
        xtol=1e-9,
        ftol=1e-10,
        gtol=1e-10,
        max_nfev=200,
    )


def _check_slope(
    curve: TimeActivityCurve, model: ExponentialModel, scale: CurveScale, parameters: FloatArray
) -> tuple[str, ...]:
    """Refuse data that want a rate below physical decay; note those that merely touch it."""
    if parameters[1] > 1e-4 * scale.decay:
        return ()
    low, high = model.bounds(scale.fastest)
    spread = scale.spread_of(model.activity_mbq(parameters, scale.decay, scale.times))
    low[1] = -0.99 * scale.decay
    held = (model.activity_mbq(parameters, scale.decay, scale.times) - scale.values) / spread
    free = _solve(model, scale, parameters, spread, low, high)
    n_free = curve.times_s.size - model.n_parameters
    variance = 1.0 if scale.sigma is not None else 2.0 * free.cost / n_free if n_free > 0 else 0.01
    fall = (float(held @ held) - 2.0 * float(free.cost)) / max(variance, 1e-12)
    effective = (scale.decay + float(free.x[1])) / scale.time_s
    if fall > UPHILL_LIMIT and free.x[1] < -1e-3 * scale.decay:
        raise InputError(
            f"{curve.region}: the activity falls more slowly than physical decay (effective"
            f" half-life {log(2.0) / effective / 3600.0:.3g} h, physical"
            f" {curve.half_life_s / 3600.0:.3g} h): uptake goes on, or an image, its calibration or"
            " its time is wrong; a later point, a model with uptake or the trapezoid can help"
        )
    return ("no biological washout seen: the slowest phase is physical decay",)


def _assemble(
    curve: TimeActivityCurve,
    model: ExponentialModel,
    scale: CurveScale,
    parameters: FloatArray,
    spread: FloatArray,
    notes: tuple[str, ...],
) -> KineticFit:
    n, p = curve.times_s.size, model.n_parameters
    steps = 1e-5 * np.maximum(np.abs(parameters), 1e-2)

    def curve_of(x: FloatArray) -> FloatArray:
        return model.activity_mbq(x, scale.decay, scale.times)

    jacobian = central_differences(curve_of, parameters, steps) / spread[:, None]
    residual = (curve_of(parameters) - scale.values) / spread
    chi_square = float(residual @ residual)
    gradient = central_differences(
        lambda x: np.array([model.tia_mbq_s(x, scale.decay)]), parameters, steps
    )[0]
    covariance, known = _covariance(jacobian, gradient)
    log_likelihood_2 = chi_square
    if scale.sigma is None:
        covariance = covariance * _residual_variance(chi_square, n - p)
        floor = max(chi_square / n, 1e-12)
        log_likelihood_2 = n * log(floor) + 2.0 * float(np.log(spread).sum())
    aicc = log_likelihood_2 + 2 * p + 2 * p * (p + 1) / (n - p - 1) if n - p - 1 > 0 else np.inf
    tia = model.tia_mbq_s(parameters, scale.decay)
    relative = float(np.sqrt(gradient @ covariance @ gradient)) / tia if known else float("nan")
    after = model.tia_mbq_s(parameters, scale.decay, after_s=float(scale.times[-1])) / tia
    if not known:
        notes = (*notes, "the points do not tell every parameter that the integral needs")
    amplitudes, rates = model.terms(parameters, scale.decay)
    unseen = float(extrapolation_uncertainty(after, float(rates[0]), scale.decay))
    relative = float(np.hypot(relative, unseen))
    if after > TRUSTED_SHARE:
        notes = (
            *notes,
            (
                f"{100 * after:.0f} % of the decays lie after the last point; {100 * unseen:.0f} %"
                " uncertainty for a slower phase that was not seen"
            ),
        )
    if scale.sigma is None:
        notes = (*notes, "uncertainty of the points taken from the residuals of the fit")
    unit = scale.unit_of(model)
    physical = parameters * unit
    amplitudes, rates = amplitudes * scale.activity_mbq, rates / scale.time_s
    result = RegionTia(
        region=curve.region,
        tia_mbq_s=tia * scale.activity_mbq * scale.time_s,
        relative_uncertainty=relative,
        method=f"fit: {model.name}",
        effective_half_life_s=log(2.0) / float(rates[0]),
        fraction_after_last_point=after,
        notes=notes,
    )
    return KineticFit(
        model=model,
        parameters=physical,
        covariance=covariance * np.outer(unit, unit),
        amplitudes_mbq=amplitudes,
        rates_per_s=rates,
        result=result,
        chi_square=chi_square,
        n_free=n - p,
        aicc=float(aicc),
    )


def _residual_variance(chi_square: float, n_free: int) -> float:
    """Variance of unit weight, widened so that one standard deviation covers 68.3 %."""
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import

    if n_free < 1:
        return float("nan")
    return chi_square / n_free * float(stdtrit(n_free, 0.841345)) ** 2


def _covariance(jacobian: FloatArray, gradient: FloatArray) -> tuple[FloatArray, bool]:
    """``(J^T J)^-1`` over the directions the points tell, and whether the integral needs others."""
    _, singular, directions = np.linalg.svd(jacobian, full_matrices=True)
    told = np.zeros(directions.shape[0], dtype=bool)
    told[: singular.size] = singular > _RANK * singular[0]
    kept = directions[told]
    covariance = (kept.T / singular[told[: singular.size]] ** 2) @ kept
    untold = directions[~told] @ gradient
    known = bool(np.all(np.abs(untold) < 1e-3 * np.linalg.norm(gradient)))
    return covariance, known

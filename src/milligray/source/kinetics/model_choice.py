"""Which model the points support: Akaike's criterion for few points."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite, sqrt

from milligray.errors import InputError
from milligray.source.kinetics.curve_fit import KineticFit, fit_curve
from milligray.source.kinetics.exponential_models import find_model, list_models
from milligray.source.kinetics.time_activity import RegionTia, TimeActivityCurve

UNLIKELY = 1e-3
"""Probability of a chi-square below which a model is taken to miss the points."""
LARGE_RESIDUAL = 0.3
"""The same for points of unknown uncertainty: relative residual."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelChoice:
    """All models that could be fitted, and the integral that they support.

    Parameters
    ----------
    best : KineticFit
    fits : tuple of KineticFit
        Best first.
    weights : tuple of float
        Akaike weights in the same order, adding to 1; one alone if nothing was compared.
    result : RegionTia
        Integral of the best model. Its uncertainty holds the fit's own and the spread of the
        other models, by their weights.
    """

    best: KineticFit
    fits: tuple[KineticFit, ...]
    weights: tuple[float, ...]
    result: RegionTia


def choose_model(curve: TimeActivityCurve, models: Sequence[str] | None = None) -> ModelChoice:
    """Fit every model that the number of points allows, and take the one of least AICc.

    Parameters
    ----------
    curve : TimeActivityCurve
    models : sequence of str, optional
        Default: all.

    Returns
    -------
    ModelChoice

    Raises
    ------
    InputError
        If no model can be fitted; the message gives each one's reason.

    Notes
    -----
    ``w_m = exp(-(AICc_m - min) / 2) / sum``. The stated variance is
    ``(sum_m w_m sqrt(var_m + (tia_m - tia_best)**2))**2`` (Burnham and Anderson, with the best
    model in place of the average). AICc needs two points more than parameters; where no model
    has them, the one of fewest parameters is taken and the result says that nothing was compared.
    AICc prefers a model that misses the points to one that it has too few points to judge (a rise
    seen by four images). So if the chi-square of the best has a probability below 0.001 (residuals
    above 30 % where uncertainties are not known), the best fitting model with one point to spare
    is taken instead.
    """
    fits: list[KineticFit] = []
    reasons: list[str] = []
    for name in models or list_models():
        if curve.times_s.size < find_model(name).n_parameters:
            reasons.append(f"{name}: more parameters than points")
            continue
        try:
            fits.append(fit_curve(curve, name))
        except InputError as error:
            reasons.append(f"{name}: {error}")
    if not fits:
        raise InputError(f"{curve.region}: no model fits ({'; '.join(reasons)})")
    compared = [fit for fit in fits if isfinite(fit.aicc) and isfinite(_tia_sigma(fit))]
    if not compared:
        alone = min(fits, key=lambda fit: fit.model.n_parameters)
        note = f"too few points to compare models: {alone.model.name} taken"
        result = replace(alone.result, notes=(*alone.result.notes, note))
        return ModelChoice(best=alone, fits=(alone,), weights=(1.0,), result=result)
    compared.sort(key=lambda fit: fit.aicc)
    best = compared[0]
    if misses_points(best, curve):
        spare = [fit for fit in fits if fit not in compared and fit.n_free >= 1]
        better = [fit for fit in spare if not misses_points(fit, curve)]
        if better:
            taken = min(better, key=lambda fit: fit.chi_square)
            note = (
                f"{best.model.name} misses the points; {taken.model.name} taken, which they are too"
                " few to compare"
            )
            result = replace(taken.result, notes=(*taken.result.notes, note))
            return ModelChoice(best=taken, fits=(taken, *compared), weights=(1.0,), result=result)
    raw = [exp(-0.5 * (fit.aicc - best.aicc)) for fit in compared]
    weights = tuple(w / sum(raw) for w in raw)
    tia = best.result.tia_mbq_s
    sigma = sum(
        w * sqrt(_tia_sigma(fit) ** 2 + (fit.result.tia_mbq_s - tia) ** 2)
        for w, fit in zip(weights, compared, strict=True)
    )
    told = ", ".join(
        f"{fit.model.name} {100 * w:.0f} %" for w, fit in zip(weights, compared, strict=True)
    )
    note = f"model by AICc, weights: {told}"
    if misses_points(best, curve):
        note += "; it misses the points by more than their uncertainty"
    result = replace(
        best.result, relative_uncertainty=sigma / tia, notes=(*best.result.notes, note)
    )
    return ModelChoice(best=best, fits=tuple(compared), weights=weights, result=result)


def misses_points(fit: KineticFit, curve: TimeActivityCurve) -> bool:
    """True if the curve lies farther from the points than chance allows."""
    from scipy.special import chdtrc  # noqa: PLC0415 - slow to import

    if fit.n_free < 1:
        return False
    if curve.standard_uncertainty_mbq is None:
        return sqrt(fit.chi_square / fit.n_free) > LARGE_RESIDUAL
    return float(chdtrc(fit.n_free, fit.chi_square)) < UNLIKELY


def _tia_sigma(fit: KineticFit) -> float:
    return fit.result.relative_uncertainty * fit.result.tia_mbq_s

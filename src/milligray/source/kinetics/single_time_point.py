"""Decays over all time from one image, by what is known of the effective half-life."""

from dataclasses import dataclass
from math import exp, expm1, isfinite, log, sqrt

import numpy as np

from milligray.errors import InputError
from milligray.source.kinetics.time_activity import check_half_life
from milligray.typing import FloatArray

_QUADRATURE = 40
SHORTEST_STAY = 1.0 / 3.0
"""Effective / physical half-life, down to which the judgement on assumed kinetics reaches."""
HAENSCHEID_RANGE = (0.75, 2.5)
"""Time of imaging / effective half-life within which the approximation errs by about 10 %."""
HAENSCHEID_UNCERTAINTY = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegralPerActivity:
    """Time-integrated activity per activity seen at one time.

    Parameters
    ----------
    seconds : float [s]
        Times the activity at the time of imaging gives the time-integrated activity.
    relative_uncertainty : float
        k = 1, of the kinetics assumed; NaN if nothing is known of it.
    method : str
    notes : tuple of str
    """

    seconds: float
    relative_uncertainty: float
    method: str
    notes: tuple[str, ...] = ()


def physical_decay_integral(time_s: float, half_life_s: float) -> IntegralPerActivity:
    """Physical decay alone: distributed at once at administration, nothing is washed out.

    Parameters
    ----------
    time_s : float [s]
        Of the image, after administration.
    half_life_s : float [s]

    Returns
    -------
    IntegralPerActivity
        ``exp(lambda t) / lambda``. Its uncertainty is a judgement: the root mean square error if
        the effective half-life lies anywhere between a third and the whole of the physical one.

    Examples
    --------
    >>> from milligray.source.kinetics.single_time_point import physical_decay_integral
    >>> round(physical_decay_integral(0.0, 3600.0).seconds)
    5194
    """
    decay = log(2.0) / check_half_life(half_life_s)
    _check_time(time_s)
    seconds = float(np.exp(decay * time_s)) / decay
    rates = decay / np.linspace(SHORTEST_STAY, 1.0, 201)
    true: FloatArray = np.exp(np.minimum(rates * time_s, 200.0)) / rates
    return IntegralPerActivity(
        seconds=seconds,
        relative_uncertainty=float(np.sqrt(np.mean((true / seconds - 1.0) ** 2))),
        method="physical decay only",
        notes=(
            (
                "kinetics assumed, not measured: in place since administration, no biological"
                " washout; too high where activity leaves, too low where it still comes"
            ),
        ),
    )


def haenscheid_integral(time_s: float, half_life_s: float) -> IntegralPerActivity:
    """Approximation of Hänscheid et al., which needs no half-life.

    Parameters
    ----------
    time_s : float [s]
        Of the image; best near the effective half-life (4 days for kidneys under Lu-177).
    half_life_s : float [s]
        Physical, as an upper limit: the integral never exceeds that of physical decay.

    Returns
    -------
    IntegralPerActivity

    Notes
    -----
    One exponential gives ``A(t) 2**(t/T) T / ln 2``, and ``2**(t/T) T`` is near ``2 t`` around
    ``t = T .. 2 T`` (equal at both ends): ``tia = A(t) 2 t / ln 2``. For ``0.75 T < t < 2.5 T`` the
    error, published as 10 %, runs from -11 over +6 to -12 %. 10 % are given as standard
    uncertainty (the error is bounded, not Gaussian).

    References
    ----------
    Hänscheid, Lapa, Buck, Lassmann, Werner, J Nucl Med 59 (2018) 75
    """
    _check_time(time_s)
    low, high = HAENSCHEID_RANGE
    if time_s <= 0 or time_s > high * check_half_life(half_life_s):
        raise InputError(
            f"an image at {time_s / 3600.0:.3g} h cannot lie between 0.75 and 2.5 effective"
            f" half-lives: none is longer than the physical {half_life_s / 3600.0:.3g} h; give the"
            " effective half-life by hand"
        )
    return IntegralPerActivity(
        seconds=2.0 * time_s / log(2.0),
        relative_uncertainty=HAENSCHEID_UNCERTAINTY,
        method="single time point (Hänscheid 2018)",
        notes=(
            (
                f"holds within about 10 % where the effective half-life lies between"
                f" {time_s / high / 3600.0:.3g} and {time_s / low / 3600.0:.3g} h"
            ),
        ),
    )


def prior_half_life_integral(
    time_s: float,
    half_life_s: float,
    *,
    effective_half_life_s: float,
    relative_uncertainty: float,
) -> IntegralPerActivity:
    """One exponential whose effective half-life is known from a population.

    Parameters
    ----------
    time_s : float [s]
        Of the image. Least sensitive to the half-life at ``t = T / ln 2`` (Madsen).
    half_life_s : float [s]
        Physical: no effective half-life is longer.
    effective_half_life_s : float [s]
        Median of the population.
    relative_uncertainty : float
        Its standard deviation from person to person, relative (lognormal).

    Returns
    -------
    IntegralPerActivity
        Geometric mean over the distribution, and its relative standard deviation.

    Notes
    -----
    ``tia / A(t) = exp(r t) / r``, ``r = ln 2 / T``; ``d ln(tia) / d ln(r) = r t - 1`` vanishes at
    ``t = 1 / r``. Mean and spread of ``ln(tia / A)`` by Gauss-Hermite quadrature over ``ln T``,
    with ``T`` cut off at the physical half-life.

    References
    ----------
    Madsen, Menda, O'Dorisio, O'Dorisio, Med Phys 45 (2018) 2318

    Examples
    --------
    Kidneys under Lu-177, 50 h from person to person within 20 %, image after 72 h:

    >>> from milligray.source.kinetics.single_time_point import prior_half_life_integral
    >>> found = prior_half_life_integral(
    ...     72 * 3600.0, 6.647 * 86400.0, effective_half_life_s=50 * 3600.0,
    ...     relative_uncertainty=0.2
    ... )
    >>> round(found.seconds / 3600), round(found.relative_uncertainty, 3)
    (200, 0.029)
    """
    _check_time(time_s)
    check_half_life(half_life_s)
    check_half_life(effective_half_life_s)
    if not (isfinite(relative_uncertainty) and relative_uncertainty > 0):
        raise InputError(
            f"the half-life's spread from person to person must be > 0, got {relative_uncertainty}"
        )
    if effective_half_life_s > half_life_s * (1.0 + 1e-6):
        raise InputError(
            f"effective half-life {effective_half_life_s / 3600.0:.4g} h is longer than the"
            f" physical {half_life_s / 3600.0:.4g} h"
        )
    width = sqrt(log(1.0 + relative_uncertainty**2))
    nodes, weights = np.polynomial.hermite_e.hermegauss(_QUADRATURE)
    half_lives = np.minimum(effective_half_life_s * np.exp(width * nodes), half_life_s)
    rates = log(2.0) / half_lives
    logarithm: FloatArray = rates * time_s - np.log(rates)
    weights = weights / weights.sum()
    mean = float(weights @ logarithm)
    variance = max(float(weights @ (logarithm - mean) ** 2), 0.0)
    notes = [
        (
            f"effective half-life {effective_half_life_s / 3600.0:.3g} h +/-"
            f" {100 * relative_uncertainty:.0f} % from a population, not from this person"
        )
    ]
    best = effective_half_life_s / log(2.0)
    if not 0.5 < time_s / best < 2.0:
        notes.append(f"the image lies far from the best time, {best / 3600.0:.3g} h")
    return IntegralPerActivity(
        seconds=exp(mean),
        relative_uncertainty=sqrt(expm1(variance)),
        method="single time point, population half-life (Madsen 2018)",
        notes=tuple(notes),
    )


def _check_time(time_s: float) -> None:
    if not (isfinite(time_s) and time_s >= 0):
        raise InputError(f"time after administration must be >= 0 s, got {time_s}")

"""Biological effect of a protracted dose: BED, EQD2 and equivalent uniform dose."""

from collections.abc import Sequence
from math import isfinite, log

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray

MGY_PER_GY = 1e3
CONVENTIONAL_FRACTION_MGY = 2000.0


def dose_protraction_factor(
    amplitudes: Sequence[float] | FloatArray,
    rates_per_s: Sequence[float] | FloatArray,
    *,
    repair_half_lives_s: Sequence[float],
    repair_shares: Sequence[float] | None = None,
) -> float:
    """Lea-Catcheside factor G of a dose rate that is a sum of exponentials, over all time.

    Parameters
    ----------
    amplitudes : sequence of float, shape (n,)
        ``a_i`` of ``rate(t) = sum a_i exp(-r_i t)``, any scale; negative for uptake.
    rates_per_s : sequence of float, shape (n,) [1/s]
        Effective rates ``r_i`` > 0.
    repair_half_lives_s : sequence of float, shape (m,) [s]
        Of sublethal damage; one, or several that act side by side.
    repair_shares : sequence of float, shape (m,), optional
        Share of the damage that each repairs, adding to 1. Default: equal.

    Returns
    -------
    float
        1 for acute dose, 0 for infinitely slow.

    Notes
    -----
    ``G = (2 / D**2) int_0^inf rate(t) dt int_0^t rate(w) exp(-mu (t - w)) dw``
    ``  = (2 / D**2) sum_ij a_i a_j / ((r_i + r_j) (r_i + mu))``, ``D = sum a_i / r_i``.
    One exponential: ``G = r / (r + mu)``. Several repair rates: ``G = sum_k share_k G(mu_k)``.

    References
    ----------
    Lea, Catcheside, J Genet 44 (1942) 216; Dale, Br J Radiol 58 (1985) 515; Millar, Int J Radiat
    Biol 59 (1991) 843; Baechler et al., Med Phys 35 (2008) 1123

    Examples
    --------
    Kidney under Lu-177, effective half-life 50 h, repair 2.8 h:

    >>> from milligray.score.radiobiology import dose_protraction_factor
    >>> rate = 0.693147 / (50 * 3600)
    >>> round(dose_protraction_factor([1.0], [rate], repair_half_lives_s=[2.8 * 3600]), 4)
    0.053
    """
    a = np.asarray(amplitudes, dtype=np.float64)
    r = np.asarray(rates_per_s, dtype=np.float64)
    if a.shape != r.shape or a.size == 0 or np.any(r <= 0) or not np.all(np.isfinite(a)):
        raise InputError("the dose rate needs one effective rate > 0 per amplitude")
    total = float(np.sum(a / r))
    if total <= 0:
        raise InputError("the dose rate integrates to no dose")
    shares = _shares(repair_half_lives_s, repair_shares)
    factor = 0.0
    for half_life, share in zip(repair_half_lives_s, shares, strict=True):
        mu = log(2.0) / half_life
        terms = np.outer(a, a) / ((r[:, None] + r[None, :]) * (r[:, None] + mu))
        factor += share * 2.0 * float(terms.sum()) / total**2
    return factor


def exponential_protraction_factor(
    effective_half_life_s: FloatArray, repair_half_life_s: float
) -> FloatArray:
    """Lea-Catcheside factor of voxels, each with one exponential: ``T_rep / (T_rep + T_eff)``.

    Parameters
    ----------
    effective_half_life_s : ndarray [s]
        Of each voxel; where it is NaN (no fit), so is the factor.
    repair_half_life_s : float [s]

    Returns
    -------
    ndarray
        The same as `dose_protraction_factor` of one exponential.
    """
    _check_positive("repair half-life", repair_half_life_s)
    half_life = np.asarray(effective_half_life_s, dtype=np.float64)
    if np.any(half_life <= 0):
        raise InputError("effective half-lives must be > 0 s")
    factor: FloatArray = repair_half_life_s / (repair_half_life_s + half_life)
    return factor


def biologically_effective_dose_mgy(
    dose_mgy: FloatArray | float, protraction_factor: FloatArray | float, alpha_beta_gy: float
) -> FloatArray:
    """BED of a dose whose effect is linear-quadratic.

    Parameters
    ----------
    dose_mgy : ndarray or float [mGy]
        Physical absorbed dose of one administration.
    protraction_factor : ndarray or float
        See `dose_protraction_factor`; of each voxel, or common to all.
    alpha_beta_gy : float [Gy]
        There is no default: it belongs to the tissue and the endpoint.

    Returns
    -------
    ndarray [mGy]
        Of administrations far apart (repair complete) the BED add.

    Notes
    -----
    ``BED = D (1 + G D / (alpha/beta))``. No repopulation, no dose-rate effect on alpha, no
    difference in radiation quality (alphas need a factor of their own before).

    References
    ----------
    Dale, Br J Radiol 58 (1985) 515; Wessels et al., MIRD Pamphlet 20, J Nucl Med 49 (2008) 1884
    """
    _check_positive("alpha/beta", alpha_beta_gy)
    dose = np.asarray(dose_mgy, dtype=np.float64)
    if np.any(dose < 0):
        raise InputError("dose must be >= 0 mGy")
    factor = np.asarray(protraction_factor, dtype=np.float64)
    if np.any(factor < 0) or np.any(factor > 1.0 + 1e-9):
        raise InputError("the protraction factor lies between 0 and 1")
    effective: FloatArray = dose * (1.0 + factor * dose / (alpha_beta_gy * MGY_PER_GY))
    return effective


def equieffective_dose_2gy_mgy(bed_mgy: FloatArray | float, alpha_beta_gy: float) -> FloatArray:
    """Dose in fractions of 2 Gy of the same BED, ``EQD2 = BED / (1 + 2 Gy / (alpha/beta))`` [mGy].

    References
    ----------
    Bentzen et al., Radiother Oncol 105 (2012) 266
    """
    _check_positive("alpha/beta", alpha_beta_gy)
    bed = np.asarray(bed_mgy, dtype=np.float64)
    equal: FloatArray = bed / (1.0 + CONVENTIONAL_FRACTION_MGY / (alpha_beta_gy * MGY_PER_GY))
    return equal


def equivalent_uniform_dose_mgy(
    bed_mgy: FloatArray, alpha_per_gy: float, *, weights: FloatArray | None = None
) -> float:
    """Uniform BED that lets as many cells survive as the distribution does.

    Parameters
    ----------
    bed_mgy : ndarray [mGy]
        BED of the voxels (of the dose itself: as if acute and without quadratic effect).
    alpha_per_gy : float [1/Gy]
    weights : ndarray, optional
        Cells of each voxel, any scale (volume, mass). Default: alike.

    Returns
    -------
    float [mGy]

    Notes
    -----
    ``EUD = -(1/alpha) ln(sum_i w_i exp(-alpha BED_i) / sum w_i)``.

    References
    ----------
    O'Donoghue, J Nucl Med 40 (1999) 1337; Niemierko, Med Phys 24 (1997) 103
    """
    _check_positive("alpha", alpha_per_gy)
    values, shares = _values_and_shares(bed_mgy, weights)
    scale = alpha_per_gy / MGY_PER_GY
    lowest = float(values.min())
    surviving = float(shares @ np.exp(-scale * (values - lowest)))
    return float(lowest - log(surviving) / scale)


def generalized_eud_mgy(
    dose_mgy: FloatArray, exponent: float, *, weights: FloatArray | None = None
) -> float:
    """Power mean of the dose, ``(sum_i v_i D_i**a)**(1/a)`` [mGy].

    Parameters
    ----------
    dose_mgy : ndarray [mGy]
    exponent : float
        1 the mean; large and positive for serial organs; negative for tumors.
    weights : ndarray, optional
        Volume or mass of each voxel. Default: alike.

    References
    ----------
    Niemierko, Med Phys 26 (1999) 1100
    """
    if exponent == 0 or not isfinite(exponent):
        raise InputError(f"the exponent of gEUD must be finite and not 0, got {exponent}")
    values, shares = _values_and_shares(dose_mgy, weights)
    if float(values.min()) < 0:
        raise InputError("dose must be >= 0 mGy")
    if exponent < 0 and float(values.min()) == 0:
        return 0.0
    top = float(values.max())
    if top == 0:
        return 0.0
    return float(top * float(shares @ (values / top) ** exponent) ** (1.0 / exponent))


def _shares(half_lives: Sequence[float], shares: Sequence[float] | None) -> tuple[float, ...]:
    for value in half_lives:
        _check_positive("repair half-life", value)
    if not half_lives:
        raise InputError("at least one repair half-life is needed")
    given = tuple(shares) if shares is not None else (1.0 / len(half_lives),) * len(half_lives)
    if len(given) != len(half_lives) or min(given) < 0 or abs(sum(given) - 1.0) > 1e-6:
        raise InputError("repair shares must be >= 0, one per half-life, and add to 1")
    return given


def _values_and_shares(
    values_mgy: FloatArray, weights: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    values = np.asarray(values_mgy, dtype=np.float64).ravel()
    share = np.ones_like(values) if weights is None else np.asarray(weights, np.float64).ravel()
    if values.size == 0 or share.shape != values.shape or np.any(share < 0) or share.sum() <= 0:
        raise InputError("a dose distribution needs voxels, and one weight >= 0 for each")
    return values, share / share.sum()


def _check_positive(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise InputError(f"{name} must be > 0, got {value}")

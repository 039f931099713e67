"""Effective dose by ICRP 103: a quantity of a reference person, not of a patient."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from milligray.data.loader import load_csv
from milligray.errors import InputError
from milligray.score.dose import OrganDose

Sex = Literal["male", "female"]
SEXES: tuple[Sex, ...] = ("male", "female")
REMAINDER_WEIGHT = 0.12
ALPHA_WEIGHT = 20.0
"""Radiation weighting factor of alphas and recoils (ICRP 103); 1 for photons and electrons."""
_TABLE = "icrp103/tissue_weights.csv"

CAVEAT = (
    "effective dose is a quantity of radiation protection for a reference person averaged over the"
    " sexes (ICRP 103); it is no measure of the risk of this patient and not meant for therapy"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveDose:
    """Effective dose with all that went into it.

    Parameters
    ----------
    effective_dose_msv : float [mSv]
    coefficient_msv_per_mbq : float [mSv/MBq]
        Per administered activity; NaN if that is not known.
    tissues : dict of str to float [mSv]
        Equivalent dose of each tissue, averaged over the sexes present.
    stood_in : dict of str to str
        Tissues without a dose of their own, and what stood in.
    stood_in_weight : float
        Sum of the weights of those tissues.
    notes : tuple of str
    """

    effective_dose_msv: float
    coefficient_msv_per_mbq: float
    tissues: dict[str, float]
    stood_in: dict[str, str]
    stood_in_weight: float
    notes: tuple[str, ...]


def effective_dose(
    organs: Mapping[Sex, tuple[OrganDose, ...]],
    *,
    administered_activity_mbq: float | None = None,
    stand_ins: Mapping[str, str] | None = None,
    alpha_dose_mgy: Mapping[Sex, Mapping[str, float]] | None = None,
) -> EffectiveDose:
    """Effective dose of organ doses of one or both sexes.

    Parameters
    ----------
    organs : mapping of {"male", "female"} to tuple of OrganDose
        Organ doses of the reference phantoms of both sexes, or of one person: then the doses of
        one sex stand for both, and the result says so.
    administered_activity_mbq : float, optional [MBq]
    stand_ins : mapping of str to str, optional
        For tissues without a dose: the organ whose dose stands in ("gonads": "urinary_bladder").
        ``"*"`` stands for every tissue not named. Nothing is chosen unasked.
    alpha_dose_mgy : mapping, optional
        Part of each organ's dose that is by alphas and recoils [mGy]; it counts 20-fold.

    Returns
    -------
    EffectiveDose

    Raises
    ------
    InputError
        If a tissue has neither a dose nor a stand-in, or a stand-in has no dose.

    Notes
    -----
    ``E = sum_T w_T (H_T,male + H_T,female) / 2``, ``H_T = sum_R w_R D_T,R``; the remainder is the
    arithmetic mean of 13 tissues of each sex.

    References
    ----------
    ICRP Publication 103 (2007), 4.3.5 and table 3
    """
    sexes = [sex for sex in SEXES if organs.get(sex)]
    if not sexes:
        raise InputError("effective dose needs organ doses of a male, a female or both")
    stand_ins = dict(stand_ins or {})
    total, weight_sum, stood_in = 0.0, 0.0, {}
    tissues: dict[str, float] = {}
    for sex in sexes:
        rows = organs[sex]
        alpha = dict((alpha_dose_mgy or {}).get(sex, {}))
        own = [row for row in load_csv(_TABLE) if row["sex"] in ("both", sex)]
        n_remainder = sum(row["weight"] == "remainder" for row in own)
        for row in own:
            is_rest = row["weight"] == "remainder"
            weight = REMAINDER_WEIGHT / n_remainder if is_rest else float(row["weight"])
            tissue = row["tissue"]
            equivalent = _tissue_dose(rows, row["parts"], alpha)
            if equivalent is None:
                name = stand_ins.get(tissue, stand_ins.get("*"))
                equivalent = None if name is None else _tissue_dose(rows, name, alpha)
                if name is None or equivalent is None:
                    raise InputError(_missing(tissue, weight, name))
                stood_in[tissue] = name
                weight_sum += weight / len(sexes)
            total += weight * equivalent / len(sexes)
            tissues[tissue] = tissues.get(tissue, 0.0) + equivalent / _count(tissue, sexes)
    notes = [CAVEAT]
    if len(sexes) == 1:
        notes.append(f"doses of one {sexes[0]} stand for both sexes: not averaged")
    if stood_in:
        told = ", ".join(f"{tissue} by {name}" for tissue, name in stood_in.items())
        notes.append(
            f"{100 * weight_sum:.0f} % of the tissue weight without a dose of its own: {told}"
        )
    return EffectiveDose(
        effective_dose_msv=total,
        coefficient_msv_per_mbq=_per_activity(total, administered_activity_mbq),
        tissues=tissues,
        stood_in=stood_in,
        stood_in_weight=weight_sum,
        notes=tuple(notes),
    )


def tissues_without_dose(rows: tuple[OrganDose, ...], sex: Sex) -> tuple[str, ...]:
    """Tissues of ICRP 103 for which these organs have no dose."""
    return tuple(
        row["tissue"]
        for row in load_csv(_TABLE)
        if row["sex"] in ("both", sex) and _tissue_dose(rows, row["parts"], {}) is None
    )


def _tissue_dose(
    rows: tuple[OrganDose, ...], parts: str, alpha: Mapping[str, float]
) -> float | None:
    """Mass-weighted mean equivalent dose [mSv] of the organs that make up a tissue."""
    energy = mass = 0.0
    for row in rows:
        if not any(_matches(row.organ, part) for part in parts.split(";")):
            continue
        if not (isfinite(row.mean_dose_mgy) and row.mean_dose_mgy >= 0):
            raise InputError(f"{row.organ}: dose must be >= 0 mGy, got {row.mean_dose_mgy}")
        by_alpha = alpha.get(row.organ, 0.0)
        if not 0.0 <= by_alpha <= row.mean_dose_mgy * (1.0 + 1e-6):
            raise InputError(f"{row.organ}: the alphas' part must lie between 0 and the dose")
        energy += row.mass_g * (row.mean_dose_mgy + (ALPHA_WEIGHT - 1.0) * by_alpha)
        mass += row.mass_g
    return energy / mass if mass > 0 else None


def _matches(organ: str, part: str) -> bool:
    return organ.startswith(part[:-1]) if part.endswith("*") else organ == part


def _count(tissue: str, sexes: list[Sex]) -> int:
    """In how many of the sexes present the tissue exists."""
    homes = {row["sex"] for row in load_csv(_TABLE) if row["tissue"] == tissue}
    return sum(bool(homes & {"both", sex}) for sex in sexes)


def _missing(tissue: str, weight: float, stand_in: str | None) -> str:
    if stand_in is not None:
        return f"{stand_in!r} was to stand in for {tissue} but has no dose"
    return (
        f"no dose of {tissue} (weight {weight:.3g}): effective dose needs every tissue of ICRP 103;"
        " give organs that hold it, or name an organ that stands in"
    )


def _per_activity(dose_msv: float, administered_mbq: float | None) -> float:
    if administered_mbq is None:
        return float("nan")
    if not (isfinite(administered_mbq) and administered_mbq > 0):
        raise InputError(f"administered activity must be > 0 MBq, got {administered_mbq}")
    return dose_msv / administered_mbq

"""Organ doses by S-values: the schema of MIRD Pamphlet 21, with mass scaling and spheres."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite, sqrt

import numpy as np

from milligray.errors import InputError
from milligray.score.s_values import SphereSValues, SValueTable
from milligray.typing import FloatArray

PHOTON_MASS_EXPONENT = -2.0 / 3.0
UNUSUAL_MASS_RATIO = 2.0
"""Patient's organ against the phantom's, beyond which mass scaling is noted as rough."""
REMAINDER = "remainder"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirdDose:
    """Dose of one organ or lesion by S-values.

    Parameters
    ----------
    organ : str
    dose_mgy : float [mGy]
    self_dose_mgy : float [mGy]
        By decays in the organ itself.
    contributions_mgy : dict of str to float [mGy]
        By source organ; they add to `dose_mgy`.
    mass_g : float [g]
        The patient's if it was given, else the phantom's.
    statistical_uncertainty : float
        Relative, k = 1, of the S-values alone (sources taken as independent).
    notes : tuple of str
    """

    organ: str
    dose_mgy: float
    self_dose_mgy: float
    contributions_mgy: dict[str, float]
    mass_g: float
    statistical_uncertainty: float
    notes: tuple[str, ...] = ()


def mird_doses(
    tia_mbq_s: Mapping[str, float],
    table: SValueTable,
    *,
    patient_masses_g: Mapping[str, float] | None = None,
    whole_body: str | None = None,
) -> tuple[MirdDose, ...]:
    """Dose of every target organ of a table.

    Parameters
    ----------
    tia_mbq_s : mapping of str to float [MBq s]
        By source organ of the table; "remainder" is what is in no named organ and needs
        `whole_body`.
    table : SValueTable
    patient_masses_g : mapping of str to float [g], optional
        Masses of the patient's organs where known. Self-dose is scaled to them.
    whole_body : str, optional
        Source of the table that is the activity spread over the whole body.

    Returns
    -------
    tuple of MirdDose
        In the order of the table's targets.

    Raises
    ------
    InputError
        If a source is not in the table (near names are offered), a value is negative or not finite,
        or there is a remainder without `whole_body`.

    Notes
    -----
    ``D(target) = sum_source tia(source) S(target <- source)``. Self-dose is scaled by mass:
    charged particles ``(m_phantom / m_patient)``, photons ``(m_phantom / m_patient)**(2/3)``;
    dose from other organs is not scaled. Remainder of the body:
    ``S(t <- rest) = (M_wb S(t <- wb) - sum_j M_j S(t <- j)) / (M_wb - sum_j M_j)`` over the named
    sources ``j``, each kind of radiation by itself.

    References
    ----------
    Bolch et al., MIRD Pamphlet 21, J Nucl Med 50 (2009) 477; Snyder, in MIRD Pamphlet 11 (1975) and
    Goddu et al. on mass scaling; Cloutier et al., J Nucl Med 14 (1973) 53 (remainder)
    """
    named = {name: float(value) for name, value in tia_mbq_s.items() if name != REMAINDER}
    _check_sources(tia_mbq_s, named, table)
    charged = {name: _column(table, table.charged_mgy_per_mbq_s, name) for name in named}
    photon = {name: _column(table, table.photon_mgy_per_mbq_s, name) for name in named}
    sigma = {name: _column(table, table.relative_uncertainty, name) for name in named}
    rest = float(tia_mbq_s.get(REMAINDER, 0.0))
    notes: list[str] = list(table.notes)
    sources = dict(named)
    if rest > 0:
        if whole_body is None or whole_body not in table.sources:
            raise InputError(
                "activity in the remainder of the body needs S-values of the whole body as source"
            )
        for parts, values in (
            (charged, table.charged_mgy_per_mbq_s),
            (photon, table.photon_mgy_per_mbq_s),
        ):
            parts[REMAINDER] = _remainder(table, values, tuple(named), whole_body)
        sigma[REMAINDER] = _column(table, table.relative_uncertainty, whole_body)
        sources[REMAINDER] = rest
    masses = dict(patient_masses_g or {})
    doses = []
    for row, organ in enumerate(table.targets):
        mass = masses.get(organ, table.masses_g[organ])
        if not (isfinite(mass) and mass > 0):
            raise InputError(f"{organ}: mass must be > 0 g, got {mass}")
        ratio = table.masses_g[organ] / mass
        contributions, variance = {}, 0.0
        for name, decays in sources.items():
            by_charged, by_photon = float(charged[name][row]), float(photon[name][row])
            if name == organ:
                by_charged *= ratio
                by_photon *= ratio**-PHOTON_MASS_EXPONENT
            dose = decays * (by_charged + by_photon)
            contributions[name] = dose
            variance += (dose * float(sigma[name][row])) ** 2
        total = sum(contributions.values())
        own = notes + _mass_notes(organ, mass, ratio, masses)
        doses.append(
            MirdDose(
                organ=organ,
                dose_mgy=total,
                self_dose_mgy=contributions.get(organ, 0.0),
                contributions_mgy=contributions,
                mass_g=mass,
                statistical_uncertainty=sqrt(variance) / total if total > 0 else 0.0,
                notes=tuple(own),
            )
        )
    return tuple(doses)


def sphere_dose(name: str, tia_mbq_s: float, mass_g: float, spheres: SphereSValues) -> MirdDose:
    """Self-dose of a lesion taken as a uniform sphere of its mass.

    Parameters
    ----------
    name : str
    tia_mbq_s : float [MBq s]
    mass_g : float [g]
        Mass within the contour of the activity.
    spheres : SphereSValues

    Returns
    -------
    MirdDose
        Dose from activity elsewhere is not in it.

    References
    ----------
    Stabin, Konijnenberg, J Nucl Med 41 (2000) 149
    """
    if not (isfinite(tia_mbq_s) and tia_mbq_s >= 0):
        raise InputError(f"{name}: time-integrated activity must be >= 0 MBq s, got {tia_mbq_s}")
    dose = tia_mbq_s * sum(spheres.at_mass_mgy_per_mbq_s(mass_g))
    return MirdDose(
        organ=name,
        dose_mgy=dose,
        self_dose_mgy=dose,
        contributions_mgy={name: dose},
        mass_g=mass_g,
        statistical_uncertainty=spheres.relative_uncertainty,
        notes=(f"sphere of {spheres.material}, uniform activity, self-dose only",),
    )


def _check_sources(
    given: Mapping[str, float], named: Mapping[str, float], table: SValueTable
) -> None:
    for name, value in given.items():
        if not (isfinite(value) and value >= 0):
            raise InputError(f"{name}: time-integrated activity must be >= 0 MBq s, got {value}")
    for name in named:
        if name not in table.sources:
            near = get_close_matches(name, table.sources, n=3)
            hint = f"; near names: {', '.join(near)}" if near else ""
            raise InputError(f"{table.phantom} has no S-values of the source {name!r}{hint}")


def _column(table: SValueTable, values: FloatArray, source: str) -> FloatArray:
    column: FloatArray = values[:, table.sources.index(source)]
    return column


def _remainder(
    table: SValueTable, values: FloatArray, named: tuple[str, ...], whole_body: str
) -> FloatArray:
    """S-values of the body without the named sources."""
    if whole_body in named:
        raise InputError(f"{whole_body} cannot be a named source beside a remainder")
    whole = table.masses_g[whole_body]
    left = whole - sum(table.masses_g[name] for name in named)
    if left <= 0:
        raise InputError("the named sources weigh more than the whole body")
    total = whole * _column(table, values, whole_body)
    for name in named:
        total = total - table.masses_g[name] * _column(table, values, name)
    # statistics of the difference may leave a little below 0 in a named source
    kept: FloatArray = np.maximum(total / left, 0.0)
    return kept


def _mass_notes(organ: str, mass: float, ratio: float, masses: Mapping[str, float]) -> list[str]:
    if organ not in masses:
        return [f"{organ}: mass of the phantom, {mass:.4g} g; the patient's is not known"]
    if max(ratio, 1.0 / ratio) > UNUSUAL_MASS_RATIO:
        return [
            (
                f"{organ}: {mass:.4g} g against {mass * ratio:.4g} g in the phantom: mass scaling"
                " is rough over such a ratio"
            )
        ]
    return []

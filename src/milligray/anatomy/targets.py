"""Target volumes: reference masses over densities, scaled to the person."""

from dataclasses import dataclass
from functools import lru_cache

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.parameters import AnatomyParameters
from milligray.data.loader import load_csv
from milligray.errors import InputError

TRUNK_POWER, HEAD_POWER = 2.2, 0.6
"""Volumes grow with height as the frame does: ``h`` along z, ``h ** 0.6`` across (0.2 each)."""
HEAD_GROUP = "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Volume wanted [mL], and the share of it that is core (content, spongiosa); None: by depth."""

    volume_ml: float
    core_share: float | None


def target_of(structure: Structure, parameters: AnatomyParameters) -> Target | None:
    """What a structure shall measure in this person; None if its shapes alone say.

    Notes
    -----
    ``V = organ_scale * sum over parts (m_ref / rho) * (height / height_ref) ** power`` with the
    power of the head or of the trunk. Lungs: mass over the inflation asked for.
    """
    reference = reference_of(structure, parameters)
    if reference is None:
        return None
    power = HEAD_POWER if structure.group == HEAD_GROUP else TRUNK_POWER
    scale = parameters.scale_of(structure.name) * parameters.height_ratio**power
    return Target(volume_ml=reference.volume_ml * scale, core_share=reference.core_share)


def reference_of(structure: Structure, parameters: AnatomyParameters) -> Target | None:
    """The same for the reference adult of this sex, with this lung density."""
    is_male = parameters.sex == "male"
    if structure.volume_ml is not None:
        return Target(
            volume_ml=structure.volume_ml[0 if is_male else 1], core_share=structure.content
        )
    if structure.site is not None:
        name, share = structure.site
        row = _sites()[name]
        cortical = float(row[f"{parameters.sex}_cortical_g"]) / tissue_density("cortical_bone")
        spongy = float(row[f"{parameters.sex}_spongiosa_g"]) / tissue_density("spongiosa")
        marrow = float(row[f"{parameters.sex}_medullary_g"]) / tissue_density("marrow")
        total = cortical + spongy + marrow
        return Target(volume_ml=share * total, core_share=1.0 - cortical / total)
    if not structure.mass:
        return None
    parts = _parts(structure.mass, parameters)
    if structure.tissue == "lung":
        return Target(volume_ml=parts["whole"] / parameters.lung_density_g_cm3, core_share=None)
    if "whole" in parts:
        return Target(
            volume_ml=parts["whole"] / tissue_density(structure.tissue),
            core_share=structure.content,
        )
    wall = parts["wall"] / tissue_density(structure.tissue)
    inner = parts.get("content", parts.get("blood", 0.0)) / tissue_density(structure.core)
    return Target(volume_ml=wall + inner, core_share=inner / (wall + inner))


@lru_cache(maxsize=1)
def tissue_rows() -> dict[str, dict[str, str]]:
    """Rows of the tissue table by name, in the order of their codes."""
    return {row["name"]: row for row in load_csv("anatomy/tissues.csv")}


def tissue_density(name: str) -> float:
    """Nominal density of a tissue [g/cm3]."""
    if name not in tissue_rows():
        raise InputError(f"no tissue {name!r} in anatomy/tissues.csv")
    return float(tissue_rows()[name]["density_g_cm3"])


def reference_mass_g(name: str, part: str, parameters: AnatomyParameters) -> float:
    """One reference mass [g]."""
    return _parts(name, parameters)[part]


@lru_cache(maxsize=1)
def _sites() -> dict[str, dict[str, str]]:
    return {row["site"]: row for row in load_csv("anatomy/skeleton_sites.csv")}


def _parts(name: str, parameters: AnatomyParameters) -> dict[str, float]:
    """Parts of a row: ICRP 89 where it has the mass and is asked for, else ICRP 145."""
    rows = [r for r in load_csv("anatomy/reference_masses.csv") if r["structure"] == name]
    columns = [f"{parameters.sex}_g", f"{parameters.sex}_icrp145_g"]
    if parameters.masses == "icrp145":
        columns.reverse()
    found = {}
    for row in rows:
        value = row[columns[0]] or row[columns[1]]
        if value:
            found[row["part"]] = float(value)
    if not found:
        raise InputError(f"no reference mass of {name!r} for {parameters.sex}")
    return found

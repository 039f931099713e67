"""Target volumes: reference masses over densities, scaled to the person."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.parameters import AnatomyParameters
from milligray.data.loader import load_csv
from milligray.errors import InputError

TRUNK_POWER, HEAD_POWER = 2.2, 0.6
"""Volumes grow with height as the frame does: ``h`` along z, ``h ** 0.6`` across (0.2 each)."""
HEAD_GROUP = "head"
_BONE_PARTS = {"cortical": "cortical_bone", "spongiosa": "spongiosa", "medullary": "marrow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Volume wanted [mL], and the share of it that is core (content, spongiosa); None: by depth.

    `gas_share` is the share of the volume that is gas, part of the core.
    """

    volume_ml: float
    core_share: float | None
    gas_share: float = 0.0


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
    return replace(reference, volume_ml=reference.volume_ml * scale)


def reference_of(structure: Structure, parameters: AnatomyParameters) -> Target | None:
    """The same for the reference adult of this sex, with this lung density."""
    is_male = parameters.sex == "male"
    if structure.volume_ml is not None:
        return Target(
            volume_ml=structure.volume_ml[0 if is_male else 1], core_share=structure.content
        )
    if structure.site is not None:
        cortical, total = 0.0, 0.0
        for name, share in structure.site:
            for part, tissue in _BONE_PARTS.items():
                grams = share * float(_sites()[name][f"{parameters.sex}_{part}_g"])
                total += grams / tissue_density(tissue)
                cortical += grams / tissue_density(tissue) if part == "cortical" else 0.0
        return Target(volume_ml=total, core_share=1.0 - cortical / total)
    if not structure.mass:
        return None
    parts = _sum_of_parts(structure.mass, parameters)
    if structure.tissue == "lung":
        return Target(volume_ml=parts["whole"] / parameters.lung_density_g_cm3, core_share=None)
    if "whole" in parts:
        return Target(
            volume_ml=parts["whole"] / tissue_density(structure.tissue),
            core_share=structure.content,
        )
    wall = parts["wall"] / tissue_density(structure.tissue)
    inner = parts.get("content", parts.get("blood", 0.0)) / tissue_density(structure.core)
    gas = structure.gas_ml[0 if is_male else 1] if structure.gas_ml else 0.0
    total = wall + inner + gas
    return Target(volume_ml=total, core_share=(inner + gas) / total, gas_share=gas / total)


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


def _sum_of_parts(masses: str, parameters: AnatomyParameters) -> dict[str, float]:
    """Parts of a row, or of a sum of rows with factors: ``colon - 0.45 rectosigmoid``.

    ``heart/wall`` is one part of a row, for a structure that is only this part.
    """
    total: dict[str, float] = {}
    for sign, factor, name, only in re.findall(r"([+-]?) *([0-9.]+ +)?(\w+)(?:/(\w+))?", masses):
        weight = float(factor or 1.0) * (-1.0 if sign == "-" else 1.0)
        parts = _parts(name, parameters)
        for part, grams in ({"whole": parts[only]} if only else parts).items():
            total[part] = total.get(part, 0.0) + weight * grams
    return total


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

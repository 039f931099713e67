"""The organ catalog: canonical names, SNOMED codes, ICRP 89 reference masses."""

import re
from dataclasses import dataclass
from functools import lru_cache

from milligray.data.loader import load_csv

_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right", "lt": "left", "rt": "right"}
SNOMED_SIDE = {"left": "7771000", "right": "24028007"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Organ:
    """One row of the catalog.

    Parameters
    ----------
    name : str
        Noun first, side last, as TotalSegmentator names it.
    snomed_code, snomed_meaning : str or None
        SNOMED CT code of the structure without its side; None if not verified.
    snomed_side_code : str or None
        SNOMED CT laterality for organs whose name ends with a side.
    reference_mass_male_g, reference_mass_female_g : float or None [g]
        ICRP 89 adult, of this side, with contents for hollow organs; None if not known.
    density_g_cm3 : float or None [g/cm3]
        None where a mass does not tell the volume (lungs, bowel).
    """

    name: str
    snomed_code: str | None
    snomed_meaning: str | None
    snomed_side_code: str | None
    reference_mass_male_g: float | None
    reference_mass_female_g: float | None
    density_g_cm3: float | None


@lru_cache(maxsize=1)
def organ_catalog() -> dict[str, Organ]:
    """All organs of the catalog by canonical name."""
    return {
        row["name"]: Organ(
            name=row["name"],
            snomed_code=row["snomed_code"] or None,
            snomed_meaning=row["snomed_meaning"] or None,
            snomed_side_code=SNOMED_SIDE.get(_last_side(row["name"])),
            reference_mass_male_g=_number(row["reference_mass_male_g"]),
            reference_mass_female_g=_number(row["reference_mass_female_g"]),
            density_g_cm3=_number(row["density_g_cm3"]),
        )
        for row in load_csv("organs/catalog.csv")
    }


def canonical_name(name: str) -> str:
    """Catalog name of an organ, or the name as given if the catalog does not know it.

    Parameters
    ----------
    name : str
        In any spelling of case, spaces, hyphens and camel case, side first or last.

    Returns
    -------
    str

    Examples
    --------
    >>> canonical_name("RightParotid")
    'parotid_gland_right'
    >>> canonical_name("Lt. Kidney")
    'kidney_left'
    >>> canonical_name("PTV70")
    'PTV70'
    """
    if name in organ_catalog():
        return name
    known = _synonyms()
    words = _words(name)
    for form in (words, _side_last(words)):
        found = known.get("_".join(form))
        if found is not None:
            return found
    return name


def reference_volume_ml(name: str) -> float | None:
    """ICRP 89 mass over density, mean of man and woman where both are known [mL].

    Parameters
    ----------
    name : str
        Canonical or not.

    Returns
    -------
    float or None
        None if the catalog has no mass for it, or the mass does not tell the volume.

    Examples
    --------
    >>> round(reference_volume_ml("liver"))
    1524
    """
    organ = organ_catalog().get(canonical_name(name))
    if organ is None or organ.density_g_cm3 is None:
        return None
    masses = [
        m for m in (organ.reference_mass_male_g, organ.reference_mass_female_g) if m is not None
    ]
    return sum(masses) / len(masses) / organ.density_g_cm3 if masses else None


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, str]:
    known: dict[str, str] = {}
    for row in load_csv("organs/catalog.csv"):
        for spelling in (row["name"], *filter(None, row["synonyms"].split(";"))):
            known["_".join(_words(spelling))] = row["name"]
            known.setdefault("_".join(_side_last(_words(spelling))), row["name"])
    return known


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z]{2})(?=[A-Z])", " ", name)
    return [w for w in re.split(r"[^a-z0-9]+", spaced.lower()) if w]


def _side_last(words: list[str]) -> list[str]:
    sides = [w for w in words if w in _SIDES]
    if len(sides) != 1:
        return words
    return [w for w in words if w not in _SIDES] + [_SIDES[sides[0]]]


def _last_side(name: str) -> str:
    sides = [w for w in _words(name) if w in SNOMED_SIDE]
    return sides[-1] if sides else ""


def _number(text: str) -> float | None:
    return float(text) if text else None

"""Spellings of radionuclides: by symbol, by name, by DICOM code and meaning."""

import re
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise

from milligray.data.loader import load_csv
from milligray.errors import InputError
from milligray.source.elements import element_symbol
from milligray.source.emission_data import nuclide_names

_CODES = "radionuclides/dicom_codes.csv"
_ELEMENT_FIRST = re.compile(r"\[?([A-Z]+)[\s\-_]*\^?(\d{1,3})([mn]?)\^?\]?", re.IGNORECASE)
_MASS_FIRST = re.compile(r"\[?\^?(\d{1,3})([mn]?)\^?\]?[\s\-_]*([A-Z]+)\]?", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9^\-]+")
_NEAR = 4


def canonical_name(text: str) -> str:
    """Name of a radionuclide as ICRP 107 spells it.

    Parameters
    ----------
    text : str
        "F-18", "F18", "18F", "[18F]", "fluorine-18", "^18^Fluorine", "F^18^", "Tc 99m".

    Returns
    -------
    str

    Raises
    ------
    InputError
        If it is none; the message offers near names.

    Examples
    --------
    >>> from milligray.source.nuclide_names import canonical_name
    >>> [canonical_name(text) for text in ("18F", "^99m^Technetium", "lutetium-177", "Y 90")]
    ['F-18', 'Tc-99m', 'Lu-177', 'Y-90']
    """
    found = _spelled(text.strip())
    if found is None:
        raise InputError(f"unknown nuclide {text!r}{_near(text)}")
    return found


def nuclide_of_code(code_value: str, scheme: str | None = None) -> str:
    """Name of a radionuclide by its DICOM code.

    Parameters
    ----------
    code_value : str
        E.g. "C-111A1" (SNOMED-RT style) or "77004003" (SNOMED CT).
    scheme : str, optional
        Coding scheme; "SRT", "SNM3" and "99SDM" are one, "SCT" the other. Default: any.

    Raises
    ------
    InputError
        If no radionuclide of DICOM CID 18 or 4020 has this code, or ICRP 107 has no data for it.

    Examples
    --------
    >>> from milligray.source.nuclide_names import nuclide_of_code
    >>> nuclide_of_code("C-111A1", "SRT"), nuclide_of_code("77004003", "SCT")
    ('F-18', 'F-18')
    """
    wanted = {"SNM3": "SRT", "99SDM": "SRT"}.get(scheme or "", scheme)
    for row in load_csv(_CODES):
        if row["code_value"] == code_value.strip() and wanted in (None, "", row["scheme"]):
            return canonical_name(row["meaning"])
    raise InputError(f"code {code_value!r} ({scheme or 'any scheme'}) is no radionuclide of DICOM")


def nuclide_in_text(text: str) -> str | None:
    """The one radionuclide named in free text such as the name of a radiopharmaceutical.

    Parameters
    ----------
    text : str
        "Fluorodeoxyglucose F^18^", "FDG -- fluorodeoxyglucose F-18", "177Lu-DOTATATE".

    Returns
    -------
    str or None
        None if it names none.

    Raises
    ------
    InputError
        If it names several.

    Examples
    --------
    >>> from milligray.source.nuclide_names import nuclide_in_text
    >>> nuclide_in_text("Fluorodeoxyglucose F^18^"), nuclide_in_text("99mTc-MDP")
    ('F-18', 'Tc-99m')
    """
    found = set()
    plain = re.sub(r"[()]", "", re.sub(r"[\[\]]", " ", text))
    words = _WORD.findall(plain)
    for word, following in zip(words, [*words[1:], ""], strict=True):
        parts = word.split("-")
        pairs = [f"{first}-{second}" for first, second in pairwise(parts)]
        for candidate in (word, *parts, *pairs, f"{word} {following}"):
            name = _spelled(candidate)
            if name is not None:
                found.add(name)
    if len(found) > 1:
        raise InputError(f"{text!r} names several nuclides ({', '.join(sorted(found))}): give one")
    return found.pop() if found else None


def _spelled(text: str) -> str | None:
    """Name in ICRP 107 of exactly this spelling, or None."""
    match = _ELEMENT_FIRST.fullmatch(text)
    if match:
        element, mass, isomer = match.groups()
        readings = [(isomer, element)]
    else:
        match = _MASS_FIRST.fullmatch(text)
        if not match:
            return None
        mass, isomer, element = match.groups()
        # 99mTc is an isomer, 99Mo and 22Na are not: the letter may belong to the element
        readings = [(isomer, element), (None, (isomer or "") + element)]
    for isomer, element in readings:
        symbol = element_symbol(element)
        name = f"{symbol}-{int(mass)}{(isomer or '').lower()}"
        if symbol is not None and name in _known_names():
            return name
    return None


@lru_cache(maxsize=1)
def _known_names() -> frozenset[str]:
    return frozenset(nuclide_names())


def _near(text: str) -> str:
    element = re.sub(r"[^A-Za-z]", "", text)
    symbol = element_symbol(element) or element_symbol(element.rstrip("mM"))
    near = get_close_matches(text.strip(), nuclide_names(), n=_NEAR, cutoff=0.5)
    mass = re.sub(r"\D", "", text)
    if symbol is not None:
        own = [name for name in nuclide_names() if name.startswith(f"{symbol}-")]
        target = int(mass) if mass else 0
        own.sort(key=lambda name: abs(int(re.sub(r"\D", "", name)) - target))
        near = own[:_NEAR] or near
    return f"; near names: {', '.join(near)}" if near else "; give it like F-18 or Tc-99m"

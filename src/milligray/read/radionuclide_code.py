"""Which nuclide a DICOM code names: "F-18" from "^18^Fluorine", "18F", C-111A1 or 77004003."""

import re

from milligray.read.dicom_tags import Tags

_SYMBOLS = {
    "hydrogen": "H", "carbon": "C", "nitrogen": "N", "oxygen": "O", "fluorine": "F",
    "sodium": "Na", "phosphorus": "P", "potassium": "K", "calcium": "Ca", "scandium": "Sc",
    "titanium": "Ti", "chromium": "Cr", "manganese": "Mn", "iron": "Fe", "cobalt": "Co",
    "copper": "Cu", "zinc": "Zn", "gallium": "Ga", "germanium": "Ge", "arsenic": "As",
    "selenium": "Se", "bromine": "Br", "krypton": "Kr", "rubidium": "Rb", "strontium": "Sr",
    "yttrium": "Y", "zirconium": "Zr", "niobium": "Nb", "technetium": "Tc", "ruthenium": "Ru",
    "rhodium": "Rh", "palladium": "Pd", "silver": "Ag", "indium": "In", "tin": "Sn",
    "iodine": "I", "xenon": "Xe", "caesium": "Cs", "cesium": "Cs", "barium": "Ba",
    "lanthanum": "La", "cerium": "Ce", "samarium": "Sm", "gadolinium": "Gd", "terbium": "Tb",
    "dysprosium": "Dy", "holmium": "Ho", "erbium": "Er", "thulium": "Tm", "ytterbium": "Yb",
    "lutetium": "Lu", "tantalum": "Ta", "rhenium": "Re", "iridium": "Ir", "gold": "Au",
    "mercury": "Hg", "thallium": "Tl", "lead": "Pb", "bismuth": "Bi", "astatine": "At",
    "radium": "Ra", "actinium": "Ac", "thorium": "Th", "uranium": "U", "americium": "Am",
}  # fmt: skip
_BY_LETTERS = {symbol.lower(): symbol for symbol in _SYMBOLS.values()} | _SYMBOLS
_MASS_FIRST = re.compile(r"(\d{1,3})(m\d?)?[-\s]?([A-Za-z]{1,12})")
_NAME_FIRST = re.compile(r"([A-Za-z]{1,12})[-\s]?(\d{1,3})(m\d?)?")


def nuclide_of_text(text: str) -> str | None:
    """Nuclide that a text names and nothing else, as ``"Tc-99m"``; None if it names none.

    Examples
    --------
    >>> [nuclide_of_text(t) for t in ("^18^Fluorine", "99m Technetium", "Lu177", "F^18^", "FDG")]
    ['F-18', 'Tc-99m', 'Lu-177', 'F-18', None]
    """
    plain = " ".join(text.replace("^", " ").replace("[", " ").replace("]", " ").split())
    for pattern, order in ((_MASS_FIRST, (3, 1, 2)), (_NAME_FIRST, (1, 2, 3))):
        match = pattern.fullmatch(plain)
        if match is not None:
            name, mass, metastable = (match[index] or "" for index in order)
            symbol = _BY_LETTERS.get(name.lower())
            if symbol is not None:
                return f"{symbol}-{int(mass)}{metastable.lower()}"
    return None


def nuclide_of_code(item: Tags) -> str | None:
    """Nuclide of one item of a code sequence, by its meaning, else by its value.

    Notes
    -----
    Meanings are read first because vendors put private schemes around them; values are looked up
    in the context groups 18 and 4020 of DICOM as pydicom lists them.
    """
    named = nuclide_of_text(item.text("CodeMeaning"))
    if named is not None:
        return named
    value = item.text("CodeValue") or item.text("LongCodeValue")
    meaning = _listed_meanings().get(value) if value else None
    return None if meaning is None else nuclide_of_text(meaning)


def _listed_meanings() -> dict[str, str]:
    from pydicom.sr._snomed_dict import mapping  # noqa: PLC0415 - slow
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - slow

    meanings: dict[str, str] = {}
    for group in (codes.cid18, codes.cid4020):
        for name in group.dir():
            code = getattr(group, name)
            meanings[str(code.value)] = str(code.meaning)
    for old, new in mapping.get("SRT", {}).items():
        if new in meanings:
            meanings[old] = meanings[new]
    return meanings

"""Names and symbols of the chemical elements."""

from functools import lru_cache

from milligray.errors import InputError

_TABLE = (
    "H hydrogen He helium Li lithium Be beryllium B boron C carbon N nitrogen O oxygen F fluorine"
    " Ne neon Na sodium Mg magnesium Al aluminum Si silicon P phosphorus S sulfur Cl chlorine"
    " Ar argon K potassium Ca calcium Sc scandium Ti titanium V vanadium Cr chromium Mn manganese"
    " Fe iron Co cobalt Ni nickel Cu copper Zn zinc Ga gallium Ge germanium As arsenic Se selenium"
    " Br bromine Kr krypton Rb rubidium Sr strontium Y yttrium Zr zirconium Nb niobium"
    " Mo molybdenum Tc technetium Ru ruthenium Rh rhodium Pd palladium Ag silver Cd cadmium"
    " In indium Sn tin Sb antimony Te tellurium I iodine Xe xenon Cs cesium Ba barium La lanthanum"
    " Ce cerium Pr praseodymium Nd neodymium Pm promethium Sm samarium Eu europium Gd gadolinium"
    " Tb terbium Dy dysprosium Ho holmium Er erbium Tm thulium Yb ytterbium Lu lutetium Hf hafnium"
    " Ta tantalum W tungsten Re rhenium Os osmium Ir iridium Pt platinum Au gold Hg mercury"
    " Tl thallium Pb lead Bi bismuth Po polonium At astatine Rn radon Fr francium Ra radium"
    " Ac actinium Th thorium Pa protactinium U uranium Np neptunium Pu plutonium Am americium"
    " Cm curium Bk berkelium Cf californium Es einsteinium Fm fermium"
)
_OTHER_SPELLINGS = {
    "aluminium": "Al",
    "sulphur": "S",
    "caesium": "Cs",
    "lutecium": "Lu",
    "wolfram": "W",
}


@lru_cache(maxsize=1)
def _numbers() -> dict[str, int]:
    return {symbol: z for z, symbol in enumerate(_TABLE.split()[::2], start=1)}


@lru_cache(maxsize=1)
def _symbols() -> dict[str, str]:
    """Symbol by lower-case name or symbol."""
    symbols, names = _TABLE.split()[::2], _TABLE.split()[1::2]
    by_symbol = {symbol.lower(): symbol for symbol in symbols}
    return {**dict(zip(names, symbols, strict=True)), **_OTHER_SPELLINGS, **by_symbol}


def atomic_number(symbol: str) -> int:
    """Atomic number of an element by its symbol ("Cu" is 29)."""
    if symbol not in _numbers():
        raise InputError(f"{symbol!r} is no symbol of an element up to fermium")
    return _numbers()[symbol]


def element_symbol(text: str) -> str | None:
    """Symbol of an element given by name or symbol in any case; None if it is none.

    Examples
    --------
    >>> from milligray.source.elements import element_symbol
    >>> element_symbol("Fluorine"), element_symbol("TC"), element_symbol("mab")
    ('F', 'Tc', None)
    """
    return _symbols().get(text.lower())

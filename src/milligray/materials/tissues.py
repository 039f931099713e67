"""Named materials: water, air, plastics and the ICRU-44 tissues."""

from milligray.data.loader import load_csv
from milligray.errors import InputError
from milligray.materials.material import Material

_TABLE = "tissues/materials.csv"
_NOT_ELEMENTS = ("name", "title", "density_g_cm3")


def material_names() -> tuple[str, ...]:
    """Names that :func:`load_material` knows, in the order of the table."""
    return tuple(row["name"] for row in load_csv(_TABLE))


def load_material(name: str) -> Material:
    """Material by name, with the composition and density that NIST lists.

    Parameters
    ----------
    name : str
        One of :func:`material_names`, e.g. ``"water"``, ``"pmma"``, ``"muscle"``.

    Returns
    -------
    Material

    Raises
    ------
    InputError
        If the name is not in the table.

    References
    ----------
    NISTIR 5632, tables 1 and 2 (tissues: ICRU Report 44); ``data/tissues/SOURCE.md``.

    Examples
    --------
    >>> load_material("water").reference_density_g_cm3
    1.0
    """
    for row in load_csv(_TABLE):
        if row["name"] == name:
            return Material(
                name=name,
                mass_fractions={
                    element: float(text)
                    for element, text in row.items()
                    if element not in _NOT_ELEMENTS and float(text) > 0
                },
                reference_density_g_cm3=float(row["density_g_cm3"]),
            )
    raise InputError(f"no material named {name!r}; known: {', '.join(material_names())}")

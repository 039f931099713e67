"""Spellings of nuclides, as people and equipment write them."""

import pytest

from milligray.data.loader import load_csv
from milligray.errors import InputError
from milligray.source.elements import atomic_number, element_symbol
from milligray.source.nuclide_names import canonical_name, nuclide_in_text, nuclide_of_code

SPELLINGS = {
    "F-18": ("F-18", "F18", "f18", "18F", "[18F]", "F 18", "fluorine-18", "^18^Fluorine", "F^18^"),
    "Tc-99m": ("Tc-99m", "TC-99M", "Tc99m", "99mTc", "99MTC", "^99m^Technetium", "Technetium-99m"),
    "Mo-99": ("99Mo", "Mo99", "molybdenum-99"),
    "Na-22": ("22Na", "^22^Sodium"),
    "N-13": ("13N", "^13^Nitrogen"),
    "Cs-137": ("caesium-137", "Cesium 137"),
    "Lu-177m": ("177mLu", "Lu177m"),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_of_one_nuclide(name):
    assert {canonical_name(text) for text in SPELLINGS[name]} == {name}


@pytest.mark.parametrize(
    ("text", "near"), [("F-19", "F-18"), ("Lu-178x", "Lu-17"), ("Co-57m", "Co-57"), ("foo", "F-18")]
)
def test_unknown_nuclide_is_refused_with_near_names(text, near):
    with pytest.raises(InputError, match=f"unknown nuclide '{text}'.*{near}"):
        canonical_name(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Fluorodeoxyglucose F^18^", "F-18"),
        ("FDG -- fluorodeoxyglucose F-18", "F-18"),
        ("[18F]FDG", "F-18"),
        ("18F-PSMA-1007", "F-18"),
        ("177Lu-DOTATATE", "Lu-177"),
        ("[177Lu]Lu-PSMA-617", "Lu-177"),
        ("Iobenguane I^131^", "I-131"),
        ("99mTc MIBI", "Tc-99m"),
        ("Indium 111 pentetreotide", "In-111"),
        ("Technetium Tc 99m sestamibi", "Tc-99m"),
        ("Tc-99m-MAA", "Tc-99m"),
        ("(18)F-FDG", "F-18"),
        ("Lutetium (177Lu) oxodotreotide", "Lu-177"),
        ("^82^Rubidium chloride", "Rb-82"),
        ("Ga-68-PSMA-11", "Ga-68"),
        ("C-11-PK-11195", "C-11"),
        ("I-131 MIBG 3.7 GBq", "I-131"),
        ("F18-FDG 60 min p.i.", "F-18"),
        ("FDG", None),
        ("Solution", None),
        ("PSMA-11", None),
    ],
)
def test_nuclide_within_the_name_of_an_agent(text, name):
    assert nuclide_in_text(text) == name


def test_two_nuclides_in_one_text_are_refused():
    with pytest.raises(InputError, match="several"):
        nuclide_in_text("Mo-99 Tc-99m generator")


def test_codes_of_the_standard():
    """C-111A1 is PS3.16's SNOMED-RT value of F-18; 77004003 its SNOMED CT one."""
    assert nuclide_of_code("C-111A1", "SRT") == "F-18"
    assert nuclide_of_code("C-111A1", "99SDM") == "F-18"
    assert nuclide_of_code("77004003", "SCT") == "F-18"
    assert nuclide_of_code("72454006") == "Tc-99m"
    with pytest.raises(InputError, match="no radionuclide"):
        nuclide_of_code("C-111A1", "SCT")


def test_every_code_of_the_table_names_a_nuclide_of_icrp_107():
    for row in load_csv("radionuclides/dicom_codes.csv"):
        name = nuclide_of_code(row["code_value"], row["scheme"])
        mass = row["meaning"].split("^")[1]
        assert name.endswith(f"-{mass}")


def test_elements():
    assert [atomic_number(symbol) for symbol in ("H", "F", "Cu", "Tc", "Lu", "Ra", "Fm")] == [
        1, 9, 29, 43, 71, 88, 100,
    ]  # fmt: skip
    assert element_symbol("tungsten") == "W"
    with pytest.raises(InputError, match="no symbol"):
        atomic_number("Xx")

import pytest
import xraylib

from milligray.data.loader import load_json
from milligray.errors import InputError
from milligray.materials.tissues import load_material, material_names


@pytest.mark.parametrize("name", material_names())
def test_fractions_sum_to_one_as_printed(name):
    assert sum(load_material(name).mass_fractions.values()) == pytest.approx(1.0, abs=1e-12)


def test_tissues_are_those_of_the_nist_table():
    for name, row in load_json("nist/materials.json").items():
        material = load_material(name)
        assert material.reference_density_g_cm3 == row["density_g_cm3"]
        total = sum(row["mass_fractions"].values())
        assert total == pytest.approx(1.0, abs=2e-3)
        for element, fraction in row["mass_fractions"].items():
            assert material.mass_fractions[element] == pytest.approx(fraction / total, abs=1e-9)


def test_plastics_agree_with_the_nist_list_in_xraylib():
    for ours, theirs in (
        ("water", "Water, Liquid"),
        ("air", "Air, Dry (near sea level)"),
        ("pmma", "Polymethyl Methacralate (Lucite, Perspex)"),
        ("teflon", "Polytetrafluoroethylene (Teflon)"),
    ):
        nist = xraylib.GetCompoundDataNISTByName(theirs)
        fractions = load_material(ours).mass_fractions
        for z, w in zip(nist["Elements"], nist["massFractions"], strict=True):
            assert fractions[xraylib.AtomicNumberToSymbol(z)] == pytest.approx(w, abs=1e-5)


def test_unknown_material_names_the_known_ones():
    with pytest.raises(InputError, match="water"):
        load_material("unobtainium")

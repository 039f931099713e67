import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from milligray.data.loader import data_path, load_csv, load_toml
from milligray.errors import FormatError, InputError
from milligray.source.scanner_library import (
    bowtie_name,
    list_scanners,
    load_scanner,
    match_scanner,
    scanner_from_toml,
)
from milligray.source.tube import make_spectrum

MODELS = [
    ("SIEMENS", "Biograph40_mCT 4R", "siemens-definition"),
    ("SIEMENS", "SOMATOM Definition Flash", "siemens-definition"),
    ("SIEMENS", "SOMATOM Definition AS+", "siemens-definition"),
    ("Siemens Healthineers", "Biograph128_Vision 600", "siemens-definition"),
    ("SIEMENS", "SOMATOM Force", "siemens-force"),
    ("SIEMENS", "Biograph 64-4R TruePoint", "siemens-sensation"),
    ("SIEMENS", "Sensation 64", "siemens-sensation"),
    ("SIEMENS", "Emotion 16", "siemens-emotion"),
    ("SIEMENS", "SOMATOM Perspective", "siemens-emotion"),
    ("SIEMENS", "Symbia T6", "siemens-emotion"),
    ("GE MEDICAL SYSTEMS", "Optima CT660", "ge-optima-ct660"),
    ("GE MEDICAL SYSTEMS", "LightSpeed VCT", "ge-optima-ct660"),
    ("GE MEDICAL SYSTEMS", "Discovery ST", "ge-optima-ct660"),
    ("GE MEDICAL SYSTEMS", "Discovery CT750 HD", "ge-optima-ct660"),
    ("ge medical systems", "lightspeed ultra", "ge-optima-ct660"),
    ("GE MEDICAL SYSTEMS", "Revolution EVO", "ge-optima-ct660"),
    ("GE MEDICAL SYSTEMS", "Revolution CT", "ge-revolution-ct"),
    ("GE MEDICAL SYSTEMS", "RHAPSODE", "ge-revolution-ct"),
    ("Philips", "Brilliance 16P", "philips-brilliance"),
    ("Philips", "iCT 256", "philips-brilliance"),
    ("Philips", "Ingenuity CT", "philips-brilliance"),
    ("Philips Medical Systems", "GEMINI TF TOF 64", "philips-brilliance"),
    ("Philips", "Brilliance Big Bore", "philips-brilliance-big-bore"),
    ("TOSHIBA", "Aquilion PRIME", "canon-aquilion"),
    ("Canon Medical Systems", "Aquilion ONE", "canon-aquilion"),
    ("", "Aquilion ONE", "canon-aquilion"),
    ("SIEMENS", "Aquilion ONE", "generic"),
    ("NeuroLogica", "CereTom", "generic"),
    ("", "", "generic"),
]


@pytest.mark.parametrize(("manufacturer", "model", "expected"), MODELS)
def test_model_is_matched(manufacturer, model, expected):
    scanner = match_scanner(manufacturer, model)
    assert scanner.name == expected
    assert scanner.is_generic == (expected == "generic")


@pytest.mark.parametrize(("manufacturer", "model", "expected"), MODELS)
def test_at_most_one_class_matches(manufacturer, model, expected):
    def hits(patterns, text):
        return any(re.search(p, text, re.IGNORECASE) for p in patterns)

    tables = {name: load_toml(f"scanners/{name}.toml") for name in list_scanners()}
    found = [
        name
        for name, table in tables.items()
        if hits(table["model_patterns"], model)
        and (not manufacturer or hits(table["manufacturer_patterns"], manufacturer))
    ]
    assert found == ([] if expected == "generic" else [expected])


@pytest.mark.parametrize("name", list_scanners())
def test_class_is_complete_and_sourced(name):
    scanner = load_scanner(name)
    assert scanner.name == name
    assert {"head", "body"} <= set(scanner.bowties)
    assert 500 < scanner.focal_radius_mm < 700
    assert 0.02 <= scanner.model_relative_uncertainty <= 0.15
    table = load_toml(f"scanners/{name}.toml")
    figures = ("focal_radius", "fan_fov", "anode_angle", "over_beaming", "uncertainty")
    assert all(len(table["source"][figure]) > 10 for figure in figures)
    for bowtie in table["bowtie"]:
        assert len(bowtie["source"]) > 10
        assert len(bowtie["half_value_layer_source"]) > 10
        if bowtie["origin"] == "constructed":
            assert "constructed, not measured" in bowtie["source"]
    assert len(scanner.sources) == len(figures) + 2 * len(scanner.bowties)


@pytest.mark.parametrize("name", list_scanners())
def test_class_is_physical(name):
    scanner = load_scanner(name)
    for bowtie in scanner.bowties.values():
        half_fan = np.arcsin(scanner.fan_fov_mm / 2 / scanner.focal_radius_mm)
        assert bowtie.fan_angle_rad[-1] >= half_fan
        assert np.all(np.diff(bowtie.thickness_mm) >= -1e-9)
        assert 10 < bowtie.thickness_mm[-1] < 45
        layers = [scanner.half_value_layer_at(bowtie.name, kv) for kv in range(60, 151, 5)]
        assert np.all(np.diff(layers) > 0)
        assert 6.5 < scanner.half_value_layer_at(bowtie.name, 120) < 8.7
    head, body = scanner.bowties["head"], scanner.bowties["body"]
    assert np.interp(0.2, head.fan_angle_rad, head.thickness_mm) > np.interp(
        0.2, body.fan_angle_rad, body.thickness_mm
    )


def test_half_value_layers_are_those_of_the_tube_model():
    scanner = load_scanner("siemens-definition")
    hvl = scanner.half_value_layer_at("body", 120)
    spectrum = make_spectrum(
        120, half_value_layer_mm_al=hvl, anode_angle_deg=scanner.anode_angle_deg
    )
    (table,) = (
        b for b in load_toml(f"scanners/{scanner.name}.toml")["bowtie"] if b["name"] == "body"
    )
    assert f"{table['filtration_mm_al']:.1f}" in spectrum.name


def test_half_value_layer_between_and_outside_the_table():
    scanner = load_scanner("generic")
    low, high = (scanner.half_value_layer_at("head", kv) for kv in (110, 120))
    assert scanner.half_value_layer_at("head", 115) == pytest.approx(0.5 * (low + high))
    for bowtie, kv in (("head", 59), ("head", 151), ("none", 120)):
        with pytest.raises(InputError, match="half-value layer"):
            scanner.half_value_layer_at(bowtie, kv)


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean siemens-definition"):
        load_scanner("siemens-definiton")


@pytest.mark.parametrize(
    ("scanner", "given", "expected", "word"),
    [
        ("siemens-definition", {"filter_type": "FLAT"}, "body", "FLAT"),
        ("siemens-definition", {"filter_type": "WEDGE_2"}, "head", "WEDGE_2"),
        ("siemens-definition", {"filter_type": "WEDGE_3"}, "body", "WEDGE_3"),
        ("ge-optima-ct660", {"filter_type": "HEAD FILTER"}, "head", "HEAD"),
        ("ge-optima-ct660", {"filter_type": "BODY FILTER"}, "body", "BODY"),
        ("ge-optima-ct660", {"filter_type": "MEDIUM FILTER"}, "medium", "MEDIUM"),
        ("ge-revolution-ct", {"filter_type": "LARGE BOWTIE FIL"}, "body", "LARGE"),
        ("canon-aquilion", {"filter_type": "SMALL"}, "head", "SMALL"),
        ("canon-aquilion", {"filter_type": "L"}, "body", "L"),
        ("philips-brilliance", {"filter_type": "UA"}, "body", "not known"),
        ("generic", {"body_region": "head", "phantom_diameter_mm": 320}, "head", "region"),
        ("generic", {"phantom_diameter_mm": 160}, "head", "160 mm"),
        ("generic", {"phantom_diameter_mm": 320}, "body", "320 mm"),
        ("generic", {}, "body", "assumed"),
        ("ge-optima-ct660", {"filter_type": "BODY FILTER", "body_region": "head"}, "body", "BODY"),
    ],
)
def test_bowtie_is_chosen_and_explained(scanner, given, expected, word):
    name, note = bowtie_name(load_scanner(scanner), **given)
    assert name == expected
    assert word in note


OWN = """
name = "mine"
label = "My scanner"
focal_radius_mm = 550
fan_fov_mm = 500
anode_angle_deg = 8
[[bowtie]]
name = "all"
material = "teflon"
fan_angle_rad = [0.0, 0.5]
thickness_mm = [0.0, 30.0]
[bowtie.half_value_layer_mm_al]
100 = 6.0
120 = 7.0
"""


def test_own_scanner_is_read(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    scanner = scanner_from_toml(path)
    assert scanner.half_value_layer_at("all", 110) == pytest.approx(6.5)
    assert scanner.model_relative_uncertainty == load_scanner("generic").model_relative_uncertainty
    assert bowtie_name(scanner, "FLAT", "head")[0] == "all"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('label = "My scanner"\n', "", "label missing"),
        ("focal_radius_mm", "focal_radius", "focal_radius_mm missing"),
        ("[[bowtie]]", "fan_fow_mm = 3\n[[bowtie]]", "did you mean fan_fov_mm"),
        ("= 550", '= "550"', "must be a number"),
        ("[0.0, 30.0]", '[0.0, "x"]', "must be numbers"),
        ("120 = 7.0", "high = 7.0", "table of kV"),
        ("120 = 7.0", "120 = -7.0", "> 0"),
        ('name = "mine"', "name = ", "no TOML"),
    ],
)
def test_wrong_own_scanner_is_refused(tmp_path: Path, old, new, message):
    path = tmp_path / "mine.toml"
    path.write_text(OWN.replace(old, new))
    with pytest.raises(FormatError, match=re.escape(message)):
        scanner_from_toml(path)


def test_impossible_scanners_cannot_exist():
    scanner = load_scanner("generic")
    for change in (
        {"focal_radius_mm": 0.0},
        {"fan_fov_mm": 2000.0},
        {"over_beaming_mm": -1.0},
        {"bowties": {}},
        {"half_value_layer_mm_al": {}},
        {"filter_patterns": (("X", "none"),)},
    ):
        with pytest.raises(InputError):
            replace(scanner, **change)


def test_ctdi_ratios_are_sourced():
    rows = load_csv("scanners/ctdi_ratios.csv")
    assert {int(r["phantom_diameter_mm"]) for r in rows} == {160, 320}
    assert all(0 < float(r["relative_uncertainty"]) < 0.3 and r["source"] for r in rows)
    assert data_path("scanners/SOURCE.md").is_file()

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from milligray.errors import GeometryError, InputError
from milligray.report import organ_table, result_document, write_json, write_organ_csv
from milligray.report.wording import count, interval, number, percent
from milligray.volume import Grid


def test_csv_has_exactly_the_contract_columns(result, tmp_path):
    path = tmp_path / "organ_doses.csv"
    write_organ_csv(result.organ_doses, path)
    lines = path.read_text().splitlines()
    assert lines[0] == (
        "organ,mean_dose_mgy,relative_uncertainty,volume_ml,mass_g,fraction_in_image,method"
    )
    rows = list(csv.DictReader(lines))
    assert [row["organ"] for row in rows] == ["liver", "lung_upper_lobe_left"]
    assert float(rows[0]["mean_dose_mgy"]) == pytest.approx(10.4567891, rel=1e-5)
    assert rows[0]["fraction_in_image"] == "1"
    assert rows[1]["fraction_in_image"] == ""


def test_csv_names_the_unit_when_the_dose_is_not_absolute(build, tmp_path):
    path = tmp_path / "organ_doses.csv"
    write_organ_csv(build(unit="mGy per 100 mAs").organ_doses, path)
    assert "mean_dose_mgy_per_100mas" in path.read_text().splitlines()[0]


def test_json_is_strict_and_complete(result, tmp_path):
    path = tmp_path / "result.json"
    write_json(result_document(result), path)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(path.read_text(), parse_constant=refuse)
    assert document["settings"] == {"precision": None, "shape": [1, 2]}
    assert document["organ_doses"][1]["fraction_in_image"] is None
    assert document["calibration"]["factor"] == 3.1e12
    assert len(document["uncertainty_budget"]) == len(result.budget)
    assert document["organ_doses"][0]["expanded_relative_uncertainty_k2"] > 0.2
    assert document["notes"] == ["pitch assumed", "couch removed"]
    assert document["ctdi_vol_mgy"] == 12.3


def test_document_needs_no_conversion(result):
    json.dumps(result_document(result), allow_nan=False)


def test_console_table_shows_units_and_marks_cut_organs(result):
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(organ_table(result.organ_doses, title="[exam]"))
        text = console.export_text()
    assert "mean dose [mGy]" in text
    assert "10.5" in text
    assert "cut*" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (12.345, "12.3"), (0.00345, "0.00345"), (1234.5, "1234"), (1e-9, "1.00e-09"),
     (float("nan"), "–"), (None, "–"), (9.999, "10.00")],
)  # fmt: skip
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_percent_count_and_interval_read_well():
    assert [percent(v).replace("\N{NO-BREAK SPACE}", " ") for v in (0.003, 0.02, 0.213, 1.0)] == [
        "0.30 %", "2.0 %", "21 %", "100 %",
    ]  # fmt: skip
    assert percent(float("nan"), "cut") == "cut"
    assert count(48_000_000) == "4.8 × 10⁷"
    assert count(12_000) == "12 000"
    assert interval(10.0, 1.5) == "0 – 25.0"


def test_result_refuses_what_does_not_fit_together(result):
    with pytest.raises(InputError, match="per 100 mAs"):
        replace(result, organ_doses=replace(result.organ_doses, unit="mGy per 100 mAs"))
    with pytest.raises(InputError, match="budget"):
        replace(result, budget=())
    with pytest.raises(InputError, match="no row"):
        replace(result, organ_doses=replace(result.organ_doses, rows=()))
    with pytest.raises(InputError, match="slices"):
        replace(result, water_equivalent_diameter_mm=np.ones(3))
    other = Grid.from_spacing(result.dose.grid.shape, (1.0, 1.0, 1.0))
    with pytest.raises(GeometryError):
        replace(result, dose=replace(result.dose, grid=other))

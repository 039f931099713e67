import csv
import json
import math

import nibabel as nib
import numpy as np
import pytest

from milligray.errors import InputError
from milligray.report import maps, nm_output, nm_tables
from milligray.report.nm_output import write_nm_result
from milligray.report.nm_tables import dose_rate_file, nm_result_document
from milligray.report.tables import result_document

from .nm_case import ADMINISTERED_MBQ, HALF_LIFE_S, HOURS

TABLES = {
    "organ_doses.csv", "kinetics.csv", "time_activity.csv", "methods.csv", "effects.csv",
    "dose_rates.csv", "dvh.csv", "result.json",
}  # fmt: skip
MAPS = {
    "dose.nii.gz", "dose_uncertainty.nii.gz", "dose_per_activity.nii.gz",
    "dose_rate_4h.nii.gz", "dose_rate_24h.nii.gz", "dose_rate_100.5h.nii.gz",
}  # fmt: skip


@pytest.fixture
def quick(monkeypatch):
    """Replace the slow page; its own tests are in test_nm_html.py."""
    monkeypatch.setattr(nm_output, "write_nm_html", lambda _, path: path.write_text("<html>"))


def _rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def written(nm_result, tmp_path, quick):  # noqa: ARG001 - quick is for its effect
    write_nm_result(nm_result, tmp_path / "exam", overwrite=False)
    return tmp_path / "exam"


def test_all_files_are_written_and_nothing_else(written):
    assert {path.name for path in written.iterdir()} == TABLES | MAPS | {"report.html"}
    assert [path.name for path in written.parent.iterdir()] == ["exam"]


@pytest.mark.usefixtures("quick")
def test_tables_only_writes_no_maps_and_no_page(nm_result, tmp_path):
    files = write_nm_result(nm_result, tmp_path / "exam", overwrite=False, tables_only=True)
    assert {path.name for path in files} == TABLES


@pytest.mark.usefixtures("quick")
def test_what_is_not_known_gives_no_file(nm_build, nm_result, tmp_path):
    from dataclasses import replace

    unknown = replace(
        nm_result.dose, relative_uncertainty=np.full(nm_result.dose.grid.shape, np.nan)
    )
    bare = nm_build(
        dose=unknown, tia=replace(nm_result.tia, administered_activity_mbq=None), dose_rates={},
        kinetics=(), compared={}, effects=(), dvh={}, effective_dose=None, images=(),
    )  # fmt: skip
    files = write_nm_result(bare, tmp_path / "exam", overwrite=False)
    names = {path.name for path in files}
    assert names == {"dose.nii.gz", "organ_doses.csv", "report.html", "result.json"}
    assert _rows(tmp_path / "exam" / "organ_doses.csv")[0]["dose_per_activity_mgy_mbq"] == ""
    document = json.loads((tmp_path / "exam" / "result.json").read_text())
    assert document["administered_activity_mbq"] is None
    assert document["time_integrated_activity"]["coefficient_s"] is None


def test_organ_csv_keeps_the_contract_columns_and_appends_two(written, nm_result):
    path = written / "organ_doses.csv"
    assert path.read_text().splitlines()[0] == (
        "organ,mean_dose_mgy,relative_uncertainty,volume_ml,mass_g,fraction_in_image,method,"
        "dose_per_activity_mgy_mbq,combined_relative_uncertainty"
    )
    rows = _rows(path)
    assert [row["organ"] for row in rows] == [row.organ for row in nm_result.organ_doses.rows]
    assert float(rows[0]["mean_dose_mgy"]) == pytest.approx(987.654321, rel=1e-5)
    assert float(rows[0]["dose_per_activity_mgy_mbq"]) == pytest.approx(
        987.654321 / ADMINISTERED_MBQ, rel=1e-5
    )
    assert float(rows[0]["relative_uncertainty"]) == pytest.approx(0.003)
    assert float(rows[0]["combined_relative_uncertainty"]) == pytest.approx(
        math.sqrt(0.003**2 + 0.04**2 + 0.05**2), rel=1e-5
    )
    assert float(rows[1]["combined_relative_uncertainty"]) > 0.2
    assert rows[1]["fraction_in_image"] == ""


def test_kinetics_hold_the_integral_of_the_curve(written):
    rows = _rows(written / "kinetics.csv")
    assert [row["region"] for row in rows] == ["liver", "lesion <1>"]
    assert float(rows[0]["tia_mbq_s"]) == pytest.approx(500 * HALF_LIFE_S / math.log(2), rel=1e-5)
    assert float(rows[0]["tia_coefficient_s"]) * ADMINISTERED_MBQ == pytest.approx(
        float(rows[0]["tia_mbq_s"]), rel=1e-4
    )
    assert rows[0]["n_times"] == "3"
    points = [row for row in _rows(written / "time_activity.csv") if row["region"] == "liver"]
    measured = [row for row in points if row["kind"] == "measured"]
    assert [float(row["time_s"]) / 3600 for row in measured] == list(HOURS)
    assert len([row for row in points if row["kind"] == "curve"]) == 61


def test_dose_rates_are_the_means_of_the_maps(written):
    rows = [row for row in _rows(written / "dose_rates.csv") if row["organ"] == "liver"]
    assert [float(row["time_s"]) for row in rows] == [3600 * hour for hour in HOURS]
    np.testing.assert_allclose(
        [float(row["mean_dose_rate_mgy_h"]) for row in rows], [50.0 / h for h in HOURS], rtol=1e-5
    )


def test_methods_stand_beside_the_reported_one(written):
    rows = _rows(written / "methods.csv")
    by_method = {(row["organ"], row["method"]): row for row in rows}
    assert len(by_method) == 4
    assert float(by_method["lung_upper_lobe_left", "ssv"]["ratio_to_reported"]) == pytest.approx(
        0.31
    )
    assert float(by_method["liver", "monte-carlo:decays"]["ratio_to_reported"]) == 1.0


def test_effects_and_dvh_are_those_of_the_result(written, nm_result):
    effect = _rows(written / "effects.csv")[0]
    assert float(effect["bed_mgy"]) == pytest.approx(1001.5)
    assert effect["eud_mgy"] == ""
    rows = [row for row in _rows(written / "dvh.csv") if row["organ"] == "liver"]
    doses, shares = nm_result.dvh["liver"]
    np.testing.assert_allclose([float(row["dose_mgy"]) for row in rows], doses, rtol=1e-5)
    np.testing.assert_allclose(
        [float(row["volume_fraction_at_least"]) for row in rows], shares, rtol=1e-5
    )


def test_maps_hold_dose_dose_per_activity_and_dose_rate(written, nm_result):
    patient = nm_result.patient
    ct = patient.ct.grid
    dose = nib.load(written / "dose.nii.gz").get_fdata()
    per_activity = nib.load(written / "dose_per_activity.nii.gz").get_fdata()
    rate = nib.load(written / "dose_rate_24h.nii.gz").get_fdata()
    assert dose.shape == ct.shape[::-1]
    assert 900.0 < dose.max() <= nm_result.dose.dose_mgy.max()
    np.testing.assert_allclose(per_activity * ADMINISTERED_MBQ, dose, rtol=1e-6)
    assert rate.max() == pytest.approx(50.0 / 24.0)
    assert ((rate > 0) == (dose > 0)).all()


def test_json_holds_budgets_kinetics_images_and_no_nan(written, nm_result):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads((written / "result.json").read_text(), parse_constant=refuse)
    assert document["schema"] == "milligray-nm-result/1"
    organ = document["organ_doses"][0]
    assert [e["component"] for e in organ["uncertainty_budget"]] == [
        entry.component for entry in nm_result.budgets["liver"]
    ]
    assert organ["expanded_relative_uncertainty_k2"] == pytest.approx(
        2 * organ["combined_relative_uncertainty_k1"]
    )
    assert document["nuclide"]["name"] == "Lu-177"
    assert document["nuclide"]["half_life_s"] == pytest.approx(6.647 * 86400, rel=1e-3)
    assert document["time_integrated_activity"]["total_mbq_s"] == nm_result.tia.total_mbq_s
    assert document["kinetics"][0]["times_s"] == [3600 * hour for hour in HOURS]
    assert document["images"][2]["registration"] == {"shift_mm": [1.0, 0.5, 0.0]}
    assert [item["file"] for item in document["dose_rates"]] == [
        f"dose_rate_{hour:g}h.nii.gz" for hour in HOURS
    ]
    assert document["dose_rates"][0]["highest_mgy_h"] == pytest.approx(12.5)
    assert document["dose_rates"][1]["mean_mgy_h"]["liver"] == pytest.approx(50.0 / 24.0)
    assert document["effective_dose"]["effective_dose_msv"] == 91.2
    assert document["effects"][0]["eud_mgy"] is None
    assert document["compared_methods"]["ssv"][0]["mean_dose_mgy"] == pytest.approx(
        0.97 * 987.654321
    )
    assert document["settings"]["precision"] is None
    assert document["ct"] is None
    assert "image 1 was moved" in document["notes"]
    assert "couch removed" in document["notes"]


def test_ct_part_keeps_its_own_document(nm_build, result):
    document = nm_result_document(nm_build(ct=result))
    assert document["ct"] == result_document(result)
    assert document["ct"]["schema"] == "milligray-result/1"


@pytest.mark.usefixtures("quick")
def test_existing_result_is_kept_without_overwrite(nm_result, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        write_nm_result(nm_result, tmp_path, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.usefixtures("quick")
def test_older_dose_rates_do_not_stay_beside_a_new_dose(nm_result, tmp_path):
    out = tmp_path / "exam"
    out.mkdir()
    for name in ("dose_rate_7.25h.nii.gz", "dose.dcm", "dose_rate_notes.txt"):
        (out / name).write_text("older")
    write_nm_result(nm_result, out, overwrite=True)
    names = {path.name for path in out.iterdir()}
    assert names == TABLES | MAPS | {"report.html", "dose_rate_notes.txt"}


@pytest.mark.parametrize(
    ("module", "writer"),
    [(maps, "write_nifti"), (nm_tables, "write_csv"), (nm_output, "write_json"),
     (nm_output, "write_nm_html")],
)  # fmt: skip
@pytest.mark.usefixtures("quick")
def test_failure_leaves_everything_as_it_was(nm_result, tmp_path, monkeypatch, module, writer):
    out = tmp_path / "exam"
    write_nm_result(nm_result, out, overwrite=False)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, writer, fail)
    for place, overwrite in ((out, True), (tmp_path / "other", False)):
        with pytest.raises(KeyboardInterrupt):
            write_nm_result(nm_result, place, overwrite=overwrite)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["exam"]


@pytest.mark.usefixtures("quick")
def test_two_dose_rates_never_share_a_file(nm_build, nm_result, tmp_path):
    rate = nm_result.dose_rates[3600.0 * 24.0]
    with pytest.raises(InputError, match="share the file dose_rate_24h"):
        write_nm_result(
            nm_build(dose_rates={86400.0: rate, 86400.5: rate}), tmp_path / "x", overwrite=False
        )
    assert dose_rate_file(86400.0) != dose_rate_file(86404.0)
    assert not (tmp_path / "x").exists()

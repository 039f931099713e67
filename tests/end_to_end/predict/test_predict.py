"""`milligray predict` from files to files, with a network of one matrix."""

import csv
import json

import nibabel
import numpy as np
import pytest

from milligray.data import sample_folder
from milligray.learn import shelf
from milligray.score import ctdi, ctdi_response

TABLES = {"organ_doses.csv", "result.json"}


def no_simulation(*_args, **_keywords):
    raise AssertionError("a prediction simulates nothing")


@pytest.fixture
def predict(milligray, case, tmp_path, monkeypatch):
    """Run predict on the synthetic patient; returns the outcome and the folder."""
    for module in (ctdi, ctdi_response):
        monkeypatch.setattr(module, "simulate_ctdi", no_simulation)

    def call(model, *options, name="out", ct=None, labels=None, protocol=None, code=0):
        out = tmp_path / name
        outcome = milligray(
            "predict", ct or case.ct, "--protocol", protocol or case.protocol, "--organs",
            labels or case.labels, "--out", out, *(("--model", model) if model else ()), *options,
        )  # fmt: skip
        assert outcome.code == code, outcome.err
        return outcome, out

    return call


def rows(out):
    with (out / "organ_doses.csv").open(newline="") as file:
        return {row["organ"]: row for row in csv.DictReader(file)}


def test_organ_doses_are_those_of_the_network(predict, make_network):
    folder = make_network()
    outcome, out = predict(folder)
    assert {path.name for path in out.iterdir()} == {*TABLES, "report.html"}
    found = rows(out)
    assert set(found) == {"lung_left", "lung_right", "heart", "spinal_cord"}
    for row in found.values():
        density = float(row["mass_g"]) / float(row["volume_ml"])
        assert float(row["mean_dose_mgy"]) == pytest.approx(1.25 * 10.0 + 2.0 * density, rel=1e-4)
        assert float(row["relative_uncertainty"]) == pytest.approx(1.5 * np.hypot(0.03, 0.05), 1e-3)
        assert row["method"].startswith("network:linear@")
        assert len(row["method"]) == len("network:linear@") + 8
    assert "heart" in outcome.out
    assert "network:linear@" in outcome.err


def test_result_says_all_that_is_needed_to_predict_again(predict, make_network):
    data = {"patients": {"train": ["a", "b"]}}
    outcome, out = predict(make_network(data=data), "--json")
    document = json.loads((out / "result.json").read_text())
    assert json.loads(outcome.out) == document
    model = document["models"][0]
    assert model["name"] == "linear"
    assert model["data"] == {"patients": {"train": 2}}
    assert set(model["files"]) == {"member_0.onnx", "member_1.onnx"}
    assert document["method"] == f"network:linear@{model['sha256'][:8]}" == model["method"]
    assert document["versions"]["onnxruntime"]
    assert document["tables"]["CTDI"].startswith("CTDI from the table")
    assert set(document["inputs"]) == {"ct", "labels"}
    for stage in ("patient", "organs", "source", "calibration", "size", "network", "score"):
        assert document["stage_seconds"][stage] >= 0
    parts = {row["organ"]: row for row in document["prediction"]["organs"]}
    assert parts["heart"]["epistemic"] == pytest.approx(0.05, rel=1e-3)
    assert parts["heart"]["aleatoric"] == 0.03
    budget = {e["component"]: e["relative_uncertainty"] for e in document["uncertainty_budget"]}
    own = [value for name, value in budget.items() if name.startswith("Network: ")]
    assert len(own) == 3
    assert np.sqrt(np.sum(np.square(own))) == pytest.approx(parts["heart"]["total"], rel=1e-3)
    assert "Monte Carlo statistics of the organ" not in budget
    row = next(row for row in document["organ_doses"] if row["organ"] == "heart")
    assert row["expanded_relative_uncertainty_k2"] > 2 * row["relative_uncertainty"]
    assert document["histories"] is None


def test_dose_map_is_on_the_grid_of_the_ct(predict, make_network, case):
    _, out = predict(make_network(normalization={"gives_map": "with uncertainty"}))
    names = {*TABLES, "report.html", "dose.nii.gz", "dose_uncertainty.nii.gz"}
    assert {path.name for path in out.iterdir()} == names
    dose, ct = nibabel.load(out / "dose.nii.gz"), nibabel.load(case.ct)
    assert dose.shape == ct.shape
    assert np.allclose(dose.affine, ct.affine, atol=1e-4)
    values = np.asarray(dose.dataobj)
    # 0.95 x (1.25 x 10 + 2 x density of soft tissue)
    assert values[values > 0].max() == pytest.approx(0.95 * (12.5 + 2.0 * 1.4), rel=0.05)
    page = (out / "report.html").read_text()
    assert "Dose-volume histograms" in page
    assert "predicted by a network" in page


def test_a_map_without_uncertainty_is_given_without(predict, make_network):
    _, out = predict(make_network(normalization={"gives_map": True}))
    assert (out / "dose.nii.gz").exists()
    assert not (out / "dose_uncertainty.nii.gz").exists()
    assert "dose_uncertainty" not in (out / "report.html").read_text()


def test_report_without_a_map_fakes_none(predict, make_network):
    _, out = predict(make_network())
    page = (out / "report.html").read_text()
    assert "no dose map" in page
    for absent in ("Dose-volume histograms", "Dose distribution", "data:image/png", "RECORDS"):
        assert absent not in page
    for told in ("A matrix for tests", "for tests, not for patients", "Journal of Matrices"):
        assert told in page
    assert "Monte Carlo estimate" not in page


def test_tables_only_leaves_maps_and_report_out(predict, make_network):
    outcome, out = predict(make_network(normalization={"gives_map": True}), "--tables-only")
    assert {path.name for path in out.iterdir()} == TABLES
    assert "report.html" not in outcome.err


def test_dose_is_linear_in_ctdivol_through_the_scale(predict, make_network, case):
    folder = make_network()
    documents = []
    for name, new in (("one", "ctdi_vol_mgy = 10.0"), ("two", "ctdi_vol_mgy = 20.0")):
        protocol = case.changed_protocol("ctdi_vol_mgy = 10.0", new)
        _, out = predict(folder, name=name, protocol=protocol)
        documents.append(json.loads((out / "result.json").read_text()))
    photons = [document["calibration"]["factor"] for document in documents]
    assert photons[1] == pytest.approx(2 * photons[0])


def test_the_shipped_sample_from_dicom(milligray, make_network, tmp_path):
    folder = make_network(normalization={"gives_map": True})
    with sample_folder("siemens_upper_abdomen") as sample:
        outcome = milligray(
            "predict", sample / "ct", "--organs", sample / "labels.nii.gz", "--out",
            tmp_path / "out", "--model", folder, "--force",
        )  # fmt: skip
    assert outcome.code == 0, outcome.err
    found = rows(tmp_path / "out")
    assert "liver" in found
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert document["scanner"]["is_generic"] is False
    assert document["tables"]["CTDI"].startswith("CTDI from the table")


def test_the_default_is_the_shipped_network_made_for_the_scan(predict, make_network, monkeypatch):
    region = {"allowed": {"body_region": ("chest",)}, "ranges": {}, "limits": ()}
    other = {"allowed": {"tube_voltage_kv": (80.0,)}, "ranges": {}, "limits": ()}
    from milligray.learn.card import Validity

    make_network("not_this_one", validity=Validity(**other))
    folder = make_network("this_one", validity=Validity(**region))
    monkeypatch.setattr(shelf, "_shelf", lambda: folder.parent)
    _, out = predict(None, "--body-region", "chest")
    assert json.loads((out / "result.json").read_text())["models"][0]["name"] == "this_one"
    outcome, _ = predict(None, "--body-region", "pelvis", name="none", code=3)
    assert "not_this_one" in outcome.err
    assert "body_region is 'pelvis'" in outcome.err


def test_list_shows_what_ships(milligray, make_network, monkeypatch):
    folder = make_network()
    monkeypatch.setattr(shelf, "_shelf", lambda: folder.parent)
    outcome = milligray("predict", "--list")
    assert outcome.code == 0
    assert "made for: tube_voltage_kv 120" in outcome.out
    assert "limit: for tests, not for patients" in outcome.out
    document = json.loads(milligray("predict", "--list", "--json").out)
    assert document[0]["name"] == "linear"

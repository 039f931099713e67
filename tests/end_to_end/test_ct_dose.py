"""`milligray ct-dose` from files to files, on a synthetic patient and on the shipped sample."""

import csv
import json
import math

import nibabel
import numpy as np
import pytest

import milligray as mg
from milligray.data import sample_folder

COLUMNS = "organ,mean_dose_mgy,relative_uncertainty,volume_ml,mass_g,fraction_in_image,method"
FILES = {
    "dose.nii.gz", "dose_uncertainty.nii.gz", "organ_doses.csv", "result.json", "report.html",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("quick_calibration")


@pytest.fixture
def compute(milligray, case, tmp_path):
    """Run ct-dose on the synthetic patient; returns the outcome and the folder."""

    def call(name="out", *options, protocol=None, histories=40_000, ct=None):
        out = tmp_path / name
        outcome = milligray(
            "ct-dose", ct or case.ct, "--protocol", protocol or case.protocol, "--organs",
            case.labels, "--out", out, "--histories", histories, *options,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        return outcome, out

    return call


def table(out) -> dict[str, dict[str, float]]:
    with (out / "organ_doses.csv").open(newline="") as file:
        return {
            row["organ"]: {
                k: float(v) for k, v in row.items() if v and k not in ("organ", "method")
            }
            for row in csv.DictReader(file)
        }


def test_all_files_are_there_with_their_columns(compute, case):
    outcome, out = compute()
    assert {path.name for path in out.iterdir()} == FILES
    text = (out / "organ_doses.csv").read_text()
    assert text.splitlines()[0] == COLUMNS
    rows = table(out)
    assert set(rows) == {"lung_left", "lung_right", "heart", "spinal_cord"}
    for row in rows.values():
        assert 1.0 < row["mean_dose_mgy"] < 100.0  # CTDIvol is 10 mGy
        assert 0.0 < row["relative_uncertainty"] < 0.2
        assert 0.2 * row["volume_ml"] < row["mass_g"] < 1.3 * row["volume_ml"]
    assert rows["heart"]["fraction_in_image"] == 1.0
    assert "fraction_in_image" not in rows["spinal_cord"]  # cut at both ends, size unknown
    dose, uncertainty = (
        nibabel.load(out / name) for name in ("dose.nii.gz", "dose_uncertainty.nii.gz")
    )
    ct = nibabel.load(case.ct)
    for image in (dose, uncertainty):
        assert image.shape == ct.shape
        assert np.allclose(image.affine, ct.affine, atol=1e-4)
        assert image.get_data_dtype() == np.float32
        assert np.all(np.isfinite(np.asarray(image.dataobj)))
    assert "<html" in (out / "report.html").read_text().lower()
    assert "heart" in outcome.out
    assert "report.html" in outcome.err


def test_result_json_holds_the_table_and_all_that_is_needed_to_run_it_again(compute):
    outcome, out = compute("out", "--json", "--seed", 7)
    document = json.loads((out / "result.json").read_text())
    assert json.loads(outcome.out) == document
    rows = table(out)
    assert {row["organ"] for row in document["organ_doses"]} == set(rows)
    for row in document["organ_doses"]:
        assert row["mean_dose_mgy"] == pytest.approx(rows[row["organ"]]["mean_dose_mgy"], rel=1e-4)
    assert document["seed"] == document["settings"]["seed"] == 7
    assert document["histories"] >= 40_000
    assert document["settings"]["calibration"] == "schneider2000"
    assert document["ctdi_vol_mgy"] == 10.0
    assert document["scanner"]["name"] == "generic"
    assert document["protocol"]["tube_voltage_kv"] == 120.0
    for key in ("milligray_version", "created", "seconds", "hardware", "threads", "converged"):
        assert document[key] not in (None, "")
    for package in ("numpy", "numba", "xraylib", "spekpy"):
        assert document["versions"][package]
    for name in ("ct", "labels"):
        assert len(document["inputs"][name]) == 64
    assert document["uncertainty_budget"]
    assert document["device"] == "cpu"
    assert document["calibration"]["factor"] > 0
    ratio = document["calibration"]["simulated_center_to_periphery"]
    assert 0.7 < ratio < 1.2
    feed = 40.0
    over_ranging = 40.0 * 1.5
    length = document["calibration"]["irradiated_length_mm"]
    assert length == pytest.approx(240.0 + over_ranging)
    assert document["calibration"]["rotations"] == pytest.approx(length / feed)
    assert document["dlp_mgy_cm"] == pytest.approx(10.0 * length / 10.0)
    assert any("over-ranging" in warning for warning in document["warnings"])


def test_dose_is_linear_in_ctdivol(compute, case):
    _, one = compute("one")
    doubled = case.changed_protocol("ctdi_vol_mgy = 10.0", "ctdi_vol_mgy = 20.0")
    _, two = compute("two", protocol=doubled)
    first, second = table(one), table(two)
    for organ, row in first.items():
        assert second[organ]["mean_dose_mgy"] == pytest.approx(2 * row["mean_dose_mgy"], rel=1e-5)
        assert second[organ]["relative_uncertainty"] == row["relative_uncertainty"]
    maps = [np.asarray(nibabel.load(o / "dose.nii.gz").dataobj) for o in (one, two)]
    assert np.allclose(maps[1], 2 * maps[0], rtol=1e-5)


def test_same_seed_same_result_whatever_the_threads(compute):
    results = [compute(f"out{n}", "--threads", n)[1] for n in (1, 2)]
    assert table(results[0]) == table(results[1])
    one, two = (nibabel.load(out / "dose.nii.gz").dataobj for out in results)
    assert np.array_equal(np.asarray(one), np.asarray(two))
    assert table(compute("other", "--seed", 2)[1]) != table(results[0])


def test_organ_dose_is_the_mean_over_its_voxels_of_the_written_map(compute, case):
    # at the CT's own voxels, and in an organ of one density, mass weighting changes nothing
    _, out = compute("out", "--voxel-size-mm", 0)
    dose = np.asarray(nibabel.load(out / "dose.nii.gz").dataobj)
    labels = np.asarray(nibabel.load(case.labels).dataobj)
    for label, organ in {1: "lung_left", 2: "lung_right", 3: "heart"}.items():
        mean = dose[labels == label].mean()
        assert table(out)[organ]["mean_dose_mgy"] == pytest.approx(mean, rel=1e-4)


def test_symmetric_organs_of_a_symmetric_patient_get_the_same_dose(compute):
    """The heart lies a little to the left: lungs differ by some percent at most."""
    _, out = compute("out", histories=400_000)
    rows = table(out)
    left, right = (rows[f"lung_{side}"]["mean_dose_mgy"] for side in ("left", "right"))
    assert left == pytest.approx(right, rel=0.06)


def test_dicom_and_nifti_of_the_same_patient_give_the_same_dose(compute, dicom):
    _, from_nifti = compute("nifti", "--scanner", "generic", "--bowtie", "body")
    _, from_dicom = compute("from_dicom", "--scanner", "generic", "--bowtie", "body", ct=dicom())
    one, two = table(from_nifti), table(from_dicom)
    assert one.keys() == two.keys()
    for organ, row in one.items():
        assert two[organ]["mean_dose_mgy"] == pytest.approx(row["mean_dose_mgy"], rel=1e-4)


def test_dicom_header_alone_is_enough(milligray, dicom, tmp_path):
    folder = dicom(Manufacturer="ACME", ManufacturerModelName="X")
    protocol = tmp_path / "phantom.toml"
    protocol.write_text("[dose]\nctdi_vol_mgy = 10.0\nphantom_diameter_mm = 160\n")
    outcome = milligray(
        "ct-dose", folder, "--out", tmp_path / "out", "--histories", 5000, "--segmenter",
        "threshold", "--protocol", protocol,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "GENERIC SCANNER" in outcome.err
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert any("NO ORGANS" in warning for warning in document["warnings"])
    assert "PatientName" not in json.dumps(document)


def test_per_100_mas_needs_no_ctdivol_and_says_so(compute, case):
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0\nphantom_diameter_mm = 160", "")
    _, out = compute("out", "--per-100-mas", protocol=protocol)
    head = (out / "organ_doses.csv").read_text().splitlines()[0].split(",")
    assert head[1] == "mean_dose_mgy_per_100mas"
    document = json.loads((out / "result.json").read_text())
    assert document["unit"] == "mGy per 100 mAs"
    assert document["ctdi_vol_mgy"] is None
    assert any("NO CTDIvol" in warning for warning in document["warnings"])
    heart = next(r for r in document["organ_doses"] if r["organ"] == "heart")
    assert 1.0 < heart["mean_dose_mgy_per_100mas"] < 50.0  # a CT gives some 7-15 mGy per 100 mAs


def test_overwrite_replaces_the_result_and_keeps_foreign_files(compute):
    _, out = compute()
    before = (out / "organ_doses.csv").read_text()
    (out / "notes.txt").write_text("mine")
    compute("out", "--overwrite", "--seed", 5)
    assert (out / "organ_doses.csv").read_text() != before
    assert (out / "notes.txt").read_text() == "mine"
    assert {path.name for path in out.iterdir()} == FILES | {"notes.txt"}


def test_precision_that_is_not_reached_in_time_is_written_with_exit_code_4(
    milligray, case, tmp_path
):
    outcome = milligray(
        "ct-dose", case.ct, "--protocol", case.protocol, "--organs", case.labels, "--out",
        tmp_path / "out", "--precision", 0.0001, "--max-seconds", 0.001, "--quiet",
    )  # fmt: skip
    assert outcome.code == 4
    assert "precision was not reached" in outcome.err
    assert json.loads((tmp_path / "out" / "result.json").read_text())["converged"] is False


def test_sample_examination_has_plausible_organ_doses(milligray, tmp_path):
    with sample_folder("siemens_upper_abdomen") as sample:
        outcome = milligray(
            "ct-dose", sample / "ct", "--organs", sample / "labels.nii.gz", "--out",
            tmp_path / "out", "--histories", 100_000, "--voxel-size-mm", 6, "--quiet",
        )  # fmt: skip
    assert outcome.code == 0, outcome.err
    rows = table(tmp_path / "out")
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert document["scanner"]["is_generic"] is False
    assert document["ctdi_vol_mgy"] == pytest.approx(18.54, abs=0.01)
    for organ in ("liver", "spleen", "stomach"):
        row = rows[organ]
        assert 0.3 < row["mean_dose_mgy"] / document["ctdi_vol_mgy"] < 2.0
        assert row["volume_ml"] > 100
    assert all(math.isfinite(row["mean_dose_mgy"]) for row in rows.values())
    assert rows["rib_left_7"]["mean_dose_mgy"] > 1.5 * rows["liver"]["mean_dose_mgy"]


def test_demo_runs_the_sample(milligray, tmp_path, monkeypatch):
    for module in ("engine", "goal"):
        monkeypatch.setattr(f"milligray.transport.monte_carlo.{module}.MIN_BATCHES", 8)
    outcome = milligray("demo", "--out", tmp_path / "demo", "--precision", 0.4, "--quiet")
    assert outcome.code == 0, outcome.err
    assert {path.name for path in (tmp_path / "demo").iterdir()} == FILES
    assert "liver" in outcome.out


def test_the_story_of_the_pipeline_from_python(case):
    ct = mg.read_ct_nifti(case.ct)
    protocol = mg.read_protocol_file(case.protocol, ct=ct)
    patient = mg.build_patient(ct, calibration="schneider2000")
    organs = mg.segment_organs(patient, mg.read_labels(case.labels))
    source = mg.make_ct_source(protocol, patient)
    deposit = mg.transport_photons(patient, source, histories=20_000, organs=organs, seed=1)
    dose = mg.score_dose(deposit, patient, source)
    organ_doses = mg.score_organ_dose(dose, organs)
    assert [row.organ for row in organ_doses.rows] == [
        "lung_left", "lung_right", "heart", "spinal_cord",
    ]  # fmt: skip
    assert all(1.0 < row.mean_dose_mgy < 100.0 for row in organ_doses.rows)


def test_a_facility_calibration_from_a_file_is_used_and_recorded(compute, tmp_path):
    heavy = tmp_path / "facility.csv"
    heavy.write_text("hu,density_g_cm3\n-1000,0.001205\n0,1.1\n1000,1.7\n3000,2.9\n")
    _, plain = compute("plain")
    _, own = compute("own", "--calibration", heavy)
    assert table(own)["heart"]["mass_g"] == pytest.approx(
        1.1 * table(plain)["heart"]["mass_g"], rel=0.06
    )
    manifest = json.loads((own / "result.json").read_text())
    assert len(manifest["inputs"]["calibration"]) == 64
    assert manifest["settings"]["calibration"] == str(heavy)


def test_a_kept_couch_shields_the_patient_and_a_removed_one_is_told(milligray, tmp_path):
    results = {}
    with sample_folder("siemens_upper_abdomen") as folder:
        for couch in ("remove", "keep"):
            out = tmp_path / couch
            outcome = milligray(
                "ct-dose", folder / "ct", "--organs", folder / "labels.nii.gz", "--couch", couch,
                "--histories", 400_000, "--voxel-size-mm", 6, "--out", out,
            )  # fmt: skip
            assert outcome.code == 0, outcome.err
            results[couch] = table(out)["liver"]["mean_dose_mgy"]
            assert ("COUCH REMOVED" in outcome.err) == (couch == "remove")
    # pallet, mattress and blankets of this PET/CT: 2.4 g/cm2 in front and behind together
    assert 0.75 < results["keep"] / results["remove"] < 0.97

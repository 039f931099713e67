"""`milligray ct-dose --dry-run` and `--dose-grid`: said beforehand, and what then happens."""

import json

import nibabel
import numpy as np
import pytest

from milligray.exam import memory, plan

pytestmark = pytest.mark.usefixtures("quick_calibration")


def test_dry_run_tells_the_series_the_grid_and_the_memory(milligray, dicom, tmp_path):
    outcome = milligray(
        "ct-dose", dicom(), "--dry-run", "--voxel-size-mm", 16, "--out", tmp_path / "new",
        "--per-100-mas",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert not (tmp_path / "new").exists()
    for word in ("DICOM series 1", "30 x 40 x 40", "120 kV", "CTDIvol 10 mGy", "GB free",
                 "transport", "scanner", "tally"):  # fmt: skip
        assert word in outcome.out


def test_json_holds_the_plan_and_the_run_keeps_to_it(milligray, dicom, tmp_path):
    folder = dicom()
    protocol = tmp_path / "p.toml"
    protocol.write_text("[dose]\nctdi_vol_mgy = 10\nphantom_diameter_mm = 320\n")
    options = ("--protocol", protocol, "--segmenter", "threshold", "--histories", 20_000)
    planned = json.loads(milligray("ct-dose", folder, "--dry-run", "--json", *options).out)
    assert planned["obstacles"] == []
    assert planned["image"]["shape"] == [30, 40, 40]
    assert planned["scan"]["phantom_diameter_mm"] == 320
    assert planned["memory"]["peak_bytes"] == max(planned["memory"]["stage_bytes"].values())
    assert planned["memory"]["peak_bytes"] <= planned["memory_at_most"]["peak_bytes"]
    out = tmp_path / "out"
    outcome = milligray("ct-dose", folder, "--out", out, "--dose-grid", "transport", *options)
    assert outcome.code == 0, outcome.err
    dose = nibabel.load(out / "dose.nii.gz")
    real = dose.shape[::-1]
    assert np.all(np.abs(np.array(planned["transport"]["shape"]) - real) <= 4)


def test_dose_on_both_grids_holds_the_same_energy(milligray, case, tmp_path):
    kept = {}
    for grid in ("ct", "transport"):
        outcome = milligray(
            "ct-dose", case.ct, "--protocol", case.protocol, "--organs", case.labels, "--histories",
            20_000, "--voxel-size-mm", 16, "--dose-grid", grid, "--out", tmp_path / grid,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        image = nibabel.load(tmp_path / grid / "dose.nii.gz")
        volume = abs(np.linalg.det(image.affine[:3, :3]))
        kept[grid] = np.asarray(image.dataobj).sum(dtype=float) * volume
    # blocks that reach beyond the image (and hold body) are cut off on the CT's grid
    assert kept["ct"] == pytest.approx(kept["transport"], rel=0.05)


def test_what_would_be_refused_is_said_with_the_exit_code_of_the_run(milligray, dicom):
    outcome = milligray("ct-dose", dicom(CTDIvol=None), "--dry-run")
    assert outcome.code == 3
    assert "REFUSED: the scan has no CTDIvol" in outcome.out


def test_too_little_memory_is_an_error_beforehand(milligray, dicom, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "available_memory_bytes", lambda: 2 * 10**8)
    folder = dicom()
    outcome = milligray("ct-dose", folder, "--out", tmp_path / "out", "--per-100-mas")
    assert outcome.code == 3
    assert "GB of memory" in outcome.err
    assert not (tmp_path / "out").exists()
    assert "REFUSED: this run would need" in milligray("ct-dose", folder, "--dry-run").out


def test_memory_is_looked_at_again_once_the_body_is_known(milligray, case, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: 0)
    monkeypatch.setattr(memory, "resident_bytes", lambda: 10**8)
    outcome = milligray(
        "ct-dose", case.ct, "--protocol", case.protocol, "--organs", case.labels,
        "--out", tmp_path / "out", "--histories", 20_000,
    )  # fmt: skip
    assert outcome.code == 3
    assert "GB of memory" in outcome.err


@pytest.mark.parametrize("options", [("--dose-grid", "fine", "--out", "x"), ("--quiet",)])
def test_wrong_grid_and_missing_folder_are_told(milligray, case, options):
    outcome = milligray("ct-dose", case.ct, "--protocol", case.protocol, *options)
    assert outcome.code == (3 if "fine" in options else 2)
    assert "--dose-grid" in outcome.err or "--out" in outcome.err

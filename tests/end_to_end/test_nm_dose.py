"""nm-dose through the command line: synthetic and real input, refusals with nothing written."""

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

SHARED = Path(__file__).parents[3] / "shared"
PET_CT = SHARED / "data" / "dicom" / "sts_002_petct"


@pytest.fixture
def spect(case, tmp_path):
    """Write an activity image on the CT's grid [Bq/mL], with a sidecar."""

    def write(name="spect.nii.gz", *, hours=24.0, values=None, **facts):
        affine = nibabel.load(case.ct).affine
        if values is None:
            values = np.where(case.hu > -500, 2e4, 0.0)
        path = tmp_path / name
        nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(values.T, np.float32), affine), path)
        told = {
            "nuclide": "Lu-177", "units": "Bq/mL", "administered_activity_mbq": 400.0,
            "reference_s_after_administration": hours * 3600.0,
        } | facts  # fmt: skip
        told = {k: v for k, v in told.items() if v is not None}
        path.with_name(name.replace(".nii.gz", ".json")).write_text(json.dumps(told))
        return path

    return write


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_organ_doses_of_a_simulated_treatment(milligray, case, spect, tmp_path):
    out = tmp_path / "result"
    images = [
        spect(f"s{h}.nii.gz", hours=h, values=np.where(case.hu > -500, 2e4 * 0.5 ** (h / 60), 0.0))
        for h in (4.0, 24.0, 96.0)
    ]
    outcome = milligray(
        "nm-dose", *images, "--ct", case.ct, "--organs", case.labels, "--kinetics", "fit",
        "--compare", "local,ssv", "--histories", 40_000, "--voxel-size-mm", 0, "--out", out,
        "--quiet",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    names = {p.name for p in out.iterdir()}
    assert {"dose.nii.gz", "organ_doses.csv", "kinetics.csv", "methods.csv", "result.json",
            "report.html"} <= names  # fmt: skip
    heart = next(r for r in rows(out / "organ_doses.csv") if r["organ"] == "heart")
    # 0.02 MBq/mL that falls with 60 h, 147 keV a decay, in 1.05 g/cm3
    decays_ml = 0.02e6 * 60 * 3600 / np.log(2)
    expected = decays_ml * 147.9 / 1.05 * 1.602176634e-10
    assert float(heart["mean_dose_mgy"]) == pytest.approx(expected, rel=0.12)
    curve = next(r for r in rows(out / "kinetics.csv") if r["region"] == "heart")
    assert float(curve["effective_half_life_s"]) == pytest.approx(60 * 3600, rel=0.01)
    dose = nibabel.load(out / "dose.nii.gz")
    assert dose.shape == nibabel.load(case.ct).shape
    assert np.asarray(dose.dataobj).min() >= 0


@pytest.fixture
def refused(milligray, case, tmp_path):
    """Run nm-dose on input that must be refused; returns the message."""

    def call(*images, code=3, kinetics="physical", options=()):
        out = tmp_path / "never"
        before = {p.name for p in tmp_path.iterdir()}
        outcome = milligray(
            "nm-dose", *images, "--ct", case.ct, "--organs", case.labels, "--kinetics", kinetics,
            "--method", "local", "--out", out, "--quiet", *options,
        )  # fmt: skip
        assert outcome.code == code, outcome.err
        assert "Traceback" not in outcome.err
        assert {p.name for p in tmp_path.iterdir()} == before
        return outcome.err

    return call


def test_no_units(refused, spect):
    assert "units" in refused(spect(units=None))


def test_no_time(refused, spect):
    assert "administration" in refused(spect(reference_s_after_administration=None))


def test_unknown_nuclide(refused, spect):
    assert "Lu-1777" in refused(spect(nuclide="Lu-1777"))


def test_negative_voxels(refused, spect, case):
    values = np.where(case.hu > -500, 2e4, 0.0)
    values[10:20, 18:22, 18:22] = -3e4
    assert "negative" in refused(spect(values=values))


def test_times_out_of_order(refused, spect, case):
    values = np.where(case.hu > -500, 1e4, 0.0)
    late = spect("late.nii.gz", hours=96.0, values=values)
    early = spect("early.nii.gz", hours=4.0)
    assert "order" in refused(late, early, kinetics="mono")


def test_activity_beyond_the_ct(refused, spect):
    image = spect()
    loaded = nibabel.load(image)
    affine = loaded.affine.copy()
    affine[:3, :3] *= 1.6  # a larger field than the CT's
    affine[:3, 3] *= 1.6
    nibabel.save(nibabel.Nifti1Image(np.asarray(loaded.dataobj), affine), image)
    assert "beyond the CT" in refused(image)


def test_more_activity_than_was_given(refused, spect):
    assert "activity" in refused(spect(administered_activity_mbq=1.0))


def test_kinetics_that_need_more_images(refused, spect):
    assert "several times" in refused(spect(), kinetics="mono")


def test_kernel_network_is_not_there_yet(refused, spect):
    assert "kernel network" in refused(spect(), options=("--compare", "kernel-network"))


def test_kinetics_must_be_chosen(milligray, spect, case, tmp_path):
    outcome = milligray("nm-dose", spect(), "--ct", case.ct, "--out", tmp_path / "never")
    assert outcome.code == 2
    assert "kinetics" in outcome.err


@pytest.mark.skipif(not PET_CT.is_dir(), reason="../shared is absent")
def test_real_pet_ct(milligray, tmp_path):
    """FDG, part of a leg: tissues by CT number, dose near 0.01 mGy/MBq as in any tissue."""
    out = tmp_path / "result"
    outcome = milligray(
        "nm-dose", PET_CT, "--kinetics", "physical", "--segmenter", "threshold", "--histories",
        40_000, "--voxel-size-mm", 4, "--out", out, "--quiet",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    table = rows(out / "organ_doses.csv")
    soft = next(r for r in table if r["organ"] == "threshold_soft_tissue")
    assert 0.003 < float(soft["dose_per_activity_mgy_mbq"]) < 0.03
    document = json.loads((out / "result.json").read_text())
    assert document["administered_activity_mbq"] == pytest.approx(433.3, abs=0.1)
    assert any("PART OF THE BODY" in warning for warning in document["warnings"])


@pytest.mark.skipif(not PET_CT.is_dir(), reason="../shared is absent")
def test_ct_of_another_patient(milligray, dicom, tmp_path):
    outcome = milligray(
        "nm-dose", PET_CT, "--ct", dicom(), "--kinetics", "physical", "--segmenter", "threshold",
        "--method", "local", "--out", tmp_path / "never", "--quiet",
    )  # fmt: skip
    assert outcome.code == 3
    assert "patient" in outcome.err
    assert not (tmp_path / "never").exists()

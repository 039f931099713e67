"""Bad input through the command line: the right exit code, the reason, and nothing written."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from pydicom import dcmread

from milligray.cli import main


@pytest.fixture
def refused(milligray, tmp_path):
    """Run ct-dose on an input that must be refused; returns the message."""

    def call(path, *options, code=3, histories=("--histories", 2000)):
        out = tmp_path / "never"
        before = {p.name for p in tmp_path.iterdir()}
        outcome = milligray("ct-dose", path, "--out", out, *histories, "--quiet", *options)
        assert outcome.code == code, outcome.err
        assert "Traceback" not in outcome.err
        assert outcome.out == ""
        assert {p.name for p in tmp_path.iterdir()} == before  # nothing, hidden or not
        return outcome.err

    return call


def nifti_options(case, **changes):
    given = {"--protocol": case.protocol, "--organs": case.labels} | changes
    return [part for key, value in given.items() for part in (key, value)]


def test_missing_input(refused, tmp_path):
    assert "nothing_here" in refused(tmp_path / "nothing_here")


def test_empty_folder(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "DICOM" in refused(tmp_path / "empty")


def test_series_that_is_no_ct(refused, dicom):
    message = refused(dicom(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"))
    assert "CT" in message


def test_missing_slice(refused, dicom):
    folder = dicom()
    (folder / "1_14.dcm").unlink()
    assert "missing" in refused(folder)


def test_two_patients(refused, dicom):
    dicom(name="A", series="1")
    message = refused(dicom(name="B", series="2"))
    assert "series" in message


def test_two_series_can_be_told_apart(milligray, dicom, tmp_path):
    dicom(series="1")
    folder = dicom(series="2", KVP=50)
    outcome = milligray("ct-dose", folder, "--out", tmp_path / "out", "--series", "2")
    assert outcome.code == 3
    assert "50 kV" in outcome.err


def test_truncated_file(refused, dicom):
    folder = dicom()
    path = folder / "1_10.dcm"
    path.write_bytes(path.read_bytes()[:-1500])
    assert "1_10.dcm" in refused(folder)


def test_truncated_nifti(refused, case, tmp_path):
    path = tmp_path / "cut.nii.gz"
    path.write_bytes(case.ct.read_bytes()[:3000])
    assert "cut.nii.gz" in refused(path, "--protocol", case.protocol)


def test_text_named_as_nifti(refused, case, tmp_path):
    path = tmp_path / "text.nii"
    path.write_text("this is no image")
    assert "text.nii" in refused(path, "--protocol", case.protocol)


def test_labels_of_another_place(refused, case, tmp_path):
    import nibabel

    image = nibabel.load(case.labels)
    affine = image.affine.copy()
    affine[:3, 3] += 5000.0
    far = tmp_path / "far.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), affine), far)
    names = case.labels.with_name("labels.json")
    message = refused(case.ct, *nifti_options(case, **{"--organs": far, "--organ-names": names}))
    assert "overlap" in message or "outside" in message


def test_labels_beside_the_organs(refused, case, moved_labels):
    message = refused(case.ct, *nifti_options(case, **{"--organs": moved_labels}))
    assert "the labels do not fit this CT" in message
    assert "--force" in message


@pytest.mark.usefixtures("quick_calibration")
def test_labels_beside_the_organs_go_on_with_force(milligray, case, moved_labels, tmp_path):
    outcome = milligray(
        "ct-dose", case.ct, *nifti_options(case, **{"--organs": moved_labels}), "--out",
        tmp_path / "out", "--histories", 2000, "--force",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert document["settings"]["accept_labels"] is True
    assert document["warnings"][0].startswith("LABELS CONTRADICT THE CT")
    assert "LABELS CONTRADICT THE CT" in (tmp_path / "out" / "report.html").read_text()


def test_labels_that_do_not_exist(refused, case, tmp_path):
    message = refused(case.ct, *nifti_options(case, **{"--organs": tmp_path / "no_labels.nii.gz"}))
    assert "no_labels.nii.gz" in message


@pytest.mark.parametrize("kv", [40, 59, 151, 6000])
def test_tube_voltage_out_of_range(refused, case, kv):
    protocol = case.changed_protocol("tube_voltage_kv = 120", f"tube_voltage_kv = {kv}")
    assert "60-150 kV" in refused(case.ct, "--protocol", protocol)


@pytest.mark.parametrize(("kv", "message"), [(25, "60-150 kV"), (None, "KVP (0018,0060)")])
def test_tube_voltage_of_the_header(refused, dicom, kv, message):
    assert message in refused(dicom(KVP=kv))


def test_no_ctdivol(refused, case, dicom):
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0\nphantom_diameter_mm = 160", "")
    for message in (
        refused(case.ct, "--protocol", protocol, "--organs", case.labels),
        refused(dicom(CTDIvol=None)),
    ):
        assert "CTDIvol" in message
        assert "--per-100-mas" in message


def test_ctdivol_without_its_phantom(refused, case):
    protocol = case.changed_protocol("phantom_diameter_mm = 160", "")
    assert "phantom_diameter_mm" in refused(case.ct, "--protocol", protocol)


def test_nifti_without_protocol(refused, case):
    assert "--protocol" in refused(case.ct)


def test_unknown_key_of_the_protocol_names_the_nearest(refused, case):
    protocol = case.changed_protocol("pitch = 1.0", "pich = 1.0")
    assert "pitch" in refused(case.ct, "--protocol", protocol)


def test_protocol_that_is_no_toml(refused, case, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("[scan\nkv = ")
    assert "bad.toml" in refused(case.ct, "--protocol", path)


def test_unknown_scanner(refused, case):
    message = refused(case.ct, *nifti_options(case), "--scanner", "siemens-of-mine")
    assert "siemens-of-mine" in message
    assert "generic" in message


def test_unknown_bowtie(refused, case):
    assert "chest" in refused(case.ct, *nifti_options(case), "--bowtie", "chest")


def test_unknown_calibration(refused, case):
    message = refused(case.ct, *nifti_options(case), "--calibration", "mine")
    assert "schneider2000" in message


@pytest.mark.parametrize(
    "options",
    [
        ["--couch", "burn"],
        ["--segmenter", "magic"],
        ["--device", "abacus"],
        ["--threads", "0"],
        ["--seed", "-1"],
        ["--voxel-size-mm", "-2"],
        ["--extend-mm", "-10"],
        ["--histories", "5"],
        ["--precision", "0.01"],  # beside --histories
    ],
)
def test_values_that_make_no_sense(refused, case, options):
    message = refused(case.ct, *nifti_options(case), *options)
    assert options[0].strip("-").replace("-", "_").split("_")[0] in message.replace("-", "_")


@pytest.mark.parametrize("precision", ["0", "-0.1", "2", "nan"])
def test_precision_that_makes_no_sense(refused, case, precision):
    message = refused(case.ct, *nifti_options(case), "--precision", precision, histories=())
    assert "precision" in message


def test_no_cuda_here(refused, case):
    assert "--device" in refused(case.ct, *nifti_options(case), "--device", "cuda", code=4)


def test_result_in_the_way(milligray, case, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "result.json").write_text("old")
    outcome = milligray("ct-dose", case.ct, "--protocol", case.protocol, "--out", out)
    assert outcome.code == 3
    assert "--overwrite" in outcome.err
    assert [(p.name, p.read_text()) for p in out.iterdir()] == [("result.json", "old")]


def test_file_in_the_way(milligray, case, tmp_path):
    (tmp_path / "out").write_text("mine")
    outcome = milligray("ct-dose", case.ct, "--protocol", case.protocol, "--out", tmp_path / "out")
    assert outcome.code == 3
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere"
)
def test_place_that_cannot_be_written(milligray, case, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    outcome = milligray("ct-dose", case.ct, "--protocol", case.protocol, "--out", locked / "out")
    assert outcome.code == 3
    assert "cannot write" in outcome.err


def test_place_under_a_file_cannot_be_written(milligray, case, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = milligray(
        "ct-dose", case.ct, "--protocol", case.protocol, "--out", tmp_path / "file" / "out"
    )
    assert outcome.code == 3
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["ct-dose", "ct.nii.gz"],
        ["ct-dose", "--out", "out"],
        ["ct-dose", "ct.nii.gz", "--out", "out", "--no-such-option"],
        ["ct-dose", "ct.nii.gz", "--out", "out", "--histories", "many"],
        ["ct-dose", "ct.nii.gz", "--out", "out", "--precision", "good"],
        ["no-such-command"],
        ["spectrum", "--tube-voltage-kv", "high"],
    ],
)
def test_usage_errors_have_exit_code_2(milligray, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = milligray(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("milligray: ")
    assert list(tmp_path.iterdir()) == []


def test_a_bug_is_called_one(milligray, monkeypatch, case, tmp_path):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("made for this test")

    monkeypatch.setattr("milligray.exam.ct_exam.compute_ct_exam", broken)
    outcome = milligray(
        "ct-dose", case.ct, "--protocol", case.protocol, "--out", tmp_path / "out", "--quiet"
    )
    assert outcome.code == main.BUG
    assert "bug" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_failure_while_writing_leaves_nothing(milligray, monkeypatch, case, tmp_path):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("milligray.report.output.write_organ_csv", full)
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0\nphantom_diameter_mm = 160", "")
    outcome = milligray(
        "ct-dose", case.ct, "--protocol", protocol, "--organs", case.labels, "--out",
        tmp_path / "out", "--histories", 2000, "--per-100-mas", "--quiet",
    )  # fmt: skip
    assert outcome.code != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_leaves_no_half_written_result(case, tmp_path):
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0\nphantom_diameter_mm = 160", "")
    command = [
        sys.executable, "-m", "milligray.cli.main", "ct-dose", str(case.ct), "--protocol",
        str(protocol), "--organs", str(case.labels), "--out", str(tmp_path / "out"),
        "--per-100-mas", "--precision", "0.0001",
    ]  # fmt: skip
    # a child of a job in the background would inherit that Ctrl-C is ignored, a handler it does not
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(  # noqa: S603
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("transport"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == main.INTERRUPTED
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_patient_is_never_named(refused, dicom):
    folder = dicom(name="Doe^Jane-4711")
    path = folder / "1_10.dcm"
    dataset = dcmread(path)
    dataset.PixelData = dataset.PixelData[:100]
    dataset.save_as(path)
    assert "Doe" not in refused(folder)

"""A set from list to manifest: resumed, refused, verified, made again."""

import json
import pickle
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from milligray.cli.main import app
from milligray.cohort.executors import Task
from milligray.cohort.record import ExamRecord
from milligray.dataset.folder import SetFolder
from milligray.dataset.patients import read_patient_list
from milligray.dataset.recompute import recompute_sample, verify_set
from milligray.dataset.run import SetSummary, make_set
from milligray.dataset.settings import SetSettings
from milligray.dataset.show import set_table, text_of, write_page
from milligray.dataset.storage import read_sample
from milligray.dataset.work import SampleTask
from milligray.errors import InputError
from milligray.exam.settings import CtSettings

from .conftest import PROTOCOLS, Here, write_list

DEFAULTS = CtSettings(voxel_size_mm=8.0)


def settings_for(**values: Any) -> SetSettings:
    given = {"kind": "dose-maps", "protocols_text": PROTOCOLS, "voxel_precision": 0.15} | values
    return SetSettings(**given)


def make(
    folder: Path, out: Path, *, executor: Here | None = None, overwrite: bool = False, **values: Any
) -> SetSummary:
    settings = settings_for(**values)
    specs = read_patient_list(folder / "list.csv", settings, DEFAULTS)
    return make_set(
        specs, settings, out, executor or Here(), list_file=folder / "list.csv",
        overwrite=overwrite,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished() -> dict[str, Path]:
    return {}


@pytest.fixture
def ready(cohort_folder: Path, tmp_path_factory: pytest.TempPathFactory, finished: Any) -> Path:
    """A finished set that tests only look at."""
    if "set" not in finished:
        finished["set"] = tmp_path_factory.mktemp("ready") / "set"
        make(cohort_folder, finished["set"])
    path: Path = finished["set"]
    return path


def test_every_sample_of_a_set_can_be_made_again_bit_for_bit(ready: Path) -> None:
    manifest = SetFolder(ready).need_manifest()
    assert sorted(manifest["samples"]) == ["p1_000", "p2_000"]
    for name in manifest["samples"]:
        sample, difference = recompute_sample(ready, name, threads=1)
        assert difference.is_same, difference
        stored = read_sample(ready / "samples" / f"{name}.h5")
        assert all(
            np.array_equal(sample.arrays[n].values, stored.arrays[n].values, equal_nan=True)
            if stored.arrays[n].values.dtype.kind == "f"
            else np.array_equal(sample.arrays[n].values, stored.arrays[n].values)
            for n in stored.arrays
        )


def test_a_damaged_file_is_found_by_its_checksum(ready: Path, tmp_path: Path) -> None:
    copy = tmp_path / "set"
    shutil.copytree(ready, copy)
    assert verify_set(copy) == {}
    import h5py

    with h5py.File(copy / "samples" / "p1_000.h5", "r+") as file:
        file["dose"][0, 0, 0] += 1e-3
    assert verify_set(copy) == {"p1_000": ["dose"]}
    (copy / "samples" / "p2_000.h5").unlink()
    assert set(verify_set(copy)) == {"p1_000", "p2_000"}


def test_statistics_reached_and_what_they_mean_are_in_the_manifest(ready: Path) -> None:
    manifest = SetFolder(ready).need_manifest()
    found = manifest["summary"]["statistics"]["mean_relative_uncertainty"]
    assert 0.1 < found["median"] < 0.16
    entry = manifest["samples"]["p1_000"]
    assert entry["attributes"]["tube_voltage_kv"] == 120
    assert entry["run"]["seconds"] > 0
    assert manifest["settings"]["protocols_text"] == PROTOCOLS
    assert "/" not in entry["files"]["input"].replace("../", "") or "patients" in str(entry)


class Dying(Here):
    """Executor that stops after the first sample."""

    def run(self, tasks: Sequence[Task]) -> Generator[ExamRecord, None, None]:
        yield tasks[0].run()
        raise KeyboardInterrupt


def test_an_interrupted_set_goes_on_where_it_stood(
    ready: Path, cohort_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        make(cohort_folder, out, executor=Dying())
    manifest = SetFolder(out).need_manifest()
    assert manifest["state"] == "interrupted"
    assert [e["status"] for e in manifest["samples"].values()] == ["done", "open"]
    first = (out / "samples" / "p1_000.h5").stat().st_mtime_ns
    summary = make(cohort_folder, out)
    assert (summary.done, summary.computed, summary.open) == (2, 1, 0)
    assert (out / "samples" / "p1_000.h5").stat().st_mtime_ns == first
    assert not (out / ".work").exists()
    for name in ("p1_000.h5", "p2_000.h5"):  # the same bytes as without interruption
        assert (out / "samples" / name).read_bytes() == (ready / "samples" / name).read_bytes()


def test_another_set_in_the_directory_is_refused(ready: Path, cohort_folder: Path) -> None:
    for values in ({"seed": 2}, {"voxel_precision": 0.1}, {"kind": "slice-features"}):
        with pytest.raises(InputError, match=next(iter(values))):
            make(cohort_folder, ready, **values)


def test_foreign_directories_are_left_alone(cohort_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        make(cohort_folder, tmp_path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_bad_exam_fails_alone_and_leaves_no_sample(cohort_folder: Path, tmp_path: Path) -> None:
    for path in cohort_folder.iterdir():
        if path.suffix != ".csv":
            shutil.copy(path, tmp_path)
    (tmp_path / "p1_ct.nii.gz").write_bytes(b"no image")
    write_list(tmp_path / "list.csv", [("p1", ""), ("p2", "")])
    out = tmp_path / "set"
    summary = make(tmp_path, out)
    assert (summary.done, summary.failed) == (1, 1)
    assert summary.kinds == {"input": 1}
    assert [p.name for p in (out / "samples").iterdir()] == ["p2_000.h5"]
    entry = SetFolder(out).need_manifest()["samples"]["p1_000"]
    assert entry["status"] == "failed"
    assert entry["reason"]


def test_labels_that_contradict_the_ct_fail_their_sample(
    cohort_folder: Path, tmp_path: Path
) -> None:
    for path in cohort_folder.iterdir():
        if path.suffix != ".csv":
            shutil.copy(path, tmp_path)
    labels = nibabel.load(tmp_path / "p1_labels.nii.gz")
    values = np.roll(np.asarray(labels.dataobj), 6, axis=1)
    nibabel.save(nibabel.Nifti1Image(values, labels.affine), tmp_path / "p1_labels.nii.gz")
    write_list(tmp_path / "list.csv", [("p1", "")])
    summary = make(tmp_path, tmp_path / "set")
    assert summary.kinds == {"input": 1}
    assert "do not fit this CT" in summary.failures[0][2]
    write_list(tmp_path / "list.csv", [("p1", "true")], more="accept_labels")
    summary = make(tmp_path, tmp_path / "accepted")
    assert summary.done == 1
    entry = SetFolder(tmp_path / "accepted").need_manifest()["samples"]["p1_000"]
    assert entry["attributes"]["label_warnings"][0].startswith("LABELS CONTRADICT")


def test_own_protocols_are_those_of_the_list(cohort_folder: Path, tmp_path: Path) -> None:
    for path in cohort_folder.iterdir():
        if path.suffix != ".csv":
            shutil.copy(path, tmp_path)
    (tmp_path / "p.toml").write_text(
        "[scan]\ntube_voltage_kv = 100\nmode = 'axial'\ncollimation_mm = 20\n"
        "[dose]\nctdi_vol_mgy = 7\nphantom_diameter_mm = 320\n[scanner]\nname = 'generic'\n"
    )
    write_list(tmp_path / "list.csv", [("p1", "p.toml")], "protocol")
    out = tmp_path / "set"
    summary = make(tmp_path, out, protocols="own", protocols_text="")
    assert summary.done == 1, summary.failures
    about = SetFolder(out).need_manifest()["samples"]["p1_000"]["attributes"]
    assert (about["tube_voltage_kv"], about["ctdi_vol_mgy"]) == (100, 7)
    assert (about["scan_mode"], about["scanner"]) == ("axial", "generic")


def test_a_task_travels_to_a_worker(cohort_folder: Path, tmp_path: Path) -> None:
    specs = read_patient_list(cohort_folder / "list.csv", settings_for(), DEFAULTS)
    task = SampleTask(spec=specs[0], out=tmp_path, work_folder=tmp_path, threads=1, code=())
    assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301 - our own
    record = task.run()  # a worker of another version refuses, and says so
    assert (record.status, record.kind) == ("failed", "resources")
    assert "version" in record.reason


def test_show_tells_and_draws(ready: Path) -> None:
    manifest = SetFolder(ready).need_manifest()
    table = set_table(manifest)
    text = text_of(table)
    assert "dose-maps" in text
    assert "mean_relative_uncertainty" in text
    page = write_page(ready, manifest, table, samples=1)
    assert page.read_text().count("<img") == 2
    assert {p.suffix for p in page.parent.iterdir()} == {".html", ".png"}
    json.dumps(table)


def test_the_command_line_makes_no_set_of_bad_input(tmp_path: Path, cohort_folder: Path) -> None:
    runner = CliRunner()
    out = tmp_path / "set"

    def error_of(*arguments: str) -> BaseException | None:
        return runner.invoke(app, ["dataset", "make", *arguments, "--out", str(out)]).exception

    patients = str(cohort_folder / "list.csv")
    for arguments in (
        ("--kind", "dose-mapz", "--patients", patients),
        ("--kind", "dose-maps", "--patients", str(tmp_path / "nobody.csv")),
        ("--kind", "dose-maps", "--patients", patients, "--protocols", "own"),
        ("--kind", "dose-maps", "--patients", patients, "--split", "1,1,1"),
        ("--kind", "dose-maps", "--patients", patients, "--slab", "9x9"),
        ("--kind", "dose-maps", "--patients", patients, "--voxel-precision", "0"),
    ):
        assert isinstance(error_of(*arguments), InputError), arguments
        assert not out.exists()


def test_the_command_line_shows_and_verifies(ready: Path) -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["dataset", "show", str(ready), "--no-pictures"])
    assert shown.exit_code == 0
    assert "2 done" in shown.stdout
    assert runner.invoke(app, ["dataset", "verify", str(ready)]).exit_code == 0
    assert "slice-features" in runner.invoke(app, ["dataset", "kinds"]).stdout

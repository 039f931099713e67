import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from milligray.cli.main import app
from milligray.cohort import read_exam_list
from milligray.cohort.exam_list import ExamDefaults
from milligray.errors import InputError
from milligray.read import read_ct_nifti, read_labels
from milligray.report.nifti_image import write_image
from milligray.volume import Grid

GRID = Grid.from_spacing((20, 40, 50), (5.0, 5.0, 5.0))


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    hu = np.full(GRID.shape, -1000, dtype=np.int16)
    hu[:, 8:32, 8:42] = 40
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[5:15, 12:20, 10:20] = 1
    labels[5:15, 12:20, 28:40] = 2
    folder = tmp_path / "scan"
    folder.mkdir()
    write_image(hu, GRID, folder / "ct.nii.gz")
    write_image(labels, GRID, folder / "labels.nii.gz")
    (folder / "names.json").write_text('{"1": "kidney_right", "2": "kidney_left"}')
    (folder / "protocol.toml").write_text("[scan]\n")
    return folder


def _run(scan: Path, out: Path, *more: str) -> object:
    arguments = ["phantom", "augment", str(scan / "ct.nii.gz"), "--labels"]
    arguments += [str(scan / "labels.nii.gz"), "--names", str(scan / "names.json")]
    arguments += ["--seed", "5", "--out", str(out), "--quiet", *more]
    return CliRunner().invoke(app, arguments)


def test_copies_are_written_listed_and_readable(scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    protocol = Path("examples/abdomen_helical.toml").absolute()
    result = _run(scan, out, "--n", "2", "--mirror", "1", "--protocol", str(protocol))
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((out / "exams.csv").read_text().splitlines()))
    assert [row["exam"] for row in rows] == ["augmented_0001", "augmented_0002"]
    for row in rows:
        ct = read_ct_nifti(out / row["input"])
        labels = read_labels(out / row["organs"])
        assert ct.volume.grid.is_same_as(labels.volume.grid)
        assert set(labels.names.values()) == {"kidney_left", "kidney_right"}
    exams = read_exam_list(out / "exams.csv", ExamDefaults())
    assert [exam.exam for exam in exams] == ["augmented_0001", "augmented_0002"]
    record = json.loads((out / "augmentations.json").read_text())
    assert record["seed"] == 5
    assert all(copy["is_mirrored"] and copy["jacobian"][0] > 0 for copy in record["copies"])


def test_same_seed_gives_the_same_files_and_numbers_do_not_depend_on_n(
    scan: Path, tmp_path: Path
) -> None:
    _run(scan, tmp_path / "a", "--n", "2")
    _run(scan, tmp_path / "b", "--n", "1")
    for name in ("ct.nii.gz", "labels.nii.gz", "labels.json"):
        files = [tmp_path / which / "augmented_0001" / name for which in "ab"]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_nothing_is_overwritten_without_being_allowed(scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert _run(scan, out, "--n", "2").exit_code == 0
    (out / "notes.txt").write_text("mine")
    before = (out / "augmentations.json").read_bytes()
    refused = _run(scan, out, "--n", "1")
    assert isinstance(refused.exception, InputError)
    assert (out / "augmentations.json").read_bytes() == before
    assert _run(scan, out, "--n", "1", "--overwrite").exit_code == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "augmented_0002").exists()


@pytest.mark.parametrize(
    "more", [("--n", "0"), ("--scale", "0.9"), ("--protocol", "absent.toml"), ("--crop", "0")]
)
def test_bad_options_are_bad_input_and_leave_nothing(
    scan: Path, tmp_path: Path, more: tuple[str, str]
) -> None:
    result = _run(scan, tmp_path / "out", *more)
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "out").exists()


def test_absent_ct_is_bad_input(scan: Path, tmp_path: Path) -> None:
    (scan / "ct.nii.gz").unlink()
    assert isinstance(_run(scan, tmp_path / "out").exception, InputError)

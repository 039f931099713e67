"""`milligray phantom make`: a person in a folder; bad input ends with code 3 and leaves nothing."""

import json
import sys
from pathlib import Path

import pytest

from milligray.cli import main
from milligray.read import read_labels


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["milligray", "phantom", *map(str, arguments)])
    try:
        main.run()
    except SystemExit as leave:
        return int(leave.code or 0)
    return main.OK


def test_a_person_is_made_and_not_overwritten_unasked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "she"
    wanted = ("make", "--out", out, "--sex", "female", "--height-cm", "165", "--weight-kg", "62",
              "--organ-scale", "liver=1.1", "--spacing-mm", "6", "--field", "torso")  # fmt: skip
    assert run(monkeypatch, *wanted, "--json") == main.OK
    told = json.loads(capsys.readouterr().out)
    assert told["parameters"]["height_mm"] == 1650
    assert told["parameters"]["organ_scale"] == {"liver": 1.1}
    assert told == json.loads((out / "phantom.json").read_text())
    assert "liver" in read_labels(out / "labels.nii.gz").names.values()
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    assert set(before) == {"ct.nii.gz", "labels.nii.gz", "labels.json", "phantom.json"}

    assert run(monkeypatch, *wanted) == main.BAD_INPUT
    assert "--overwrite" in capsys.readouterr().err
    assert run(monkeypatch, *wanted, "--overwrite", "--json") == main.OK
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["she"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--sex", "other"), "sex must be"),
        (("--height-cm", "100"), "height_mm must be 1500 to 2100"),
        (("--weight-kg", "300"), "BMI"),
        (("--weight-kg", "-5"), "--weight-kg must be > 0"),
        (("--height-cm", "0"), "--height-cm must be > 0"),
        (("--organ-scale", "liver"), "NAME=FACTOR"),
        (("--organ-scale", "liver=big"), "NAME=FACTOR"),
        (("--organ-scale", "liver=9"), "organ_scale of liver must be 0.5 to 2"),
        (("--organ-scale", "livre=1.1"), "did you mean 'liver'"),
        (("--lung-density", "1"), "lung_density_g_cm3 must be"),
        (("--arms", "crossed"), "arms must be"),
        (("--masses", "mine"), "masses must be"),
        (("--variation", "nan"), "variation must be"),
        (("--field", "nose"), "no field of view 'nose'"),
        (("--appearance", "nice"), "--appearance must be"),
        (("--spacing-mm", "9"), "spacing_mm must be 1 to 6 mm"),
    ],
)
def test_bad_input_ends_with_code_3_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, str],
    message: str,
) -> None:
    out = tmp_path / "he"
    first = () if more[0] == "--sex" else ("--sex", "male")
    assert run(monkeypatch, "make", "--out", out, *first, *more) == main.BAD_INPUT
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_folders_of_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    wanted = ("make", "--sex", "male", "--spacing-mm", "6", "--overwrite", "--out", tmp_path)
    assert run(monkeypatch, *wanted) == main.BAD_INPUT
    assert "holds something else" in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "more", [("--n", "0"), ("--n", "1", "--field", "nose"), ("--n", "1", "--distributions", "x")]
)
def test_bad_populations_end_with_code_3(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: tuple[str, ...]
) -> None:
    out = tmp_path / "people"
    wanted = ("population", "--out", out, "--workers", "1", "--quiet", *more)
    assert run(monkeypatch, *wanted) == main.BAD_INPUT
    assert not out.exists()


def test_the_sex_must_be_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run(monkeypatch, "make", "--out", tmp_path / "it") == main.USAGE

import csv
import json
import sys

import pytest

from milligray.cli import main
from milligray.errors import InputError
from milligray.evaluate import plot_style
from milligray.train.studies import STUDIES, find_study, parse_study_options


def _run(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["milligray", *map(str, args)])
    try:
        main.run()
    except SystemExit as leave:
        return leave.code
    return 0


def _result(folder, factor):
    folder.mkdir()
    with (folder / "organ_doses.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["organ", "mean_dose_mgy", "relative_uncertainty", "volume_ml", "method"])
        for organ, dose in (("liver", 10.0), ("spleen", 12.0), ("stomach", 9.0)):
            rows.writerow([organ, factor * dose, 0.01, 100.0, "test"])
    return folder


def test_compare_is_the_default(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plot_style, "DPI", 30)
    ours, theirs = _result(tmp_path / "n", 1.02), _result(tmp_path / "t", 1.0)
    assert _run(monkeypatch, "evaluate", ours, theirs, "--out", tmp_path / "o", "--json") == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["organ_doses"]["values"]["mean_relative_error"] == pytest.approx(0.02)
    assert (tmp_path / "o" / "report.html").is_file()
    assert _run(monkeypatch, "evaluate", ours, theirs, "--out", tmp_path / "o") == 3
    assert "not empty" in capsys.readouterr().err
    args = ("evaluate", "compare", ours, theirs, "--out", tmp_path / "o", "--overwrite")
    assert _run(monkeypatch, *args) == 0
    shown = capsys.readouterr().out
    assert "2.00 %" in shown
    assert "report.html" in shown


def test_wrong_criterion_is_bad_input(tmp_path, monkeypatch, capsys):
    ours = _result(tmp_path / "n", 1.0)
    for text in ("3", "3/3/3", "a/b", "1/1-both", "0/1", "1../1"):
        args = ("evaluate", ours, ours, "--out", tmp_path / "o", "--gamma", text)
        assert _run(monkeypatch, *args) == 3
        assert "PERCENT/MM" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_studies_are_listed_and_unknown_ones_refused(monkeypatch, capsys):
    assert _run(monkeypatch, "evaluate", "study", "list") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in STUDIES)
    assert _run(monkeypatch, "evaluate", "study", "deep-doze", "--out", "x", "--data", "y") == 3
    assert "deep-dose" in capsys.readouterr().err


def test_study_options():
    assert parse_study_options(("a=1", "b=x=y")) == {"a": "1", "b": "x=y"}
    with pytest.raises(InputError, match="KEY=VALUE"):
        parse_study_options(("a",))
    with pytest.raises(InputError, match="twice"):
        parse_study_options(("a=1", "a=2"))
    with pytest.raises(InputError, match="no study named"):
        find_study("nothing")

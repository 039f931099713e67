"""A population on disk: the same whoever else is made, kept when more are asked for."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from milligray.anatomy.population import Population, read_population
from milligray.cohort import read_exam_list
from milligray.cohort.executors import Executor
from milligray.dataset.patients import COLUMNS, read_patient_list
from milligray.dataset.settings import SetSettings
from milligray.errors import InputError
from milligray.population import PopulationOptions, PopulationSummary, make_population, work
from milligray.population.run import person_parameters
from milligray.read import read_ct_nifti, read_labels
from milligray.segment import organ_catalog

COARSE = PopulationOptions(spacing_mm=6.0, field_of_view="head-neck")


@pytest.fixture(scope="module")
def population() -> Population:
    return read_population("uniform")


def made(
    population: Population, n: int, out: Path, executor: Executor, **more: Any
) -> PopulationSummary:
    seed = more.pop("seed", 3)
    return make_population(population, n, seed, out, executor, **{"options": COARSE} | more)


def test_a_population_is_made_kept_and_listed(
    population: Population, here: Any, tmp_path: Path
) -> None:
    out = tmp_path / "people"
    told: list[Any] = []
    first = made(population, 1, out, here, progress=told.append)
    assert (first.done, first.made, first.failures) == (1, 1, ())
    assert [p.done for p in told] == [0, 1]
    files = {p: p.read_bytes() for p in (out / "phantoms" / "P0001").iterdir()}

    second = made(population, 2, out, here)
    assert (second.done, second.made) == (2, 1)
    assert here.asked == ["P0001", "P0002"]
    assert {p: p.read_bytes() for p in (out / "phantoms" / "P0001").iterdir()} == files
    assert not (out / ".work").exists()

    for name in ("P0001", "P0002"):
        document = json.loads((out / "phantoms" / name / "phantom.json").read_text())
        assert person_parameters(document) == population.person(int(name[1:]), 3)
        ct = read_ct_nifti(out / "phantoms" / name / "ct.nii.gz")
        labels = read_labels(out / "phantoms" / name / "labels.nii.gz")
        assert ct.volume.grid.is_same_as(labels.volume.grid)
        assert list(ct.volume.grid.shape) == document["shape"]
        present = np.unique(labels.volume.values)
        names = {labels.names[int(v)] for v in present if v}
        assert names <= set(organ_catalog())
        assert {"brain", "mandible", "thyroid_gland", "skin"} <= names

    rows = list(csv.DictReader((out / "population.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["P0001", "P0002"]
    manifest = json.loads((out / "population.json").read_text())
    assert (manifest["seed"], manifest["n"], manifest["failures"]) == (3, 2, [])

    # its list is that of other commands
    exams = read_exam_list(out / "patients.csv", more_columns=COLUMNS, needs_protocol=False)
    assert [exam.exam for exam in exams] == ["P0001", "P0002"]
    samples = read_patient_list(
        out / "patients.csv", SetSettings(kind="dose-maps", protocols_text="x")
    )
    assert {(s.patient, s.anatomy) for s in samples} == {
        ("P0001", "synthetic"),
        ("P0002", "synthetic"),
    }

    # another one does not go into its folder
    for wrong in ({"seed": 4}, {"options": PopulationOptions(spacing_mm=6.0)}):
        with pytest.raises(InputError, match="another person than asked for"):
            made(population, 2, out, here, **wrong)
    assert {p: p.read_bytes() for p in (out / "phantoms" / "P0001").iterdir()} == files
    anew = made(population, 1, out, here, seed=4, overwrite=True)
    assert (anew.done, anew.made) == (1, 1)
    assert not (out / "phantoms" / "P0002").exists()


def test_one_person_that_cannot_be_made_stops_no_other(
    population: Population, here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = work.write_person

    def fails_once(parameters: Any, place: Path, **more: Any) -> Any:
        if more["name"] == "P0001":
            raise InputError("no room for liver")
        return write(parameters, place, **more)

    monkeypatch.setattr(work, "write_person", fails_once)
    out = tmp_path / "people"
    summary = made(population, 2, out, here)
    assert (summary.done, summary.made) == (1, 1)
    ((name, kind, reason),) = summary.failures
    assert (name, kind) == ("P0001", "input")
    assert "no room for liver" in reason
    rows = list(csv.DictReader((out / "patients.csv").read_text().splitlines()))
    assert [row["exam"] for row in rows] == ["P0002"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"field_of_view": "nose"}, "no field of view 'nose'; there are whole"),
        ({"spacing_mm": 0.5}, "spacing_mm must be 1 to 6 mm"),
        ({"spacing_mm": 8.0}, "spacing_mm must be 1 to 6 mm"),
    ],
)
def test_impossible_options_are_refused_before_anything_is_made(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        PopulationOptions(**wrong)


def test_folders_of_others_are_left_alone(
    population: Population, here: Any, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        made(population, 1, tmp_path, here)
    with pytest.raises(InputError, match="is a file"):
        made(population, 1, tmp_path / "notes.txt", here)
    with pytest.raises(InputError, match="at least 1"):
        made(population, 0, tmp_path / "people", here)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    assert here.asked == []

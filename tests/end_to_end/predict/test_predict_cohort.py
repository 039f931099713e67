"""`milligray cohort --predict`: many exams by one network."""

import csv
import json
from dataclasses import replace

import pytest

from milligray.cohort import CohortOptions, read_exam_list, run_cohort
from milligray.cohort import work as work_module
from milligray.cohort.exam_list import ExamDefaults
from milligray.cohort.folder import CohortFolder
from milligray.cohort.plan import NetworkChoice, plan_cohort
from milligray.errors import InputError


class Here:
    """Executor in this process: a worker of its own would not know the network's predictor."""

    threads = 1

    def run(self, tasks):
        for task in tasks:
            yield work_module.run_exam(task)

    def description(self):
        return {"kind": "here"}


@pytest.fixture
def exams(case, tmp_path):
    """Two exams, the second with a tube voltage that the network was not made for."""
    other = case.changed_protocol("tube_voltage_kv = 120", "tube_voltage_kv = 80")
    path = tmp_path / "list.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["exam", "input", "protocol", "organs"])
        writer.writerow(["p1", case.ct, case.protocol, case.labels])
        writer.writerow(["p2", case.ct, other, case.labels])
    return read_exam_list(path, ExamDefaults())


@pytest.fixture(autouse=True)
def _closed_after():
    yield
    work_module._opened.cache_clear()


def test_an_exam_for_which_it_was_not_made_fails_alone(exams, make_network, tmp_path):
    options = CohortOptions(tables_only=True, network=NetworkChoice.of(str(make_network())))
    out = tmp_path / "out"
    summary = run_cohort(exams, out, Here(), options=options)
    assert (summary.done, summary.failed, summary.kinds) == (1, 1, {"input": 1})
    assert "tube_voltage_kv is 80" in summary.failures[0][2]
    with (out / "cohort.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["organ"] for row in rows} == {"lung_left", "lung_right", "heart", "spinal_cord"}
    assert all(row["method"].startswith("network:linear@") for row in rows)
    assert all(row["histories"] == "" for row in rows)
    manifest = json.loads((out / "cohort.json").read_text())
    assert manifest["output"]["network"]["name"] == "linear"


def test_results_of_two_networks_do_not_mix(exams, make_network, tmp_path):
    choice = NetworkChoice.of(str(make_network()), beyond_validity=True)
    options = CohortOptions(tables_only=True, network=choice)
    out = tmp_path / "out"
    assert run_cohort(exams, out, Here(), options=options).done == 2
    again = plan_cohort(exams, CohortFolder(out), options)
    assert again.todo == ()
    another = replace(options, network=replace(choice, sha256="0" * 64))
    for other in (another, replace(options, network=None)):
        with pytest.raises(InputError):
            plan_cohort(exams, CohortFolder(out), other)


def test_a_network_that_changed_under_way_is_noticed(exams, make_network, tmp_path):
    choice = replace(NetworkChoice.of(str(make_network())), sha256="0" * 64)
    summary = run_cohort(exams[:1], tmp_path / "out", Here(), options=CohortOptions(network=choice))
    assert summary.kinds == {"resources": 1}
    assert "has changed" in summary.failures[0][2]


def test_unknown_network_is_told_before_anything_starts(milligray, tmp_path, case):
    (tmp_path / "list.csv").write_text(f"exam,input,protocol\np1,{case.ct},{case.protocol}\n")
    outcome = milligray(
        "cohort", tmp_path / "list.csv", "--out", tmp_path / "out", "--predict", "nothing"
    )
    assert outcome.code == 3
    assert "no network named 'nothing'" in outcome.err
    assert not (tmp_path / "out").exists()

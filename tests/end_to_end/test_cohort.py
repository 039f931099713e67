"""`milligray cohort` on copies of the synthetic patient: failures, kills, going on."""

import csv
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from milligray.cohort import CohortOptions, read_exam_list, run_cohort
from milligray.cohort import work as work_module
from milligray.cohort.exam_list import ExamDefaults
from milligray.cohort.processes import LocalProcesses
from milligray.exam import CtSettings

NAMES = ("p1", "p2", "p3", "p4")
SETTINGS = CtSettings(precision=None, histories=20_000, per_100_mas=True, voxel_size_mm=8.0)
OPTIONS = ("--histories", 20_000, "--per-100-mas", "--voxel-size-mm", 8)
TABLES = ("cohort.csv", "cohort.parquet")
SMALL = CohortOptions(tables_only=True)


@pytest.fixture
def make_list(case, tmp_path):
    """A list of copies of the patient, without CTDIvol: nothing to calibrate, a second each."""
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0\nphantom_diameter_mm = 160", "")

    def make(*names: str, name: str = "list.csv", **more: str) -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["exam", "input", "protocol", "organs", *more])
            for exam in names or NAMES:
                writer.writerow([exam, case.ct, protocol, case.labels, *more.values()])
        return path

    return make


class Here:
    """Executor in this process, in the order given."""

    threads = 1

    def __init__(self, order=lambda tasks: tasks, stop_after=None):
        self.order, self.stop_after = order, stop_after

    def run(self, tasks):
        for n, task in enumerate(self.order(tasks)):
            if n == self.stop_after:
                raise KeyboardInterrupt
            yield work_module.run_exam(task)

    def description(self):
        return {"kind": "here"}


def exams_of(path):
    return read_exam_list(path, ExamDefaults(settings=SETTINGS))


def rows_of(path):
    with path.open(newline="") as file:
        return {row["exam"]: row for row in csv.DictReader(file)}


def tables_of(out):
    return {name: (out / name).read_bytes() for name in TABLES}


def test_every_exam_gets_its_result_and_the_cohort_its_tables(milligray, make_list, tmp_path):
    out = tmp_path / "out"
    outcome = milligray("cohort", make_list("p1", "p2"), "--out", out, "--workers", 1, *OPTIONS)
    assert outcome.code == 0, outcome.err
    assert "2 exams done (2 in this run), 0 failed; 8 organ doses" in outcome.out
    files = {path.name for path in (out / "exams" / "p1").iterdir()}
    assert files == {"dose.nii.gz", "dose_uncertainty.nii.gz", "organ_doses.csv", "result.json",
                     "report.html", "exam.json"}  # fmt: skip
    rows = rows_of(out / "exams.csv")
    assert rows["p1"]["seed"] != rows["p2"]["seed"]
    assert float(rows["p1"]["water_equivalent_diameter_mm"]) > 100
    assert float(rows["p1"]["peak_memory_mb"]) > 50
    with (out / "cohort.csv").open(newline="") as file:
        doses = list(csv.DictReader(file))
    assert [row["exam"] for row in doses] == ["p1"] * 4 + ["p2"] * 4
    assert all(float(row["mean_dose_mgy_per_100mas"]) > 0 for row in doses)
    assert all(row["mean_dose_mgy"] == "" for row in doses)  # no dose per 100 mAs poses as mGy
    manifest = json.loads((out / "cohort.json").read_text())
    assert manifest["state"] == "finished"
    assert manifest["counts"]["by_status"] == {"done": 2, "failed": 0, "open": 0}
    assert manifest["runs"][0]["executor"]["workers"] == 1
    assert set(manifest["inputs"]["p1"]) == {"ct", "labels"}
    assert not (out / ".work").exists()
    again = milligray("cohort", make_list("p2", "p1"), "--out", out, *OPTIONS, "--json")
    assert json.loads(again.out)["computed"] == 0
    assert json.loads(again.out)["done"] == 2


def test_an_exam_of_a_cohort_equals_the_same_exam_alone(milligray, make_list, case, tmp_path):
    run_cohort(exams_of(make_list("p1")), tmp_path / "out", Here(), options=SMALL)
    seed = rows_of(tmp_path / "out" / "exams.csv")["p1"]["seed"]
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0\nphantom_diameter_mm = 160", "")
    outcome = milligray(
        "ct-dose", case.ct, "--protocol", protocol, "--organs", case.labels, "--seed", seed,
        "--out", tmp_path / "alone", *OPTIONS,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    alone = (tmp_path / "alone" / "organ_doses.csv").read_bytes()
    assert (tmp_path / "out" / "exams" / "p1" / "organ_doses.csv").read_bytes() == alone


def test_order_and_interruption_leave_no_trace_in_the_tables(make_list, tmp_path):
    exams = exams_of(make_list())
    plain, broken = tmp_path / "plain", tmp_path / "broken"
    run_cohort(exams, plain, Here(), options=SMALL)
    with pytest.raises(KeyboardInterrupt):
        run_cohort(exams, broken, Here(stop_after=2), options=SMALL)
    assert json.loads((broken / "cohort.json").read_text())["state"] == "interrupted"
    assert [r["status"] for r in rows_of(broken / "exams.csv").values()] == [
        "done", "done", "open", "open",
    ]  # fmt: skip
    times = {name: (broken / "exams" / name / "exam.json").stat().st_mtime_ns for name in NAMES[:2]}
    summary = run_cohort(exams[::-1], broken, Here(order=lambda tasks: tasks[::-1]), options=SMALL)
    assert (summary.done, summary.computed) == (4, 2)
    assert tables_of(plain) == tables_of(broken)
    for name, time_before in times.items():  # what was finished was not touched
        assert (broken / "exams" / name / "exam.json").stat().st_mtime_ns == time_before
    assert len(json.loads((broken / "cohort.json").read_text())["runs"]) == 2


def test_bad_input_stops_nobody_and_is_told(milligray, make_list, case, tmp_path):
    listed = make_list("p1", "p2", "p3")
    damaged = tmp_path / "damaged.nii.gz"
    damaged.write_bytes(case.ct.read_bytes()[:2000])
    lines = listed.read_text().splitlines()
    lines[2] = lines[2].replace(str(case.ct), str(damaged))
    lines[3] = lines[3].replace(str(case.ct), str(tmp_path / "absent.nii.gz"))
    listed.write_text("\n".join(lines) + "\n")
    refused = milligray("cohort", listed, "--out", tmp_path / "out", *OPTIONS)
    assert refused.code == 3
    assert "line 4: input" in refused.err
    assert not (tmp_path / "out").exists()
    arguments = (
        "cohort", listed, "--out", tmp_path / "out", *OPTIONS, "--skip-absent", "--workers", 1
    )  # fmt: skip
    outcome = milligray(*arguments)
    assert outcome.code == 3
    assert "failed: p2 (input)" in outcome.err
    rows = rows_of(tmp_path / "out" / "exams.csv")
    assert [row["status"] for row in rows.values()] == ["done", "failed", "failed"]
    error = json.loads((tmp_path / "out" / "exams" / "p2" / "error.json").read_text())
    assert error["kind"] == "input"
    assert "traceback" in error["run"]
    shutil.copy(case.ct, damaged)  # mended: the same command finishes it
    outcome = milligray(*arguments)
    rows = rows_of(tmp_path / "out" / "exams.csv")
    assert [row["status"] for row in rows.values()] == ["done", "done", "failed"]
    assert not (tmp_path / "out" / "exams" / "p2" / "error.json").exists()


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [(RuntimeError("boom"), "bug", 1), (MemoryError(), "resources", 4)],
)
def test_a_bug_in_one_exam_stops_nobody(make_list, tmp_path, monkeypatch, error, kind, code):
    from milligray.cli.cohort import exit_code

    compute = work_module._compute

    def sometimes(task, place, stage):
        if task.exam.exam == "p2":
            raise error
        return compute(task, place, stage)

    monkeypatch.setattr(work_module, "_compute", sometimes)
    exams = exams_of(make_list("p1", "p2", "p3"))
    summary = run_cohort(exams, tmp_path / "out", Here(), options=SMALL)
    assert (summary.done, summary.failed, summary.kinds) == (2, 1, {kind: 1})
    assert exit_code(summary) == code


def test_a_goal_that_is_not_met_is_told_and_the_dose_kept(make_list, tmp_path):
    from milligray.cli.cohort import exit_code

    listed = make_list("p1", precision="0.0001", max_seconds="0.1")
    summary = run_cohort(exams_of(listed), tmp_path / "out", Here(), options=SMALL)
    assert (summary.done, summary.failed, summary.kinds) == (1, 0, {"statistics": 1})
    assert exit_code(summary) == 4
    assert rows_of(tmp_path / "out" / "exams.csv")["p1"]["converged"] == "false"


def test_dry_run_writes_nothing(milligray, make_list, tmp_path):
    out = tmp_path / "out"
    outcome = milligray("cohort", make_list(), "--out", out, *OPTIONS, "--dry-run")
    assert outcome.code == 0
    assert outcome.out == "4 exams: 0 done, 0 failed and kept, 4 to compute (new)\n"
    assert not out.exists()
    run_cohort(exams_of(make_list()), out, Here(), options=CohortOptions(tables_only=True))
    outcome = milligray(
        "cohort", make_list(), "--out", out, *OPTIONS, "--tables-only", "--dry-run", "--json"
    )
    assert json.loads(outcome.out)["done"] == 4


def kill_while_at(out: Path, exam: str, times: int) -> threading.Thread:
    """Kill the only worker whenever it computes that exam, so many times."""

    def watch():
        killed: set[int] = set()
        until = time.monotonic() + 60
        while len(killed) < times and time.monotonic() < until:
            at_work = list(out.glob(f".work/*/{exam}-*"))
            for child in multiprocessing.active_children():
                if at_work and child.pid is not None and child.pid not in killed:
                    killed.add(child.pid)
                    os.kill(child.pid, signal.SIGKILL)
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.mark.parametrize("times", [1, 2])
def test_a_killed_worker_costs_at_most_its_own_exam(make_list, tmp_path, times):
    out = tmp_path / "out"
    watcher = kill_while_at(out, "p1", times)
    executor = LocalProcesses(1, threads=1, retries=1)
    summary = run_cohort(exams_of(make_list("p1", "p2")), out, executor, options=SMALL)
    watcher.join()
    if times == 1:
        assert (summary.done, summary.failed) == (2, 0)
        return
    assert (summary.done, summary.kinds) == (1, {"lost": 1})
    error = json.loads((out / "exams" / "p1" / "error.json").read_text())
    assert error["reason"].startswith("its process died 2 times, last by SIGKILL")


def test_an_exam_that_takes_too_long_is_stopped(make_list, tmp_path):
    listed = make_list("p1", histories="2000000000")
    executor = LocalProcesses(1, threads=1, timeout_s=4.0)
    summary = run_cohort(exams_of(listed), tmp_path / "out", executor, options=SMALL)
    assert summary.failures[0][1:] == ("resources", "stopped after 4 s (--timeout-s)")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130)])
def test_a_stopped_client_is_continued_by_the_same_command(make_list, tmp_path, number, code):
    listed, out = make_list(), tmp_path / "out"
    command = [sys.executable, "-m", "milligray.cli.main", "cohort", listed, "--tables-only",
               "--workers", "1", "--out", out, *OPTIONS]  # fmt: skip
    process = subprocess.Popen(  # noqa: S603
        [*map(str, command)], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    until = time.monotonic() + 60
    while not (out / "exams" / "p1" / "exam.json").exists() and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == code
    done = {path.parent.name for path in out.glob("exams/*/exam.json")}
    assert done < set(NAMES)
    exams = exams_of(listed)
    summary = run_cohort(exams, out, Here(), options=SMALL)
    assert (summary.done, summary.computed) == (4, 4 - len(done))
    run_cohort(exams, tmp_path / "plain", Here(), options=SMALL)
    assert tables_of(out) == tables_of(tmp_path / "plain")

"""What the cluster's words for failure become."""

from types import SimpleNamespace

import pytest
from distributed.scheduler import KilledWorker

from milligray.cohort import read_exam_list
from milligray.cohort.cluster import DaskWorkers
from milligray.cohort.work import ExamTask
from milligray.errors import DeviceError


@pytest.fixture
def task(write_list, tmp_path):
    (exam,) = read_exam_list(write_list("exam,input", "a,folder"))
    return ExamTask(
        exam=exam, out=tmp_path, work_folder=tmp_path, threads=1, tables_only=True,
        dose_grid="ct", code=(),
    )  # fmt: skip


def ended(status, exception=None):
    return SimpleNamespace(status=status, exception=lambda: exception)


def test_an_exam_that_kills_every_worker_counts_as_lost(task):
    death = KilledWorker("task", SimpleNamespace(address="tcp://10.0.0.7:9"), 3)
    record = DaskWorkers(None)._record(ended("error", death), task)
    assert (record.status, record.kind, record.exam) == ("failed", "lost", "a")
    assert record.reason.startswith("its worker died 4 times, last tcp://10.0.0.7:9")


def test_a_worker_without_the_program_fails_its_exam(task):
    record = DaskWorkers(None)._record(ended("error", ImportError("no milligray")), task)
    assert (record.kind, record.reason) == ("resources", "ImportError: no milligray")


@pytest.mark.parametrize("status", ["cancelled", "lost"])
def test_a_scheduler_that_is_gone_ends_the_run(task, status):
    with pytest.raises(DeviceError, match="run the same command again"):
        DaskWorkers(None)._record(ended(status), task)


def test_nothing_to_do_asks_nobody():
    assert list(DaskWorkers(None).run([])) == []

"""What goes on in a directory, what is refused, what is done again."""

import json
import multiprocessing
from dataclasses import replace

import pytest

from milligray.cohort import CohortOptions, plan_cohort, read_exam_list
from milligray.cohort.exam_list import ExamDefaults
from milligray.cohort.folder import CohortFolder
from milligray.cohort.manifest import new_manifest, write_manifest
from milligray.cohort.record import read_record
from milligray.errors import InputError


@pytest.fixture
def begun(write_list, record_for, tmp_path):
    """A cohort of three: one done, one failed, one open."""
    path = write_list("exam,input", "a,folder", "b,folder", "c,folder")
    exams = read_exam_list(path)
    folder = CohortFolder(tmp_path / "out")
    folder.root.mkdir()
    plan = plan_cohort(exams, folder, CohortOptions())
    run = folder.prepare()
    document = new_manifest(
        plan, CohortOptions(), list_file=path, defaults=ExamDefaults(), earlier=None
    )
    write_manifest(folder, document)
    a, b, _ = plan.exams
    for exam, status in ((a, "done"), (b, "failed")):
        with folder.workplace(exam.exam, run) as place:
            folder.put(record_for(exam, status=status), place)
    return exams, folder, plan, run


def test_finished_exams_are_kept_and_failed_ones_tried_again(begun):
    exams, folder, _, _ = begun
    plan = plan_cohort(exams, folder, CohortOptions())
    assert plan.done == ("a",)
    assert [exam.exam for exam in plan.todo] == ["b", "c"]
    assert not plan.is_new
    plan = plan_cohort(exams, folder, CohortOptions(keep_failed=True))
    assert (plan.failed, [exam.exam for exam in plan.todo]) == (("b",), ["c"])


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": "milligray-exam/1"}'])
def test_a_damaged_record_is_not_a_finished_exam(begun, damage):
    exams, folder, _, _ = begun
    (folder.of("a") / "exam.json").write_text(damage)
    assert "a" in {exam.exam for exam in plan_cohort(exams, folder, CohortOptions()).todo}


def test_another_list_or_output_is_refused_with_the_reason(begun):
    exams, folder, _, _ = begun
    with pytest.raises(InputError, match="3 exams then, 2 now"):
        plan_cohort(exams[:2], folder, CohortOptions())
    other = (replace(exams[0], fingerprint="other"), *exams[1:])
    with pytest.raises(InputError, match=r"files of 1 finished exams are others now \(a\)"):
        plan_cohort(other, folder, CohortOptions())
    assert [e.exam for e in plan_cohort(other, folder, CohortOptions(update=True)).todo] == [
        "a", "b", "c",
    ]  # fmt: skip
    other = (replace(exams[0], definition="other"), *exams[1:])
    with pytest.raises(InputError, match="other exams, files or settings in the list"):
        plan_cohort(other, folder, CohortOptions())
    with pytest.raises(InputError, match="tables_only"):
        plan_cohort(exams, folder, CohortOptions(tables_only=True))


def test_another_version_is_refused(begun):
    exams, folder, _, _ = begun
    path = folder.root / "cohort.json"
    document = json.loads(path.read_text()) | {"cohort_sha256": "", "code": {"milligray": "0.0.1"}}
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"begun with .*0\.0\.1.*--update.*--overwrite"):
        plan_cohort(exams, folder, CohortOptions())


def test_an_update_keeps_what_is_the_same(begun, write_list):
    _, folder, _, _ = begun
    more = read_exam_list(write_list("exam,input,seed", "a,folder,", "c,folder,4", "d,folder,"))
    plan = plan_cohort(more, folder, CohortOptions(update=True))
    assert plan.done == ("a",)
    assert [exam.exam for exam in plan.todo] == ["c", "d"]


def test_beginning_anew_touches_only_what_belongs_to_a_cohort(begun):
    exams, folder, _, _ = begun
    (folder.root / "mine.txt").write_text("x")
    plan = plan_cohort(exams, folder, CohortOptions(overwrite=True))
    assert plan.is_new
    assert len(plan.todo) == 3
    folder.clear()
    assert {path.name for path in folder.root.iterdir()} == {"mine.txt"}


def test_foreign_directories_and_files_are_refused(write_list, tmp_path):
    exams = read_exam_list(write_list("exam,input", "a,folder"))
    with pytest.raises(InputError, match="holds no cohort"):
        plan_cohort(exams, CohortFolder(tmp_path), CohortOptions(overwrite=True))
    with pytest.raises(InputError, match="is a file"):
        plan_cohort(exams, CohortFolder(tmp_path / "p.toml"), CohortOptions())
    (tmp_path / "folder" / "cohort.json").write_text("{}")
    with pytest.raises(InputError, match="not the manifest"):
        plan_cohort(exams, CohortFolder(tmp_path / "folder"), CohortOptions())


def test_a_slower_worker_does_not_replace_a_finished_exam(begun, record_for):
    _, folder, plan, run = begun
    before = (folder.of("a") / "exam.json").stat().st_ino
    for status in ("done", "failed"):
        with folder.workplace("a", run) as place:
            folder.put(record_for(plan.exams[0], status=status), place)
    assert (folder.of("a") / "exam.json").stat().st_ino == before


def test_a_success_replaces_a_failure(begun, record_for):
    _, folder, plan, run = begun
    with folder.workplace("b", run) as place:
        folder.put(record_for(plan.exams[1]), place)
    record = read_record(folder.of("b"))
    assert record is not None
    assert record.status == "done"
    assert {path.name for path in folder.of("b").iterdir()} == {"exam.json"}
    assert list(run.iterdir()) == []


def test_a_worker_of_an_earlier_run_puts_nothing(begun, record_for):
    _, folder, plan, run = begun
    folder.prepare()
    with pytest.raises(OSError, match="No such file"):
        folder.put_failure(record_for(plan.exams[2], status="failed"), run)
    assert not folder.of("c").exists()


def _hold(root, ready, leave):
    with CohortFolder(root).locked():
        ready.set()
        leave.wait(30)


def test_two_clients_cannot_work_in_one_directory(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "out", ready, leave))
    other.start()
    try:
        assert ready.wait(30)
        with (
            pytest.raises(InputError, match=f"in use by process {other.pid} on"),
            CohortFolder(tmp_path / "out").locked(),
        ):
            pass
    finally:
        other.kill()  # and a killed one holds nothing
        other.join()
    with CohortFolder(tmp_path / "out").locked():
        pass

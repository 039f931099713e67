"""Run a cohort: what is left of the list through the workers, then the tables."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from milligray.cohort.exam_list import CohortExam, ExamDefaults
from milligray.cohort.executors import Executor
from milligray.cohort.extras import require_parquet
from milligray.cohort.fingerprint import code_identity
from milligray.cohort.folder import CohortFolder
from milligray.cohort.manifest import counts, new_manifest, new_run, now, write_manifest
from milligray.cohort.plan import CohortOptions, CohortPlan, check_folder, plan_cohort
from milligray.cohort.record import ExamRecord, read_record
from milligray.cohort.tables import write_tables
from milligray.cohort.work import ExamTask

__all__ = [
    "CohortOptions",
    "CohortPlan",
    "CohortProgress",
    "CohortSummary",
    "plan_cohort",
    "run_cohort",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortProgress:
    """State of a running cohort.

    Parameters
    ----------
    total, done, failed, left : int
        Exams; what was finished in an earlier run counts as done.
    seconds : float
        Since this run began.
    seconds_left : float
        From the pace of this run; NaN before the first exam.
    last : ExamRecord or None
        The exam that ended just now.
    """

    total: int
    done: int
    failed: int
    left: int
    seconds: float
    seconds_left: float
    last: ExamRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSummary:
    """The end of a run of a cohort.

    Parameters
    ----------
    out : Path
    done, failed, open : int
        Exams, all runs together; open: not tried yet.
    computed : int
        Exams finished in this run.
    kinds : dict of str to int
        Why exams failed, or missed their goal; see `milligray.cohort.record.Kind`.
    failures : tuple of (str, str, str)
        Exam, kind and reason of each that failed.
    organ_rows : int
        Rows of the organ table.
    seconds : float
        Of this run.
    """

    out: Path
    done: int
    failed: int
    open: int
    computed: int
    kinds: dict[str, int]
    failures: tuple[tuple[str, str, str], ...]
    organ_rows: int
    seconds: float


def run_cohort(
    exams: Sequence[CohortExam],
    out: str | Path,
    executor: Executor,
    *,
    options: CohortOptions | None = None,
    list_file: Path | None = None,
    defaults: ExamDefaults | None = None,
    progress: Callable[[CohortProgress], None] | None = None,
) -> CohortSummary:
    """Compute all exams that are not finished yet, and write the tables.

    Parameters
    ----------
    exams : sequence of CohortExam
        From `read_exam_list`.
    out : str or Path
        Directory; an interrupted run of the same cohort there is continued.
    executor : Executor
        `LocalProcesses` or `DaskWorkers`.
    options : CohortOptions, optional
    list_file : Path, optional
        For the manifest.
    defaults : ExamDefaults, optional
        For the manifest.
    progress : callable, optional
        Told the state whenever an exam ends.

    Returns
    -------
    CohortSummary

    Raises
    ------
    InputError
        If the directory holds something else, or another client works in it.
    """
    options = options or CohortOptions()
    if options.parquet:
        require_parquet()
    folder = CohortFolder(Path(out))
    started = time.perf_counter()
    check_folder(folder)
    with folder.locked():
        plan = plan_cohort(exams, folder, options)
        earlier = None if plan.is_new else folder.manifest()
        if options.overwrite:
            folder.clear()
        work_folder = folder.prepare()
        manifest = new_manifest(
            plan, options, list_file=list_file, defaults=defaults or ExamDefaults(),
            earlier=earlier,
        )  # fmt: skip
        run = new_run(executor.description(), plan)
        manifest["runs"].append(run)
        write_manifest(folder, manifest)
        state = "interrupted"
        ended: dict[str, ExamRecord] = {}
        try:
            _work(plan, folder, work_folder, executor, options, ended, progress)
            state = "finished"
        finally:
            run["executor"] = dict(executor.description())
            summary = _close(plan, folder, options, manifest, run, ended, state, started)
    return summary


def _work(
    plan: CohortPlan,
    folder: CohortFolder,
    work_folder: Path,
    executor: Executor,
    options: CohortOptions,
    ended: dict[str, ExamRecord],
    progress: Callable[[CohortProgress], None] | None,
) -> None:
    code = tuple(code_identity().items())
    tasks = [
        ExamTask(
            exam=exam, out=folder.root, work_folder=work_folder, threads=executor.threads,
            tables_only=options.tables_only, dose_grid=options.dose_grid, code=code,
            network=options.network,
        )
        for exam in plan.todo
    ]  # fmt: skip
    tell = _Teller(plan, progress)
    tell(None)
    records = executor.run(tasks)
    try:
        for record in records:
            ended[record.exam] = record
            if record.status == "failed" and record.kind in ("lost", "resources"):
                _put_failure(folder, record, work_folder)
            tell(record)
    finally:
        records.close()


def _put_failure(folder: CohortFolder, record: ExamRecord, work_folder: Path) -> None:
    """Write the error of an exam whose worker could not; a full disk is no reason to stop."""
    there = read_record(folder.of(record.exam))
    if there is None or there.status != "done":
        try:
            folder.put_failure(record, work_folder)
        except OSError:
            return


class _Teller:
    """Counts, and tells the progress."""

    def __init__(self, plan: CohortPlan, progress: Callable[[CohortProgress], None] | None) -> None:
        self.progress = progress
        self.total = len(plan.exams)
        self.to_do = len(plan.todo)
        self.done, self.failed = len(plan.done), len(plan.failed)
        self.ended = 0
        self.started = time.perf_counter()

    def __call__(self, record: ExamRecord | None) -> None:
        if record is not None:
            self.ended += 1
            self.done += record.status == "done"
            self.failed += record.status == "failed"
        if self.progress is None:
            return
        seconds = time.perf_counter() - self.started
        left = self.to_do - self.ended
        self.progress(
            CohortProgress(
                total=self.total, done=self.done, failed=self.failed, left=left, seconds=seconds,
                seconds_left=seconds / self.ended * left if self.ended else float("nan"),
                last=record,
            )
        )  # fmt: skip


def _close(
    plan: CohortPlan,
    folder: CohortFolder,
    options: CohortOptions,
    manifest: dict[str, Any],
    run: dict[str, Any],
    ended: dict[str, ExamRecord],
    state: str,
    started: float,
) -> CohortSummary:
    """Write tables and manifest of what there is, also after an interruption."""
    shutil.rmtree(folder.work, ignore_errors=True)
    seen: list[ExamRecord] = []

    def records() -> Iterator[ExamRecord]:
        for record in _records(plan, folder, ended):
            seen.append(record.without_organs())
            yield record

    rows = write_tables(records(), folder.root, parquet=options.parquet)
    summary = CohortSummary(
        out=folder.root,
        done=sum(record.status == "done" for record in seen),
        failed=sum(record.status == "failed" for record in seen),
        open=sum(record.status == "open" for record in seen),
        computed=sum(record.status == "done" for record in ended.values()),
        kinds=counts([r.status for r in seen], [r.kind for r in seen])["by_kind"],
        failures=tuple((r.exam, r.kind, r.reason) for r in seen if r.status == "failed"),
        organ_rows=rows["cohort"],
        seconds=time.perf_counter() - started,
    )
    run |= {"ended": now(), "seconds": round(summary.seconds, 2), "computed": summary.computed}
    manifest |= {
        "state": state,
        "counts": counts([r.status for r in seen], [r.kind for r in seen]),
        "organ_rows": rows["cohort"],
        "inputs": {r.exam: r.values["inputs"] for r in seen if "inputs" in r.values},
    }
    write_manifest(folder, manifest)
    return summary


def _records(
    plan: CohortPlan, folder: CohortFolder, ended: dict[str, ExamRecord]
) -> Iterator[ExamRecord]:
    for exam in plan.exams:
        record = read_record(folder.of(exam.exam))
        if record is None or record.fingerprint != exam.fingerprint:
            record = ended.get(exam.exam)
        if record is None:
            record = ExamRecord(exam=exam.exam, fingerprint=exam.fingerprint, status="open")
        yield replace(record, organs=()) if record.status != "done" else record

"""What a worker does: one exam from its files to its folder. Nothing it meets is raised."""

import contextlib
import os
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milligray.cohort.exam_list import CohortExam
from milligray.cohort.fingerprint import code_identity
from milligray.cohort.folder import CohortFolder
from milligray.cohort.memory import peak_memory_mb, reset_peak_memory
from milligray.cohort.plan import NetworkChoice
from milligray.cohort.record import ExamRecord, Kind, one_line, record_of
from milligray.errors import DeviceError, InputError, MilligrayError, StatisticsError
from milligray.report.nifti import DoseGrid
from milligray.report.result import ExamResult

if TYPE_CHECKING:
    from milligray.learn.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamTask:
    """One exam with where its result goes.

    Parameters
    ----------
    exam : CohortExam
    out : Path
        Directory of the cohort, as the worker sees it.
    work_folder : Path
        Where this run's workers make what they put there.
    threads : int
    tables_only : bool
        No maps and no report.
    dose_grid : {"ct", "transport"}
    code : tuple of str
        `code_identity` of the client, which the worker's must equal.
    network : NetworkChoice or None
        Predict with it instead of computing by Monte Carlo.
    """

    exam: CohortExam
    out: Path
    work_folder: Path
    threads: int
    tables_only: bool
    dose_grid: DoseGrid
    code: tuple[tuple[str, str], ...]
    network: NetworkChoice | None = None

    @property
    def name(self) -> str:
        """Name of the exam."""
        return self.exam.exam

    def run(self) -> ExamRecord:
        """See `run_exam`."""
        return run_exam(self)

    def failed(self, kind: Kind, reason: str, run: dict[str, Any]) -> ExamRecord:
        """Record of a failed exam."""
        return failure(self.exam, kind, reason, run)


def run_exam(task: ExamTask, *, stage: Callable[[str], None] | None = None) -> ExamRecord:
    """Compute one exam and put its folder in place.

    Returns
    -------
    ExamRecord
        Without organs: they are in the folder.
    """
    exam = task.exam
    folder = CohortFolder(task.out)
    started = time.perf_counter()
    reset_peak_memory()

    def run() -> dict[str, Any]:
        return {
            "seconds": round(time.perf_counter() - started, 3),
            "peak_memory_mb": peak_memory_mb(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "threads": task.threads,
        }

    try:
        check_place(dict(task.code), task.work_folder)
        with folder.workplace(exam.exam, task.work_folder) as place:
            result = _compute(task, place, stage)
            record = record_of(exam.exam, exam.fingerprint, result, run())
            folder.put(record, place)
        return record.without_organs()
    except Exception as error:  # noqa: BLE001 - one exam must not stop the others
        details = {**run(), "error": type(error).__name__, "traceback": traceback.format_exc()}
        record = failure(exam, kind_of(error), reason_of(error), details)
    with contextlib.suppress(OSError):  # the client still tells it in exams.csv
        folder.put_failure(record, task.work_folder)
    return record


def failure(exam: CohortExam, kind: Kind, reason: str, run: dict[str, Any]) -> ExamRecord:
    """Record of an exam that failed."""
    return ExamRecord(
        exam=exam.exam, fingerprint=exam.fingerprint, status="failed", kind=kind,
        reason=one_line(reason), run=run,
    )  # fmt: skip


def check_place(code: Mapping[str, str], work_folder: Path) -> None:
    """Refuse to work for a client of another version, or without its folder."""
    mine = code_identity()
    if dict(code) != mine:
        raise DeviceError(
            f"the worker on {socket.gethostname()} runs {mine}, the client {dict(code)};"
            " results of two versions do not mix: install the same one"
        )
    if not work_folder.is_dir():
        raise DeviceError(
            f"the worker on {socket.gethostname()} does not see {work_folder}: the run is"
            " over, or client and workers lack a shared file system with the same paths"
        )


def _compute(task: ExamTask, place: Path, stage: Callable[[str], None] | None) -> ExamResult:
    # here, so that a client can be light
    from milligray.report import (  # noqa: PLC0415
        result_document,
        write_json,
        write_organ_csv,
        write_result,
    )

    result = _by_monte_carlo(task, stage) if task.network is None else _predicted(task, stage)
    if task.tables_only:
        write_organ_csv(result.organ_doses, place / "organ_doses.csv")
        write_json(result_document(result), place / "result.json")
    else:
        write_result(result, place, overwrite=True, dose_grid=task.dose_grid)
    return result


def _predicted(task: ExamTask, stage: Callable[[str], None] | None) -> ExamResult:
    from milligray.exam.predict_memory import check_prediction_beforehand  # noqa: PLC0415
    from milligray.exam.predict_settings import PredictSettings  # noqa: PLC0415
    from milligray.exam.predicted_exam import compute_predicted_exam  # noqa: PLC0415
    from milligray.read import find_ct, read_labels  # noqa: PLC0415

    exam, choice = task.exam, task.network
    assert choice is not None  # noqa: S101 - told to the type checker
    settings = PredictSettings.from_ct_settings(
        replace(exam.settings, threads=task.threads), beyond_validity=choice.beyond_validity
    )
    network = _opened(choice.folder, task.threads)
    if network.hash != choice.sha256:
        raise DeviceError(f"the network in {choice.folder} has changed since the cohort began")
    found = find_ct(exam.input, exam.protocol, exam.series)
    try:
        check_prediction_beforehand(found, settings, network.card, exam.organs)
    except InputError as error:  # too large for what is free now: no fault of the exam
        raise MemoryError(str(error)) from error
    ct, protocol = found.read()
    handed_over = [ct]
    del ct, found  # as for Monte Carlo
    labels = None
    if exam.organs is not None:
        labels = read_labels(exam.organs, names=exam.organ_names)
    return compute_predicted_exam(
        handed_over.pop(), protocol, labels, settings, network, histograms=not task.tables_only,
        stage=stage,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _opened(folder: Path, threads: int) -> "Network":
    """Network of this worker, opened and checked once."""
    from milligray.learn.network import open_network  # noqa: PLC0415

    return open_network(folder, threads=threads)


def _by_monte_carlo(task: ExamTask, stage: Callable[[str], None] | None) -> ExamResult:
    from milligray.exam.ct_exam import compute_ct_exam  # noqa: PLC0415
    from milligray.exam.plan import check_beforehand  # noqa: PLC0415
    from milligray.read import find_ct, read_labels  # noqa: PLC0415

    exam = task.exam
    settings = replace(exam.settings, threads=task.threads)
    found = find_ct(exam.input, exam.protocol, exam.series)
    try:
        check_beforehand(found, settings, exam.organs)
    except InputError as error:  # too large for what is free now: no fault of the exam
        raise MemoryError(str(error)) from error
    ct, protocol = found.read()
    handed_over = [ct]
    del ct, found  # the exam lets go of the CT once the couch is off: hold it nowhere else
    labels = None
    if exam.organs is not None:
        labels = read_labels(exam.organs, names=exam.organ_names)
    return compute_ct_exam(handed_over.pop(), protocol, labels, settings, stage=stage)


def kind_of(error: Exception) -> Kind:
    """Why something failed; see `Kind`."""
    if isinstance(error, StatisticsError):
        return "statistics"
    if isinstance(error, MilligrayError) and not isinstance(error, DeviceError):
        return "input"
    if isinstance(error, DeviceError | MemoryError | OSError):
        return "resources"
    return "bug"


def reason_of(error: Exception) -> str:
    """Reason in words."""
    if isinstance(error, MilligrayError):
        return str(error)
    return f"{type(error).__name__}: {error}"

"""Workers on this machine: processes of our own, so that a dying one harms only its exam.

`concurrent.futures` gives up the whole pool when the system kills one process, and cannot tell
which task it had. Here every worker has a pipe of its own: the one that breaks names the exam.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from milligray.cohort.executors import Task
from milligray.cohort.record import ExamRecord

_SECONDS_TO_DIE = 5.0
_POLL_S = 1.0


@dataclass(slots=True)
class _Worker:
    """A process and what it has in hand."""

    process: BaseProcess
    pipe: "Connection[Task | None, ExamRecord]"
    task: Task | None = None
    started: float = 0.0
    timed_out: bool = False


class LocalProcesses:
    """Compute exams in processes of this machine.

    Parameters
    ----------
    workers : int
    threads : int
        Of each worker.
    retries : int
        How often an exam whose process died is tried again.
    timeout_s : float, optional
        A process that takes longer for one exam is killed; the exam is not tried again.
    """

    def __init__(
        self, workers: int, *, threads: int, retries: int = 1, timeout_s: float | None = None
    ) -> None:
        self.workers = workers
        self._threads = threads
        self.retries = retries
        self.timeout_s = timeout_s
        self._context = multiprocessing.get_context("spawn")

    @property
    def threads(self) -> int:
        """Threads that one exam computes with."""
        return self._threads

    def description(self) -> Mapping[str, Any]:
        """Describe it for the manifest."""
        return {"kind": "processes", "workers": self.workers, "threads": self._threads}

    def run(self, tasks: Sequence[Task]) -> Generator[ExamRecord, None, None]:
        """Compute all tasks; see `Executor`."""
        waiting = deque(tasks)
        deaths: dict[str, int] = {}
        workers: list[_Worker] = []
        try:
            while waiting or any(worker.task for worker in workers):
                self._hand_out(waiting, workers)
                for worker in self._changed(workers):
                    record = self._collect(worker)
                    if record is None:
                        record = self._bury(worker, workers, waiting, deaths)
                    if record is not None:
                        yield record
        finally:
            _stop(workers)

    def _hand_out(self, waiting: deque[Task], workers: list[_Worker]) -> None:
        busy = sum(1 for worker in workers if worker.task)
        while len(workers) < min(self.workers, busy + len(waiting)):
            workers.append(self._start())
        for worker in workers:
            if worker.task is None and waiting:
                worker.task = waiting.popleft()
                worker.started = time.monotonic()
                with contextlib.suppress(OSError):  # it died idle: seen at the next look
                    worker.pipe.send(worker.task)

    def _start(self) -> _Worker:
        mine, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        theirs.close()  # so that the pipe breaks when the worker dies
        return _Worker(process=process, pipe=mine)

    def _changed(self, workers: list[_Worker]) -> list[_Worker]:
        busy = [worker for worker in workers if worker.task]
        ready = wait([worker.pipe for worker in busy], timeout=_POLL_S)
        if self.timeout_s is not None:
            for worker in busy:
                if time.monotonic() - worker.started > self.timeout_s and not worker.timed_out:
                    worker.timed_out = True
                    worker.process.kill()
        return [worker for worker in busy if worker.pipe in ready]

    def _collect(self, worker: _Worker) -> ExamRecord | None:
        try:
            record = worker.pipe.recv()
        except (EOFError, OSError):
            return None
        worker.task = None
        return record

    def _bury(
        self,
        worker: _Worker,
        workers: list[_Worker],
        waiting: deque[Task],
        deaths: dict[str, int],
    ) -> ExamRecord | None:
        """Take a dead worker off the list; its exam again, or a record of its failure."""
        workers.remove(worker)
        worker.process.join(_SECONDS_TO_DIE)
        task, worker.task = worker.task, None
        if task is None:
            return None
        name = task.name
        deaths[name] = deaths.get(name, 0) + 1
        if worker.timed_out:
            reason = f"stopped after {self.timeout_s:g} s (--timeout-s)"
            return task.failed("resources", reason, {"deaths": deaths[name]})
        if deaths[name] <= self.retries:
            waiting.appendleft(task)
            return None
        reason = f"its process died {deaths[name]} times, {_cause(worker.process.exitcode)}"
        return task.failed("lost", reason, {"deaths": deaths[name]})


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-exit_code).name
            hint = "; often a lack of memory" if name == "SIGKILL" else ""
            return f"last by {name}{hint}"
    return f"last with exit code {exit_code}"


def _stop(workers: list[_Worker]) -> None:
    for worker in workers:
        if worker.task is None:
            with contextlib.suppress(OSError):
                worker.pipe.send(None)
        else:
            worker.process.terminate()
    for worker in workers:
        worker.process.join(_SECONDS_TO_DIE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join(_SECONDS_TO_DIE)
        worker.pipe.close()
        worker.process.close()


def _serve(pipe: "Connection[ExamRecord, Task | None]") -> None:
    """Life of a worker: tasks until None or until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    threading.Thread(target=_die_with_parent, daemon=True).start()
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        if task is None:
            return
        pipe.send(task.run())


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)

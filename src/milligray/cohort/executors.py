"""Who computes the exams: the contract of the local processes and of a cluster."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from milligray.cohort.record import ExamRecord, Kind


class Task(Protocol):
    """A piece of work that a worker can do alone: an exam, a sample of a training set.

    It travels to the worker as a pickle.
    """

    @property
    def name(self) -> str:
        """Unique among the tasks of a run."""

    @property
    def work_folder(self) -> Path:
        """Folder that client and workers must both see."""

    def run(self) -> ExamRecord:
        """Do it; whatever it meets is told in the record, nothing is raised."""

    def failed(self, kind: Kind, reason: str, run: dict[str, Any]) -> ExamRecord:
        """Record of a task that could not be done."""


class Executor(Protocol):
    """Runs tasks and hands their records back as they finish, in any order."""

    @property
    def threads(self) -> int:
        """Threads that one exam computes with."""

    def run(self, tasks: Sequence[Task]) -> Generator[ExamRecord, None, None]:
        """Compute all tasks; closing the generator stops what still runs.

        Every task ends in exactly one record, also when the worker that had it died.
        """

    def description(self) -> Mapping[str, Any]:
        """Describe it for the manifest."""

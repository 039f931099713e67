"""Who computes the exams: the contract of the local processes and of a cluster."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol

from milligray.cohort.record import ExamRecord
from milligray.cohort.work import ExamTask


class Executor(Protocol):
    """Runs tasks and hands their records back as they finish, in any order."""

    @property
    def threads(self) -> int:
        """Threads that one exam computes with."""

    def run(self, tasks: Sequence[ExamTask]) -> Generator[ExamRecord, None, None]:
        """Compute all tasks; closing the generator stops what still runs.

        Every task ends in exactly one record, also when the worker that had it died.
        """

    def description(self) -> Mapping[str, Any]:
        """Describe it for the manifest."""

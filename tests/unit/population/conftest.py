"""Small persons, made in this process."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import pytest

from milligray.anatomy import Anatomy, AnatomyParameters, build_anatomy
from milligray.cohort.executors import Task
from milligray.cohort.record import ExamRecord


class Here:
    """Executor that computes in this process."""

    threads = 1

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, tasks: Sequence[Task]) -> Generator[ExamRecord, None, None]:
        for task in tasks:
            self.asked.append(task.name)
            yield task.run()

    def description(self) -> Mapping[str, Any]:
        return {"kind": "here"}


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture(scope="session")
def small_woman() -> Anatomy:
    """The reference woman in coarse voxels."""
    return build_anatomy(AnatomyParameters(sex="female"), spacing_mm=6.0)

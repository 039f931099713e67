"""Lists of exams whose files are there but empty, and records as workers leave them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from milligray.cohort.exam_list import CohortExam
from milligray.cohort.record import ExamRecord

PROTOCOL = """
[scan]
tube_voltage_kv = 120
mode = "helical"
pitch = 1.0
collimation_mm = 40
"""


@pytest.fixture
def write_list(tmp_path: Path) -> Callable[..., Path]:
    """Write a list beside two images, labels and a protocol."""
    for name in ("a.nii.gz", "b.nii.gz", "labels.nii.gz"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "p.toml").write_text(PROTOCOL)

    def write(*lines: str, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def record_for() -> Callable[..., ExamRecord]:
    """Record of a finished exam with two organs."""

    def make(exam: CohortExam, *, status: str = "done", dose: float = 1.0) -> ExamRecord:
        organs = (
            {"organ": "liver", "mean_dose_mgy": dose, "volume_ml": 1500.0},
            {"organ": "heart", "mean_dose_mgy": 2 * dose, "fraction_in_image": None},
        )
        return ExamRecord(
            exam=exam.exam,
            fingerprint=exam.fingerprint,
            status=status,
            kind="" if status == "done" else "input",
            reason="" if status == "done" else "no, this is bad",
            values={"ctdi_vol_mgy": 10.0, "seed": 7, "histories": 1000, "converged": True,
                    "warnings": ["one", "two"], "inputs": {"ct": "abc"}},
            organs=organs if status == "done" else (),
            run={"seconds": 1.5, "host": "somewhere"},
        )  # fmt: skip

    return make

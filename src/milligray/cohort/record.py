"""What is known of one exam of a cohort: the row of ``exams.csv`` and its organs."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from milligray.report.result import ExamResult
from milligray.report.tables import result_document

DONE_FILE, ERROR_FILE = "exam.json", "error.json"
SCHEMA = "milligray-exam/1"

Status = Literal["done", "failed", "open"]
Kind = Literal["", "input", "statistics", "resources", "lost", "bug"]
"""Why an exam failed: bad input; no goal; no memory, disk or device; its process died; a bug.
A finished exam whose goal was not met within ``max_seconds`` is "statistics" too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamRecord:
    """The end of one exam.

    Parameters
    ----------
    exam : str
    fingerprint : str
        Of the definition that was computed.
    status : {"done", "failed", "open"}
    kind : str
        See `Kind`.
    reason : str
        One line; empty if all is well.
    values : mapping
        What the tables hold of a finished exam and is the same in every run.
    organs : tuple of mapping
        Rows of the organ table.
    run : mapping
        What differs from run to run: seconds, memory, host.
    """

    exam: str
    fingerprint: str
    status: Status
    kind: Kind = ""
    reason: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    organs: tuple[Mapping[str, Any], ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """File that holds it in the exam's folder."""
        return DONE_FILE if self.status == "done" else ERROR_FILE

    def without_organs(self) -> "ExamRecord":
        """Return the short form that travels from a worker to the client."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "organs"}
        return ExamRecord(**fields)


def record_of(
    exam: str, fingerprint: str, result: ExamResult, run: Mapping[str, Any]
) -> ExamRecord:
    """Record of a finished exam."""
    document = result_document(result)
    converged = bool(document["converged"])
    diameter = result.water_equivalent_diameter_mm
    inside = diameter[diameter > 0] if diameter is not None else None
    return ExamRecord(
        exam=exam,
        fingerprint=fingerprint,
        status="done",
        kind="" if converged else "statistics",
        reason="" if converged else "the precision was not reached within max_seconds",
        values={
            "unit": document["unit"],
            "ctdi_vol_mgy": document["ctdi_vol_mgy"],
            "phantom_diameter_mm": result.protocol.phantom_diameter_mm,
            "ssde_mgy": document["ssde_mgy"],
            "dlp_mgy_cm": document["dlp_mgy_cm"],
            "water_equivalent_diameter_mm": (
                float(inside.mean()) if inside is not None and inside.size else None
            ),
            "tube_voltage_kv": result.protocol.tube_voltage_kv,
            "scanner": result.scanner.name,
            "segmentation": document["segmentation"],
            "budget_relative_uncertainty": document["combined_relative_uncertainty_k1"],
            "histories": document["histories"],
            "seed": document["seed"],
            "converged": converged,
            "inputs": document["inputs"],
            "warnings": document["warnings"],
        },
        organs=tuple(document["organ_doses"]),
        run=run,
    )


def write_record(record: ExamRecord, folder: Path) -> None:
    """Write a record so that it is either whole or not there, also after a power cut."""
    text = json.dumps({"schema": SCHEMA, **asdict(record)}, allow_nan=False)
    partial = folder / f".{record.file_name}.partial"
    with partial.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / record.file_name)


def read_record(folder: Path) -> ExamRecord | None:
    """Record in an exam's folder; None if there is none that is whole."""
    for name in (DONE_FILE, ERROR_FILE):
        try:
            document = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(document, dict) and document.pop("schema", None) == SCHEMA:
            try:
                organs = tuple(document.pop("organs"))
                return ExamRecord(**document, organs=organs)
            except (TypeError, KeyError):
                continue
    return None


def one_line(text: str, limit: int = 500) -> str:
    """Reason for a table: one line, not endless."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def finite(value: object) -> object:
    """Return the value, None for NaN and infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value

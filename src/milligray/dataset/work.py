"""What a worker does: one sample from its files to its file. Nothing it meets is raised."""

import contextlib
import os
import socket
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milligray.cohort.memory import peak_memory_mb, reset_peak_memory
from milligray.cohort.record import ExamRecord, Kind, one_line
from milligray.cohort.work import check_place, kind_of, reason_of
from milligray.dataset.folder import SetFolder
from milligray.dataset.patients import SampleSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTask:
    """One sample with where it goes; a `milligray.cohort.executors.Task`.

    Parameters
    ----------
    spec : SampleSpec
    out : Path
    work_folder : Path
    threads : int
    code : tuple of (str, str)
        `code_identity` of the client.
    """

    spec: SampleSpec
    out: Path
    work_folder: Path
    threads: int
    code: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Name of the sample."""
        return self.spec.name

    def failed(self, kind: Kind, reason: str, run: dict[str, Any]) -> ExamRecord:
        """Record of a sample that could not be made."""
        return ExamRecord(
            exam=self.name, fingerprint=self.spec.fingerprint, status="failed", kind=kind,
            reason=one_line(reason), run=run,
        )  # fmt: skip

    def run(self) -> ExamRecord:
        """Make the sample and put it in its place."""
        folder = SetFolder(self.out)
        started, processor = time.perf_counter(), time.process_time()
        reset_peak_memory()

        def about_run() -> dict[str, Any]:
            return {
                "seconds": round(time.perf_counter() - started, 3),
                "cpu_seconds": round(time.process_time() - processor, 3),
                "peak_memory_mb": peak_memory_mb(),
                "host": socket.gethostname(),
                "process": os.getpid(),
                "threads": self.threads,
            }

        try:
            check_place(dict(self.code), self.work_folder)
            values = self._make(folder)
            converged = bool(values["attributes"].get("converged", True))
            record = ExamRecord(
                exam=self.name, fingerprint=self.spec.fingerprint, status="done",
                kind="" if converged else "statistics",
                reason="" if converged else "the statistics asked for were not reached",
                values=values, run=about_run(),
            )  # fmt: skip
            folder.put_record(record, self.work_folder)
        except Exception as error:  # noqa: BLE001 - one sample must not stop the others
            details = {
                **about_run(), "error": type(error).__name__, "traceback": traceback.format_exc()
            }  # fmt: skip
            record = self.failed(kind_of(error), reason_of(error), details)
            with contextlib.suppress(OSError):  # the client tells it in the manifest
                folder.put_record(record, self.work_folder)
        return record

    def _make(self, folder: SetFolder) -> dict[str, Any]:
        # here, so that a client can be light
        from milligray.dataset.kinds import find_kind  # noqa: PLC0415
        from milligray.dataset.storage import sample_document, write_sample  # noqa: PLC0415

        sample = find_kind(self.spec.settings.kind).build(self.spec, self.threads)
        made = self.work_folder / f"{self.name}.h5"
        write_sample(sample, made)
        made.replace(folder.sample_file(self.name))
        document = sample_document(sample)
        return {key: document[key] for key in ("attributes", "statistics", "arrays")}

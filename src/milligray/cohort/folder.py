"""The directory of a cohort: who may write in it, and what in it is finished."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from milligray.cohort.record import ExamRecord, read_record, write_record
from milligray.errors import InputError

MANIFEST = "cohort.json"
TABLES = ("cohort.csv", "cohort.parquet", "exams.csv")
EXAMS, WORK, LOCK = "exams", ".work", ".cohort.lock"
SCHEMA = "milligray-cohort/1"


@contextmanager
def held(root: Path, lock: str) -> Iterator[None]:
    """Hold a directory for one client by a lock file in it; the system frees it if that dies.

    Raises
    ------
    InputError
        If another one holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / lock).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise InputError(
                f"{root} is in use by {holder}; wait for it, or choose another --out"
            ) from error
        except OSError:
            pass  # a file system without locks: the user answers for one run at a time
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


class CohortFolder:
    """Layout of a cohort's directory.

    ``exams/NAME/`` holds a finished exam (with ``exam.json``) or one that failed (only
    ``error.json``). It is made elsewhere, in ``.work/``, and renamed when complete: what stands
    under ``exams/`` is never half-written.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - a link given by the user stays
        self.exams = self.root / EXAMS
        self.work = self.root / WORK

    def of(self, exam: str) -> Path:
        """Folder of an exam."""
        return self.exams / exam

    def manifest(self) -> dict[str, Any] | None:
        """Manifest of the cohort in this directory; None if there is none."""
        path = self.root / MANIFEST
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}; is it a cohort's?") from error
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise InputError(f"{path} is not the manifest of a cohort of this program")
        return document

    def prepare(self) -> Path:
        """Make the folders, and clear away what an earlier run left half-done.

        Returns
        -------
        Path
            Workplace of this run. A worker that still has an exam of an earlier run, whose client
            is gone, finds its own removed and puts nothing.
        """
        self.exams.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)
        run = self.work / secrets.token_hex(8)
        run.mkdir(parents=True)
        return run

    def clear(self) -> None:
        """Remove all that belongs to a cohort, and nothing else."""
        shutil.rmtree(self.exams, ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)
        for name in (*TABLES, MANIFEST):
            (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for one client; the system frees it if that dies.

        Raises
        ------
        InputError
            If another one holds it.
        """
        with held(self.root, LOCK):
            yield

    @contextmanager
    def workplace(self, exam: str, run: Path) -> Iterator[Path]:
        """Give an empty folder of one's own for an exam's files; it is removed at the end."""
        own = run / f"{exam}-{secrets.token_hex(8)}"
        own.mkdir()  # not its parents: without the run's folder the run is over
        try:
            place = own / exam
            place.mkdir()
            yield place
        finally:
            shutil.rmtree(own, ignore_errors=True)

    def put(self, record: ExamRecord, place: Path) -> None:
        """Write the record into a workplace, and put that in the exam's place.

        A finished exam of the same definition that stands there already is kept: another worker
        was faster, with the same bits.
        """
        write_record(record, place)
        target = self.of(record.exam)
        for _ in range(2):
            try:
                place.rename(target)
            except OSError:
                there = read_record(target)
                if there and there.status == "done" and there.fingerprint == record.fingerprint:
                    return
                self._remove(target, place.parent)
            else:
                return
        place.rename(target)

    def put_failure(self, record: ExamRecord, run: Path) -> None:
        """Write the ``error.json`` of an exam that failed."""
        with self.workplace(record.exam, run) as place:
            self.put(record, place)

    def _remove(self, target: Path, own: Path) -> None:
        """Take an exam's folder away, in one step for those who look on."""
        with contextlib.suppress(FileNotFoundError):  # another worker was faster
            target.rename(own / f"old-{secrets.token_hex(4)}")

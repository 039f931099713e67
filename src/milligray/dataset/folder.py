"""The directory of a training set: what is finished in it, and who may write."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from milligray.cohort.folder import held
from milligray.cohort.record import ExamRecord
from milligray.errors import InputError
from milligray.report.tables import write_json

MANIFEST = "dataset.json"
SAMPLES, RECORDS, WORK, LOCK = "samples", "records", ".work", ".dataset.lock"
SCHEMA = "milligray-dataset/1"
_RECORD_SCHEMA = "milligray-sample-record/1"


class SetFolder:
    """Layout of a set's directory.

    ``samples/<exam>_<number>.h5`` is a finished sample, ``records/<exam>_<number>.json`` says that
    it is finished, or why it failed. Both are written elsewhere and renamed, the record last.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - a link given by the user stays
        self.samples = self.root / SAMPLES
        self.records = self.root / RECORDS
        self.work = self.root / WORK

    def sample_file(self, name: str) -> Path:
        """File of a sample."""
        return self.samples / f"{name}.h5"

    def record_file(self, name: str) -> Path:
        """File of a sample's record."""
        return self.records / f"{name}.json"

    def check(self) -> None:
        """Refuse a directory that holds anything but a set; raises InputError."""
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root} is a file; give a directory for the set")
        if self.manifest() is not None:
            return
        if self.root.is_dir() and any(not p.name.startswith(".") for p in self.root.iterdir()):
            raise InputError(
                f"{self.root} is not empty and holds no training set; nothing was written; choose"
                " another --out"
            )

    def manifest(self) -> dict[str, Any] | None:
        """Manifest of the set in this directory; None if there is none."""
        path = self.root / MANIFEST
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}; is it a training set's?") from error
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise InputError(f"{path} is not the manifest of a training set of this program")
        return document

    def need_manifest(self) -> dict[str, Any]:
        """Manifest; raises InputError if there is no set."""
        document = self.manifest()
        if document is None:
            raise InputError(f"{self.root} holds no training set (no {MANIFEST})")
        return document

    def write_manifest(self, document: dict[str, Any]) -> None:
        """Put the manifest in place, whole."""
        partial = self.root / f".{MANIFEST}.partial"
        write_json(document, partial)
        partial.replace(self.root / MANIFEST)

    def prepare(self) -> Path:
        """Make the folders and clear what an earlier run left half-done.

        Returns
        -------
        Path
            Workplace of this run.
        """
        for folder in (self.samples, self.records):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)
        run = self.work / secrets.token_hex(8)
        run.mkdir(parents=True)
        return run

    def clear(self) -> None:
        """Remove all that belongs to a set, and nothing else."""
        for folder in (self.samples, self.records, self.work):
            shutil.rmtree(folder, ignore_errors=True)
        (self.root / MANIFEST).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for one client."""
        with held(self.root, LOCK):
            yield

    def put_record(self, record: ExamRecord, work_folder: Path) -> None:
        """Write the record of a sample, whole or not at all."""
        text = json.dumps({"schema": _RECORD_SCHEMA, **asdict(record)}, allow_nan=False)
        partial = work_folder / f"{record.exam}-{secrets.token_hex(8)}.json"
        with partial.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.record_file(record.exam))

    def record(self, name: str) -> ExamRecord | None:
        """Record of a sample; None if it was not tried, or its file is gone."""
        try:
            document = json.loads(self.record_file(name).read_text(encoding="utf-8"))
            if document.pop("schema", None) != _RECORD_SCHEMA:
                return None
            found = ExamRecord(**document)
        except (OSError, ValueError, TypeError):
            return None
        if found.status == "done" and not self.sample_file(name).is_file():
            return None
        return found

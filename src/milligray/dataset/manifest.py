"""The manifest of a set: ``dataset.json``, from which any sample can be made again."""

import hashlib
import os
import platform
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from milligray.cohort.fingerprint import code_identity, hash_of
from milligray.cohort.record import ExamRecord
from milligray.dataset.folder import SCHEMA
from milligray.dataset.patients import SampleSpec
from milligray.dataset.settings import SPLITS, SetSettings
from milligray.exam.manifest import PACKAGES, package_version, processor

MORE_PACKAGES = ("h5py", "pyradiomics-bhklab", "SimpleITK")


def now() -> str:
    """Time for a manifest."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def set_sha256(specs: Sequence[SampleSpec], settings: SetSettings) -> str:
    """Hash of a set's definition: list, settings, code; not of the files' content."""
    rows = sorted(
        (spec.name, spec.exam.definition, spec.patient, spec.split, spec.anatomy, spec.augmented)
        for spec in specs
    )
    return hash_of([rows, asdict(settings), code_identity()])


def new_manifest(
    specs: Sequence[SampleSpec],
    settings: SetSettings,
    *,
    list_file: Path,
    out: Path,
    earlier: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Manifest as it stands when a run begins."""
    return {
        "schema": SCHEMA,
        "kind": settings.kind,
        "state": "running",
        "set_sha256": set_sha256(specs, settings),
        "code": code_identity(),
        "settings": asdict(settings),
        "list": {
            "name": list_file.name,
            "sha256": hashlib.sha256(list_file.read_bytes()).hexdigest(),
            "folder": os.path.relpath(list_file.absolute().parent, out.absolute()),
        },
        "seeds": "draws: SHA-256 of '<seed>|<exam>|<number>|<quantity>'; histories: 48 bits of"
        " SHA-256 of '<seed>|<exam>|<number>'",
        "versions": {"python": platform.python_version()}
        | {name: package_version(name) for name in (*PACKAGES, *MORE_PACKAGES)},
        "created": earlier["created"] if earlier else now(),
        "runs": list(earlier.get("runs", ())) if earlier else [],
        "samples": {},
    }


def new_run(executor: Mapping[str, Any], to_do: int) -> dict[str, Any]:
    """Entry of one run of the client."""
    return {
        "started": now(),
        "host": socket.gethostname(),
        "hardware": f"{processor()}, {os.cpu_count()} logical processors",
        "executor": dict(executor),
        "to_do": to_do,
    }


def sample_entry(spec: SampleSpec, record: ExamRecord | None, base: Path) -> dict[str, Any]:
    """What the manifest holds of a sample: enough to make it again and to compare."""
    exam = spec.exam
    entry: dict[str, Any] = {
        "status": record.status if record else "open",
        "exam": exam.exam,
        "number": spec.number,
        "patient": spec.patient,
        "kind_of_anatomy": spec.anatomy,
        "split": spec.split,
        "augmented": spec.augmented,
        "fingerprint": spec.fingerprint,
        "files": {
            name: os.path.relpath(path, base)
            for name in ("input", "protocol", "organs", "organ_names")
            if (path := getattr(exam, name)) is not None
        },
        "series": exam.series,
        "exam_settings": asdict(exam.settings),
        "exam_fingerprint": exam.fingerprint,
    }
    if record is not None:
        entry |= {"why": record.kind, "reason": record.reason, "run": dict(record.run)}
        entry |= dict(record.values)
    return entry


def summary_of(samples: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Counts and statistics of a set."""
    done = [entry for entry in samples.values() if entry["status"] == "done"]
    found: dict[str, Any] = {
        "by_status": {
            status: sum(entry["status"] == status for entry in samples.values())
            for status in ("done", "failed", "open")
        },
        "by_split": {
            split: {
                "samples": sum(entry["split"] == split for entry in done),
                "patients": len({e["patient"] for e in done if e["split"] == split}),
                "synthetic": sum(
                    e["split"] == split and e["kind_of_anatomy"] == "synthetic" for e in done
                ),
            }
            for split in SPLITS
        },
    }
    names = sorted({name for entry in done for name in entry["statistics"]})
    statistics = {}
    for name in names:
        values = [e["statistics"][name] for e in done if e["statistics"].get(name) is not None]
        statistics[name] = {
            "mean": float(np.mean(values)), "least": float(np.min(values)),
            "median": float(np.median(values)), "most": float(np.max(values)),
        }  # fmt: skip
    return found | {"statistics": statistics}

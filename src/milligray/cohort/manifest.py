"""The manifest of a cohort: ``cohort.json``."""

import hashlib
import os
import platform
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from milligray.cohort.exam_list import ExamDefaults
from milligray.cohort.fingerprint import code_identity
from milligray.cohort.folder import MANIFEST, SCHEMA, CohortFolder
from milligray.cohort.plan import CohortOptions, CohortPlan, output_options
from milligray.exam.manifest import PACKAGES, package_version, processor
from milligray.report.tables import write_json

MORE_PACKAGES = ("pyarrow", "dask", "distributed")


def now() -> str:
    """Time for a manifest."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_manifest(
    plan: CohortPlan,
    options: CohortOptions,
    *,
    list_file: Path | None,
    defaults: ExamDefaults,
    earlier: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Manifest as it stands when a run begins.

    Parameters
    ----------
    earlier : mapping or None
        Manifest of the cohort that is continued; its runs are kept.
    """
    listed: dict[str, Any] = {"exams": len(plan.exams)}
    if list_file is not None:
        digest = hashlib.sha256(list_file.read_bytes()).hexdigest()
        listed |= {"name": list_file.name, "sha256": digest}
    return {
        "schema": SCHEMA,
        "state": "running",
        "cohort_sha256": plan.cohort_sha256,
        "code": code_identity(),
        "list": listed,
        "output": output_options(options),
        "defaults": {
            "settings": asdict(defaults.settings),
            "protocol": defaults.protocol.name if defaults.protocol else None,
            "organ_names": defaults.organ_names.name if defaults.organ_names else None,
        },
        "seeds": "48 bits of SHA-256 of '<seed>|<exam>' where the list gives none",
        "versions": {"python": platform.python_version()}
        | {name: package_version(name) for name in (*PACKAGES, *MORE_PACKAGES)},
        "created": earlier["created"] if earlier else now(),
        "runs": list(earlier.get("runs", ())) if earlier else [],
    }


def new_run(executor: Mapping[str, Any], plan: CohortPlan) -> dict[str, Any]:
    """Entry of one run of the client in the manifest."""
    return {
        "started": now(),
        "host": socket.gethostname(),
        "hardware": f"{processor()}, {os.cpu_count()} logical processors",
        "executor": dict(executor),
        "to_do": len(plan.todo),
        "done_before": len(plan.done),
    }


def write_manifest(folder: CohortFolder, document: Mapping[str, Any]) -> None:
    """Put ``cohort.json`` in place, whole."""
    partial = folder.root / f".{MANIFEST}.partial"
    write_json(document, partial)
    partial.replace(folder.root / MANIFEST)


def counts(statuses: Sequence[str], kinds: Sequence[str]) -> dict[str, Any]:
    """Numbers of exams by status, and of reasons by kind."""
    return {
        "by_status": {name: statuses.count(name) for name in ("done", "failed", "open")},
        "by_kind": {name: kinds.count(name) for name in sorted(set(kinds) - {""})},
    }

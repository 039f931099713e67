"""Organ doses by network: seconds by stage, first and again, and beside Monte Carlo."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import problems
from milligray.data import sample_folder
from milligray.errors import InputError
from milligray.exam.ct_exam import compute_ct_exam
from milligray.exam.predict_settings import PredictSettings
from milligray.exam.predicted_exam import compute_predicted_exam
from milligray.exam.settings import CtSettings
from milligray.learn.network import open_network
from milligray.learn.shelf import find_network, list_networks
from milligray.read import find_ct, read_labels

PRECISION = 0.01
SLOW = ("deep-dose",)
"""Systems that take minutes a scan; docs/validation/deep_dose.md tells how long."""
_IMPORTS = """
import time
start = time.process_time()
import milligray.exam.predicted_exam, milligray.read, milligray.report, onnxruntime
print(time.process_time() - start)
"""


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files of one exam."""

    name: str
    ct: Path
    labels: Path
    protocol: Path | None


def exams(*, quick: bool) -> list[Files]:
    """The exams that are there; the shipped one is added by `run`."""
    found = []
    if problems.head_neck_is_there():
        found += [
            Files(
                name=f"head and neck {patient}",
                ct=problems.HEAD_NECK / f"{patient}_ct.nii.gz",
                labels=problems.HEAD_NECK / f"{patient}_labels.nii.gz",
                protocol=problems.HEAD_NECK_PROTOCOL,
            )
            for patient in (problems.PATIENTS[:1] if quick else problems.PATIENTS)
        ]
    if problems.torso_is_there():
        found.append(
            Files(
                name="torso",
                ct=problems.TORSO / "ts_abdomen_pelvis_ct.nii.gz",
                labels=problems.TORSO / "ts_abdomen_pelvis_labels.nii.gz",
                protocol=problems.TORSO_PROTOCOL,
            )
        )
    return found


def predicted(files: Files, name: str, *, tries: int) -> dict[str, Any]:
    """Seconds of the first prediction of this process, and of the best one after it.

    From the files to the tables, on one thread; opening the network is a stage of its own.
    """
    rows = []
    for _ in range(tries + 1):
        cpu, wall = time.process_time(), time.perf_counter()
        network = open_network(find_network(name))
        opened = time.perf_counter() - wall
        ct, protocol = find_ct(files.ct, files.protocol, None).read()
        labels = read_labels(files.labels)
        read = time.perf_counter() - wall - opened
        result = compute_predicted_exam(
            ct, protocol, labels, PredictSettings(beyond_validity=True), network, histograms=False
        )
        seconds = {"network opened": opened, "read": read, **result.manifest["stage_seconds"]}
        rows.append({
            "cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall,
            "stages": seconds, "organs": len(result.organ_doses.rows),
            "made_for_it": not any("made for" in text for text in result.warnings),
        })  # fmt: skip
    best = min(rows[1:], key=lambda row: row["cpu_s"])
    return {"exam": files.name, "network": name, "first_cpu_s": rows[0]["cpu_s"]} | best


def monte_carlo(files: Files) -> dict[str, Any]:
    """Core seconds of the same exam by Monte Carlo, to 1 % in every organ of at least 10 mL."""
    settings = CtSettings(precision=PRECISION, threads=1)
    for _ in range(2):  # the first compiles, and simulates the CTDI of the beam
        ct, protocol = find_ct(files.ct, files.protocol, None).read()
        cpu = time.process_time()
        result = compute_ct_exam(ct, protocol, read_labels(files.labels), settings)
        cpu = time.process_time() - cpu
    return {"exam": files.name, "cpu_s": cpu, "histories": result.manifest["histories"]}


def run(*, quick: bool) -> dict[str, Any]:
    """All exams with all networks that ship."""
    names = [
        name for name in list_networks()
        if open_network(find_network(name)).card.system not in SLOW
    ]  # fmt: skip
    if not names:
        return {"skipped": "no network ships with this version"}
    imports = min(
        float(subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", _IMPORTS], check=True, capture_output=True, text=True
        ).stdout)
        for _ in range(1 if quick else 3)
    )  # fmt: skip
    rows, truth, refused = [], [], []
    with sample_folder("siemens_upper_abdomen") as folder:
        sample = Files(
            name="shipped upper abdomen", ct=folder / "ct", labels=folder / "labels.nii.gz",
            protocol=None,
        )  # fmt: skip
        for files in (*exams(quick=quick), sample):
            truth.append(monte_carlo(files))
            for name in names:
                try:
                    rows.append(predicted(files, name, tries=1 if quick else 4))
                except InputError as error:
                    refused.append({"exam": files.name, "network": name, "reason": str(error)})
    return {"imports_cpu_s": imports, "rows": rows, "monte_carlo": truth, "refused": refused}

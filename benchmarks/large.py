"""Large DICOM series from files to report: seconds and peak memory by stage, beside the estimate.

``python -m benchmarks.large REPORT.json ct-dose ...`` runs one command of milligray and writes the
peak memory and the seconds of its stages.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.series import write_labels, write_series
from benchmarks.stage_memory import StageMemory

SLICES = (100, 200, 400, 600, 800)
QUICK_SLICES = (50, 100)
VOXELS_MM = (4.0, 2.0)
"""Besides 3 mm, for one of the sizes."""
HISTORIES = 1_000_000
"""Few, so that what grows with the image is seen; the transport of a real goal takes longer."""


def run(*, quick: bool) -> dict[str, Any]:
    """Series of growing length; for one of them other voxels, given labels, and the real goal."""
    sizes = QUICK_SLICES if quick else SLICES
    other = sizes[-1] if quick else 600
    rows = []
    few = ("--histories", str(HISTORIES))
    with tempfile.TemporaryDirectory() as name:
        for n in sizes:
            folder = Path(name) / "ct"
            folder.mkdir()
            write_series(folder, n)
            rows.append(_case(folder, n, "tissues", 3.0, few))
            if n == other:
                rows += [_case(folder, n, "tissues", mm, few) for mm in VOXELS_MM]
                write_labels(Path(name) / "labels.nii.gz", n)
                rows.append(_case(folder, n, "labels", 3.0, few))
                if not quick:
                    rows.append(_case(folder, n, "tissues, 1 %", 3.0, ("--precision", "0.01")))
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
    return {"rows": rows, "histories": HISTORIES}


def _case(
    folder: Path, n_slices: int, organs: str, voxel_mm: float, goal: tuple[str, ...]
) -> dict[str, Any]:
    sys.stderr.write(f"  {n_slices} slices, {voxel_mm:g} mm, {organs}\n")
    beside = folder.parent
    given = ("--organs", str(beside / "labels.nii.gz"))
    command = [
        "ct-dose", str(folder), "--voxel-size-mm", f"{voxel_mm:g}", *goal,
        *(given if organs == "labels" else ("--segmenter", "threshold")),
    ]  # fmt: skip
    planned = json.loads(_run([*command, "--dry-run", "--json"], beside / "plan.json"))
    report = beside / "report.json"
    out = beside / "out"
    result = json.loads(_run([*command, "--out", str(out), "--overwrite", "--json"], report))
    measured = json.loads(report.read_text("utf-8"))
    return {
        "slices": n_slices, "voxel_mm": voxel_mm, "organs": organs,
        "transport_shape": planned["transport"]["shape"],
        "transport_voxels": planned["transport"]["voxels"],
        "estimated_mb": {k: v / 1e6 for k, v in planned["memory"]["stage_bytes"].items()},
        "measured_mb": measured["peak_mb"], "seconds": measured["seconds"],
        "estimated_peak_mb": planned["memory"]["peak_bytes"] / 1e6,
        "measured_peak_mb": max(measured["peak_mb"].values()),
        "total_seconds": sum(measured["seconds"].values()),
        "histories": result["histories"],
        "estimated_disk_mb": planned["disk_bytes"] / 1e6,
        "measured_disk_mb": sum(path.stat().st_size for path in out.iterdir()) / 1e6,
    }  # fmt: skip


def _run(command: list[str], report: Path) -> str:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "benchmarks.large", str(report), *command], check=True,
        capture_output=True, text=True, env=os.environ.copy(),
    )  # fmt: skip
    return done.stdout


def _child() -> None:
    """Run one command of milligray with its stages watched."""
    memory = StageMemory()
    memory.stage("start")
    from milligray.cli import main, progress

    class Watched(progress.ProgressLine):
        def stage(self, name: str) -> None:
            memory.stage(name)

    progress.ProgressLine = Watched  # type: ignore[misc]
    report, *command = sys.argv[1:]
    sys.argv = ["milligray", *command, *([] if "--dry-run" in command else ["--quiet"])]
    main.run()
    memory.finish()
    Path(report).write_text(
        json.dumps({"peak_mb": memory.peak_mb, "seconds": memory.seconds}), "utf-8"
    )


if __name__ == "__main__":
    _child()

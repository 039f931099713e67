"""A cohort on a Dask cluster of this machine, killed in the middle and continued.

Starts a scheduler and workers that talk over TCP, runs the list once without interruption and
once with the client killed (SIGKILL) when a third of the exams is done and one worker killed when
two thirds are, and compares the tables of both byte by byte.

    python tools/run_local_cluster_cohort.py list.csv --out DIR -- --precision 0.02 --tables-only
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from distributed import Client, LocalCluster

TABLES = ("cohort.csv", "cohort.parquet")
COMMAND = [sys.executable, "-m", "milligray.cli.main", "cohort"]


def main() -> None:
    """Both runs, and what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for both cohorts")
    parser.add_argument("--workers", type=int, default=2)
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments, options = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1 :]
    with LocalCluster(
        n_workers=arguments.workers, threads_per_worker=1, processes=True, protocol="tcp",
        dashboard_address=None,
    ) as cluster:  # fmt: skip
        command = [*COMMAND, str(arguments.list), "--scheduler", cluster.scheduler_address]
        command += options
        plain, killed = arguments.out / "plain", arguments.out / "killed"
        report = {
            "scheduler": cluster.scheduler_address,
            "workers": arguments.workers,
            "python": platform.python_version(),
            "load_before": os.getloadavg()[0],
            "plain": run(command, plain),
        }
        total = len(list(plain.glob("exams/*")))
        stop_at = total // 3
        report["killed_client"] = run(
            command, killed, when=lambda: finished(killed) >= stop_at,
            then=lambda process: process.send_signal(signal.SIGKILL),
        )  # fmt: skip
        with Client(cluster) as client:
            report["killed_worker"] = run(
                command, killed, when=lambda: finished(killed) >= 2 * total // 3,
                then=lambda _: kill_a_worker(client),
            )  # fmt: skip
    report["load_after"] = os.getloadavg()[0]
    report["same_bytes"] = {
        name: (plain / name).read_bytes() == (killed / name).read_bytes() for name in TABLES
    }
    print(json.dumps(report, indent=2))
    if not all(report["same_bytes"].values()):
        sys.exit(1)


def run(
    command: list[str],
    out: Path,
    *,
    when: Callable[[], bool] = lambda: False,
    then: Callable[["subprocess.Popen[bytes]"], None] = lambda _: None,
) -> dict[str, float | int]:
    """Run the client; do something to it once a condition holds."""
    started = time.perf_counter()
    before = finished(out)
    process = subprocess.Popen([*command, "--out", str(out)])  # noqa: S603 - our own command
    done = False
    while process.poll() is None:
        time.sleep(0.05)
        if not done and when():
            then(process)
            done = True
    seconds = time.perf_counter() - started
    exams = finished(out) - before
    return {
        "exit_code": process.returncode,
        "exams": exams,
        "seconds": round(seconds, 1),
        "exams_per_hour": round(3600 * exams / seconds),
    }


def finished(out: Path) -> int:
    """Number of exams whose folder is complete."""
    return len(list(out.glob("exams/*/exam.json")))


def kill_a_worker(client: Client) -> None:
    """Kill one worker process without warning; its nanny starts another."""
    pids = client.run(os.getpid)
    os.kill(next(iter(pids.values())), signal.SIGKILL)


if __name__ == "__main__":
    main()

"""Where and when something was measured."""

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from milligray.exam.manifest import package_version, processor
from milligray.transport.monte_carlo.batches import available_threads

BUSY = 0.25
"""Load of others per processor above which a result says that the machine was not quiet."""
REPOSITORY = Path(__file__).parent.parent


class Context:
    """Hardware, versions and load; made before a theme, closed after it."""

    def __init__(self, *, quick: bool) -> None:
        self._quick = quick
        self._started = time.perf_counter()
        self._cpu_started = _cpu_seconds()
        self._busy_started = _busy_seconds()

    def close(self) -> dict[str, Any]:
        """Everything as plain values."""
        seconds = time.perf_counter() - self._started
        own = _cpu_seconds() - self._cpu_started
        others = max(0.0, _busy_seconds() - self._busy_started - own) / seconds
        threads = available_threads()
        return {
            "date": time.strftime("%Y-%m-%d"), "quick": self._quick, "seconds": seconds,
            "processor": processor(), "threads": threads, "memory_gb": _memory_gb(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(), "milligray": package_version("milligray"),
            "numba": package_version("numba"), "numpy": package_version("numpy"),
            "commit": _commit(), "load_of_others": others, "is_busy": others > BUSY * threads,
        }  # fmt: skip


def installed(package: str) -> bool:
    """True if a package is there."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy_seconds() -> float:
    """Processor time that all programs of the machine have used."""
    with Path("/proc/stat").open(encoding="ascii") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:]]
    idle, waiting, steal = ticks[3], ticks[4], ticks[7]
    return (sum(ticks[:8]) - idle - waiting - steal) / os.sysconf("SC_CLK_TCK")


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()

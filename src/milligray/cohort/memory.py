"""Memory and processors: what a machine has, and what an exam took."""

import contextlib
import resource
import sys
from pathlib import Path

from milligray.exam.memory import GB, available_memory_bytes

MEMORY_PER_EXAM_GB = 2.0
"""Peak of a 512 x 512 x 300 CT at 3 mm is 1.0 GB (benchmarks), of 512 x 512 x 600 below 2 GB."""
_KEPT_FREE = 0.1


def default_workers(processors: int, per_exam_gb: float = MEMORY_PER_EXAM_GB) -> int:
    """Processes that fit: one a processor, as far as the memory goes, at least one."""
    free = available_memory_bytes()
    by_memory = (1.0 - _KEPT_FREE) * free / (per_exam_gb * GB) if free is not None else processors
    return max(1, int(min(float(processors), by_memory)))


def reset_peak_memory() -> None:
    """Let the peak count from now on; only Linux can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_mb() -> float:
    """Peak of this process's memory [MB] since `reset_peak_memory`, else since its start."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024.0, 1)
    kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kb / (1024.0 * (1024.0 if sys.platform == "darwin" else 1.0)), 1)

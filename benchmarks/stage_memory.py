"""Peak memory of each stage of a run, as the operating system counts it."""

import re
import threading
import time
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_HIGH_WATER = "5"
SECONDS_BETWEEN_SAMPLES = 0.01


class StageMemory:
    """Resident memory while each stage runs; give :meth:`stage` to an exam as its callback.

    Linux keeps the high-water mark of a process and lets the process reset it, which misses
    nothing. Where that is not allowed, a thread samples the resident size instead.
    """

    def __init__(self) -> None:
        self.peak_mb: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self._name = ""
        self._started = 0.0
        self._sampled = 0.0
        self._is_exact = _reset()
        self._done = threading.Event()
        if not self._is_exact:
            threading.Thread(target=self._sample, daemon=True).start()

    def stage(self, name: str) -> None:
        """A stage begins; the one before has ended."""
        self._close()
        self._name, self._started = name, time.perf_counter()

    def finish(self) -> None:
        """The last stage has ended."""
        self._close()
        self._name = ""
        self._done.set()

    def _close(self) -> None:
        if self._name:
            peak = _status_mb("VmHWM") if self._is_exact else self._sampled
            self.peak_mb[self._name] = max(peak, self.peak_mb.get(self._name, 0.0))
            spent = time.perf_counter() - self._started
            self.seconds[self._name] = self.seconds.get(self._name, 0.0) + spent
        if self._is_exact:
            _reset()
        self._sampled = 0.0

    def _sample(self) -> None:
        while not self._done.wait(SECONDS_BETWEEN_SAMPLES):
            self._sampled = max(self._sampled, _status_mb("VmRSS"))


def _status_mb(field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", STATUS.read_text("ascii"))
    return int(found[1]) * 1024 / 1e6 if found else float("nan")


def _reset() -> bool:
    try:
        CLEAR.write_text(RESET_HIGH_WATER, "ascii")
    except OSError:
        return False
    return True

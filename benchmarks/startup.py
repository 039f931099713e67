"""Seconds until something happens: import, help, first transport with a cold and a warm cache."""

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

_FIRST_RUN = """
from benchmarks.problems import water
from milligray.transport.monte_carlo.engine import transport_photons
problem = water()
transport_photons(problem.patient, problem.source, histories=10_000, estimator="track-length")
"""
_COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "import milligray": ("-c", "import milligray"),
    "milligray --help": ("-m", "milligray.cli.main", "--help"),
    "milligray info": ("-m", "milligray.cli.main", "info"),
}


def run(*, quick: bool) -> dict[str, Any]:
    """Best of a few tries each (one, with an empty cache)."""
    tries = 2 if quick else 5
    rows = [
        {"what": name, "seconds": min(_seconds(command) for _ in range(tries))}
        for name, command in _COMMANDS.items()
    ]
    with tempfile.TemporaryDirectory() as cache:
        for what in ("first transport, nothing compiled", "first transport, compiled before"):
            seconds = _seconds(("-c", _FIRST_RUN), NUMBA_CACHE_DIR=cache)
            rows.append({"what": what, "seconds": seconds})
    return {"rows": rows}


def _seconds(command: tuple[str, ...], **environment: str) -> float:
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, *command], check=True, capture_output=True,
        env=os.environ | environment,
    )  # fmt: skip
    return time.perf_counter() - started

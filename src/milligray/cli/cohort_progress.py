"""Progress of a cohort on stderr: a bar in a terminal, a line every few seconds elsewhere."""

import math
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milligray.cohort.run import CohortProgress

SECONDS_BETWEEN_LINES = 5.0
BAR_WIDTH = 24


class CohortLine:
    """Show done, failed and left; failures as they come; nothing if `quiet`."""

    def __init__(self, *, quiet: bool = False, name: str = "cohort") -> None:
        self.quiet = quiet
        self.name = name
        self.is_terminal = sys.stderr.isatty()
        self.last = -math.inf
        self.width = 0

    def __call__(self, state: "CohortProgress") -> None:
        """Show the state after an exam."""
        if self.quiet:
            return
        ended = state.last
        if ended is not None and ended.status == "failed":
            self._clear()
            sys.stderr.write(f"failed: {ended.exam} ({ended.kind}): {ended.reason}\n")
        now = time.monotonic()
        is_edge = state.left == 0 or ended is None
        if not self.is_terminal and not is_edge and now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        text = f"{state.done} done, {state.failed} failed, {state.left} left of {state.total}"
        if not math.isnan(state.seconds_left) and state.left:
            text += f", {duration(state.seconds)}, about {duration(state.seconds_left)} left"
        if self.is_terminal:
            filled = round(BAR_WIDTH * (state.done + state.failed) / max(state.total, 1))
            text = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {text}"
            sys.stderr.write("\r" + text.ljust(self.width))
            self.width = max(self.width, len(text))
        else:
            sys.stderr.write(f"{self.name}: {text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """End the live line."""
        if self.is_terminal and self.width and not self.quiet:
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _clear(self) -> None:
        if self.is_terminal and self.width:
            sys.stderr.write("\r" + " " * self.width + "\r")


def duration(seconds: float) -> str:
    """Time in the largest sensible units.

    Examples
    --------
    >>> from milligray.cli.cohort_progress import duration
    >>> duration(42), duration(130), duration(7500)
    ('42 s', '2 min 10 s', '2 h 5 min')
    """
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

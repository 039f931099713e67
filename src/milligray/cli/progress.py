"""Progress on stderr: one live line in a terminal, a line every few seconds elsewhere."""

import math
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milligray.transport.monte_carlo.goal import Progress

SECONDS_BETWEEN_LINES = 5.0


class ProgressLine:
    """Show stages and the state of the transport; say nothing if `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.is_terminal = sys.stderr.isatty()
        self.last = -math.inf
        self.width = 0

    def stage(self, name: str) -> None:
        """A stage begins."""
        self._show(f"{name} ...", end=not self.is_terminal)

    def transport(self, state: "Progress") -> None:
        """State of the running transport."""
        now = time.monotonic()
        if not self.is_terminal and now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        text = f"transport: {state.histories / 1e6:.1f} M histories"
        if state.histories_goal:
            text += f" of {state.histories_goal / 1e6:.1f} M"
        if not math.isnan(state.worst_relative_uncertainty):
            text += f", {100 * state.worst_relative_uncertainty:.2f} % ({state.worst_organ})"
        text += f", {state.seconds:.0f} s"
        if not math.isnan(state.seconds_left):
            text += f", about {state.seconds_left:.0f} s left"
        self._show(text, end=not self.is_terminal)

    def close(self) -> None:
        """Clear the live line."""
        if self.is_terminal and self.width and not self.quiet:
            sys.stderr.write("\r" + " " * self.width + "\r")
            sys.stderr.flush()

    def _show(self, text: str, *, end: bool) -> None:
        if self.quiet:
            return
        if end:
            sys.stderr.write(text + "\n")
        else:
            sys.stderr.write("\r" + text.ljust(self.width))
            self.width = max(self.width, len(text))
        sys.stderr.flush()

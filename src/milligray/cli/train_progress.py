"""Progress of a training on stderr: one live line in a terminal, a line every few seconds else."""

import math
import sys
import time
from typing import TYPE_CHECKING

from milligray.cli.cohort_progress import duration

if TYPE_CHECKING:
    from milligray.train.settings import FitState

SECONDS_BETWEEN_LINES = 5.0


class TrainingLine:
    """Show where a fit stands; say nothing if `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.is_terminal = sys.stderr.isatty()
        self.last = -math.inf
        self.width = 0

    def show(self, state: "FitState") -> None:
        """State of the running fit."""
        now = time.monotonic()
        pause = 0.2 if self.is_terminal else SECONDS_BETWEEN_LINES
        if self.quiet or now - self.last < pause:
            return
        self.last = now
        done = state.epoch + state.batch / max(1, state.batches)
        text = f"training: epoch {state.epoch + (state.batch > 0)} of at most {state.epochs}"
        if not math.isnan(state.best):
            text += f", validation loss {state.loss:.4g} (best {state.best:.4g})"
        text += f", {duration(state.seconds)}"
        if done > 0:
            text += f", at most {duration(state.seconds * (state.epochs / done - 1.0))} left"
        if self.is_terminal:
            sys.stderr.write("\r" + text.ljust(self.width))
            self.width = max(self.width, len(text))
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Clear the live line."""
        if self.is_terminal and self.width and not self.quiet:
            sys.stderr.write("\r" + " " * self.width + "\r")
            sys.stderr.flush()

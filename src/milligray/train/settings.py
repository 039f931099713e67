"""How a network is fitted: numbers that every recipe understands."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from milligray.errors import InputError

Precision = Literal["32", "16-mixed", "bf16-mixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitState:
    """Where a fit stands, after every batch and every epoch.

    Parameters
    ----------
    epoch, epochs : int
        Epochs finished, and wanted.
    batch, batches : int
        Of the epoch that runs.
    loss, best : float
        Last and lowest validation loss; NaN before the first.
    seconds : float
        Of this fit, earlier runs included.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    best: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """Settings of a fit.

    Parameters
    ----------
    folder : Path
        For checkpoints and ``history.csv``; made if absent.
    epochs : int
        At most.
    patience : int
        Epochs without a lower validation loss after which to stop; 0: never.
    learning_rate : float
        For the optimizers of the recipes.
    batch_size : int
        For the loaders of the recipes.
    seed : int
        Of first weights, order of the samples and dropout.
    device : {"auto", "cpu", "cuda"}
        auto: a GPU where one works.
    precision : {"32", "16-mixed", "bf16-mixed"}
        Mixed only on a GPU; on a CPU float32 is used in any case.
    threads : int
        Of torch on the CPU.
    resume : bool
        Go on where an earlier fit in `folder` stopped; without one, begin.
    max_minutes : float
        Of this run; no further epoch begins that would end later; the fit can be resumed.
    progress : callable, optional
        Told the `FitState`.
    """

    folder: Path
    epochs: int = 100
    patience: int = 20
    learning_rate: float = 1e-3
    batch_size: int = 32
    seed: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "32"
    threads: int = 1
    resume: bool = False
    max_minutes: float = math.inf
    progress: Callable[[FitState], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        for name in ("epochs", "batch_size", "threads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.patience < 0 or self.seed < 0:
            raise InputError("patience and seed must be >= 0")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be > 0, got {self.learning_rate:g}")
        if not self.max_minutes > 0:
            raise InputError(f"max_minutes must be > 0, got {self.max_minutes:g}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError(f"device must be auto, cpu or cuda, got {self.device!r}")
        if self.precision not in ("32", "16-mixed", "bf16-mixed"):
            raise InputError(
                f"precision must be 32, 16-mixed or bf16-mixed, got {self.precision!r}"
            )

    def document(self) -> dict[str, Any]:
        """Settings for a card; without what changes nothing in the result."""
        left_out = ("folder", "resume", "progress", "max_minutes")
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}

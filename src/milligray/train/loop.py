"""The epochs of a fit: what is kept after each, and what makes them the same again."""

import csv
import hashlib
import logging
import math
import os
import random
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, RandomSampler

from milligray.errors import FormatError, InputError
from milligray.train.settings import FitSettings, FitState

LAST, BEST, HISTORY = "last.ckpt", "best.ckpt", "history.csv"
MONITOR = "val_loss"
_SAME = ("seed", "learning_rate", "batch_size")
_KEY = "milligray_fit"


def should_stop(losses: Sequence[float], patience: int) -> bool:
    """Whether the last `patience` losses are all no lower than the lowest before them.

    Examples
    --------
    >>> from milligray.train.loop import should_stop
    >>> should_stop([3.0, 2.0, 2.1, 2.2], 2), should_stop([3.0, 2.0, 2.1, 1.9], 2)
    (True, False)
    """
    if not losses or patience == 0:
        return False
    best = min(range(len(losses)), key=losses.__getitem__)
    return len(losses) - 1 - best >= patience


def seed_all(seed: int, epoch: int = 0) -> None:
    """Seed the generators of torch, NumPy and Python for an epoch (0: the first weights)."""
    value = _seed_of(seed, epoch)
    torch.manual_seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002 - for data sets that draw from it
    random.seed(value)


class EpochKeeper(Callback):
    """Keeps history and checkpoints, stops by patience and by time, seeds every epoch."""

    def __init__(self, settings: FitSettings) -> None:
        self.settings = settings
        self.history: list[dict[str, float]] = []
        self.generator = torch.Generator()
        self.order = torch.Generator()
        self.began = time.monotonic()
        self.earlier_seconds = 0.0
        self.first_epoch = 0

    @property
    def losses(self) -> list[float]:
        """Validation losses so far."""
        return [row[MONITOR] for row in self.history]

    @property
    def is_stopped_early(self) -> bool:
        """Whether patience is over."""
        return should_stop(self.losses, self.settings.patience)

    @property
    def is_finished(self) -> bool:
        """Whether no epoch is left to run."""
        return len(self.history) >= self.settings.epochs or self.is_stopped_early

    def load(self, path: Path) -> None:
        """Take over the history of a checkpoint.

        Raises
        ------
        FormatError
            If it is damaged.
        InputError
            If it was made with other settings.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)[_KEY]
            self.history = [dict(row) for row in state["history"]]
            kept = state["settings"]
        except Exception as error:  # torch raises many classes for damaged files
            raise FormatError(f"{path} is no checkpoint of this program: {error}") from error
        now = self.settings.document()
        for name in _SAME:
            if kept[name] != now[name]:
                raise InputError(
                    f"the fit to resume was begun with {name} {kept[name]}, not {now[name]}; give"
                    " the same, or begin in another folder"
                )
        self.earlier_seconds = self.history[-1]["seconds"] if self.history else 0.0
        self.first_epoch = len(self.history)

    def own_loader(self, loader: DataLoader[Any]) -> None:
        """Let a loader draw from the keeper's generators only, never from the global one."""
        loader.generator = self.generator
        if isinstance(loader.sampler, RandomSampler):
            loader.sampler.generator = self.order

    def seed_epoch(self, epoch: int) -> None:
        """Seed all that an epoch draws from."""
        seed_all(self.settings.seed, epoch + 1)
        for generator in (self.generator, self.order):
            generator.manual_seed(_seed_of(self.settings.seed, epoch + 1))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Make up for the step of plateau schedules, which come after the checkpoint."""
        if self.first_epoch == 0:
            return
        for config in trainer.lr_scheduler_configs:
            monitored = self.history[-1].get(str(config.monitor))
            if (
                isinstance(config.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
                and config.interval == "epoch"
                and self.first_epoch % config.frequency == 0
                and monitored is not None
            ):
                config.scheduler.step(monitored)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Seed."""
        self.seed_epoch(trainer.current_epoch)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int  # noqa: ANN401, ARG002
    ) -> None:  # fmt: skip
        """Tell the progress."""
        self._tell(batch_idx + 1, int(trainer.num_training_batches))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the epoch, and decide whether there is another."""
        metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
        if MONITOR not in metrics:
            raise InputError(f"the module must log {MONITOR!r} in its validation step")
        epoch = len(self.history) + 1
        if not math.isfinite(metrics[MONITOR]):
            raise InputError(
                f"{MONITOR} is {metrics[MONITOR]} in epoch {epoch}; lower the learning rate, or"
                " look for inputs that are no numbers"
            )
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        row = {"epoch": float(epoch), "seconds": self.seconds, "learning_rate": rate}
        row |= {k: v for k, v in sorted(metrics.items()) if not k.endswith("_step")}
        self.history.append(row)
        folder = self.settings.folder
        if row[MONITOR] <= min(self.losses):
            with _whole(folder / BEST) as partial:
                torch.save({"state_dict": pl_module.state_dict()}, partial)
        with _whole(folder / LAST) as partial:
            trainer.save_checkpoint(partial)
        write_history(self.history, folder / HISTORY)
        self._tell(0, int(trainer.num_training_batches))
        run = self.seconds - self.earlier_seconds
        n_run = max(1, epoch - self.first_epoch)
        no_time = run * (1.0 + 1.0 / n_run) > 60.0 * self.settings.max_minutes
        trainer.should_stop = self.is_stopped_early or no_time

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]  # noqa: ARG002
    ) -> None:  # fmt: skip
        """Put the history into the checkpoint; only plain values and tensors stay in it."""
        checkpoint.pop("hyper_parameters", None)
        checkpoint[_KEY] = {"history": self.history, "settings": self.settings.document()}

    @property
    def seconds(self) -> float:
        """Of this fit, earlier runs included."""
        return self.earlier_seconds + time.monotonic() - self.began

    def _tell(self, batch: int, batches: int) -> None:
        if self.settings.progress is None:
            return
        losses = self.losses
        self.settings.progress(
            FitState(
                epoch=len(losses),
                epochs=self.settings.epochs,
                batch=batch,
                batches=batches,
                loss=losses[-1] if losses else math.nan,
                best=min(losses, default=math.nan),
                seconds=self.seconds,
            )
        )


def run_trainer(
    module: LightningModule, train: DataLoader[Any], validation: DataLoader[Any],
    keeper: EpochKeeper, device: str, last: Path | None,
) -> None:  # fmt: skip
    """Run the epochs that are left.

    Parameters
    ----------
    module : LightningModule
    train, validation : DataLoader
    keeper : EpochKeeper
        With its history loaded.
    device : {"cpu", "cuda"}
    last : Path or None
        Checkpoint to go on from.
    """
    settings = keeper.settings
    for loader in (train, validation):
        keeper.own_loader(loader)
    keeper.seed_epoch(len(keeper.history))  # workers fetch before the epoch begins
    interrupt = signal.getsignal(signal.SIGINT)
    with _quiet(), _deterministic(device):
        trainer = Trainer(
            accelerator="gpu" if device == "cuda" else "cpu", devices=1,
            precision="32-true" if device == "cpu" or settings.precision == "32"
            else settings.precision,
            max_epochs=settings.epochs, callbacks=[keeper], logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            num_sanity_val_steps=0, default_root_dir=settings.folder,
        )  # fmt: skip
        try:
            trainer.fit(module, train, validation, ckpt_path=last, weights_only=True)
        except SystemExit as error:  # lightning's answer to Ctrl-C; it also blocks further ones
            signal.signal(signal.SIGINT, interrupt)
            raise KeyboardInterrupt from error


def write_history(history: Sequence[dict[str, float]], path: Path) -> None:
    """Write a CSV with one row an epoch, whole or not at all."""
    names = list(dict.fromkeys(name for row in history for name in row))
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in history:
            writer.writerow([f"{row[n]:.8g}" if n in row else "" for n in names])
    partial.replace(path)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Let a file be written under another name; rename it once it is complete and on disk."""
    partial = path.with_name(f".{path.name}.partial")
    yield partial
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def _seed_of(seed: int, epoch: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}|{epoch}".encode()).digest()[:6], "big")


@contextmanager
def _deterministic(device: str) -> Iterator[None]:
    """Same bits for the same seed on a CPU; GPUs lack such versions of some operations."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(device == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advertisements and hints of the training library; errors still come."""
    loggers = [logging.getLogger(n) for n in ("pytorch_lightning", "lightning_fabric", "lightning")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # data loaders without worker processes are what small sets need
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            # the training library's own use of torch
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

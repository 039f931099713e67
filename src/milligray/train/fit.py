"""Fit a network: the loop, the stop, the checkpoints; the same weights for the same seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milligray.errors import DeviceError, InputError
from milligray.train.extras import require_torch
from milligray.train.settings import FitSettings, FitState

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule
    from torch.utils.data import DataLoader

__all__ = ["FitSettings", "FitState", "Fitted", "choose_device", "fit", "seed_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fit that has ended.

    Parameters
    ----------
    history : tuple of mapping
        One row an epoch: ``epoch, seconds, learning_rate, val_loss, ...``, all that the module
        logs.
    epochs : int
        Run in all.
    best_epoch : int
        Whose weights the module has now, counted from 1.
    best_loss : float
        Its validation loss.
    seconds : float
        Of all runs.
    stopped_early : bool
        By patience.
    is_finished : bool
        False if the time ran out: it can be resumed.
    device : str
    """

    history: tuple[Mapping[str, float], ...]
    epochs: int
    best_epoch: int
    best_loss: float
    seconds: float
    stopped_early: bool
    is_finished: bool
    device: str

    def document(self) -> dict[str, Any]:
        """For a card, without the history."""
        return {
            "epochs": self.epochs, "best_epoch": self.best_epoch, "best_loss": self.best_loss,
            "seconds": round(self.seconds, 1), "stopped_early": self.stopped_early,
            "device": self.device,
        }  # fmt: skip


def fit(
    module: "LightningModule",
    train: "DataLoader[Any]",
    validation: "DataLoader[Any]",
    settings: FitSettings,
) -> Fitted:
    """Fit a module; afterwards it has the weights of the best epoch and is in eval mode.

    Parameters
    ----------
    module : LightningModule
        Logs ``val_loss`` in its validation step. Its first weights come from torch's generator:
        make it after `seed_all`.
    train, validation : DataLoader
        By patient; nothing of test patients.
    settings : FitSettings

    Returns
    -------
    Fitted

    Raises
    ------
    InputError
        If the module logs no validation loss, the loss is no number, or the folder holds another
        fit and `resume` is not set.
    FormatError
        If the checkpoint to resume from is damaged or of another module.
    DeviceError
        If a GPU is asked for and absent.

    Notes
    -----
    Order of the samples, dropout and all else random of an epoch follow from (seed, epoch) alone.
    So on a CPU with the same number of threads a fit that was interrupted and resumed gives the
    weights, bit for bit, of one that was not. A GPU sums in any order: there both agree in
    distribution only.

    ``last.ckpt`` (whole state) and ``best.ckpt`` (weights) are written whole or not at all after
    every epoch; an interrupted epoch is run again.
    """
    require_torch()
    import torch  # noqa: PLC0415

    from milligray.train.loop import BEST, LAST, EpochKeeper, run_trainer  # noqa: PLC0415

    device = choose_device(settings.device)
    settings.folder.mkdir(parents=True, exist_ok=True)
    last = settings.folder / LAST
    if last.exists() and not settings.resume:
        raise InputError(
            f"{settings.folder} holds an earlier fit; resume it, or choose another folder"
        )
    keeper = EpochKeeper(settings)
    if last.exists():
        keeper.load(last)
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        if not keeper.is_finished:
            run_trainer(module, train, validation, keeper, device, last if last.exists() else None)
    finally:
        torch.set_num_threads(threads)
    state = torch.load(settings.folder / BEST, map_location="cpu", weights_only=True)
    module.to("cpu")
    module.load_state_dict(state["state_dict"])
    module.eval()
    losses = keeper.losses
    best = min(range(len(losses)), key=losses.__getitem__)
    return Fitted(
        history=tuple(keeper.history), epochs=len(losses), best_epoch=best + 1,
        best_loss=losses[best], seconds=keeper.history[-1]["seconds"],
        stopped_early=keeper.is_stopped_early, is_finished=keeper.is_finished, device=device,
    )  # fmt: skip


def choose_device(device: str) -> str:
    """Choose "cpu" or "cuda"; raises DeviceError if a GPU is asked for and absent."""
    require_torch()
    import torch  # noqa: PLC0415

    if device == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise DeviceError("torch sees no GPU; use --device cpu, or install torch with CUDA")
    return "cpu"


def seed_all(seed: int) -> None:
    """Seed the first weights: call it before a module is made."""
    require_torch()
    from milligray.train.loop import seed_all as seed_generators  # noqa: PLC0415

    seed_generators(seed)

"""Training of a deep-dose network: the dose of positions of the tube."""

from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from milligray.train.losses import masked_mean
from milligray.train.modules.dilated_resnet import DilatedResnet, DilatedResnetConfig

LIMIT = 6.0
"""Of the logarithm of dose over first guess, in the error that is shown."""


class DeepDoseTraining(LightningModule):
    """Robust error of the logarithm of the dose, in units of its expected standard deviation.

    Parameters
    ----------
    config : DilatedResnetConfig
    learning_rate : float
        Highest of a cycle that rises over a tenth of the steps and then falls to nothing.
    steps : int
        Of the whole fit.
    frozen_share : float
        Last part of the fit in which mean and variance of the normalization no longer change:
        what is learned then holds for the network as it will be used, whatever small batches'
        own statistics are.
    is_half : bool
        Convolutions in bfloat16 (weights and loss stay float32).

    Notes
    -----
    ``loss = mean over the body of huber((f - log_ratio) / sigma)``, quadratic to 3 sigma. An error
    of the dose itself, guess times exp(f), would count hundredfold where the first guess is ten
    times too high, and nearly nothing where the network is ten times too low.
    """

    def __init__(
        self,
        config: DilatedResnetConfig,
        *,
        learning_rate: float,
        steps: int,
        frozen_share: float = 0.4,
        is_half: bool = True,
    ) -> None:
        super().__init__()
        self.network = DilatedResnet(config).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.learning_rate, self.steps = learning_rate, steps
        self.frozen_share, self.is_half = frozen_share, is_half
        self.loss = nn.HuberLoss(reduction="none", delta=3.0)

    def forward(self, channels: Tensor) -> Tensor:
        """Logarithm of dose over first guess, shape (batch, z, depth, lateral)."""
        channels = channels.to(memory_format=torch.channels_last_3d)
        with torch.autocast(channels.device.type, torch.bfloat16, enabled=self.is_half):
            found: Tensor = self.network(channels)
        return found[:, 0].float()

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        """Loss of a batch."""
        if self.global_step >= (1.0 - self.frozen_share) * self.steps:
            self.network.freeze_norm()
        loss = self._loss(batch, self(batch["channels"]))
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch["dose"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor]) -> None:
        """Loss, and the mean absolute error over the mean dose."""
        found = self(batch["channels"])
        dose = batch["guess"] * found.clamp(-LIMIT, LIMIT).exp()
        error = masked_mean((dose - batch["dose"]).abs(), batch["mask"])
        error = error / masked_mean(batch["dose"], batch["mask"])
        n = len(batch["dose"])
        self.log("val_loss", self._loss(batch, found), on_epoch=True, batch_size=n)
        self.log("val_error", error, on_epoch=True, batch_size=n)

    def configure_optimizers(self) -> Any:  # noqa: ANN401 - lightning's own type is private
        """Adam with decoupled weight decay, one cycle."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.learning_rate, total_steps=self.steps + 1, pct_start=0.1
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _loss(self, batch: dict[str, Tensor], found: Tensor) -> Tensor:
        off = (found - batch["log_ratio"]) / batch["sigma"]
        return masked_mean(self.loss(off, torch.zeros_like(off)), batch["mask"])

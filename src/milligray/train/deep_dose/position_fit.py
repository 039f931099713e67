"""Training of a deep-dose network: the dose of positions of the tube."""

from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from milligray.train.losses import masked_mean
from milligray.train.modules.dilated_resnet import DilatedResnet, DilatedResnetConfig
from milligray.train.modules.folded_resnet import FoldedResnet

LIMIT = 6.0
"""Of the logarithms that the network gives."""
TINY = 1e-12


class DeepDoseTraining(LightningModule):
    """Robust error of the logarithm of the dose, in units of its expected standard deviation.

    Parameters
    ----------
    config : DilatedResnetConfig
    is_folded : bool
        `FoldedResnet` instead of `DilatedResnet`.
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
    ``loss = mean over the body of huber((ln(dose of the network) - log_dose) / sigma)``, quadratic
    to 3 sigma. An error of the dose itself would count hundredfold where the first guess is ten
    times too high, and nearly nothing where the network is ten times too low.
    """

    def __init__(
        self,
        config: DilatedResnetConfig,
        *,
        is_folded: bool = False,
        learning_rate: float,
        steps: int,
        frozen_share: float = 0.4,
        is_half: bool = True,
    ) -> None:
        super().__init__()
        network = FoldedResnet(config) if is_folded else DilatedResnet(config)
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.learning_rate, self.steps = learning_rate, steps
        self.frozen_share, self.is_half = frozen_share, is_half
        self.loss = nn.HuberLoss(reduction="none", delta=3.0)

    def forward(self, channels: Tensor) -> Tensor:
        """Logarithms of the corrections, shape (batch, 2, z, depth, lateral)."""
        channels = channels.to(memory_format=torch.channels_last_3d)
        with torch.autocast(channels.device.type, torch.bfloat16, enabled=self.is_half):
            found: Tensor = self.network(channels)
        return found.float().clamp(-LIMIT, LIMIT)

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
        error = masked_mean((corrected(batch["terms"], found) - batch["dose"]).abs(), batch["mask"])
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
        dose = corrected(batch["terms"], found).clamp_min(TINY)
        off = (dose.log() - batch["log_dose"]) / batch["sigma"]
        return masked_mean(self.loss(off, torch.zeros_like(off)), batch["mask"])


def corrected(terms: Tensor, found: Tensor) -> Tensor:
    """Dose: ``terms[0] + terms[1] exp(f) + terms[2] exp(f + g)``, shape (batch, z, depth, lateral).

    Parameters
    ----------
    terms : Tensor, shape (batch, 3, z, depth, lateral)
    found : Tensor, shape (batch, 2, z, depth, lateral)
        f and g.
    """
    f, g = found[:, 0], found[:, 1]
    return terms[:, 0] + terms[:, 1] * f.exp() + terms[:, 2] * (f + g).exp()

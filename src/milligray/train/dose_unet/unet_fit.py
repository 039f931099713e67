"""One U-Net of the ensemble in training."""

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from milligray.train.losses import heteroscedastic_loss
from milligray.train.modules.unet import DoseUnet, UnetConfig

LARGEST_GRADIENT = 1.0


class DoseUnetTraining(LightningModule):
    """Likelihood of the dose maps, over the body, with the floor of the Monte Carlo.

    Parameters
    ----------
    config : UnetConfig
    learning_rate : float
        Highest of a cycle that rises over a tenth of the steps and then falls to nothing.
    steps : int
        Of the whole fit.
    is_half : bool
        Convolutions in bfloat16 (weights and loss stay float32): twice as fast on processors that
        have it.
    """

    def __init__(
        self, config: UnetConfig, *, learning_rate: float, steps: int, is_half: bool = True
    ) -> None:
        super().__init__()
        self.network = DoseUnet(config)
        # convolutions of 3-D images are faster with the channels last
        for weight in self.network.parameters():
            if weight.dim() == 5:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)
        self.learning_rate, self.steps, self.is_half = learning_rate, steps, is_half

    def forward(self, channels: Tensor, guess: Tensor) -> tuple[Tensor, Tensor]:
        """Dose and logarithm of its variance."""
        channels = channels.to(memory_format=torch.channels_last_3d)
        with torch.autocast(channels.device.type, torch.bfloat16, enabled=self.is_half):
            found: tuple[Tensor, Tensor] = self.network(channels, guess)
        return found

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        """Loss of a batch of patches."""
        loss = self._loss(batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch["dose"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor]) -> None:
        """Loss and mean relative error."""
        dose, _ = self(batch["channels"], batch["guess"])
        body = batch["body"] > 0
        error = ((dose - batch["dose"]).abs() / batch["dose"].clamp_min(1e-3))[body].mean()
        n = len(batch["dose"])
        self.log("val_loss", self._loss(batch), on_epoch=True, batch_size=n)
        self.log("val_relative_error", error, on_epoch=True, batch_size=n)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:  # noqa: ARG002
        """Clip the gradient: a patch at the edge of the beam can have a very large one."""
        torch.nn.utils.clip_grad_norm_(self.parameters(), LARGEST_GRADIENT)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Adam with decoupled weight decay, one cycle."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=self.steps, pct_start=0.1
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _loss(self, batch: dict[str, Tensor]) -> Tensor:
        dose, log_variance = self(batch["channels"], batch["guess"])
        return heteroscedastic_loss(
            dose, log_variance, batch["dose"], sigma_floor=batch["floor"], mask=batch["body"]
        )

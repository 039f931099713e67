"""How the scatter network is fitted: blocks of cubes, errors of the cubes and of the blocks."""

import math
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.utils.data import Dataset

from milligray.learn.inputs.scatter_channels import CHANNELS
from milligray.train.losses import heteroscedastic_loss, masked_mean
from milligray.train.modules.scatter_mlp import ScatterMlp, ScatterMlpConfig
from milligray.train.scatter_net.scatter_samples import ScatterSample
from milligray.typing import FloatArray

BLOCK = 4
LEAST_CUBES = 8
"""Cubes with a known dose that a block needs."""
VOXEL_SIGMA, BLOCK_SIGMA, VARIANCE_SHARE = 0.02, 0.01, 0.05
"""Relative errors count in units of these; errors of whole blocks are what organs feel."""
AUXILIARY = (
    "primary_water", "primary_bone", "guess", "absorbing_water", "absorbing_bone", "energy",
    "sigma", "weight", "bone_ratio",
)  # fmt: skip


class ScatterBlocks(Dataset[tuple[Tensor, Tensor]]):
    """Blocks of cubes of all scans, in memory.

    Parameters
    ----------
    samples : list of ScatterSample

    Notes
    -----
    An item is (channels, auxiliary), of shapes ``(64, n_channels)`` and ``(9, 64)``.
    """

    def __init__(self, samples: list[ScatterSample]) -> None:
        parts = [_blocks(sample) for sample in samples]
        self.fields = torch.from_numpy(np.concatenate([part[0] for part in parts]))
        self.auxiliary = torch.from_numpy(np.concatenate([part[1] for part in parts]))

    def __len__(self) -> int:
        return len(self.fields)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.fields[index], self.auxiliary[index]

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        """Take a batch at once: item by item costs more than the network."""
        rows = torch.tensor(indices)
        return self.fields[rows], self.auxiliary[rows]

    def standardization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Center and scale of the channels over cubes with a known dose."""
        known = self.auxiliary[:, AUXILIARY.index("weight")] > 0
        values = self.fields[known]
        scale = values.std(dim=0).clamp_min(0.02)
        return tuple(values.mean(dim=0).tolist()), tuple(scale.tolist())


def as_batch(batch: Any) -> Any:  # noqa: ANN401 - as DataLoader has it
    """Collate function: `ScatterBlocks.__getitems__` has made the batch."""
    return batch


def _blocks(sample: ScatterSample) -> tuple[FloatArray, FloatArray]:
    shape = [n // BLOCK * BLOCK for n in sample.guess.shape]
    box = tuple(slice(0, n) for n in shape)
    ratio = np.full(sample.guess.shape, sample.bone_ratio, dtype=np.float32)
    auxiliary = np.stack([
        *sample.primary, sample.guess, *sample.absorbing, sample.energy, sample.sigma,
        sample.weight, ratio,
    ])  # fmt: skip

    def cut(values: FloatArray) -> FloatArray:
        values = values[(slice(None), *box)]
        counts = [n // BLOCK for n in shape]
        split = values.reshape(len(values), counts[0], BLOCK, counts[1], BLOCK, counts[2], BLOCK)
        blocks = split.transpose(1, 3, 5, 0, 2, 4, 6)
        return np.asarray(blocks.reshape(-1, len(values), BLOCK**3), dtype=np.float32)

    fields, rest = cut(sample.channels), cut(auxiliary)
    kept = rest[:, AUXILIARY.index("weight")].sum(axis=1) >= LEAST_CUBES
    return np.ascontiguousarray(fields[kept].transpose(0, 2, 1)), rest[kept]


class ScatterFit(LightningModule):
    """Loss and optimizer of one member.

    Parameters
    ----------
    config : ScatterMlpConfig
    learning_rate : float
    steps : int
        Of the whole fit: the rate rises over the first tenth, then falls along a cosine.

    Notes
    -----
    ``e = sum_b absorbing_b (primary_b + scatter_b)`` is the energy per volume; errors are relative
    to the prediction itself (without gradient), so that organs far from the beam count like those
    within it.
    """

    def __init__(self, config: ScatterMlpConfig, learning_rate: float, steps: int) -> None:
        super().__init__()
        if len(config.center) != len(CHANNELS):
            raise ValueError("center and scale must have one value a channel")
        self.network: nn.Module = ScatterMlp(config)
        self.learning_rate = learning_rate
        self.steps = steps

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Loss of a batch of blocks."""
        return self._losses(batch)["loss"]

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Loss and mean absolute relative errors of cubes and blocks."""
        losses = self._losses(batch)
        for name in ("loss", "voxel_error", "block_error"):
            self.log(f"val_{name}", losses[name], batch_size=len(batch[0]))

    def configure_optimizers(self) -> Any:  # noqa: ANN401 - lightning's own type is private
        """Adam with decoupled weight decay."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=1e-4)
        warm = max(1, self.steps // 10)

        def rate(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - warm) / (self.steps - warm))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer,
                "lr_scheduler": {"scheduler": schedule, "interval": "step"}}  # fmt: skip

    def _losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        fields, auxiliary = batch
        found = self.network(fields)
        of = dict(zip(AUXILIARY, auxiliary.unbind(1), strict=True))
        scatter = of["guess"] * torch.exp(found[..., 0].clamp(-4.0, 4.0))
        bone = scatter * of["bone_ratio"] * torch.exp(found[..., 1].clamp(-2.0, 2.0))
        energy = of["absorbing_water"] * (of["primary_water"] + scatter) + of["absorbing_bone"] * (
            of["primary_bone"] + bone
        )
        mask = of["weight"]
        scale = torch.where(mask > 0, energy.detach(), torch.ones_like(energy)).clamp_min(1e-12)
        truth, relative, noise = of["energy"] / scale, energy / scale, of["sigma"] / scale
        # the variance learns from the errors, the dose does not learn from the variance
        variance = heteroscedastic_loss(
            relative.detach(), found[..., 2], truth, sigma_floor=noise, mask=mask
        )
        squared = (relative - truth) ** 2
        voxels = masked_mean(_softened(squared / (VOXEL_SIGMA**2 + noise**2)), mask)
        whole = (energy.detach() * mask).sum(dim=1).clamp_min(1e-12)
        error = ((energy - of["energy"]) * mask).sum(dim=1) / whole
        of_block = ((of["sigma"] * mask) ** 2).sum(dim=1) / whole**2
        cubes = mask.sum(dim=1)
        blocks = masked_mean(_softened(error**2 / (BLOCK_SIGMA**2 + of_block)), cubes)
        return {
            "loss": voxels + blocks + VARIANCE_SHARE * variance,
            "voxel_error": masked_mean((relative - truth).abs(), mask).detach(),
            "block_error": masked_mean(error.abs(), cubes).detach(),
        }


def _softened(squared: Tensor) -> Tensor:
    """``sqrt(1 + x^2) - 1`` of x^2: squares of small errors, sizes of large ones."""
    return torch.sqrt(1.0 + squared) - 1.0

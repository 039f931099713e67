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

Batch = tuple[Tensor, Tensor, Tensor]
BLOCK = 4
LEAST_CUBES = 8
"""Cubes with a known dose that a block needs."""
VOXEL_SIGMA, BLOCK_SIGMA, VARIANCE_SHARE = 0.02, 0.01, 0.05
"""Relative errors count in units of these; errors of whole blocks are what organs feel."""
SHARED = ("guess", "bone_ratio")
OF_TISSUE = ("absorbing_water", "absorbing_bone", "primary_energy", "energy", "sigma", "weight")
"""What a cube brings beside its channels: once, and for each of its tissues."""
TISSUES = ("soft", "bone")


class ScatterBlocks(Dataset[Batch]):
    """Blocks of cubes of all scans, in memory.

    Parameters
    ----------
    samples : list of ScatterSample

    Notes
    -----
    An item is (channels, shared, of_tissue), of shapes ``(64, n_channels)``, ``(2, 64)`` and
    ``(6, 2, 64)``: `SHARED`; `OF_TISSUE` by `TISSUES`.
    """

    def __init__(self, samples: list[ScatterSample]) -> None:
        parts = [_blocks(sample) for sample in samples]
        self.fields = torch.from_numpy(np.concatenate([part[0] for part in parts]))
        self.shared = torch.from_numpy(np.concatenate([part[1] for part in parts]))
        self.of_tissue = torch.from_numpy(np.concatenate([part[2] for part in parts]))

    def __len__(self) -> int:
        return len(self.fields)

    def __getitem__(self, index: int) -> Batch:
        return self.fields[index], self.shared[index], self.of_tissue[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        """Take a batch at once: item by item costs more than the network."""
        rows = torch.tensor(indices)
        return self.fields[rows], self.shared[rows], self.of_tissue[rows]

    def standardization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Center and scale of the channels over cubes with a known dose."""
        known = self.of_tissue[:, OF_TISSUE.index("weight")].amax(dim=1) > 0
        values = self.fields[known]
        scale = values.std(dim=0).clamp_min(0.02)
        return tuple(values.mean(dim=0).tolist()), tuple(scale.tolist())


def as_batch(batch: Any) -> Any:  # noqa: ANN401 - as DataLoader has it
    """Collate function: `ScatterBlocks.__getitems__` has made the batch."""
    return batch


def _blocks(sample: ScatterSample) -> tuple[FloatArray, FloatArray, FloatArray]:
    counts = [n // BLOCK for n in sample.guess.shape]
    box = tuple(slice(0, n * BLOCK) for n in counts)
    ratio = np.full(sample.guess.shape, sample.bone_ratio, dtype=np.float32)
    of_tissue = np.stack([
        sample.absorbing[:, 0], sample.absorbing[:, 1], sample.primary_energy, sample.energy,
        sample.sigma, sample.weight,
    ])  # fmt: skip

    def cut(values: FloatArray) -> FloatArray:
        values = values[(slice(None), *box)]
        split = values.reshape(len(values), counts[0], BLOCK, counts[1], BLOCK, counts[2], BLOCK)
        blocks = split.transpose(1, 3, 5, 0, 2, 4, 6)
        return np.asarray(blocks.reshape(-1, len(values), BLOCK**3), dtype=np.float32)

    fields, shared = cut(sample.channels), cut(np.stack([sample.guess, ratio]))
    rest = cut(of_tissue.reshape(-1, *sample.guess.shape))
    rest = rest.reshape(len(rest), len(OF_TISSUE), len(TISSUES), BLOCK**3)
    known = rest[:, OF_TISSUE.index("weight")].max(axis=1).sum(axis=1)
    kept = known >= LEAST_CUBES
    return np.ascontiguousarray(fields[kept].transpose(0, 2, 1)), shared[kept], rest[kept]


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
    ``e = primary_energy + sum_b absorbing_b scatter_b`` is the energy per volume, of a cube's soft
    tissue and of its bone; errors are relative to the prediction itself (without gradient), so
    that organs far from the beam count like those within it.
    """

    def __init__(self, config: ScatterMlpConfig, learning_rate: float, steps: int) -> None:
        super().__init__()
        if len(config.center) != len(CHANNELS):
            raise ValueError("center and scale must have one value a channel")
        self.network: nn.Module = ScatterMlp(config)
        self.learning_rate = learning_rate
        self.steps = steps

    def training_step(self, batch: Batch) -> Tensor:
        """Loss of a batch of blocks."""
        return self.losses(batch)["loss"]

    def validation_step(self, batch: Batch) -> None:
        """Loss and mean absolute relative errors of cubes and blocks."""
        losses = self.losses(batch)
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

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Loss of a batch, and mean absolute relative errors of cubes and of blocks."""
        fields, shared, of_tissue = batch
        found = self.network(fields)
        guess, ratio = shared.unbind(1)
        of = dict(zip(OF_TISSUE, of_tissue.unbind(1), strict=True))
        scatter = guess * torch.exp(found[..., 0].clamp(-4.0, 4.0))
        bone = scatter * ratio * torch.exp(found[..., 1].clamp(-2.0, 2.0))
        energy = of["primary_energy"] + (
            of["absorbing_water"] * scatter[:, None] + of["absorbing_bone"] * bone[:, None]
        )
        mask = of["weight"]
        scale = torch.where(mask > 0, energy.detach(), torch.ones_like(energy)).clamp_min(1e-12)
        truth, relative, noise = of["energy"] / scale, energy / scale, of["sigma"] / scale
        # the variance learns from the errors, the dose does not learn from the variance
        variance = heteroscedastic_loss(
            relative.detach(), found[..., 2][:, None].expand_as(truth), truth, sigma_floor=noise,
            mask=mask,
        )  # fmt: skip
        squared = (relative - truth) ** 2
        voxels = masked_mean(_softened(squared / (VOXEL_SIGMA**2 + noise**2)), mask)
        whole = (energy.detach() * mask).sum(dim=-1).clamp_min(1e-12)
        error = ((energy - of["energy"]) * mask).sum(dim=-1) / whole
        of_block = ((of["sigma"] * mask) ** 2).sum(dim=-1) / whole**2
        cubes = mask.sum(dim=-1)
        blocks = masked_mean(_softened(error**2 / (BLOCK_SIGMA**2 + of_block)), cubes)
        return {
            "loss": voxels + blocks + VARIANCE_SHARE * variance,
            "voxel_error": masked_mean((relative - truth).abs(), mask).detach(),
            "block_error": masked_mean(error.abs(), cubes).detach(),
        }


def _softened(squared: Tensor) -> Tensor:
    """``sqrt(1 + x^2) - 1`` of x^2: squares of small errors, sizes of large ones."""
    return torch.sqrt(1.0 + squared) - 1.0

"""How the scatter network is fitted: patches of scans, loss of doses at two scales."""

import math
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.utils.data import Dataset

from milligray.train.losses import heteroscedastic_loss, masked_mean
from milligray.train.modules.scatter_unet import ScatterUnet, ScatterUnetConfig
from milligray.train.scatter_samples import LEVELS_MULTIPLE, ScatterSample

PATCH = (24, 32, 40)
POOL = 4
VOXEL_SIGMA, POOLED_SIGMA, VARIANCE_SHARE = 0.02, 0.01, 0.1
"""Relative errors count in units of these; those of cubes of POOL voxels are what organs feel."""

Batch = dict[str, Tensor]


class ScatterPatches(Dataset[Batch]):
    """Random patches of scans, half of them mirrored left to right.

    Parameters
    ----------
    samples : list of ScatterSample
    repeats : int
        Patches of each scan in an epoch.
    """

    def __init__(self, samples: list[ScatterSample], repeats: int = 1) -> None:
        self.samples = samples
        self.repeats = repeats

    def __len__(self) -> int:
        return len(self.samples) * self.repeats

    def __getitem__(self, index: int) -> Batch:
        sample = self.samples[index % len(self.samples)]
        box = []
        for length, wanted in zip(sample.guess.shape, PATCH, strict=True):
            spare = max(0, length - wanted)
            start = int(torch.randint(0, spare + 1, ()))
            box.append(slice(start, min(length, start + wanted)))
        return _tensors(sample, tuple(box), PATCH, is_mirrored=bool(torch.rand(()) < 0.5))


class WholeScans(Dataset[Batch]):
    """Scans as they are, for validation."""

    def __init__(self, samples: list[ScatterSample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Batch:
        sample = self.samples[index]
        shape = tuple(-(-n // LEVELS_MULTIPLE) * LEVELS_MULTIPLE for n in sample.guess.shape)
        return _tensors(sample, (slice(None),) * 3, shape, is_mirrored=False)


def _softened(squared: Tensor) -> Tensor:
    """``sqrt(1 + x^2) - 1`` of x^2: squares of small errors, sizes of large ones."""
    return torch.sqrt(1.0 + squared) - 1.0


def standardization(samples: list[ScatterSample]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Center and scale of the channels over the bodies: median and half the 16-84 % range."""
    inside = [s.channels[:, s.weight > 0][:, ::7] for s in samples]
    low, middle, high = np.percentile(np.concatenate(inside, axis=1), [16, 50, 84], axis=1)
    spread = np.maximum(0.5 * (high - low), 0.02)
    return tuple(float(v) for v in middle), tuple(float(v) for v in spread)


def _tensors(
    sample: ScatterSample,
    box: tuple[slice, ...],
    shape: tuple[int, ...],
    *,
    is_mirrored: bool,
) -> Batch:
    found: Batch = {"bone_ratio": torch.tensor(sample.bone_ratio, dtype=torch.float32)}
    for name in ("channels", "primary", "absorbing", "guess", "energy", "sigma", "weight"):
        values = getattr(sample, name)
        part = values[(..., *box)]
        spare = [(0, n - m) for n, m in zip(shape, part.shape[-3:], strict=True)]
        part = np.pad(part, [(0, 0)] * (part.ndim - 3) + spare)
        if is_mirrored:
            part = part[..., ::-1]
        found[name] = torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32))
    return found


class ScatterFit(LightningModule):
    """Loss and optimizer of one member.

    Parameters
    ----------
    config : ScatterUnetConfig
    learning_rate : float
    steps : int
        Of the whole fit: the rate follows half a cosine to zero over them.

    Notes
    -----
    ``e = sum_b absorbing_b (primary_b + scatter_b)`` is the energy per volume; errors are relative
    to the prediction itself (without gradient), so that organs far from the beam count like those
    within it.
    """

    def __init__(self, config: ScatterUnetConfig, learning_rate: float, steps: int) -> None:
        super().__init__()
        self.network: nn.Module = ScatterUnet(config)
        self.learning_rate = learning_rate
        self.steps = steps

    def training_step(self, batch: Batch) -> Tensor:
        """Loss of a batch of patches."""
        return self._losses(batch)["loss"]

    def validation_step(self, batch: Batch) -> None:
        """Loss and mean absolute relative errors of whole scans."""
        losses = self._losses(batch)
        self.log("val_loss", losses["loss"], batch_size=1)
        self.log("val_voxel_error", losses["voxel_error"], batch_size=1)
        self.log("val_pooled_error", losses["pooled_error"], batch_size=1)

    def configure_optimizers(self) -> Any:  # noqa: ANN401 - lightning's own type is private
        """Adam, the rate warmed up and then down a cosine."""
        optimizer = torch.optim.Adam(self.parameters(), lr=self.learning_rate)
        warm = max(1, self.steps // 20)

        def rate(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - warm) / (self.steps - warm))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer,
                "lr_scheduler": {"scheduler": schedule, "interval": "step"}}  # fmt: skip

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        found = self.network(batch["channels"])
        scatter = batch["guess"] * torch.exp(found[:, 0].clamp(-5.0, 5.0))
        bone = scatter * batch["bone_ratio"][:, None, None, None] * torch.exp(found[:, 1])
        kerma = batch["primary"] + torch.stack([scatter, bone], dim=1)
        energy = (batch["absorbing"] * kerma).sum(dim=1)
        mask = batch["weight"]
        scale = torch.where(mask > 0, energy.detach(), torch.ones_like(energy)).clamp_min(1e-12)
        truth = batch["energy"] / scale
        relative = energy / scale
        noise = batch["sigma"] / scale
        # the variance learns from the errors, the dose does not learn from the variance
        variance = heteroscedastic_loss(
            relative.detach(), found[:, 2], truth, sigma_floor=noise, mask=mask
        )
        voxels = masked_mean(_softened((relative - truth) ** 2 / (VOXEL_SIGMA**2 + noise**2)), mask)
        pool = nn.functional.avg_pool3d
        p_energy, p_truth, p_variance, p_mask = (
            pool(part[:, None], POOL)
            for part in (energy * mask, batch["energy"] * mask,
                         (batch["sigma"] * mask) ** 2, mask)
        )  # fmt: skip
        p_scale = p_energy.detach().clamp_min(1e-12)
        error = (p_energy - p_truth) / p_scale
        p_noise = p_variance / (POOL**3 * p_scale**2)
        wide = p_mask * (p_mask > 0.25)
        pooled = masked_mean(_softened(error**2 / (POOLED_SIGMA**2 + p_noise)), wide)
        return {
            "loss": voxels + pooled + VARIANCE_SHARE * variance,
            "voxel_error": masked_mean((relative - truth).abs(), mask).detach(),
            "pooled_error": masked_mean(error.abs(), wide).detach(),
        }

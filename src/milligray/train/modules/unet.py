"""A 3-D U-Net that gives a dose map with its uncertainty."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from milligray.errors import InputError

LOG_RATIO_LIMIT = 3.0
LOG_VARIANCE_LIMITS = (-12.0, 3.0)
FIRST_LOG_VARIANCE = -3.0
LEAST_GUESS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class UnetConfig:
    """Shape of the network.

    Parameters
    ----------
    channels_in : int
    channels : tuple of int
        Of the levels, finest first; every level halves the image.
    coarsening : {1, 2}
        2: the U-Net sees means over 2 x 2 x 2 voxels, its features are interpolated back, and the
        head sees them beside the voxels themselves. Eight times as fast, for errors of the guess
        that are smooth.
    head : int
        Channels of a layer on single voxels between the U-Net and the outputs; 0: none.
    normalization : {"batch", "none"}
        Statistics of an image (instance normalization) are not offered: a network with them gives
        other doses in a tile than in the whole.
    dropout : float
        Share of the channels left out on the coarsest level in training.
    """

    channels_in: int = 4
    channels: tuple[int, ...] = (16, 32, 64, 128)
    coarsening: Literal[1, 2] = 1
    head: int = 0
    normalization: Literal["batch", "none"] = "batch"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.channels_in < 1 or len(self.channels) < 2 or min(self.channels) < 1:
            raise InputError("a U-Net needs inputs and at least two levels with channels")
        if self.coarsening not in (1, 2) or self.head < 0:
            raise InputError(f"coarsening must be 1 or 2, got {self.coarsening}; head >= 0")
        if self.normalization not in ("batch", "none"):
            raise InputError(f"normalization must be batch or none, got {self.normalization!r}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in 0-1, got {self.dropout}")

    @property
    def multiple(self) -> int:
        """Image sizes must be multiples of it."""
        return int(self.coarsening * 2 ** (len(self.channels) - 1))


class DoseUnet(nn.Module):
    """Two-channel U-Net on a first guess of the dose.

    Notes
    -----
    With the two outputs f, v of the U-Net and the guess g of
    `milligray.learn.inputs.dose_unet_inputs`,

    ``dose = g exp(f)``, ``log_variance = v + 2 log g``,

    both clipped to wide limits. The last layer begins at ``f = 0, v = -3``: the guess, with an
    uncertainty of 22 %. The form keeps the dose above 0, and makes errors relative ones.

    References
    ----------
    U-Net: Ronneberger et al., MICCAI 2015, LNCS 9351, 234; in three dimensions: Cicek et al.,
    MICCAI 2016, LNCS 9901, 424.
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        ends = (config.channels_in, *channels)
        self.down = nn.ModuleList([self._block(a, b) for a, b in pairwise(ends)])
        ups = reversed(list(pairwise(channels)))
        self.up = nn.ModuleList([self._block(coarse + fine, fine) for fine, coarse in ups])
        self.pool = nn.MaxPool3d(2)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")
        self.drop = nn.Dropout3d(config.dropout)
        self.average = nn.AvgPool3d(config.coarsening)
        self.refine = nn.Upsample(scale_factor=config.coarsening, mode="trilinear")
        width = channels[0] + (config.channels_in if config.coarsening > 1 else 0)
        self.head = nn.Sequential()
        if config.head:
            self.head = nn.Sequential(nn.Conv3d(width, config.head, 1), nn.ReLU())
        self.last = nn.Conv3d(config.head or width, 2, 1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None  # noqa: S101 - for mypy
        with torch.no_grad():
            self.last.bias.copy_(torch.tensor([0.0, FIRST_LOG_VARIANCE]))

    def _block(self, before: int, after: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        is_batch = self.config.normalization == "batch"
        for n in (before, after):
            layers.append(nn.Conv3d(n, after, 3, padding=1, bias=not is_batch))
            if is_batch:
                layers.append(nn.BatchNorm3d(after))
            layers.append(nn.ReLU())
        return nn.Sequential(*layers)

    def features(self, channels: Tensor) -> Tensor:
        """What the outputs are made of, shape (batch, n, z, y, x)."""
        is_coarse = self.config.coarsening > 1
        kept: list[Tensor] = []
        x = self.average(channels) if is_coarse else channels
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            kept.append(x)
        x = self.drop(x)
        for block, finer in zip(self.up, reversed(kept[:-1]), strict=True):
            x = block(torch.cat([self.grow(x), finer], dim=1))
        if is_coarse:
            x = torch.cat([self.refine(x.float()), channels], dim=1)
        found: Tensor = self.head(x)
        return found

    def forward(self, channels: Tensor, guess: Tensor) -> tuple[Tensor, Tensor]:
        """Dose and logarithm of its variance, both over the scale.

        Parameters
        ----------
        channels : tensor, shape (batch, channels_in, z, y, x)
            Sizes that are multiples of ``config.multiple``.
        guess : tensor, shape (batch, z, y, x)

        Returns
        -------
        dose, log_variance : tensor, shape (batch, z, y, x)
        """
        out = self.last(self.features(channels).float())
        ratio = out[:, 0].clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
        variance = out[:, 1].clamp(*LOG_VARIANCE_LIMITS)
        guess = guess.clamp_min(LEAST_GUESS)
        return guess * torch.exp(ratio), variance + 2.0 * torch.log(guess)

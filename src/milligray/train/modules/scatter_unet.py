"""Small U-Net that corrects a guess of the scattered photons' kerma."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

START = (0.15, 0.1, -4.0)
"""Outputs of the untrained network: the guess as it is, bone a little above the primary's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScatterUnetConfig:
    """Shape of the network.

    Parameters
    ----------
    inputs : int
        Channels in.
    channels : tuple of int
        At full, half and quarter resolution.
    center, scale : tuple of float
        Of the inputs, by channel: taken away, and divided by; default 0 and 1.
    limit : float
        What is left is clipped to +- this.
    """

    inputs: int
    channels: tuple[int, int, int] = (8, 24, 48)
    center: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    limit: float = 6.0


class ScatterUnet(nn.Module):
    """Three levels, residual blocks, no normalization within: levels of the inputs carry meaning.

    Parameters
    ----------
    config : ScatterUnetConfig

    Notes
    -----
    In: ``(batch, inputs, z, y, x)``, all lengths multiples of 4. Out: ``(batch, 3, z, y, x)``:
    logarithm of scatter over guess, of the scatter's bone ratio over the primary's, and of the
    variance of the relative error.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, config: ScatterUnetConfig) -> None:
        super().__init__()
        self.config = config
        a, b, c = config.channels
        for name, values, default in (("center", config.center, 0.0), ("scale", config.scale, 1.0)):
            full = torch.tensor(values or (default,) * config.inputs, dtype=torch.float32)
            self.register_buffer(name, full[:, None, None, None])
        self.enter = nn.Conv3d(config.inputs, a, 1)
        self.first = _Residual(a)
        self.down1 = nn.Conv3d(a, b, 2, stride=2)
        self.second = nn.Sequential(_Residual(b), _Residual(b))
        self.down2 = nn.Conv3d(b, c, 2, stride=2)
        self.third = nn.Sequential(_Residual(c), _Residual(c))
        self.up2 = nn.ConvTranspose3d(c, b, 2, stride=2)
        self.fourth = _Residual(b)
        self.up1 = nn.ConvTranspose3d(b, a, 2, stride=2)
        self.fifth = _Residual(a)
        self.leave = nn.Conv3d(a, 3, 1)
        nn.init.zeros_(self.leave.weight)
        self.leave.bias = nn.Parameter(torch.tensor(START))

    def forward(self, fields: Tensor) -> Tensor:
        """Correct the guess; see the class."""
        limit = self.config.limit
        standard = torch.clamp((fields - self.center) / self.scale, -limit, limit)
        full = self.first(nn.functional.relu(self.enter(standard)))
        half = self.second(nn.functional.relu(self.down1(full)))
        quarter = self.third(nn.functional.relu(self.down2(half)))
        half = self.fourth(nn.functional.relu(self.up2(quarter)) + half)
        full = self.fifth(nn.functional.relu(self.up1(half)) + full)
        found: Tensor = self.leave(full)
        return found


class _Residual(nn.Module):
    """``x + conv(relu(conv(x)))``, then ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one = nn.Conv3d(channels, channels, 3, padding=1)
        self.two = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        inner = nn.functional.relu(self.one(x))
        return nn.functional.relu(x + self.two(inner))

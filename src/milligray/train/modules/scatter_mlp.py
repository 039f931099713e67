"""Small network that corrects the guess of the scattered photons' kerma, cube by cube."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

START = (0.15, 0.1, -6.0)
"""Outputs before training: a little more than the guess, bone a little above the primary's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScatterMlpConfig:
    """Shape of the network.

    Parameters
    ----------
    center, scale : tuple of float
        Of the inputs, by channel: taken away, and divided by.
    width : int
        Units of each of the three hidden layers.
    limit : float
        Standardized inputs are clipped to +- this.
    """

    center: tuple[float, ...]
    scale: tuple[float, ...]
    width: int = 64
    limit: float = 6.0


class ScatterMlp(nn.Module):
    """Three hidden layers; what is around a cube is in its channels already.

    Parameters
    ----------
    config : ScatterMlpConfig

    Notes
    -----
    In: ``(cubes, channels)``. Out: ``(cubes, 3)``: logarithm of scatter over guess, of the
    scatter's bone ratio over the primary's, and of the variance of the relative error.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, config: ScatterMlpConfig) -> None:
        super().__init__()
        self.limit = config.limit
        self.register_buffer("center", torch.tensor(config.center, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(config.scale, dtype=torch.float32))
        widths = [len(config.center), config.width, config.width, config.width]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.SiLU()]
        last = nn.Linear(config.width, len(START))
        nn.init.normal_(last.weight, std=0.01)
        last.bias = nn.Parameter(torch.tensor(START))
        self.layers = nn.Sequential(*layers, last)

    def forward(self, fields: Tensor) -> Tensor:
        """Correct the guess; see the class."""
        standard = torch.clamp((fields - self.center) / self.scale, -self.limit, self.limit)
        found: Tensor = self.layers(standard)
        return found

"""A residual network of bottleneck blocks that reads organ doses off images."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from milligray.errors import InputError

_EXPANSION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganCnnConfig:
    """Shape of the network.

    Parameters
    ----------
    channels : int
        Of the images.
    organs : int
        The organ asked for joins the image's features as 0 and 1.
    width : int
        Of the first stage; 64 in ResNet-50.
    blocks : tuple of int
        Bottleneck blocks of the stages; every stage but the first halves the image and doubles the
        width.
    dropout : float
        Before the output.
    """

    channels: int
    organs: int
    width: int = 8
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if min(self.channels, self.organs, self.width, *self.blocks) < 1 or not self.blocks:
            raise InputError("a residual network needs channels, organs, a width and blocks")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in 0-1, got {self.dropout}")


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 convolutions and a shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = width * _EXPANSION
        self.path = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, image: Tensor) -> Tensor:
        return torch.relu(self.path(image) + self.shortcut(image))


class OrganCnn(nn.Module):
    """ResNet-50 with fewer channels, and with the organ's name beside the image.

    Notes
    -----
    Bottleneck blocks 3, 4, 6, 3 as in ResNet-50 (50 layers with weights); the first convolution is
    3 x 3 instead of 7 x 7, because the images have 64 x 64 pixels, not 224 x 224.

    References
    ----------
    He K, Zhang X, Ren S, Sun J. Deep residual learning for image recognition. CVPR (2016) 770-778.
    """

    def __init__(self, config: OrganCnnConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = [
            nn.Conv2d(config.channels, config.width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(config.width), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1),
        ]  # fmt: skip
        channels = config.width
        for stage, count in enumerate(config.blocks):
            width = config.width * 2**stage
            for block in range(count):
                layers.append(_Bottleneck(channels, width, 2 if stage and not block else 1))
                channels = width * _EXPANSION
        self.image = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(channels + config.organs, 64), nn.ReLU(),
            nn.Linear(64, 1),
        )  # fmt: skip

    def forward(self, images: Tensor, organ: Tensor) -> Tensor:
        """Give outputs, shape (n,), for images (n, channels, y, x) and organs (n, organs)."""
        found: Tensor = self.head(torch.cat([self.image(images), organ], dim=1))
        return found[:, 0]

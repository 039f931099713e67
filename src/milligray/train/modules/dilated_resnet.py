"""Residual network of dilated convolutions in three dimensions, 20 layers deep."""

from dataclasses import dataclass

from torch import Tensor, nn

BLOCKS_PER_DILATION = 3
LAYERS_PER_BLOCK = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DilatedResnetConfig:
    """Configuration of a `DilatedResnet`.

    Parameters
    ----------
    in_channels, out_channels : int
    channels : tuple of int
        Of the layers of each dilation.
    dilations : tuple of int
        1, 2 and 4 as published; three residual blocks each.
    slope : float
        Of the leaky rectifier below zero.
    """

    in_channels: int
    out_channels: int = 1
    channels: tuple[int, ...] = (16, 16, 16)
    dilations: tuple[int, ...] = (1, 2, 4)
    slope: float = 0.01

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.dilations):
            raise ValueError("channels and dilations must have one entry a stage")
        if min(self.in_channels, self.out_channels, *self.channels, *self.dilations) < 1:
            raise ValueError("channels and dilations must be at least 1")

    @property
    def layers(self) -> int:
        """Number of convolutions: 20 for three dilations."""
        return 2 + BLOCKS_PER_DILATION * LAYERS_PER_BLOCK * len(self.dilations)

    @property
    def reach(self) -> int:
        """Voxels to each side that a result depends on: 43 as published."""
        return 1 + BLOCKS_PER_DILATION * LAYERS_PER_BLOCK * sum(self.dilations)


class DilatedResnet(nn.Module):
    """Convolution, nine residual blocks of two dilated convolutions, convolution of one voxel.

    Parameters
    ----------
    config : DilatedResnetConfig

    Notes
    -----
    ``(batch, in_channels, z, y, x) -> (batch, out_channels, z, y, x)``, any size. Batch
    normalization and leaky rectifier come before each convolution of a block; where the number
    of channels grows, the block's input is filled up with zeros. The last layer begins at zero:
    an untrained network gives 0.

    References
    ----------
    Li et al., IPMI 2017, LNCS 10265:348 (the type of network); Akhavanallaf et al., Eur J Nucl
    Med Mol Imaging 48 (2021) 2485; Salimi et al., Eur Radiol 33 (2023) 9411 (for dose).
    """

    def __init__(self, config: DilatedResnetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.channels[0]
        self.first = nn.Conv3d(config.in_channels, width, 3, padding=1)
        blocks = []
        for channels, dilation in zip(config.channels, config.dilations, strict=True):
            for _ in range(BLOCKS_PER_DILATION):
                blocks.append(_Block(width, channels, dilation, config.slope))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm3d(width)
        self.act = nn.LeakyReLU(config.slope)
        self.last = nn.Conv3d(width, config.out_channels, 1)
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)

    def forward(self, values: Tensor) -> Tensor:
        """Apply the network."""
        found: Tensor = self.last(self.act(self.norm(self.blocks(self.first(values)))))
        return found

    def freeze_norm(self) -> None:
        """Keep the means and variances of the normalization as they are from now on."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eval()


class _Block(nn.Module):
    def __init__(self, width: int, channels: int, dilation: int, slope: float) -> None:
        super().__init__()
        if channels < width:
            raise ValueError("channels must not fall from stage to stage")
        self.more = channels - width
        self.body = nn.Sequential(
            nn.BatchNorm3d(width),
            nn.LeakyReLU(slope),
            nn.Conv3d(width, channels, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm3d(channels),
            nn.LeakyReLU(slope),
            nn.Conv3d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
        )

    def forward(self, values: Tensor) -> Tensor:
        through: Tensor = self.body(values)
        if self.more:
            values = nn.functional.pad(values, (0, 0, 0, 0, 0, 0, 0, self.more))
        return values + through

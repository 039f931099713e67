"""A dilated residual network that works on cubes of two voxels a side."""

from dataclasses import replace

from torch import Tensor, nn

from milligray.train.modules.dilated_resnet import DilatedResnet, DilatedResnetConfig

FOLD = 2
_CELLS = FOLD**3


class FoldedResnet(nn.Module):
    """`DilatedResnet` of eight times the channels on an eighth of the voxels.

    Parameters
    ----------
    config : DilatedResnetConfig
        As seen from outside: channels of a voxel.

    Notes
    -----
    ``(batch, in_channels, z, y, x) -> (batch, out_channels, z, y, x)``, sizes even. The eight
    voxels of a cube become channels of one and are parted again at the end, so that nothing of the
    resolution is lost while every layer costs an eighth, and reaches twice as far.
    """

    def __init__(self, config: DilatedResnetConfig) -> None:
        super().__init__()
        self.config = config
        self.network = DilatedResnet(
            replace(
                config, in_channels=_CELLS * config.in_channels,
                out_channels=_CELLS * config.out_channels,
            )
        )  # fmt: skip

    def forward(self, values: Tensor) -> Tensor:
        """Apply the network."""
        batch, channels, z, y, x = values.shape
        cubes = values.reshape(batch, channels, z // 2, 2, y // 2, 2, x // 2, 2)
        cubes = cubes.permute(0, 1, 3, 5, 7, 2, 4, 6)
        found = self.network(cubes.reshape(batch, _CELLS * channels, z // 2, y // 2, x // 2))
        found = found.reshape(batch, self.config.out_channels, 2, 2, 2, z // 2, y // 2, x // 2)
        found = found.permute(0, 1, 5, 2, 6, 3, 7, 4)
        whole: Tensor = found.reshape(batch, self.config.out_channels, z, y, x)
        return whole

    def freeze_norm(self) -> None:
        """Keep the means and variances of the normalization as they are from now on."""
        self.network.freeze_norm()

"""A fully connected network for tables of features."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from milligray.errors import InputError

LOG_VARIANCE_LIMITS = (-12.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FullyConnectedConfig:
    """Shape of the network.

    Parameters
    ----------
    inputs, outputs : int
    widths : tuple of int
        Of the hidden layers.
    normalization : {"batch", "none"}
    activation : {"relu", "silu"}
    dropout : float
        Share of the values of each hidden layer left out in training.
    """

    inputs: int
    outputs: int = 1
    widths: tuple[int, ...] = (256, 128, 64, 32)
    normalization: Literal["batch", "none"] = "batch"
    activation: Literal["relu", "silu"] = "relu"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if min(self.inputs, self.outputs, *self.widths) < 1 or not self.widths:
            raise InputError("a fully connected network needs inputs, outputs and hidden layers")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in 0-1, got {self.dropout}")
        if self.normalization not in ("batch", "none"):
            raise InputError(f"normalization must be batch or none, got {self.normalization!r}")
        if self.activation not in ("relu", "silu"):
            raise InputError(f"activation must be relu or silu, got {self.activation!r}")


class FullyConnected(nn.Module):
    """Hidden layers of linear map, batch normalization, activation and dropout; a linear output.

    Notes
    -----
    The default is the network of Shao et al. (2024) as far as it is known: input, four hidden
    layers, output; batch normalization; dropout 0.2. The widths are ours.

    References
    ----------
    Shao W, Lin X, Huang Y, Qu L, Zhuo W, Liu H. Rapid patient-specific organ dose estimation in
    computed tomography scans via integration of radiomics features and neural networks. Quant
    Imaging Med Surg (2024).
    """

    def __init__(self, config: FullyConnectedConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        n = config.inputs
        for width in config.widths:
            layers.append(nn.Linear(n, width))
            if config.normalization == "batch":
                layers.append(nn.BatchNorm1d(width))
            layers.append(nn.ReLU() if config.activation == "relu" else nn.SiLU())
            if config.dropout > 0:
                layers.append(nn.Dropout(config.dropout))
            n = width
        layers.append(nn.Linear(n, config.outputs))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Give outputs, shape (n, outputs), for standardized features, shape (n, inputs)."""
        found: Tensor = self.layers(features)
        return found


class WithVariance(nn.Module):
    """A network of two outputs as mean and bounded log variance."""

    def __init__(self, network: FullyConnected) -> None:
        super().__init__()
        if network.config.outputs != 2:
            raise InputError("mean and variance need two outputs")
        self.network = network

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and log variance, shape (n,) each."""
        both = self.network(features)
        return both[:, 0], torch.clamp(both[:, 1], *LOG_VARIANCE_LIMITS)

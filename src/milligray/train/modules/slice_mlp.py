"""The published network of organ slices, and its fit as its authors wrote it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from milligray.errors import InputError
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceMlpConfig:
    """Shape and fit of the network; the defaults are the authors', but for `steps`.

    Parameters
    ----------
    inputs : int
    widths : tuple of int
    dropout : float
        After the second and later hidden layers.
    learning_rate : float
        Of Adam.
    batch_size : int
    steps : int
        Batches in all. The authors run 2000 epochs (some 150 000 steps an organ) and keep the last.
    """

    inputs: int = 5
    widths: tuple[int, ...] = (512, 256, 128, 64)
    dropout: float = 0.1
    learning_rate: float = 1e-3
    batch_size: int = 64
    steps: int = 1000

    def __post_init__(self) -> None:
        if min(self.inputs, self.batch_size, self.steps, *self.widths) < 1:
            raise InputError("inputs, widths, batch size and steps must be at least 1")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in 0-1, got {self.dropout}")


class SliceMlp(nn.Module):
    """Linear layers with ReLU; dropout behind all hidden layers but the first; one output.

    Parameters
    ----------
    config : SliceMlpConfig

    References
    ----------
    Tzanis E, Damilakis J. A machine learning-based pipeline for multi-organ/tissue
    patient-specific radiation dosimetry in CT. Eur Radiol (2024), and the authors' program.
    """

    def __init__(self, config: SliceMlpConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = config.inputs
        for i, width in enumerate(config.widths):
            layers += [nn.Linear(before, width), nn.ReLU()]
            if i > 0:
                layers.append(nn.Dropout(config.dropout))
            before = width
        self.layers = nn.Sequential(*layers, nn.Linear(before, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Doses, shape (n,), of features (n, inputs)."""
        found: Tensor = self.layers(features)[:, 0]
        return found


def fit_slice_mlp(
    config: SliceMlpConfig, features: FloatArray, dose_mgy: FloatArray, *, seed: int = 1
) -> SliceMlp:
    """Fit to doses by mean square error with Adam; the last state is kept.

    Parameters
    ----------
    config : SliceMlpConfig
    features : ndarray, shape (n, inputs)
        Standardized.
    dose_mgy : ndarray, shape (n,) [mGy]
        As they are: the authors do not scale them.
    seed : int

    Notes
    -----
    The authors hold back a random tenth of the rows, and do nothing with it but print its loss;
    here all rows are used.
    """
    if len(features) != len(dose_mgy) or len(features) == 0:
        raise InputError(f"{len(features)} rows of features for {len(dose_mgy)} doses")
    x = torch.as_tensor(np.asarray(features, dtype=np.float32))
    y = torch.as_tensor(np.asarray(dose_mgy, dtype=np.float32))
    size = min(config.batch_size, len(y))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SliceMlp(config)
        optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
        network.train()
        order = torch.randperm(len(y))
        at = 0
        for _ in range(config.steps):
            if at + size > len(y):
                order, at = torch.randperm(len(y)), 0
            rows = order[at : at + size]
            at += size
            loss = ((network(x[rows]) - y[rows]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def predict_slice_mlp(network: SliceMlp, features: FloatArray) -> FloatArray:
    """Doses of standardized features, shape (n,) [mGy]."""
    with torch.no_grad():
        found = network(torch.as_tensor(np.asarray(features, dtype=np.float32)))
    return np.asarray(found.numpy(), dtype=np.float64)

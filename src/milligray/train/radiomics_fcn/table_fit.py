"""Fit a small network to a table: whole in memory, seconds, the same weights for the same seed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from milligray.errors import InputError
from milligray.train.losses import heteroscedastic_loss
from milligray.train.modules.fully_connected import (
    FullyConnected,
    FullyConnectedConfig,
    WithVariance,
)
from milligray.typing import FloatArray

_LEAST_ROWS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFit:
    """How to fit.

    Parameters
    ----------
    epochs : int
        A fixed number, chosen beforehand: nothing of the rows is held back to stop by.
    batch_size : int
    learning_rate : float
        Largest of a one-cycle schedule.
    weight_decay : float
        Of AdamW.
    warm_up : float
        Share of the epochs in which the variance is not learned yet.
    """

    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.3

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or not self.learning_rate > 0:
            raise InputError("epochs, batch_size and learning_rate must be > 0 (a batch holds two)")


def fit_table(
    config: FullyConnectedConfig,
    features: FloatArray,
    target: FloatArray,
    settings: TableFit,
    *,
    seed: int,
    target_sigma: FloatArray | None = None,
    history: list[float] | None = None,
) -> FullyConnected:
    """Fit a network; it comes back in eval mode.

    Parameters
    ----------
    config : FullyConnectedConfig
        One output: mean square error. Two: Gaussian likelihood with mean and log variance.
    features : ndarray, shape (n, p)
        Standardized.
    target : ndarray, shape (n,)
        Of order one.
    settings : TableFit
    seed : int
        Of first weights, order and dropout.
    target_sigma : ndarray, shape (n,), optional
        Standard deviation of the target's own noise, for two outputs.
    history : list, optional
        Gets the mean loss of every epoch.

    Notes
    -----
    Two outputs are fitted by `milligray.train.losses.heteroscedastic_loss`; in the warm-up by the
    mean square error alone.
    """
    n = len(target)
    if n < _LEAST_ROWS or features.shape != (n, config.inputs):
        raise InputError(
            f"features {features.shape} do not fit {n} targets, {config.inputs} inputs"
        )
    x = torch.as_tensor(np.asarray(features, dtype=np.float32))
    y = torch.as_tensor(np.asarray(target, dtype=np.float32))
    noise = torch.as_tensor(
        np.zeros(n, dtype=np.float32) if target_sigma is None
        else np.asarray(target_sigma, dtype=np.float32)
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FullyConnected(config)
        both = WithVariance(network) if config.outputs == 2 else None

        def loss_of(rows: Tensor, *, warm: bool) -> Tensor:
            return _loss(network, both, x[rows], y[rows], noise[rows], warm=warm)

        losses = run_epochs(network, n, settings, loss_of)
    if history is not None:
        history += losses
    return network


def run_epochs(
    network: nn.Module, n: int, settings: TableFit, loss_of: Callable[..., Tensor]
) -> list[float]:
    """Fit a network whose data are all in memory; it ends in eval mode.

    Parameters
    ----------
    network : nn.Module
    n : int
        Rows.
    settings : TableFit
    loss_of : callable
        ``loss_of(rows, warm=...)`` of some rows; ``warm`` in the first epochs.

    Returns
    -------
    list of float
        Mean loss of every epoch.
    """
    size = min(settings.batch_size, n)
    batches = max(1, n // size)  # what is left over takes part in another order
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay,
        fused=True,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.epochs * batches
    )
    network.train()
    losses = []
    for epoch in range(settings.epochs):
        order = torch.randperm(n)
        warm = epoch < settings.warm_up * settings.epochs
        total = 0.0
        for b in range(batches):
            optimizer.zero_grad()
            loss = loss_of(order[b * size : (b + 1) * size], warm=warm)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        losses.append(total / batches)
    network.eval()
    return losses


def _loss(
    network: FullyConnected, both: nn.Module | None, x: Tensor, y: Tensor, noise: Tensor, *,
    warm: bool,
) -> Tensor:  # fmt: skip
    if both is None or warm:
        squared: Tensor = ((network(x)[:, 0] - y) ** 2).mean()
        return squared
    mean, log_variance = both(x)
    return heteroscedastic_loss(mean, log_variance, y, sigma_floor=noise)


def predict_table(network: FullyConnected, features: FloatArray) -> FloatArray:
    """Outputs of a network, shape (n, outputs), float64."""
    with torch.no_grad():
        found = network(torch.as_tensor(np.asarray(features, dtype=np.float32)))
    return np.asarray(found.numpy(), dtype=np.float64)

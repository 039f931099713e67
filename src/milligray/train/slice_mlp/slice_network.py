"""The slice network: a ridge regression of physics, and an ensemble that learns what it leaves."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from milligray.errors import InputError
from milligray.learn.inputs.slice_rows import ROW
from milligray.train.slice_mlp.organ_ridge import OrganRidge, RidgeSettings, fit_organ_ridge
from milligray.train.slice_mlp.slice_sets import SliceSet
from milligray.typing import FloatArray

PHYSICS = ROW[:9]
"""Columns of the ridge regression."""
PRIOR = {"log_current_around": 1.0, "size_around": -0.5, "log_air_880": 1.0}
_CLIP, _HUBER = 5.0, 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceNetworkConfig:
    """Shape and fit.

    Parameters
    ----------
    widths : tuple of int
        Of the hidden layers.
    members : int
        Of the ensemble: other first weights, other patients (bootstrap).
    epochs, batch_size : int
    learning_rate : float
        Largest of a one-cycle schedule.
    weight_decay, dropout : float
    ridge : RidgeSettings
    """

    widths: tuple[int, ...] = (48, 48)
    members: int = 5
    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1
    ridge: RidgeSettings = field(
        default_factory=lambda: RidgeSettings(organ_penalty=10.0, robust_scale=0.05)
    )

    def __post_init__(self) -> None:
        if min(self.members, self.epochs + 1, self.batch_size, *self.widths) < 1:
            raise InputError("widths, members and batch size must be >= 1, epochs >= 0")


class SliceNetwork(nn.Module):
    """Logarithm of dose over CTDIvol of organs in slices, one column a member.

    Notes
    -----
    ``y_k = b_o + x . s_o + f_k(z, o)`` with raw features x, standardized ones z (cut at 5
    deviations), the organ o as 0 and 1, and a fully connected network f_k.
    """

    mean: Tensor
    scale: Tensor
    slope: Tensor
    intercept: Tensor

    def __init__(
        self, config: SliceNetworkConfig, ridge: OrganRidge, mean: FloatArray, scale: FloatArray
    ) -> None:
        super().__init__()
        n_organs, p = ridge.slope.shape
        slope = np.zeros((n_organs, len(mean)))
        slope[:, :p] = ridge.slope
        for name, value in (
            ("mean", mean), ("scale", scale), ("slope", slope), ("intercept", ridge.intercept)
        ):  # fmt: skip
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))
        self.members = nn.ModuleList(
            _layers(config, len(mean) + n_organs) for _ in range(config.members)
        )

    def rule(self, features: Tensor, organ: Tensor) -> Tensor:
        """Of physics alone, shape (n,)."""
        return organ @ self.intercept + (features * (organ @ self.slope)).sum(dim=1)

    def correction(self, member: int, features: Tensor, organ: Tensor) -> Tensor:
        """Of a member, shape (n,)."""
        z = ((features - self.mean) / self.scale).clamp(-_CLIP, _CLIP)
        found: Tensor = self.members[member](torch.cat([z, organ], dim=1))[:, 0]
        return found

    def forward(self, features: Tensor, organ: Tensor) -> Tensor:
        """Logarithms, shape (n, members)."""
        rule = self.rule(features, organ)
        return torch.stack(
            [rule + self.correction(k, features, organ) for k in range(len(self.members))], dim=1
        )


def _layers(config: SliceNetworkConfig, inputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, width in enumerate(config.widths):
        layers += [nn.Linear(inputs, width), nn.SiLU()]
        if i + 1 < len(config.widths):
            layers.append(nn.Dropout(config.dropout))
        inputs = width
    last = nn.Linear(inputs, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def fit_slice_network(
    table: SliceSet, config: SliceNetworkConfig, *, seed: int = 1
) -> tuple[SliceNetwork, list[list[float]]]:
    """Fit rule and members; losses by member and epoch come back beside.

    Notes
    -----
    Rows weigh by their share of the organ's mass and so that every organ of a scan weighs alike,
    half and half with equal weights; loss: Huber's of the logarithm.
    """
    patients = np.unique(table.patient, return_inverse=True)[1]
    prior = np.array([PRIOR.get(name, 0.0) for name in PHYSICS])
    ridge = fit_organ_ridge(
        table.rows[:, : len(PHYSICS)], table.organ, patients, table.dose_per_ctdi, prior,
        config.ridge, n_organs=len(table.organ_names),
    )  # fmt: skip
    mean, scale = table.rows.mean(axis=0), table.rows.std(axis=0) + 1e-6
    x = torch.as_tensor(table.rows, dtype=torch.float32)
    organ = nn.functional.one_hot(
        torch.as_tensor(table.organ), num_classes=len(table.organ_names)
    ).float()  # fmt: skip
    log_dose = torch.as_tensor(np.log(table.dose_per_ctdi), dtype=torch.float32)
    share = torch.as_tensor(_weights(table), dtype=torch.float32)
    losses = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SliceNetwork(config, ridge, mean, scale)
        target = log_dose - network.rule(x, organ)
        draws = np.random.default_rng(seed)
        for k in range(config.members):
            times = np.bincount(draws.integers(0, patients.max() + 1, patients.max() + 1),
                                minlength=patients.max() + 1)  # fmt: skip
            drawn = share * torch.as_tensor(times[patients], dtype=torch.float32)
            losses.append(_fit_member(network, k, config, x, organ, target, drawn))
    return network.eval(), losses


def _fit_member(
    network: SliceNetwork, k: int, config: SliceNetworkConfig, x: Tensor, organ: Tensor,
    target: Tensor, weight: Tensor,
) -> list[float]:  # fmt: skip
    rows = torch.nonzero(weight > 0)[:, 0]
    size = min(config.batch_size, len(rows))
    batches = len(rows) // size
    if config.epochs == 0:
        return []
    optimizer = torch.optim.AdamW(
        network.members[k].parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.epochs * batches
    )
    network.train()
    losses = []
    for _ in range(config.epochs):
        order = rows[torch.randperm(len(rows))]
        total = 0.0
        for b in range(batches):
            some = order[b * size : (b + 1) * size]
            error = nn.functional.huber_loss(
                network.correction(k, x[some], organ[some]), target[some], delta=_HUBER,
                reduction="none",
            )  # fmt: skip
            loss = (weight[some] * error).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        losses.append(total / batches)
    return losses


def _weights(table: SliceSet) -> FloatArray:
    """Of rows, mean 1: half their share of the organ's mass, half equal within the organ."""
    _, of = np.unique(table.scan, return_inverse=True)
    owner = np.unique(of * len(table.organ_names) + table.organ, return_inverse=True)[1]
    by_mass = table.mass_g / np.bincount(owner, table.mass_g)[owner]
    equal = 1.0 / np.bincount(owner)[owner]
    weight = 0.5 * (by_mass + equal)
    return np.asarray(weight / weight.mean())


def predict_slice_network(network: SliceNetwork, table: SliceSet) -> FloatArray:
    """Dose over CTDIvol by every member, shape (members, n)."""
    organ = nn.functional.one_hot(
        torch.as_tensor(table.organ), num_classes=len(table.organ_names)
    ).float()  # fmt: skip
    with torch.no_grad():
        found = network(torch.as_tensor(table.rows, dtype=torch.float32), organ)
    return np.asarray(np.exp(found.numpy().astype(np.float64).T))

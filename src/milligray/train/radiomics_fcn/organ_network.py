"""The organ network: a rule of physics, and an ensemble that learns what the rule leaves."""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls

from milligray.learn.inputs.organ_features import RELEASED, OrganFeatures, physics_columns
from milligray.learn.inputs.organ_network_rows import OrganNormalization, Scaler
from milligray.train.modules.fully_connected import (
    LOG_VARIANCE_LIMITS,
    FullyConnected,
    FullyConnectedConfig,
)
from milligray.train.radiomics_fcn.feature_selection import select_best
from milligray.train.radiomics_fcn.organ_table import OrganTable
from milligray.train.radiomics_fcn.table_fit import TableFit, fit_table, predict_table
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganNetworkConfig:
    """Shape and fit of the organ network.

    Parameters
    ----------
    n_radiomics : int
        Radiomics features chosen by `f_regression` against what the rule leaves.
    widths : tuple of int
        Of the four hidden layers.
    normalization, activation, dropout
        See `FullyConnectedConfig`.
    members : int
        Of the ensemble: other first weights, other patients (bootstrap).
    fit : TableFit
    """

    n_radiomics: int = 20
    widths: tuple[int, ...] = (64, 64, 64, 64)
    normalization: str = "none"
    activation: str = "silu"
    dropout: float = 0.0
    members: int = 5
    fit: TableFit = field(default_factory=TableFit)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganNetwork:
    """A fitted organ network.

    Parameters
    ----------
    normalization : OrganNormalization
    members : tuple of FullyConnected
    history : tuple of tuple of float
        Loss by epoch of every member.
    """

    normalization: OrganNormalization
    members: tuple[FullyConnected, ...]
    history: tuple[tuple[float, ...], ...]

    def predict(self, features: OrganFeatures) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Dose over CTDIvol, and relative aleatoric and epistemic uncertainty, shape (n,) each."""
        rows = self.normalization.rows(features)
        both = np.stack([predict_table(one, rows) for one in self.members])
        mean = both[:, :, 0].mean(axis=0)
        log_variance = np.clip(both[:, :, 1], *LOG_VARIANCE_LIMITS)
        scale = self.normalization.target_scale
        ratio = np.exp(self.normalization.target_mean + scale * mean)
        aleatoric = scale * np.sqrt(np.exp(log_variance).mean(axis=0))
        spread = both[:, :, 0].std(axis=0, ddof=1) if len(self.members) > 1 else 0.0 * mean
        dose = self.normalization.rule_dose_per_ctdi(features) * ratio
        return dose, aleatoric, np.asarray(scale * spread)


def fit_rule(table: OrganTable) -> FloatArray:
    """Coefficients of the rule, shape (5,), >= 0: least squares of the relative deviations."""
    ratio = table.features.column("tissue_kerma_ratio")
    parts = ratio[:, None] * table.features.columns(RELEASED) / table.dose_per_ctdi[:, None]
    return np.asarray(nnls(parts, np.ones(len(table)))[0])


def fit_organ_network(table: OrganTable, config: OrganNetworkConfig, *, seed: int) -> OrganNetwork:
    """Fit rule, choice of features, scaler and ensemble on the rows of training patients.

    Parameters
    ----------
    table : OrganTable
    config : OrganNetworkConfig
    seed : int

    Returns
    -------
    OrganNetwork
    """
    coefficients = fit_rule(table)
    names, physics = physics_columns(table.features, coefficients)
    left = np.log(table.dose_per_ctdi) - physics[:, names.index("log_rule")]
    candidates = table.features.radiomics
    radiomics: tuple[str, ...] = ()
    if config.n_radiomics:
        within = _within_organs(table.features.columns(candidates), table)
        chosen = select_best(within, _within_organs(left[:, None], table)[:, 0], candidates,
                             config.n_radiomics)  # fmt: skip
        radiomics = tuple(sorted(chosen))
    columns = np.concatenate([physics, table.features.columns(radiomics)], axis=1)
    normalization = OrganNormalization(
        organs=table.organ_names, radiomics=radiomics, physics=names, coefficients=coefficients,
        scaler=Scaler.fit(columns), target_mean=float(left.mean()), target_scale=float(left.std()),
    )  # fmt: skip
    rows = normalization.rows(table.features)
    target = (left - normalization.target_mean) / normalization.target_scale
    sigma = table.relative_uncertainty / normalization.target_scale
    shape = FullyConnectedConfig(
        inputs=rows.shape[1], outputs=2, widths=config.widths,
        normalization=config.normalization,  # type: ignore[arg-type]  # checked by the class
        activation=config.activation,  # type: ignore[arg-type]
        dropout=config.dropout,
    )  # fmt: skip
    members, history = [], []
    for member in range(config.members):
        drawn = _bootstrap(table, seed, member) if config.members > 1 else np.arange(len(table))
        losses: list[float] = []
        members.append(
            fit_table(
                shape, rows[drawn], target[drawn], config.fit, seed=1000 * seed + member,
                target_sigma=sigma[drawn], history=losses,
            )
        )  # fmt: skip
        history.append(tuple(losses))
    return OrganNetwork(normalization=normalization, members=tuple(members), history=tuple(history))


def _within_organs(values: FloatArray, table: OrganTable) -> FloatArray:
    """Values minus the mean of their organ: what tells patients apart, not organs."""
    found = values.copy()
    organs = table.organs
    for organ in table.organ_names:
        rows = organs == organ
        found[rows] -= found[rows].mean(axis=0)
    return found


def _bootstrap(table: OrganTable, seed: int, member: int) -> FloatArray:
    """Rows of as many patients as there are, drawn with repetition."""
    patients = np.unique(table.patients)
    draws = np.random.default_rng([seed, member])
    drawn = patients[draws.integers(0, len(patients), len(patients))]
    return np.concatenate([np.flatnonzero(table.patients == p) for p in drawn])

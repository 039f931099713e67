"""Ways to predict organ doses from tables, to be compared on the same patients."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from milligray.learn.inputs.organ_features import physics_columns, rule_dose_per_ctdi
from milligray.learn.inputs.organ_network_rows import Scaler
from milligray.train.modules.fully_connected import FullyConnectedConfig
from milligray.train.radiomics_fcn.feature_selection import select_best
from milligray.train.radiomics_fcn.organ_network import (
    OrganNetworkConfig,
    fit_organ_network,
    fit_rule,
)
from milligray.train.radiomics_fcn.organ_table import OrganTable
from milligray.train.radiomics_fcn.table_fit import TableFit, fit_table, predict_table
from milligray.typing import FloatArray

Model = Callable[[OrganTable, OrganTable, int], FloatArray]
"""(training rows, rows to predict, seed) -> dose over CTDIvol of these rows [mGy/mGy]"""
Fit = Callable[[FloatArray, FloatArray, FloatArray, int], FloatArray]
"""(features, target, features to predict, seed) -> target"""

N_BEST = 100
STUDY_MEMBERS = 3
"""Of the ensemble, for twenty splits; the network that ships has five."""
PUBLISHED_FIT = TableFit(epochs=100, batch_size=16, learning_rate=1e-3, weight_decay=1e-4)
GEOMETRY = (
    "relative_current", "water_equivalent_diameter_mm", "middle_relative_z", "middle_x_mm",
    "middle_y_mm", "extent_z_mm", "share_in_range", "volume_ml", "scan_length_mm",
    "tube_voltage_kv", "is_head_bowtie",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganModel:
    """A way to predict.

    Parameters
    ----------
    name, title : str
    knows : str
        What it is given.
    model : callable
    """

    name: str
    title: str
    knows: str
    model: Model


def mean_dose(train: OrganTable, test: OrganTable, _seed: int) -> FloatArray:
    """Mean of the organ over the training patients."""
    return _by_organ(train, test, lambda _, y, new, __: np.full(len(new), y.mean()), _nothing)


def size_rule(train: OrganTable, test: OrganTable, _seed: int) -> FloatArray:
    """``log dose = a - b d_w`` for every organ."""
    columns = ("water_equivalent_diameter_mm",)
    return np.exp(_by_organ(train, test, _line, _features(columns), np.log))


def current_rule(train: OrganTable, test: OrganTable, _seed: int) -> FloatArray:
    """``log dose = a - b d_w + c log(current)`` for every organ."""

    def columns(table: OrganTable) -> FloatArray:
        both = table.features.columns(("water_equivalent_diameter_mm", "relative_current"))
        return np.stack([both[:, 0], np.log(np.maximum(both[:, 1], 0.02))], axis=1)

    return np.exp(_by_organ(train, test, _line, columns, np.log))


def physics_rule(train: OrganTable, test: OrganTable, _seed: int) -> FloatArray:
    """Five numbers for all organs: primary beam and its spread."""
    return rule_dose_per_ctdi(test.features, fit_rule(train))


def physics_lines(train: OrganTable, test: OrganTable, _seed: int) -> FloatArray:
    """Ridge regression for every organ on what the rule leaves, from the physics columns."""
    coefficients = fit_rule(train)

    def columns(table: OrganTable) -> FloatArray:
        return physics_columns(table.features, coefficients)[1]

    rule = rule_dose_per_ctdi(train.features, coefficients)
    left = np.log(train.dose_per_ctdi / rule)
    found = _by_organ(train, test, _ridge, columns, target=left)
    return np.asarray(rule_dose_per_ctdi(test.features, coefficients) * np.exp(found))


def radiomics_network(train: OrganTable, test: OrganTable, seed: int) -> FloatArray:
    """The published network for every organ: best 100 of its own 107 features."""
    return _by_organ(train, test, _published, _features(train.features.radiomics), seed=seed)


def patient_network(train: OrganTable, test: OrganTable, seed: int) -> FloatArray:
    """The published network for every organ: best 100 of the features of all organs."""
    mine, its = _all_organs(train, train), _all_organs(train, test)
    found = np.empty(len(test))
    for organ in test.organ_names:
        rows, new = train.organs == organ, test.organs == organ
        found[new] = _published(mine[rows], train.dose_per_ctdi[rows], its[new], seed)
    return found


def current_network(train: OrganTable, test: OrganTable, seed: int) -> FloatArray:
    """The published network for every organ, on its dose over the tube current at the organ."""

    def current(table: OrganTable) -> FloatArray:
        return np.asarray(np.maximum(table.features.column("relative_current"), 0.02))

    found = _by_organ(
        train, test, _published, _features(train.features.radiomics), seed=seed,
        target=train.dose_per_ctdi / current(train),
    )  # fmt: skip
    return np.asarray(found * current(test))


def radiomics_ridge(train: OrganTable, test: OrganTable, _seed: int) -> FloatArray:
    """Ridge regression for every organ on its radiomics features; penalty from training rows."""
    return _by_organ(train, test, _ridge, _features(train.features.radiomics))


def radiomics_boosting(train: OrganTable, test: OrganTable, seed: int) -> FloatArray:
    """Gradient boosting for every organ on its radiomics features."""
    return _by_organ(train, test, _boosting, _features(train.features.radiomics), seed=seed)


def geometry_boosting(train: OrganTable, test: OrganTable, seed: int) -> FloatArray:
    """Gradient boosting of all organs on radiomics and geometry."""
    return np.exp(_boosting(_pooled(train, train), np.log(train.dose_per_ctdi),
                            _pooled(train, test), seed))  # fmt: skip


def geometry_network(train: OrganTable, test: OrganTable, seed: int) -> FloatArray:
    """The published network for all organs on radiomics and geometry."""
    return np.exp(_published(_pooled(train, train), np.log(train.dose_per_ctdi),
                             _pooled(train, test), seed))  # fmt: skip


def physics_boosting(train: OrganTable, test: OrganTable, seed: int) -> FloatArray:
    """Gradient boosting of all organs on what the rule leaves."""
    coefficients = fit_rule(train)

    def columns(table: OrganTable) -> FloatArray:
        return np.concatenate(
            [physics_columns(table.features, coefficients)[1], _pooled(train, table)], axis=1
        )

    rule = rule_dose_per_ctdi(train.features, coefficients)
    found = _boosting(columns(train), np.log(train.dose_per_ctdi / rule), columns(test), seed)
    return np.asarray(rule_dose_per_ctdi(test.features, coefficients) * np.exp(found))


def organ_network(train: OrganTable, test: OrganTable, seed: int) -> FloatArray:
    """The network that ships."""
    config = OrganNetworkConfig(members=STUDY_MEMBERS)
    return fit_organ_network(train, config, seed=seed).predict(test.features)[0]


MODELS = (
    OrganModel(name="mean", title="mean dose of the organ", knows="nothing", model=mean_dose),
    OrganModel(name="size", title="size rule", knows="water-equivalent diameter",
               model=size_rule),
    OrganModel(name="size-current", title="size and current rule",
               knows="water-equivalent diameter, current", model=current_rule),
    OrganModel(name="ridge", title="ridge regression, organ by organ", knows="radiomics",
               model=radiomics_ridge),
    OrganModel(name="boosting", title="gradient boosting, organ by organ", knows="radiomics",
               model=radiomics_boosting),
    OrganModel(name="fcn-published", title="FCN as published, organ by organ", knows="radiomics",
               model=radiomics_network),
    OrganModel(name="fcn-patient", title="FCN as published, features of all organs",
               knows="radiomics", model=patient_network),
    OrganModel(name="fcn-current", title="FCN as published, dose over the current at the organ",
               knows="radiomics, current", model=current_network),
    OrganModel(name="boosting-geometry", title="gradient boosting, all organs",
               knows="radiomics, geometry", model=geometry_boosting),
    OrganModel(name="fcn-geometry", title="FCN as published, all organs",
               knows="radiomics, geometry", model=geometry_network),
    OrganModel(name="rule", title="physics rule, five numbers", knows="exposure",
               model=physics_rule),
    OrganModel(name="ridge-physics", title="physics rule and ridge, organ by organ",
               knows="exposure, geometry", model=physics_lines),
    OrganModel(name="boosting-physics", title="physics rule and gradient boosting, all organs",
               knows="exposure, geometry, radiomics", model=physics_boosting),
    OrganModel(name="organ-network", title="physics rule and FCN ensemble, all organs (ships)",
               knows="exposure, geometry, radiomics", model=organ_network),
)  # fmt: skip
"""All ways, the simplest first."""


def _by_organ(
    train: OrganTable, test: OrganTable, fit: Fit, columns: Callable[[OrganTable], FloatArray],
    transform: Callable[[FloatArray], FloatArray] = np.asarray, *,
    target: FloatArray | None = None, seed: int = 1,
) -> FloatArray:  # fmt: skip
    target = transform(train.dose_per_ctdi) if target is None else target
    mine, its = columns(train), columns(test)
    found = np.empty(len(test))
    for organ in test.organ_names:
        rows, new = train.organs == organ, test.organs == organ
        found[new] = fit(mine[rows], target[rows], its[new], seed)
    return found


def _features(names: tuple[str, ...]) -> Callable[[OrganTable], FloatArray]:
    return lambda table: table.features.columns(names)


def _nothing(table: OrganTable) -> FloatArray:
    return np.zeros((len(table), 1))


def _pooled(train: OrganTable, table: OrganTable) -> FloatArray:
    """Radiomics, geometry, and which organ it is."""
    which = table.organs[:, None] == np.array(train.organ_names)[None]
    names = (*table.features.radiomics, *GEOMETRY)
    return np.concatenate([table.features.columns(names), which.astype(np.float64)], axis=1)


def _all_organs(train: OrganTable, table: OrganTable) -> FloatArray:
    """Radiomics of all organs of a scan, side by side; the training median for absent ones."""
    names = table.features.radiomics
    values, mine = table.features.columns(names), train.features.columns(names)
    blocks = []
    for organ in train.organ_names:
        row_of = {s: i for i, s in enumerate(table.scans) if table.organs[i] == organ}
        block = np.tile(np.median(mine[train.organs == organ], axis=0), (len(table), 1))
        for i, scan in enumerate(table.scans):
            if scan in row_of:
                block[i] = values[row_of[scan]]
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def _published(x: FloatArray, y: FloatArray, new: FloatArray, seed: int) -> FloatArray:
    names = tuple(map(str, range(x.shape[1])))
    best = [int(name) for name in select_best(x, y, names, N_BEST)]
    scaler, mean, scale = Scaler.fit(x[:, best]), y.mean(), y.std()
    network = fit_table(
        FullyConnectedConfig(inputs=len(best)), scaler(x[:, best]), (y - mean) / scale,
        PUBLISHED_FIT, seed=seed,
    )  # fmt: skip
    return np.asarray(mean + scale * predict_table(network, scaler(new[:, best]))[:, 0])


def _line(x: FloatArray, y: FloatArray, new: FloatArray, _seed: int) -> FloatArray:
    ones = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    fit = np.linalg.lstsq(ones, y, rcond=None)[0]
    return np.asarray(fit[0] + new @ fit[1:])


def _ridge(x: FloatArray, y: FloatArray, new: FloatArray, _seed: int) -> FloatArray:
    from sklearn.linear_model import RidgeCV  # noqa: PLC0415 - slow to import

    scaler = Scaler.fit(x)
    return np.asarray(RidgeCV(np.logspace(-2, 3, 11)).fit(scaler(x), y).predict(scaler(new)))


def _boosting(x: FloatArray, y: FloatArray, new: FloatArray, seed: int) -> FloatArray:
    from sklearn.ensemble import GradientBoostingRegressor  # noqa: PLC0415 - slow to import

    model = GradientBoostingRegressor(
        n_estimators=200, max_depth=3, learning_rate=0.05, subsample=0.7, max_features=0.3,
        random_state=seed,
    )  # fmt: skip
    return np.asarray(model.fit(x, y).predict(new))

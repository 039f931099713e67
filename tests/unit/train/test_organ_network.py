"""The organ network: rule, what it leaves, ensemble; and the small fits below it."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
import torch

from milligray.errors import InputError
from milligray.train.modules.fully_connected import FullyConnected, FullyConnectedConfig
from milligray.train.modules.organ_cnn import OrganCnn, OrganCnnConfig
from milligray.train.radiomics_fcn.organ_network import (
    OrganNetworkConfig,
    fit_organ_network,
    fit_rule,
)
from milligray.train.radiomics_fcn.organ_table import OrganTable
from milligray.train.radiomics_fcn.table_fit import TableFit, fit_table, predict_table

SMALL = OrganNetworkConfig(
    n_radiomics=1, widths=(16, 16), members=2, fit=TableFit(epochs=40, batch_size=16)
)


def test_the_rule_is_found_in_doses_that_follow_it(
    organ_table: OrganTable, rule: np.ndarray
) -> None:
    ratio = organ_table.features.column("tissue_kerma_ratio")
    parts = organ_table.features.columns(
        ("primary_per_ctdi", *(f"scatter_{s}_mm_per_ctdi" for s in (15, 30, 50, 80)))
    )
    exact = replace(organ_table, dose_mgy=8.0 * ratio * (parts @ rule))
    assert fit_rule(exact) == pytest.approx(rule, abs=1e-9)


def test_the_network_learns_what_the_rule_leaves(organ_table: OrganTable) -> None:
    known = np.arange(len(organ_table)) < 60
    train, new = organ_table.take(known), organ_table.take(~known)
    network = fit_organ_network(train, SMALL, seed=1)
    assert network.normalization.radiomics == ("firstorder_Mean",)
    dose, aleatoric, epistemic = network.predict(new.features)
    rule = network.normalization.rule_dose_per_ctdi(new.features)
    errors, of_rule = (np.abs(one / new.dose_per_ctdi - 1.0).mean() for one in (dose, rule))
    assert errors < 0.6 * of_rule
    assert (aleatoric > 0).all()
    assert (epistemic >= 0).all()


def test_doses_per_ctdi_do_not_know_the_ctdi(organ_table: OrganTable) -> None:
    twice = replace(
        organ_table,
        dose_mgy=2.0 * organ_table.dose_mgy,
        ctdi_vol_mgy=2.0 * organ_table.ctdi_vol_mgy,
    )
    first, second = (fit_organ_network(t, SMALL, seed=1) for t in (organ_table, twice))
    assert np.array_equal(first.predict(twice.features)[0], second.predict(twice.features)[0])


def test_other_organs_are_refused(organ_table: OrganTable) -> None:
    network = fit_organ_network(organ_table, SMALL, seed=1)
    strange = replace(organ_table.features, organs=("liver",) * len(organ_table))
    with pytest.raises(InputError, match="does not know liver"):
        network.predict(strange)


def test_a_line_is_learned_with_its_noise() -> None:
    draws = np.random.default_rng(2)
    x = draws.normal(size=(400, 2))
    y = x[:, 0] + 0.3 * draws.normal(size=400)
    shape = FullyConnectedConfig(
        inputs=2, outputs=2, widths=(16, 16), normalization="none", activation="silu", dropout=0.0
    )
    fit = TableFit(epochs=30, batch_size=64)
    network = fit_table(shape, x, y, fit, seed=1)
    found = predict_table(network, np.array([[1.0, 0.0], [-1.0, 0.0]]))
    assert found[:, 0] == pytest.approx([1.0, -1.0], abs=0.15)
    assert np.exp(0.5 * found[:, 1]) == pytest.approx([0.3, 0.3], rel=0.35)
    again = fit_table(shape, x, y, fit, seed=1)
    assert all(
        torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True)
    )


def test_the_published_network_has_four_hidden_layers() -> None:
    network = FullyConnected(FullyConnectedConfig(inputs=100))
    linear = [one for one in network.modules() if isinstance(one, torch.nn.Linear)]
    dropout = [one.p for one in network.modules() if isinstance(one, torch.nn.Dropout)]
    assert len(linear) == 5
    assert dropout == [0.2] * 4
    assert network(torch.zeros(3, 100)).shape == (3, 1)
    with pytest.raises(InputError, match="dropout"):
        FullyConnectedConfig(inputs=3, dropout=1.0)


def test_the_convolutional_network_has_fifty_layers() -> None:
    network = OrganCnn(OrganCnnConfig(channels=9, organs=7, width=4)).eval()
    weights = [
        one for one in network.image.modules() if isinstance(one, torch.nn.Conv2d)
    ]  # of which four are shortcuts
    assert len(weights) - 4 + 1 == 50
    images, organs = torch.randn(2, 9, 64, 64), torch.eye(7)[:2]
    assert network(images, organs).shape == (2,)
    assert not torch.equal(network(images, organs), network(images, organs.flip(0)))

"""The recipe of the organ network: what it leaves behind, and what it never looks at."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
from milligray.learn.card import read_card
from milligray.train.radiomics_fcn import recipe as recipe_radiomics_fcn
from milligray.train.radiomics_fcn.organ_table import OrganTable
from milligray.train.radiomics_fcn.recipe import judged, predicted, train_radiomics_fcn
from milligray.train.settings import FitSettings

OPTIONS = {"members": "2", "folds": "2", "radiomics": "2", "name": "small"}


def trained(table: OrganTable, out: Path, monkeypatch: pytest.MonkeyPatch, **options: str) -> Path:
    monkeypatch.setattr(recipe_radiomics_fcn, "read_organ_table", lambda *_, **__: table)
    monkeypatch.setattr(recipe_radiomics_fcn, "about_set", lambda path: {"name": path.name})
    settings = FitSettings(folder=out / "fit", epochs=8, batch_size=32, learning_rate=3e-3)
    return train_radiomics_fcn((out,), out, settings, OPTIONS | options)


@pytest.fixture
def with_test_patients(organ_table: OrganTable) -> OrganTable:
    splits = np.where(np.arange(len(organ_table)) < 60, "train", "test")
    return replace(organ_table, splits=splits)


def test_a_network_with_its_card_is_left_behind(
    with_test_patients: OrganTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained(with_test_patients, tmp_path, monkeypatch, test="yes")
    card = read_card(folder)
    assert (card.name, card.system, len(card.members)) == ("small", "radiomics-fcn", 2)
    assert set(card.domains) == {"brainstem", "mandible"}
    assert card.normalization["temperature"] > 0
    assert len(card.normalization["radiomics"]) == 2
    tables = card.metrics
    assert [row["organ"] for row in tables["organs, test patients"]] == [
        "brainstem", "mandible", "all organs",
    ]  # fmt: skip
    assert (folder / "history.csv").read_text().count("\n") == 9
    unseen = with_test_patients.take(with_test_patients.splits == "test")
    assert tables["organs, test patients"] == judged(folder, unseen)


def test_doses_of_test_patients_change_nothing(
    with_test_patients: OrganTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = with_test_patients
    other = replace(
        table, dose_mgy=np.where(table.splits == "test", 9.0 * table.dose_mgy, table.dose_mgy)
    )
    first, second = (
        trained(one, tmp_path / name, monkeypatch) for one, name in ((table, "a"), (other, "b"))
    )
    assert read_card(first).files == read_card(second).files
    assert np.array_equal(predicted(first, table)[0], predicted(second, table)[0])

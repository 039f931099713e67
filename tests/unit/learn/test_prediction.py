from types import SimpleNamespace

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.learn import prediction
from milligray.learn.card import Validity, read_card
from milligray.learn.network import open_network
from milligray.learn.prediction import Prediction, find_predictor, predict_dose, predictor
from milligray.learn.validity import check_validity
from milligray.volume import Grid


def made(**changes: object) -> Prediction:
    given = {
        "names": ("heart", "lung_left"), "mean_dose_mgy": [10.0, 12.0], "aleatoric": [0.03, 0.03],
        "epistemic": [0.04, 0.04], "total": [0.05, 0.06], "method": "network:linear@12345678",
    }  # fmt: skip
    return Prediction(**(given | changes))


def answering(found: Prediction):
    return lambda *_: found


def test_a_prediction_is_whole_or_not_at_all():
    grid = Grid.from_spacing((2, 3, 4), (4.0, 4.0, 4.0))
    whole = made(grid=grid, dose_mgy=np.ones(grid.shape))
    assert whole.dose_mgy.dtype == np.float32
    assert not whole.mean_dose_mgy.flags.writeable
    for wrong in (
        {"names": ("heart", "heart")},
        {"mean_dose_mgy": [1.0]},
        {"mean_dose_mgy": [1.0, np.nan]},
        {"mean_dose_mgy": [1.0, -1.0]},
        {"total": [0.04, 0.05]},
        {"grid": grid},
        {"dose_mgy": np.ones((2, 3, 4))},
        {"grid": grid, "dose_mgy": np.ones((2, 3, 5))},
    ):
        with pytest.raises(InputError):
            made(**wrong)


LIMITS = Validity(
    allowed={"tube_voltage_kv": (100, 120), "body_region": ("head_neck",)},
    ranges={"voxel_size_mm": (3.5, 4.5)},
)


@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ({}, []),
        ({"tube_voltage_kv": 100.01}, []),
        ({"tube_voltage_kv": 80.0}, ["tube_voltage_kv is 80; linear is made for 100, 120"]),
        ({"tube_voltage_kv": None}, ["tube_voltage_kv is not known"]),
        ({"body_region": "abdomen"}, ["body_region is 'abdomen'"]),
        ({"voxel_size_mm": 4.5}, []),
        ({"voxel_size_mm": 4.6}, ["voxel_size_mm is 4.6; linear is made for 3.5 to 4.5"]),
        ({"voxel_size_mm": None, "body_region": None}, ["body_region is not", "voxel_size_mm is"]),
        ({"pitch": 7.0}, []),
    ],
)
def test_facts_are_judged_one_by_one(make_network, facts, wrong):
    card = read_card(make_network(validity=LIMITS))
    good = {"tube_voltage_kv": 120.0, "body_region": "head_neck", "voxel_size_mm": 4.0}
    found = check_validity(card, **(good | facts))
    assert len(found) == len(wrong)
    assert all(text.startswith(start) for text, start in zip(found, wrong, strict=True))


def test_systems_register_once_and_by_known_names(monkeypatch):
    monkeypatch.setattr(prediction, "PREDICTORS", {})
    with pytest.raises(ValueError, match="no system"):
        predictor("magic")
    register = predictor("slice-mlp")
    register(answering(made()))
    with pytest.raises(ValueError, match="twice"):
        register(answering(made()))
    with pytest.raises(InputError, match="did you mean 'slice-mlp'"):
        find_predictor("slice-mpl")


@pytest.fixture
def scan(monkeypatch):
    monkeypatch.setattr(prediction, "scan_facts", lambda scan: dict(scan.facts))
    return SimpleNamespace(facts={"tube_voltage_kv": 120.0})


def test_a_scan_outside_the_validity_is_refused_unless_asked(make_network, monkeypatch, scan):
    monkeypatch.setattr(prediction, "PREDICTORS", {"radiomics-fcn": answering(made())})
    network = open_network(make_network(validity=Validity(allowed={"tube_voltage_kv": (120.0,)})))
    assert predict_dose(scan, network).warnings == ()
    scan.facts["tube_voltage_kv"] = 80.0
    with pytest.raises(InputError, match="linear gives no dose here: tube_voltage_kv is 80"):
        predict_dose(scan, network)
    beyond = predict_dose(scan, network, beyond_validity=True)
    assert beyond.warnings[0].startswith("tube_voltage_kv is 80")


def test_inputs_far_from_the_training_are_refused_unless_asked(make_network, monkeypatch, scan):
    answer = made(refusals=("input far away",), warnings=("w",))
    monkeypatch.setattr(prediction, "PREDICTORS", {"radiomics-fcn": answering(answer)})
    folder = make_network()
    with pytest.raises(InputError, match="input far away"):
        predict_dose(scan, folder)
    beyond = predict_dose(scan, str(folder), beyond_validity=True)
    assert beyond.warnings == ("input far away", "w")
    assert beyond.refusals == ()

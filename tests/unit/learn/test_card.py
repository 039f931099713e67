import json
from dataclasses import replace

import numpy as np
import pytest

from milligray.errors import FormatError, InputError
from milligray.learn.card import CARD, Validity, card_document, read_card, write_card
from milligray.learn.domain import fit_domain


@pytest.fixture
def card(make_network):
    rng = np.random.default_rng(3)
    return read_card(
        make_network(
            normalization={"mean": np.array([0.1, 2.0]), "log": True, "names": ("a", "b")},
            validity=Validity(
                allowed={"tube_voltage_kv": (120.0, 100.0)},
                ranges={"voxel_size_mm": (3, 4)},
                limits=("adults",),
            ),
            domain=fit_domain(rng.normal(size=(50, 2)), ("a", "b")),
            domains={"heart": fit_domain(rng.normal(size=(30, 1)), ("a",))},
            metrics={"organs": [{"organ": "heart", "error": 0.1}]},
            references=("Somebody, [ 1, 2 ] somewhere",),
        )
    )


def test_a_card_survives_its_file(card, tmp_path):
    write_card(card, tmp_path)
    again = read_card(tmp_path)
    assert card_document(again) == card_document(card)
    assert again.normalization == {"mean": [0.1, 2.0], "log": True, "names": ["a", "b"]}
    assert again.validity == card.validity
    assert again.references == ("Somebody, [ 1, 2 ] somewhere",)
    x = np.random.default_rng(4).normal(size=(20, 2))
    assert again.domain is not None
    assert again.domain.distances(x) == pytest.approx(card.domain.distances(x), rel=1e-6)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_lists_of_numbers_go_on_one_line(card, tmp_path):
    text = write_card(card, tmp_path).read_text(encoding="utf-8")
    assert '"mean": [0.1, 2.0]' in text


def test_an_unknown_key_is_refused_with_the_nearest(card, tmp_path):
    path = write_card(card, tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["licence"] = document.pop("license")
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(FormatError, match="unknown key 'licence'; did you mean 'license'"):
        read_card(tmp_path)


def test_keys_that_may_be_left_out_take_their_defaults(card, tmp_path):
    path = write_card(card, tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    for key in ("domain", "domains", "metrics", "notes", "members", "validity", "references"):
        del document[key]
    path.write_text(json.dumps(document), encoding="utf-8")
    again = read_card(tmp_path)
    assert again.domain is None
    assert again.members == ("member_0.onnx",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "milligray-card/2"),
        ("title", None),
        ("inputs", {}),
        ("inputs", [{"name": "x"}]),
        ("inputs", [{"name": "x", "shape": ["batch", 0], "unit": "", "description": ""}]),
        ("domain", {"names": ["a"]}),
        ("files", {"member_0.onnx": "12"}),
        ("files", {"../member_0.onnx": "0" * 64}),
        ("members", ["other.onnx"]),
        ("metrics", {"organs": 3}),
        ("validity", {"allowed": {"a": [1]}, "ranges": {"a": [1, 2]}}),
        ("validity", {"ranges": {"a": [2, 1]}}),
        ("validity", {"ranges": {"a": [2]}}),
        ("normalization", {"mean": float("nan")}),
    ],
)
def test_damaged_cards_are_refused(card, tmp_path, key, value):
    path = write_card(card, tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document[key] = value
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(FormatError):
        read_card(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "\x00"])
def test_what_is_no_card_is_refused(tmp_path, text):
    (tmp_path / CARD).write_text(text, encoding="utf-8")
    with pytest.raises(FormatError):
        read_card(tmp_path)


def test_a_folder_without_a_card_is_told(tmp_path):
    with pytest.raises(InputError, match="holds no network"):
        read_card(tmp_path)
    with pytest.raises(InputError, match="holds no network"):
        read_card(tmp_path / "absent")


def test_a_card_needs_a_known_system_and_finite_numbers(card):
    with pytest.raises(InputError, match="did you mean 'deep-dose'"):
        replace(card, system="deep-doze")
    with pytest.raises(InputError, match="finite"):
        replace(card, training={"seconds": float("inf")})
    with pytest.raises(InputError, match="which a card cannot"):
        replace(card, data={"path": object()})

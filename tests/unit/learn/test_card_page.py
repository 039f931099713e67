import numpy as np

from milligray.learn.card import Validity, read_card
from milligray.learn.card_page import card_markdown
from milligray.learn.domain import fit_domain


def test_the_page_of_a_card_tells_what_the_card_holds(make_network):
    card = read_card(
        make_network(
            validity=Validity(
                allowed={"tube_voltage_kv": (120.0,)},
                ranges={"voxel_size_mm": (3.5, 4.5)},
                limits=("Adults only.",),
            ),
            domain=fit_domain(np.random.default_rng(1).normal(size=(40, 2)), ("a", "b")),
            data={"patients": {"train": list(range(50)), "test": ["p1", "p2"]}},
            training={"seed": 1, "fits": {"net": {"epochs": 12}}},
            metrics={"Organs": [{"organ": "heart", "error": 0.01234567}, {"organ": "a|b", "n": 3}]},
            references=("Somebody 2024",),
            notes=("Not for children.",),
        )
    )
    page = card_markdown(card)
    for text in (
        "# linear: A matrix", "> Not for children.", "| `tube_voltage_kv` | 120 |",
        "| `voxel_size_mm` | 3.5 to 4.5 |", "- Adults only.", "| all | 2 | 40 |",
        "| `features` | batch x 2 | - | two |", "| organ | error | n |", "| heart | 0.01235 |  |",
        "| a\\|b |  | 3 |", "... (50 in all)", "- test: p1, p2", "  - net:\n    - epochs: 12",
        card.files["member_0.onnx"], "- Somebody 2024",
    ):  # fmt: skip
        assert text in page, text
    assert page.endswith("\n")
    assert "\n\n\n" not in page


def test_a_bare_card_has_a_page_too(make_network):
    page = card_markdown(read_card(make_network()))
    assert "Not stated." in page
    assert "## Results" not in page

"""Networks: what they are given, how they run, what may be believed of their doses."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from milligray.learn.card import ArraySpec, ModelCard, Validity, read_card, write_card
    from milligray.learn.card_page import card_markdown
    from milligray.learn.domain import InputDomain, Verdict, fit_domain
    from milligray.learn.network import Network, open_network
    from milligray.learn.prediction import Prediction, find_predictor, predict_dose, predictor
    from milligray.learn.scan import Scan
    from milligray.learn.shelf import find_network, list_networks
    from milligray.learn.validity import check_validity, scan_facts

_HOME = {
    "ArraySpec": "card",
    "InputDomain": "domain",
    "ModelCard": "card",
    "Network": "network",
    "Prediction": "prediction",
    "Scan": "scan",
    "Validity": "card",
    "Verdict": "domain",
    "card_markdown": "card_page",
    "check_validity": "validity",
    "find_network": "shelf",
    "find_predictor": "prediction",
    "fit_domain": "domain",
    "list_networks": "shelf",
    "open_network": "network",
    "predict_dose": "prediction",
    "predictor": "prediction",
    "read_card": "card",
    "scan_facts": "validity",
    "write_card": "card",
}

__all__ = [
    "ArraySpec",
    "InputDomain",
    "ModelCard",
    "Network",
    "Prediction",
    "Scan",
    "Validity",
    "Verdict",
    "card_markdown",
    "check_validity",
    "find_network",
    "find_predictor",
    "fit_domain",
    "list_networks",
    "open_network",
    "predict_dose",
    "predictor",
    "read_card",
    "scan_facts",
    "write_card",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOME:
        raise AttributeError(f"module 'milligray.learn' has no attribute {name!r}")
    return getattr(import_module(f"milligray.learn.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__

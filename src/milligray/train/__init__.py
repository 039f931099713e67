"""Networks from training sets: losses, fits, export to ONNX, and a recipe for each system.

The fit itself is `milligray.train.fit.fit`: a package cannot hold a module and a function of one
name.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from milligray.train.export import export_onnx
    from milligray.train.fit import Fitted, seed_all
    from milligray.train.losses import heteroscedastic_loss, l1_loss, log_dose_loss, squared_loss
    from milligray.train.output import file_hashes, training_document
    from milligray.train.recipes import Recipe, find_recipe, list_recipes, recipe
    from milligray.train.settings import FitSettings, FitState

_HOME = {
    "FitSettings": "settings",
    "FitState": "settings",
    "Fitted": "fit",
    "Recipe": "recipes",
    "export_onnx": "export",
    "file_hashes": "output",
    "find_recipe": "recipes",
    "heteroscedastic_loss": "losses",
    "l1_loss": "losses",
    "list_recipes": "recipes",
    "log_dose_loss": "losses",
    "recipe": "recipes",
    "seed_all": "fit",
    "squared_loss": "losses",
    "training_document": "output",
}

__all__ = [
    "FitSettings",
    "FitState",
    "Fitted",
    "Recipe",
    "export_onnx",
    "file_hashes",
    "find_recipe",
    "heteroscedastic_loss",
    "l1_loss",
    "list_recipes",
    "log_dose_loss",
    "recipe",
    "seed_all",
    "squared_loss",
    "training_document",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOME:
        raise AttributeError(f"module 'milligray.train' has no attribute {name!r}")
    return getattr(import_module(f"milligray.train.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__

"""How each network is made: a registry of recipes, one module a system."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from milligray.errors import InputError
from milligray.learn.card_values import choices
from milligray.train.settings import FitSettings

MODULES = {
    "radiomics-fcn": "milligray.train.radiomics_fcn.recipe",
    "slice-mlp": "milligray.train.slice_mlp.recipe",
    "deep-dose": "milligray.train.deep_dose.recipe",
    "dose-unet": "milligray.train.dose_unet.recipe",
    "scatter-net": "milligray.train.scatter_net.recipe",
}

Train = Callable[[tuple[Path, ...], Path, FitSettings, Mapping[str, str]], Path]
"""(sets, out, settings, options) -> folder of the network"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe.

    Parameters
    ----------
    name : str
        Of the system.
    title : str
    train : callable
        ``(sets, out, settings, options) -> out/<network>``, which then holds ``card.json``,
        ``history.csv`` and the ONNX files.
    network : str
        Name of the network and of its folder, unless its option ``name`` says otherwise.
    options : mapping of str to str
        Options that it knows, and what they mean.
    defaults : mapping of str to value
        Fields of `FitSettings` that it would have unless the user says otherwise.
    """

    name: str
    title: str
    train: Train
    network: str
    options: Mapping[str, str]
    defaults: Mapping[str, Any]


_RECIPES: dict[str, Recipe] = {}


def recipe(
    name: str,
    *,
    title: str,
    network: str | None = None,
    options: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Callable[[Train], Train]:
    """Decorate the function that makes a network.

    Parameters
    ----------
    name : str
        One of `MODULES`.
    title : str
    network : str, optional
        Name of the network (default: that of the recipe).
    options : mapping of str to str, optional
        Names of ``--option`` values, and what they mean.
    defaults : mapping, optional
        E.g. ``{"epochs": 300, "batch_size": 64}``.
    """
    if name not in MODULES:
        raise ValueError(f"no recipe named {name!r} is foreseen")

    def put(train: Train) -> Train:
        if name in _RECIPES:
            raise ValueError(f"recipe {name!r} is registered twice")
        _RECIPES[name] = Recipe(
            name=name, title=title, train=train, network=network or name,
            options=dict(options or {}), defaults=dict(defaults or {}),
        )  # fmt: skip
        return train

    return put


def list_recipes() -> tuple[Recipe, ...]:
    """All recipes of this version, by name."""
    return tuple(find_recipe(name) for name in sorted(MODULES) if find_spec(MODULES[name]))


def find_recipe(name: str) -> Recipe:
    """Recipe by name; its module is imported now.

    Raises
    ------
    InputError
        With the nearest name, or if this version has it not.
    MissingExtraError
        If a package that its module needs is absent.
    """
    if name not in MODULES:
        raise InputError(f"no recipe named {name!r}{choices(name, MODULES)}")
    if name not in _RECIPES:
        try:
            import_module(MODULES[name])
        except ModuleNotFoundError as error:
            if error.name != MODULES[name]:
                raise
            raise InputError(f"this version has no recipe for {name}") from error
    return _RECIPES[name]


def network_name(chosen: Recipe, options: Mapping[str, str]) -> str:
    """Name of the network that a recipe will make; raises InputError if it is no folder's."""
    name = options.get("name", chosen.network)
    if Path(name).name != name or name.startswith("."):
        raise InputError(f"name of a network must be the name of a folder, got {name!r}")
    return name


def settings_of(chosen: Recipe, **given: Any) -> FitSettings:  # noqa: ANN401 - its fields
    """Settings of a fit: what is given (and not None), else the recipe's, else the general ones."""
    return FitSettings(
        **(dict(chosen.defaults) | {k: v for k, v in given.items() if v is not None})
    )


def parse_options(chosen: Recipe, words: Iterable[str]) -> dict[str, str]:
    """Options from ``key=value`` words.

    Raises
    ------
    InputError
        For a word without ``=``, a key twice, and one that the recipe does not know.
    """
    found: dict[str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key or not value:
            raise InputError(f"--option needs KEY=VALUE, got {word!r}")
        if key not in chosen.options:
            raise InputError(f"{chosen.name} has no option {key!r}{choices(key, chosen.options)}")
        if key in found:
            raise InputError(f"--option {key} is given twice")
        found[key] = value
    return found

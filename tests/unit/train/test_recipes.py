import sys
from pathlib import Path
from types import ModuleType

import pytest

from milligray.errors import InputError
from milligray.train import recipes
from milligray.train.recipes import (
    find_recipe,
    network_name,
    parse_options,
    recipe,
    settings_of,
)


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(recipes, "_RECIPES", {})

    @recipe("slice-mlp", title="A title", options={"organs": "which"}, defaults={"epochs": 7})
    def train(sets, out, settings, options):  # noqa: ARG001
        return out

    return find_recipe("slice-mlp")


def test_a_recipe_registers_once_and_under_a_foreseen_name(made):
    assert made.title == "A title"
    with pytest.raises(ValueError, match="twice"):
        recipe("slice-mlp", title="Another")(made.train)
    with pytest.raises(ValueError, match="foreseen"):
        recipe("other", title="Another")


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(InputError, match=r"did you mean 'slice-mlp'\? There are: "):
        find_recipe("slice-mpl")


def test_a_recipe_whose_module_is_absent_is_told(monkeypatch):
    monkeypatch.setattr(recipes, "_RECIPES", {})
    monkeypatch.setitem(recipes.MODULES, "slice-mlp", "milligray.train.recipe_absent")
    with pytest.raises(InputError, match="no recipe for slice-mlp"):
        find_recipe("slice-mlp")
    monkeypatch.setattr(recipes, "MODULES", {"slice-mlp": "milligray.train.recipe_absent"})
    assert recipes.list_recipes() == ()


def test_a_recipe_whose_package_is_absent_is_no_missing_recipe(monkeypatch, tmp_path):
    (tmp_path / "recipe_of_a_test.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(recipes, "_RECIPES", {})
    monkeypatch.setitem(recipes.MODULES, "slice-mlp", "recipe_of_a_test")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        find_recipe("slice-mlp")


def test_settings_come_from_the_user_then_the_recipe_then_the_rest(made):
    settings = settings_of(made, folder=Path("fit"), epochs=None, seed=3)
    assert (settings.epochs, settings.seed, settings.patience) == (7, 3, 20)
    assert settings_of(made, folder=Path("fit"), epochs=2).epochs == 2


def test_a_network_may_have_a_name_of_its_own(made):
    assert network_name(made, {}) == "slice-mlp"
    assert network_name(made, {"name": "slice-mlp-chest"}) == "slice-mlp-chest"
    for wrong in ("../up", "a/b", ".", ".hidden"):
        with pytest.raises(InputError, match="name of a folder"):
            network_name(made, {"name": wrong})


def test_options_are_those_of_the_recipe(made):
    assert parse_options(made, ["organs=heart=left"]) == {"organs": "heart=left"}
    for wrong, message in (
        (["organs"], "KEY=VALUE"), (["=1"], "KEY=VALUE"), (["organs="], "KEY=VALUE"),
        (["organ=1"], r"did you mean 'organs'"), (["organs=1", "organs=2"], "given twice"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            parse_options(made, wrong)


def test_the_table_of_recipes_needs_no_training_library():
    assert isinstance(sys.modules["milligray.train.recipes"], ModuleType)
    for module in recipes.MODULES.values():
        assert module.endswith(".recipe")

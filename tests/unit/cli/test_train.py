import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from milligray.cli import main
from milligray.cli.train_progress import TrainingLine
from milligray.errors import InputError
from milligray.learn.card import ArraySpec, ModelCard, write_card
from milligray.train import recipes
from milligray.train.output import file_hashes, training_document
from milligray.train.recipes import recipe
from milligray.train.settings import FitSettings, FitState


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["milligray", *map(str, arguments)])
        code = 0
        try:
            main.run()
        except SystemExit as leave:
            code = int(leave.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def seen(monkeypatch) -> list[tuple]:
    """Calls of a recipe that multiplies by two and is done at once."""
    calls: list[tuple] = []
    monkeypatch.setattr(recipes, "_RECIPES", {})

    @recipe("slice-mlp", title="Two", options={"organs": "which"}, defaults={"epochs": 7})
    def train(
        sets: tuple[Path, ...], out: Path, settings: FitSettings, options: Mapping[str, str]
    ) -> Path:
        calls.append((sets, out, settings, dict(options)))
        folder = out / "slice-mlp"
        settings.folder.mkdir(exist_ok=True)
        value = {k: helper.make_tensor_value_info(k, TensorProto.FLOAT, ["n"]) for k in "xy"}
        graph = helper.make_graph(
            [helper.make_node("Mul", ["x", "two"], ["y"])], "two", [value["x"]], [value["y"]],
            [numpy_helper.from_array(np.float32(2.0), "two")],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, folder / "two.onnx")
        spec = {"shape": ("n",), "unit": "", "description": ""}
        write_card(
            ModelCard(
                name="slice-mlp", version="1", system="slice-mlp", title="Two",
                license="Apache-2.0", files=file_hashes(folder),
                inputs=(ArraySpec(name="x", **spec),), outputs=(ArraySpec(name="y", **spec),),
                training=training_document(settings, {"net": {"epochs": 1, "seconds": 2.04}}),
                metrics={"organs": [{"organ": "heart", "error": 0.1}]},
            ),
            folder,
        )  # fmt: skip
        return folder

    return calls


def test_train_hands_its_options_to_the_recipe_and_tells_the_card(call, seen, tmp_path):
    code, out, err = call(
        "train", "slice-mlp", "--data", tmp_path / "a", "--data", tmp_path / "b", "--out",
        tmp_path / "out", "--seed", 3, "--threads", 2, "--option", "organs=heart", "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    ((sets, folder, settings, options),) = seen
    assert sets == (tmp_path / "a", tmp_path / "b")
    assert folder == tmp_path / "out"
    assert (settings.seed, settings.threads, settings.epochs) == (3, 2, 7)
    assert settings.folder == tmp_path / "out" / "slice-mlp" / "fit"
    assert options == {"organs": "heart"}
    document = json.loads(out)
    assert document["out"] == str(tmp_path / "out" / "slice-mlp")
    training = document["training"]
    assert training["seconds"] == 2.0
    assert training["settings"]["seed"] == 3
    assert str(tmp_path) not in json.dumps(training)
    assert training["command"].startswith("milligray train slice-mlp --data a --data b --out out")
    code, out, _ = call("train", "slice-mlp", "--data", "a", "--out", tmp_path / "other")
    assert code == 0
    assert "slice-mlp 1: Two" in out
    assert "organs: 1 rows" in out


def test_nothing_is_lost_unless_asked(call, seen, tmp_path):
    options = ("train", "slice-mlp", "--data", "a", "--out", tmp_path)
    assert call(*options)[0] == 0
    file = tmp_path / "slice-mlp" / "mine.txt"
    file.write_text("mine")
    code, out, err = call(*options)
    assert (code, out) == (3, "")
    assert "--resume goes on" in err
    assert call(*options, "--resume", "--overwrite")[0] == 3
    assert len(seen) == 1
    assert call(*options, "--resume")[0] == 0
    assert seen[-1][2].resume
    assert file.exists()
    assert call(*options, "--overwrite")[0] == 0
    assert not file.exists()


def test_a_folder_of_something_else_is_never_overwritten(call, seen, tmp_path):
    (tmp_path / "slice-mlp").mkdir()
    (tmp_path / "slice-mlp" / "thesis.tex").write_text("years")
    code, _, err = call("train", "slice-mlp", "--data", "a", "--out", tmp_path, "--overwrite")
    assert code == 3
    assert "holds no network" in err
    assert (tmp_path / "slice-mlp" / "thesis.tex").exists()
    assert seen == []


@pytest.fixture
def refusing(monkeypatch) -> None:
    """Make the recipe refuse its data after it has made folders."""
    monkeypatch.setattr(recipes, "_RECIPES", {})

    @recipe("slice-mlp", title="Two")
    def train(
        sets: tuple[Path, ...], out: Path, settings: FitSettings, options: Mapping[str, str]  # noqa: ARG001
    ) -> Path:  # fmt: skip
        (out / "slice-mlp" / "maps").mkdir(exist_ok=True)
        settings.folder.mkdir(exist_ok=True)
        if "broken" in sets[0].name:
            (settings.folder / "last.ckpt").write_text("an epoch")
        raise InputError("these are no sets")


@pytest.mark.usefixtures("refusing")
def test_a_refused_training_leaves_no_folder(call, tmp_path):
    out = tmp_path / "new" / "out"
    code, _, err = call("train", "slice-mlp", "--data", "a", "--out", out)
    assert code == 3
    assert "no sets" in err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out" / "mine").mkdir(parents=True)
    assert call("train", "slice-mlp", "--data", "a", "--out", tmp_path / "out")[0] == 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.usefixtures("refusing")
def test_what_a_failed_fit_has_kept_stays(call, tmp_path):
    assert call("train", "slice-mlp", "--data", "broken", "--out", tmp_path)[0] == 3
    assert (tmp_path / "slice-mlp" / "fit" / "last.ckpt").exists()


@pytest.mark.usefixtures("refusing")
def test_a_refused_training_gives_back_what_it_was_to_replace(call, tmp_path):
    folder = tmp_path / "slice-mlp"
    (folder / "fit").mkdir(parents=True)
    (folder / "card.json").write_text("earlier")
    options = ("train", "slice-mlp", "--out", tmp_path, "--overwrite", "--data")
    assert call(*options, "a")[0] == 3
    assert (folder / "card.json").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert call(*options, "broken")[0] == 3
    assert not (folder / "card.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("slice-mpl",), "did you mean 'slice-mlp'"),
        (("slice-mlp",), "needs --data SET and --out DIR"),
        (("slice-mlp", "--data", "a", "--out", "OUT", "--option", "organ=1"), "did you mean"),
        (("slice-mlp", "--data", "a", "--out", "OUT", "--epochs", "0"), "epochs must be at least"),
        (("slice-mlp", "--data", "a", "--out", "OUT", "--device", "gpu"), "device must be auto"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(call, seen, tmp_path, options, message):
    out = tmp_path / "out"
    code, printed, err = call("train", *[str(out) if o == "OUT" else o for o in options])
    assert (code, printed) == (3, "")
    assert message in err
    assert not out.exists()
    assert seen == []


@pytest.mark.usefixtures("seen")
def test_the_list_of_recipes(call, monkeypatch):
    monkeypatch.setattr(recipes, "MODULES", {"slice-mlp": "milligray.train.recipes"})
    code, out, _ = call("train", "list")
    assert code == 0
    assert "slice-mlp        Two" in out
    assert "--option organs=...  which" in out
    (row,) = json.loads(call("train", "list", "--json")[1])
    assert row == {"name": "slice-mlp", "title": "Two", "options": {"organs": "which"}, "epochs": 7}


def test_without_the_training_library_the_extra_is_named(call, seen, monkeypatch, tmp_path):
    monkeypatch.setattr("milligray.train.extras.find_spec", lambda _: None)
    code, _, err = call("train", "slice-mlp", "--data", "a", "--out", tmp_path / "out")
    assert code == 3
    assert "pip install 'milligray[learn]'" in err
    assert seen == []


def test_help_of_train_loads_nothing_heavy():
    code = (
        "import sys\nfrom milligray.cli.main import run\n"
        "sys.argv = ['milligray', 'train', '--help']\n"
        "try:\n    run()\nexcept SystemExit as leave:\n    assert not leave.code\n"
        "names = ('torch', 'pytorch_lightning', 'numba', 'onnxruntime', 'scipy')\n"
        "print([n for n in names if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "KEY=VALUE" in done.stdout


def test_progress_is_a_line_now_and_then(capsys):
    line = TrainingLine()
    for batch in range(5):
        line.show(FitState(epoch=2, epochs=8, batch=batch, batches=10, loss=0.3, best=0.25,
                           seconds=30.0))  # fmt: skip
    line.close()
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "epoch 2 of at most 8, validation loss 0.3 (best 0.25)" in err
    quiet = TrainingLine(quiet=True)
    quiet.show(FitState(epoch=1, epochs=2, batch=0, batches=1, loss=1.0, best=1.0, seconds=1.0))
    assert capsys.readouterr().err == ""

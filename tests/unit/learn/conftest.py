"""A network of one matrix, made without any training library."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from milligray.learn.card import ArraySpec, ModelCard, write_card


def write_linear(path: Path, matrix: np.ndarray) -> None:
    """``dose = features @ matrix``."""
    n, m = matrix.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "w"], ["dose"])],
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", n])],
        [helper.make_tensor_value_info("dose", TensorProto.FLOAT, ["batch", m])],
        [numpy_helper.from_array(matrix.astype(np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def card_of(folder: Path, **changes: object) -> ModelCard:
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.onnx")
    }
    given = {
        "name": "linear", "version": "1", "system": "radiomics-fcn", "title": "A matrix",
        "license": "Apache-2.0", "files": files,
        "inputs": (ArraySpec(name="features", shape=("batch", 2), unit="", description="two"),),
        "outputs": (ArraySpec(name="dose", shape=("batch", 1), unit="mGy", description="one"),),
    }  # fmt: skip
    return ModelCard(**(given | changes))


@pytest.fixture
def make_network(tmp_path: Path) -> Callable[..., Path]:
    """Folder of an ensemble of matrices."""

    def make(*matrices: object, **changes: object) -> Path:
        folder = tmp_path / "linear"
        folder.mkdir(exist_ok=True)
        for number, matrix in enumerate(matrices or ([[1.0], [2.0]],)):
            write_linear(folder / f"member_{number}.onnx", np.array(matrix))
        write_card(card_of(folder, **changes), folder)
        return folder

    return make

"""A network of one matrix with its predictor: all that a real one does, and no training."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from milligray.learn.card import ArraySpec, ModelCard, Validity, write_card
from milligray.learn.domain import fit_domain
from milligray.learn.network import Network
from milligray.learn.prediction import PREDICTORS, Prediction
from milligray.learn.scan import Scan

SYSTEM = "slice-mlp"
PER_CTDI = 1.25
PER_DENSITY = 2.0


def write_network(folder: Path, **changes: Any) -> Path:
    """Dose = 1.25 CTDIvol + 2 density, as an ensemble of two that differ by 10 %."""
    folder.mkdir(parents=True, exist_ok=True)
    for member, factor in enumerate((0.95, 1.05)):
        matrix = factor * np.array([[PER_CTDI], [PER_DENSITY]], dtype=np.float32)
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["features", "w"], ["dose"])],
            "linear",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 2])],
            [helper.make_tensor_value_info("dose", TensorProto.FLOAT, ["batch", 1])],
            [numpy_helper.from_array(matrix, "w")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, folder / f"member_{member}.onnx")
    rng = np.random.default_rng(1)
    seen = np.stack([rng.uniform(5.0, 20.0, 60), rng.uniform(0.2, 1.5, 60)], axis=1)
    given: dict[str, Any] = {
        "name": folder.name, "version": "1", "system": SYSTEM, "title": "A matrix for tests",
        "license": "Apache-2.0",
        "files": {
            p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.onnx")
        },
        "inputs": (
            ArraySpec(name="features", shape=("batch", 2), unit="", description="CTDIvol, density"),
        ),
        "outputs": (ArraySpec(name="dose", shape=("batch", 1), unit="mGy", description="mean"),),
        "validity": Validity(
            allowed={"tube_voltage_kv": (120.0,)}, limits=("for tests, not for patients",)
        ),
        "domain": fit_domain(seen, ("ctdi_vol_mgy", "density_g_cm3")),
        "normalization": {"voxel_size_mm": 8.0, "gives_map": False, "organs": []},
        "references": ("Nobody, Journal of Matrices",),
    }  # fmt: skip
    write_card(ModelCard(**(given | changes)), folder)
    return folder


def predict_linear(scan: Scan, network: Network) -> Prediction:
    """The predictor: means over organs, a map if the card says so."""
    known = network.card.normalization["organs"] or scan.weights.names
    patient, domain = scan.patient, network.card.domain
    kept = [i for i, name in enumerate(scan.weights.names) if name in known]
    density = scan.weights.mass_g / scan.weights.volume_ml
    features = np.stack([np.full(len(kept), scan.protocol.ctdi_vol_mgy), density[kept]], axis=1)
    members = network.run_all({"features": features})["dose"][..., 0]
    mean = members.mean(axis=0)
    verdicts = [domain.judge(row) for row in features] if domain is not None else []
    widening = np.array([verdict.widening for verdict in verdicts])
    names = tuple(scan.weights.names[i] for i in kept)
    epistemic = members.std(axis=0) / mean
    maps: dict[str, Any] = {}
    if network.card.normalization["gives_map"]:
        voxels = np.stack(
            [np.full(patient.density_g_cm3.size, scan.protocol.ctdi_vol_mgy),
             patient.density_g_cm3.ravel()], axis=1
        )  # fmt: skip
        dose = network.run({"features": voxels})["dose"].reshape(patient.grid.shape)
        dose = np.where(patient.body, dose, 0.0)
        maps = {"grid": patient.grid, "dose_mgy": dose}
        if network.card.normalization["gives_map"] == "with uncertainty":
            maps["dose_relative_uncertainty"] = np.full(patient.grid.shape, 0.1)
    return Prediction(
        names=names, mean_dose_mgy=mean, aleatoric=np.full(mean.size, 0.03), epistemic=epistemic,
        total=1.5 * np.hypot(0.03, epistemic) * widening, method=network.method,
        warnings=tuple(
            f"{n}: {v.text()}" for n, v in zip(names, verdicts, strict=True) if v.is_outside
        ),
        refusals=tuple(
            f"{n}: {v.text()}" for n, v in zip(names, verdicts, strict=True) if v.is_far
        ),
        **maps,
    )  # fmt: skip


@pytest.fixture
def make_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write the network under a name; keywords change its card, `normalization` is added to."""
    monkeypatch.setitem(PREDICTORS, SYSTEM, predict_linear)

    def make(name: str = "linear", **changes: Any) -> Path:
        own = {"voxel_size_mm": 8.0, "gives_map": False, "organs": []}
        normalization = own | changes.pop("normalization", {})
        return write_network(tmp_path / "networks" / name, normalization=normalization, **changes)

    return make

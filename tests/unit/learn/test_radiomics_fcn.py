"""Exposure of organs, and organ doses by a network that adds nothing to the rule."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from milligray.errors import InputError, MissingExtraError
from milligray.learn import extras
from milligray.learn.card import ArraySpec, ModelCard, write_card
from milligray.learn.domain import fit_domain
from milligray.learn.inputs.organ_exposure import organ_exposure
from milligray.learn.inputs.organ_features import organ_features, physics_columns
from milligray.learn.inputs.organ_network_rows import OrganNormalization, Scaler
from milligray.learn.network import Network, open_network
from milligray.learn.prediction import predict_dose
from milligray.learn.predictors.radiomics_fcn import predict_organs
from milligray.learn.scan import Scan
from milligray.learn.shelf import find_network
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.patient import build_patient
from milligray.read.series import CtProtocol, CtSeries
from milligray.segment.mass_weights import organ_mass_weights
from milligray.segment.organs import OrganMap
from milligray.source.ct_scan import make_ct_source
from milligray.source.scanner_library import load_scanner
from milligray.volume import Grid, Volume

pytest.importorskip("radiomics", reason="pyradiomics is not installed")
SHAPE = (20, 44, 60)
RULE = np.array([1.0, 0.4, 0.4, 0.8, 2.0])
RADIOMICS = ("firstorder_Mean", "shape_MeshVolume")


@pytest.fixture(scope="module")
def scan() -> Scan:
    """Ellipse of water with a deep core, a shallow one, and a rod of bone."""
    _, y, x = np.meshgrid(*(4.0 * (np.arange(n) - 0.5 * (n - 1)) for n in SHAPE), indexing="ij")
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    body = (x / 110.0) ** 2 + (y / 80.0) ** 2 <= 1.0
    deep, shallow, rod = (
        (x - x0) ** 2 + (y - y0) ** 2 <= 12.0**2 for x0, y0 in ((0, 0), (0, -65), (55, 0))
    )
    hu[body], hu[rod] = 0.0, 900.0
    labels = np.select([deep, shallow, rod, body], [1, 2, 3, 4], 0).astype(np.uint16)
    grid = Grid.from_spacing(SHAPE, (4.0, 4.0, 4.0))
    series = CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=4.0)
    patient = build_patient(
        series, calibration=load_hu_calibration("schneider2000"), voxel_size_mm=4.0, couch="keep"
    )
    assert patient.ct is not None
    organs = OrganMap(
        grid=patient.ct.grid, labels=labels, method="test", fraction_in_image={},
        names={1: "spinal_cord", 2: "larynx", 3: "mandible", 4: "body"},
    )  # fmt: skip
    path = grid.axis_centers_mm(0)
    protocol = CtProtocol(
        tube_voltage_kv=120.0, slice_position_mm=path, relative_current=np.ones(path.size),
        scan_mode="helical", pitch=1.0, collimation_mm=20.0, ctdi_vol_mgy=10.0,
        phantom_diameter_mm=320, slice_thickness_mm=4.0, scan_start_mm=float(path[0]) - 2.0,
        scan_end_mm=float(path[-1]) + 2.0, body_region="body", scanner="generic",
    )  # fmt: skip
    scanner = load_scanner("generic")
    source = make_ct_source(protocol, patient, scanner=scanner, bowtie="body")
    return Scan(
        patient=patient, organs=organs, weights=organ_mass_weights(patient, organs),
        protocol=protocol, source=source, scanner=scanner, bowtie="body", photons=1e13,
        diameter_mm=np.full(SHAPE[0], 180.0), range_mm=(float(path[0]), float(path[-1])),
    )  # fmt: skip


def exposure(scan: Scan) -> dict[str, dict[str, float]]:
    names, values = organ_exposure(scan)
    return {
        organ: dict(zip(names, row, strict=True))
        for organ, row in zip(scan.weights.names, values, strict=True)
    }


def test_the_primary_beam_fades_with_depth_and_bone_takes_more_of_it(scan: Scan) -> None:
    found = exposure(scan)
    deep, shallow, bone = (found[o] for o in ("spinal_cord", "larynx", "mandible"))
    assert shallow["primary_per_ctdi"] > 1.3 * deep["primary_per_ctdi"]
    assert deep["tissue_kerma_ratio"] == pytest.approx(1.0, abs=0.12)  # soft tissue, not water
    assert bone["tissue_kerma_ratio"] > 1.5
    # far around, both have the same neighborhood
    near, wide = (
        shallow[f"scatter_{s}_mm_per_ctdi"] / deep[f"scatter_{s}_mm_per_ctdi"] for s in (15, 80)
    )
    assert abs(wide - 1.0) < abs(near - 1.0) or wide < near


def test_exposure_is_linear_in_the_photons_and_knows_no_other_scale(scan: Scan) -> None:
    once, twice = exposure(scan), exposure(replace(scan, photons=2.0 * scan.photons))
    for name, value in once["larynx"].items():
        factor = 1.0 if name == "tissue_kerma_ratio" else 2.0
        assert twice["larynx"][name] == pytest.approx(factor * value, rel=1e-5)


@pytest.fixture(scope="module")
def network(scan: Scan, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """Two members whose outputs are 0.1 and -0.1, and a log variance of zero."""
    folder = tmp_path_factory.mktemp("network")
    organs = ("larynx", "mandible", "spinal_cord")
    features = organ_features(scan, organs)
    names, physics = physics_columns(features, RULE)
    rows = np.concatenate([physics, features.columns(RADIOMICS)], axis=1)
    normalization = OrganNormalization(
        organs=organs, radiomics=RADIOMICS, physics=names, coefficients=RULE,
        scaler=Scaler.fit(rows), target_mean=0.0, target_scale=0.05,
    )  # fmt: skip
    width = rows.shape[1] + len(organs)
    for member, output in enumerate((0.1, -0.1)):
        write_constant(folder / f"member_{member}.onnx", width, output)
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.onnx")}
    draws = np.random.default_rng(1)
    spread = 0.05 * np.abs(rows[0]) + 0.05
    domain = fit_domain(
        rows[0] + spread * draws.normal(size=(60, rows.shape[1])), normalization.columns
    )
    card = ModelCard(
        name="test", version="1", system="radiomics-fcn", title="rule alone", license="Apache-2.0",
        files=files, normalization=normalization.to_document() | {"temperature": 2.0},
        domains={"larynx": domain},
        inputs=(ArraySpec(name="features", shape=("batch", width), unit="", description="rows"),),
        outputs=tuple(
            ArraySpec(name=name, shape=("batch",), unit="", description="")
            for name in ("mean", "log_variance")
        ),
    )  # fmt: skip
    write_card(card, folder)
    return open_network(folder)


def write_constant(path: Path, width: int, output: float) -> None:
    nodes, weights = [], []
    for name, value in (("mean", output), ("log_variance", 0.0)):
        weights += [
            numpy_helper.from_array(np.zeros((width, 1), dtype=np.float32), f"w_{name}"),
            numpy_helper.from_array(np.array([value], dtype=np.float32), f"b_{name}"),
        ]
        nodes += [
            helper.make_node("Gemm", ["features", f"w_{name}", f"b_{name}"], [f"column_{name}"]),
            helper.make_node("Squeeze", [f"column_{name}", "axis"], [name]),
        ]
    weights.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"))
    graph = helper.make_graph(
        nodes, "constant",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", width])],
        [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch"])
            for n in ("mean", "log_variance")
        ],
        weights,
    )  # fmt: skip
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def test_a_network_that_adds_nothing_gives_the_rule(scan: Scan, network: Network) -> None:
    found = predict_organs(scan, network)
    assert set(found.names) == {"larynx", "mandible", "spinal_cord"}
    each = exposure(scan)
    for organ, dose in zip(found.names, found.mean_dose_mgy, strict=True):
        parts = [value for name, value in each[organ].items() if name != "tissue_kerma_ratio"]
        by_hand = 10.0 * each[organ]["tissue_kerma_ratio"] * float(np.dot(parts, RULE))
        assert dose == pytest.approx(by_hand, rel=1e-5)
    assert found.aleatoric == pytest.approx(0.05, rel=1e-5)
    assert found.epistemic == pytest.approx(0.05 * np.hypot(0.1, 0.1), rel=1e-5)
    i = found.names.index("mandible")  # without a domain: the temperature alone widens
    assert found.total[i] == pytest.approx(
        2.0 * np.hypot(found.aleatoric[i], found.epistemic[i]), rel=1e-6
    )
    assert any("body" in note for note in found.notes)
    assert found.dose_mgy is None


def test_doses_follow_the_photons(scan: Scan, network: Network) -> None:
    once = predict_organs(scan, network)
    twice = predict_organs(replace(scan, photons=2.0 * scan.photons), network)
    assert twice.mean_dose_mgy == pytest.approx(2.0 * once.mean_dose_mgy, rel=1e-4)


def test_an_organ_far_from_the_training_is_refused(scan: Scan, network: Network) -> None:
    far = replace(scan, photons=1e4 * scan.photons)
    assert any("larynx" in reason for reason in predict_organs(far, network).refusals)
    with pytest.raises(InputError, match="larynx"):
        predict_dose(far, network)


def test_a_scan_without_its_organs_is_refused(scan: Scan, network: Network) -> None:
    weights = replace(scan.weights, names=("a", "b", "c", "d"))
    with pytest.raises(InputError, match="knows larynx"):
        predict_organs(replace(scan, weights=weights), network)


def test_the_missing_package_is_named(
    scan: Scan, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, *args: Any, **more: Any) -> Any:
        if name == "radiomics":
            raise ImportError(name)
        return real(name, *args, **more)

    import builtins

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"milligray\[radiomics\]"):
        extras.require_radiomics()
    with pytest.raises(MissingExtraError, match=r"milligray\[radiomics\]"):
        predict_organs(scan, network)


def test_the_network_that_ships_stays_near_its_rule_for_usual_organs() -> None:
    network = open_network(find_network("radiomics-fcn-head-neck"))
    normalization = OrganNormalization.from_document(network.card.normalization)
    assert network.members == 5
    assert set(network.card.domains) == set(normalization.organs)
    rows = np.array([network.card.domains[organ].median for organ in normalization.organs])
    inputs = np.concatenate([normalization.scaler(rows), np.eye(len(rows), dtype=np.float32)], 1)
    outputs = network.run_all({"features": inputs})["mean"].mean(axis=0)
    ratio = np.exp(normalization.target_mean + normalization.target_scale * outputs)
    assert ratio == pytest.approx(1.0, abs=0.2)

"""The scatter network's inputs, operator and predictor with a network that corrects nothing."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from milligray.learn.card import ArraySpec, ModelCard, write_card
from milligray.learn.inputs.organ_operator import organ_doses_of_fields
from milligray.learn.inputs.scatter_inputs import (
    CHANNELS,
    primary_dose_mgy,
    scatter_dose_mgy,
    scatter_inputs,
    scatter_kerma_mgy,
)
from milligray.learn.network import Network, open_network
from milligray.learn.organ_averages import organ_means, share_beyond
from milligray.learn.predictors.scatter_net import (
    START_ANGLE_WARNING,
    predict_scatter,
)
from milligray.learn.scan import Scan
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.patient import build_patient
from milligray.read.series import CtProtocol, CtSeries
from milligray.segment.mass_weights import organ_mass_weights
from milligray.segment.organs import OrganMap
from milligray.source.ct_scan import make_ct_source
from milligray.source.scanner_library import load_scanner
from milligray.volume import Grid, Volume

SHAPE = (20, 44, 60)


@pytest.fixture(scope="module")
def scan() -> Scan:
    """Ellipse of water with a rod of bone and a cavity, 4 mm, all of it scanned but the ends."""
    _, y, x = np.meshgrid(*(4.0 * (np.arange(n) - 0.5 * (n - 1)) for n in SHAPE), indexing="ij")
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    body = (x / 110.0) ** 2 + (y / 80.0) ** 2 <= 1.0
    rod = (x + 50.0) ** 2 + y**2 <= 20.0**2
    cavity = (x - 50.0) ** 2 + y**2 <= 20.0**2
    hu[body], hu[rod], hu[cavity] = 20.0, 800.0, -700.0
    labels = np.where(rod, 2, np.where(cavity, 3, body)).astype(np.uint16)
    grid = Grid.from_spacing(SHAPE, (4.0, 4.0, 4.0))
    series = CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=4.0)
    patient = build_patient(series, calibration=load_hu_calibration("schneider2000"),
                            voxel_size_mm=4.0, couch="keep")  # fmt: skip
    organs = OrganMap(
        grid=patient.ct.grid, labels=labels, names={1: "body", 2: "humerus_left", 3: "lung_left"},
        method="test", fraction_in_image={},
    )  # fmt: skip
    path = grid.axis_centers_mm(0)[3:-3]
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
        protocol=protocol, source=source, scanner=scanner, bowtie="body", photons=1e12,
        diameter_mm=np.full(SHAPE[0], 190.0), range_mm=(float(path[0]) - 2, float(path[-1]) + 2),
    )  # fmt: skip


@pytest.fixture
def network(tmp_path: Path) -> Network:
    """Two members: the guess as it is, and with a tenth more scatter."""
    folder = tmp_path / "net"
    folder.mkdir()
    for number, log_scatter in enumerate((0.0, np.log(1.1))):
        weight = np.zeros((len(CHANNELS), 3), dtype=np.float32)
        bias = np.array([log_scatter, 0.0, np.log(0.02**2)], dtype=np.float32)
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            [helper.make_node("Gemm", ["fields", "w", "b"], ["correction"])],
            "constant",
            [info("fields", TensorProto.FLOAT, ["cubes", len(CHANNELS)])],
            [info("correction", TensorProto.FLOAT, ["cubes", 3])],
            [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, folder / f"member_{number}.onnx")
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.onnx")}
    write_card(
        ModelCard(
            name="net", version="1", system="scatter-net", title="test", license="Apache-2.0",
            files=files,
            inputs=(ArraySpec(name="fields", shape=("cubes", len(CHANNELS)), unit="",
                              description=""),),
            outputs=(ArraySpec(name="correction", shape=("cubes", 3), unit="", description=""),),
        ),
        folder,
    )  # fmt: skip
    return open_network(folder)


def test_the_network_sees_nothing_of_the_tube_current(scan: Scan) -> None:
    one, ten = scatter_inputs(scan), scatter_inputs(replace(scan, photons=10.0 * scan.photons))
    np.testing.assert_allclose(ten.channels, one.channels, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ten.guess_mgy, 10.0 * one.guess_mgy, rtol=1e-4)
    assert np.isfinite(one.channels).all()
    assert (one.guess_mgy > 0).all()


def test_organ_doses_of_fields_are_the_mass_weighted_means_of_the_dose_map(scan: Scan) -> None:
    inputs = scatter_inputs(scan)
    nothing = np.zeros(inputs.grid.shape, dtype=np.float32)
    kerma = scatter_kerma_mgy(inputs, nothing, nothing)
    dose = scatter_dose_mgy(scan, kerma, inputs.grid)
    straight = organ_doses_of_fields(scan, inputs.grid, np.stack([kerma, 2.0 * kerma]))
    np.testing.assert_allclose(straight[0], organ_means(scan, dose), rtol=2e-4)
    np.testing.assert_allclose(straight[1], 2.0 * straight[0], rtol=1e-6)
    assert not dose[~scan.patient.body].any()


def test_an_even_photon_field_gives_the_kerma_of_the_tissue(scan: Scan) -> None:
    inputs = scatter_inputs(scan)
    kerma = np.ones((2, *inputs.grid.shape), dtype=np.float32)
    kerma[1] = 4.0
    dose = scatter_dose_mgy(scan, kerma, inputs.grid)
    k, j = SHAPE[0] // 2, SHAPE[1] // 2
    soft, bone = dose[k, j, SHAPE[2] // 2], dose[k, j, round(SHAPE[2] / 2 - 50 / 4)]
    assert soft == pytest.approx(1.0, abs=0.03)
    assert 2.0 < bone < 3.5  # marrow bone is half cortical


def test_the_primary_beam_of_cubes_is_the_mean_of_the_patients_voxels(scan: Scan) -> None:
    inputs = scatter_inputs(scan)
    # even numbers of voxels: cubes of 8 mm hold 2 x 2 x 2 of them
    nz, ny, nx = SHAPE
    cubes = inputs.fine_primary_mgy.reshape(2, nz // 2, 2, ny // 2, 2, nx // 2, 2)
    np.testing.assert_allclose(
        inputs.primary_mgy * inputs.body, cubes.mean(axis=(2, 4, 6)), rtol=1e-4, atol=1e-9
    )
    assert not inputs.fine_primary_mgy[:, ~scan.patient.body].any()
    assert (primary_dose_mgy(scan, inputs)[scan.patient.body] >= 0).all()


def test_what_lies_beyond_the_beam_depends_on_what_was_taught(scan: Scan) -> None:
    moved = replace(scan.source, z_bins_mm=scan.source.z_bins_mm + 150.0)
    away = replace(scan, source=moved)
    assert share_beyond(away, 40.0).min() > 0.5
    assert share_beyond(away, 200.0).max() == 0.0


def test_a_known_start_angle_is_warned_of(scan: Scan, network: Network) -> None:
    assert START_ANGLE_WARNING not in predict_scatter(scan, network).warnings
    turned = replace(scan, source=replace(scan.source, start_angle_rad=1.0))
    assert START_ANGLE_WARNING in predict_scatter(turned, network).warnings


def test_doses_go_with_the_photons_and_members_spread(scan: Scan, network: Network) -> None:
    one = predict_scatter(scan, network)
    ten = predict_scatter(replace(scan, photons=10.0 * scan.photons), network)
    np.testing.assert_allclose(ten.mean_dose_mgy, 10.0 * one.mean_dose_mgy, rtol=1e-4)
    np.testing.assert_allclose(ten.total, one.total, rtol=1e-3)
    inputs = scatter_inputs(scan)
    primary = organ_means(scan, primary_dose_mgy(scan, inputs))
    scattered = 1.0 - primary / one.mean_dose_mgy  # share of the dose, at 1.05 of the guess
    assert scattered.min() > 0.2
    assert one.epistemic == pytest.approx(0.1 / np.sqrt(2.0) / 1.05 * scattered, rel=1e-3)
    assert one.aleatoric == pytest.approx(np.full(3, 0.02), rel=0.05)  # cubes, not voxels
    assert one.method.startswith("network:net@")
    doses = dict(zip(one.names, one.mean_dose_mgy, strict=True))
    assert doses["humerus_left"] > 1.5 * doses["body"]  # bone


def test_nothing_of_the_dose_lies_outside_the_body(scan: Scan, network: Network) -> None:
    found = predict_scatter(scan, network)
    assert found.dose_mgy is not None
    assert not found.dose_mgy[~scan.patient.body].any()
    assert (found.dose_mgy[scan.patient.body] > 0).all()

"""The predictor of the dose U-Net, with networks that say what can be told by hand."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from milligray.learn.card import ArraySpec, ModelCard, write_card
from milligray.learn.inputs.dose_unet_inputs import CHANNELS, TISSUE_KNOTS
from milligray.learn.network import Network, open_network
from milligray.learn.predictors.dose_unet import predict_dose_unet, scan_fields
from milligray.learn.scan import Scan
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.patient import build_patient
from milligray.read.series import CtProtocol, CtSeries
from milligray.segment.mass_weights import organ_mass_weights
from milligray.segment.organs import OrganMap
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.scanner_library import load_scanner
from milligray.source.spectrum import Spectrum
from milligray.volume import Grid, Volume

RELATIVE = 0.05


def make_scan(spacing: float = 4.0) -> Scan:
    """Ellipse of water with a rod of bone; the beam covers all slices but the ends."""
    shape = (round(64 / spacing), round(136 / spacing), round(192 / spacing))
    _, y, x = np.meshgrid(*(spacing * (np.arange(n) - 0.5 * (n - 1)) for n in shape), indexing="ij")
    hu = np.full(shape, -1000.0, dtype=np.float32)
    body = (x / 85.0) ** 2 + (y / 60.0) ** 2 <= 1.0
    rod = (x + 40.0) ** 2 + y**2 <= 18.0**2
    hu[body], hu[rod] = 20.0, 800.0
    grid = Grid.from_spacing(shape, (spacing,) * 3)
    series = CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=spacing)
    patient = build_patient(
        series, calibration=load_hu_calibration("schneider2000"), voxel_size_mm=spacing,
        couch="keep",
    )  # fmt: skip
    organs = OrganMap(
        grid=patient.ct.grid, labels=np.where(rod, 2, body).astype(np.uint16),
        names={1: "body", 2: "mandible"}, method="test", fraction_in_image={},
    )  # fmt: skip
    z = grid.axis_centers_mm(0)
    low, high = float(z[0]) + 8.0, float(z[-1]) - 8.0
    protocol = CtProtocol(
        tube_voltage_kv=120.0, slice_position_mm=z, relative_current=np.ones(z.size),
        scan_mode="helical", pitch=1.0, collimation_mm=20.0, ctdi_vol_mgy=10.0,
        phantom_diameter_mm=320, scan_start_mm=low, scan_end_mm=high, scanner="generic",
    )  # fmt: skip
    spectrum = replace(Spectrum.monoenergetic(60.0), half_value_layer_mm_al=8.0)
    edges = np.arange(low, high + 0.5, 1.0)
    middle_x = float(grid.axis_centers_mm(2).mean())
    middle_y = float(grid.axis_centers_mm(1).mean())
    source = CtSource(
        field=open_fan(focal_radius_mm=600.0, width_mm=500.0, height_mm=20.0, spectrum=spectrum),
        isocenter_lps_mm=(middle_x, middle_y), z_bins_mm=np.stack([edges[:-1], edges[1:]], 1),
        z_weights=np.ones(edges.size - 1), rotations=2.0, feed_mm=20.0, collimation_mm=20.0,
        start_angle_rad=None, mode="helical",
    )  # fmt: skip
    return Scan(
        patient=patient, organs=organs, weights=organ_mass_weights(patient, organs),
        protocol=protocol, source=source, scanner=load_scanner("generic"), bowtie="body",
        photons=1e12, diameter_mm=np.full(shape[0], 140.0), range_mm=(low, high),
    )  # fmt: skip


@pytest.fixture(scope="module")
def scan() -> Scan:
    return make_scan()


@pytest.fixture
def network(tmp_path: Path) -> Callable[..., Network]:
    """Members that give the guess times a factor, with 5 %."""

    def make(*factors: float, **normalization: object) -> Network:
        folder = tmp_path / "net"
        folder.mkdir(exist_ok=True)
        for number, factor in enumerate(factors):
            constants = {"factor": factor, "two": 2.0, "spread": 2.0 * np.log(RELATIVE)}
            graph = helper.make_graph(
                [
                    helper.make_node("Mul", ["guess", "factor"], ["dose"]),
                    helper.make_node("Log", ["dose"], ["log"]),
                    helper.make_node("Mul", ["log", "two"], ["square"]),
                    helper.make_node("Add", ["square", "spread"], ["log_variance"]),
                ],
                "guess",
                [
                    helper.make_tensor_value_info(
                        "channels", TensorProto.FLOAT, ["batch", len(CHANNELS), "z", "y", "x"]
                    ),
                    helper.make_tensor_value_info(
                        "guess", TensorProto.FLOAT, ["batch", "z", "y", "x"]
                    ),
                ],
                [
                    helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "z", "y", "x"])
                    for name in ("dose", "log_variance")
                ],
                [
                    numpy_helper.from_array(np.array(value, dtype=np.float32), name)
                    for name, value in constants.items()
                ],
            )
            model = helper.make_model(
                graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
            )
            onnx.save(model, folder / f"member_{number}.onnx")
        given = {
            "map": "fitted", "guess_weights": [0.7, 0.9, 1.7],
            "log_tissue": [0.0] * len(TISSUE_KNOTS), "tile": 0,
        }  # fmt: skip
        image = ("batch", "z", "y", "x")
        card = ModelCard(
            name="guess", version="1", system="dose-unet", title="The guess",
            license="Apache-2.0",
            files={
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in folder.glob("*.onnx")
            },
            inputs=(
                ArraySpec(name="channels", shape=("batch", 4, "z", "y", "x"), unit="",
                          description=""),
                ArraySpec(name="guess", shape=image, unit="", description=""),
            ),
            outputs=tuple(
                ArraySpec(name=name, shape=image, unit="", description="")
                for name in ("dose", "log_variance")
            ),
            normalization=given | normalization,
        )  # fmt: skip
        write_card(card, folder)
        return open_network(folder)

    return make


def test_uncertainties_of_two_members_by_hand(scan: Scan, network: Callable[..., Network]) -> None:
    found = predict_dose_unet(scan, network(0.9, 1.1))
    assert found.names == ("body", "mandible")
    np.testing.assert_allclose(found.epistemic, np.sqrt(0.02), rtol=1e-3)
    aleatoric = RELATIVE * np.sqrt((0.9**2 + 1.1**2) / 2)
    np.testing.assert_allclose(found.aleatoric, aleatoric, rtol=1e-3)
    np.testing.assert_allclose(found.total, np.hypot(aleatoric, np.sqrt(0.02)), rtol=1e-3)
    inside = scan.patient.body & (found.dose_mgy > 0)
    np.testing.assert_allclose(found.dose_relative_uncertainty[inside], found.total[0], rtol=1e-3)
    assert not found.dose_mgy[~scan.patient.body].any()


def test_organs_are_means_of_the_map_by_mass(scan: Scan, network: Callable[..., Network]) -> None:
    found = predict_dose_unet(scan, network(1.0))
    matrix = scan.weights.weights_g
    wanted = matrix @ found.dose_mgy.ravel().astype(np.float64) / matrix.sum(axis=1).A1
    np.testing.assert_allclose(found.mean_dose_mgy, wanted, rtol=1e-5)
    np.testing.assert_array_equal(found.epistemic, 0.0)


def test_twice_the_photons_are_exactly_twice_the_dose(
    scan: Scan, network: Callable[..., Network]
) -> None:
    net = network(1.0, 1.2)
    one = predict_dose_unet(scan, net)
    two = predict_dose_unet(replace(scan, photons=2.0 * scan.photons), net)
    np.testing.assert_array_equal(two.dose_mgy, 2.0 * one.dose_mgy)
    np.testing.assert_array_equal(two.total, one.total)


def test_the_temperature_scales_all_uncertainties(
    scan: Scan, network: Callable[..., Network]
) -> None:
    plain = predict_dose_unet(scan, network(0.9, 1.1))
    hot = predict_dose_unet(scan, network(0.9, 1.1, temperature=0.5))
    for name in ("aleatoric", "epistemic", "total"):
        np.testing.assert_allclose(getattr(hot, name), 0.5 * getattr(plain, name))
    np.testing.assert_array_equal(hot.mean_dose_mgy, plain.mean_dose_mgy)


def test_finer_voxels_of_the_same_patient_get_the_same_doses(
    scan: Scan, network: Callable[..., Network]
) -> None:
    net = network(1.0)
    coarse, fine = predict_dose_unet(scan, net), predict_dose_unet(make_scan(2.0), net)
    np.testing.assert_allclose(fine.mean_dose_mgy, coarse.mean_dose_mgy, rtol=0.03)


def test_beyond_the_beam_and_its_margin_there_is_no_dose(
    scan: Scan, network: Callable[..., Network]
) -> None:
    narrow = replace(scan.source, z_bins_mm=scan.source.z_bins_mm[:2], z_weights=np.ones(2))
    cut = replace(scan, source=narrow, range_mm=(scan.range_mm[0], scan.range_mm[0] + 4.0))
    fields = scan_fields(cut, network(1.0))
    assert fields.part.stop - fields.part.start <= (2 * (40 + 10) + 2) / 4 + 1
    assert fields.features.shape == (8,)

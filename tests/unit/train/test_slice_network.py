"""The slice network: rule, ensemble, one file; prediction from a scan."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
from milligray.errors import InputError
from milligray.learn.card import read_card
from milligray.learn.inputs.organ_slices import FEATURES, organ_slices
from milligray.learn.inputs.slice_rows import ROW, slice_rows
from milligray.learn.network import open_network
from milligray.learn.prediction import predict_dose
from milligray.learn.scan import Scan
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.patient import build_patient
from milligray.read.series import CtProtocol, CtSeries
from milligray.segment.mass_weights import organ_mass_weights
from milligray.segment.organs import OrganMap
from milligray.source.ct_scan import make_ct_source
from milligray.source.scanner_library import load_scanner
from milligray.train.settings import FitSettings
from milligray.train.slice_mlp import recipe as recipe_slice_mlp
from milligray.train.slice_mlp.recipe import ensemble_mean, judged, train_slice_mlp
from milligray.train.slice_mlp.slice_network import (
    SliceNetworkConfig,
    fit_slice_network,
    predict_slice_network,
)
from milligray.train.slice_mlp.slice_sets import SliceSet
from milligray.volume import Grid, Volume

ORGANS = ("body", "spinal_cord")
SHAPE = (24, 32, 40)


def made_up_set(patients: int = 16, seed: int = 0) -> SliceSet:
    """Whole and cord of scans; dose = current around exp(-size/2) and a little of the HU."""
    draws = np.random.default_rng(seed)
    parts: list[list[np.ndarray]] = []
    for p in range(patients):
        z = 4.0 * np.arange(30)
        size = draws.uniform(150, 210) + 10 * np.sin(z / 30)
        current = np.exp((size - size.mean()) / 100)
        table = np.zeros((60, len(FEATURES)))
        table[:, 0] = np.repeat([-20.0, 30.0], 30) + draws.normal(0, 5, 60)
        table[:, 1] = np.repeat([200.0, 20.0], 30)
        table[:, 2], table[:, 3], table[:, 4] = np.tile(current, 2), np.tile(size, 2), np.tile(z, 2)
        table[:, 5] = np.repeat([20000.0, 150.0], 30)
        organ = np.repeat([0, 1], 30)
        rows = slice_rows(table, organ, (-2.0, 118.0))
        dose = np.exp(rows[:, 0] - 0.5 * rows[:, 1] + 1.0 + 0.002 * table[:, 0])
        dose *= np.where(organ == 1, 0.9, 1.0)
        split = "test" if p >= patients - 4 else "train"
        text = [np.full(60, t) for t in (f"p{p}_000", f"p{p}", split)]
        parts.append([organ, *text, rows, table[:, :5], dose, np.full(60, 0.01), table[:, 5]])
    c = [np.concatenate(one) for one in zip(*parts, strict=True)]
    return SliceSet(
        organ_names=ORGANS, organ=c[0], scan=c[1], patient=c[2], split=c[3], rows=c[4],
        published=c[5], dose_per_ctdi=c[6], relative_uncertainty=c[7], mass_g=c[8],
    )  # fmt: skip


@pytest.fixture(scope="module")
def scan() -> Scan:
    """Ellipse of water with a core."""
    _, y, x = np.meshgrid(*(4.0 * (np.arange(n) - 0.5 * (n - 1)) for n in SHAPE), indexing="ij")
    body = (x / 75.0) ** 2 + (y / 60.0) ** 2 <= 1.0
    core = x**2 + y**2 <= 12.0**2
    hu = np.where(body, 0.0, -1000.0).astype(np.float32)
    labels = np.select([core, body], [2, 1], 0).astype(np.uint16)
    grid = Grid.from_spacing(SHAPE, (4.0, 4.0, 4.0))
    patient = build_patient(
        CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=4.0),
        calibration=load_hu_calibration("schneider2000"), voxel_size_mm=4.0, couch="keep",
    )  # fmt: skip
    assert patient.ct is not None
    organs = OrganMap(
        grid=patient.ct.grid, labels=labels, method="test", fraction_in_image={},
        names={1: "body", 2: "spinal_cord"},
    )  # fmt: skip
    path = grid.axis_centers_mm(0)
    protocol = CtProtocol(
        tube_voltage_kv=120.0, slice_position_mm=path, relative_current=np.ones(path.size),
        scan_mode="helical", pitch=1.0, collimation_mm=20.0, ctdi_vol_mgy=10.0,
        phantom_diameter_mm=320, slice_thickness_mm=4.0, scan_start_mm=float(path[0]) - 2.0,
        scan_end_mm=float(path[-1]) + 2.0, body_region="body", scanner="generic",
    )  # fmt: skip
    scanner = load_scanner("generic")
    return Scan(
        patient=patient, organs=organs, weights=organ_mass_weights(patient, organs),
        protocol=protocol, source=make_ct_source(protocol, patient, scanner=scanner, bowtie="body"),
        scanner=scanner, bowtie="body", photons=1e13, diameter_mm=np.full(SHAPE[0], 134.0),
        range_mm=(float(path[0]) - 2.0, float(path[-1]) + 2.0),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("net")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe_slice_mlp, "read_slice_sets", lambda *_, **__: made_up_set())
        patch.setattr(recipe_slice_mlp, "about_set", lambda path: {"name": path.name})
        patch.setattr(recipe_slice_mlp, "_beams", lambda _: {"tube_voltage_kv": (120.0,)})
        settings = FitSettings(folder=out / "fit", epochs=3, batch_size=64, learning_rate=4e-3)
        options = {"members": "2", "folds": "2", "name": "small", "test": "yes"}
        return train_slice_mlp((out,), out, settings, options)


def test_rows_do_not_see_the_unit_of_the_current():
    table = np.zeros((20, len(FEATURES)))
    table[:, 2], table[:, 3], table[:, 4] = 1.0 + np.arange(20) / 20, 180.0, 4.0 * np.arange(20)
    double = table.copy()
    double[:, 2] *= 2
    organ = np.zeros(20, dtype=int)
    one, other = (slice_rows(t, organ, (-2.0, 78.0)) for t in (table, double))
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_no_current_outside_the_range_is_no_current_of_zero():
    table = np.zeros((20, len(FEATURES)))
    table[:, 2], table[:, 3], table[:, 4] = 1.0, 180.0, 4.0 * np.arange(20)
    table[10:, 2] = 0.0
    found = slice_rows(table, np.zeros(20, dtype=int), (-2.0, 38.0))
    around = found[:, ROW.index("log_current_around")]
    assert around[5] > around[12] + 0.5
    assert np.isfinite(found).all()


def test_rule_alone_has_the_law():
    table = made_up_set()
    network, losses = fit_slice_network(table, SliceNetworkConfig(members=1, epochs=0))
    assert losses == [[]]
    error = np.abs(predict_slice_network(network, table)[0] / table.dose_per_ctdi - 1)
    assert np.median(error) < 0.02


def test_network_leaves_less_than_the_rule():
    table = made_up_set()
    errors = []
    for epochs in (0, 12):
        network, _ = fit_slice_network(table, SliceNetworkConfig(members=2, epochs=epochs))
        found = ensemble_mean(predict_slice_network(network, table))
        errors.append(np.abs(found / table.dose_per_ctdi - 1).mean())
    assert errors[1] < errors[0]


def test_card_and_file_are_left_behind(folder):
    card = read_card(folder)
    assert (card.system, card.members, set(card.domains)) == (
        "slice-mlp", ("slices.onnx",), set(ORGANS),
    )  # fmt: skip
    table = made_up_set()
    unseen = table.take(table.split == "test")
    assert card.metrics["organs, test patients"] == judged(folder, unseen)
    assert set(card.data["patients"]["train"]).isdisjoint(unseen.patient)


def test_a_scan_gets_doses_that_go_with_its_ctdi(folder, scan):
    network = open_network(folder)
    once = predict_dose(scan, network, body_region="head_neck", beyond_validity=True)
    twice = predict_dose(
        replace(scan, protocol=replace(scan.protocol, ctdi_vol_mgy=20.0)), network,
        body_region="head_neck", beyond_validity=True,
    )  # fmt: skip
    assert once.names == ORGANS
    np.testing.assert_allclose(twice.mean_dose_mgy, 2 * once.mean_dose_mgy, rtol=1e-6)
    assert (once.total > 0).all()
    assert once.method.startswith("network:small@")


def test_prediction_needs_a_ctdi(folder, scan):
    without = replace(scan, protocol=replace(scan.protocol, ctdi_vol_mgy=None))
    with pytest.raises(InputError, match="CTDIvol"):
        predict_dose(without, folder, body_region="head_neck", beyond_validity=True)


def test_rows_of_a_scan_are_those_of_its_slices(scan):
    slices = organ_slices(scan)
    rows = slice_rows(slices.features, slices.organ, scan.range_mm)
    assert rows.shape == (len(slices.organ), len(ROW))
    assert np.isfinite(rows).all()
    assert rows[:, ROW.index("size_around")] == pytest.approx(1.34, abs=0.01)

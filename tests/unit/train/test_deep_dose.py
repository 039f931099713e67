"""Deep-dose: its network, its data, and a whole small training with prediction."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from milligray.dataset.kinds import Sample, SampleArray
from milligray.dataset.reader import TrainingSet
from milligray.dataset.storage import write_sample
from milligray.learn.inputs.position_channels import CHANNELS, isocenter_dose
from milligray.learn.network import open_network
from milligray.learn.predictors.deep_dose import AskedPositions, position_features
from milligray.train.deep_dose import study as study_deep_dose
from milligray.train.deep_dose.measures import voxel_row
from milligray.train.deep_dose.position_data import PositionSet, loss_target, read_positions
from milligray.train.deep_dose.position_view import cylinder_view
from milligray.train.deep_dose.recipe import load_positions, train_deep_dose
from milligray.train.deep_dose.study import corrected_dose
from milligray.train.modules.dilated_resnet import DilatedResnet, DilatedResnetConfig
from milligray.train.modules.folded_resnet import FoldedResnet
from milligray.train.settings import FitSettings
from milligray.volume import Grid

SHAPE = (7, 20, 22)
TRUE_RATIO = 0.5


def write_positions(root: Path, patient: str, split: str, *, seed: int, n: int = 3) -> Path:
    """Sample whose dose is half of the first guess in tissue, with 3 % noise."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.arange(m) - 0.5 * (m - 1) for m in SHAPE), indexing="ij")
    cylinder = np.exp(-0.1 * (y + 10) - 0.3 * np.abs(z)).astype(np.float32)
    body = np.stack([(x / (6.0 + k)) ** 2 + (y / 5.0) ** 2 <= 1.0 for k in range(n)])
    factor = np.exp(0.05 * (y + 5.0) * body).astype(np.float32)
    dose = TRUE_RATIO * cylinder * factor * (1.0 + 0.03 * rng.standard_normal(body.shape)) * body
    arrays = {
        "electron_density": np.where(body, 1.0, 0.001), "correction_factor": factor, "dose": dose,
        "relative_uncertainty": np.full(body.shape, 0.03), "body": body.astype(np.uint8),
        "cylinder_dose": cylinder,
    }  # fmt: skip
    attributes: dict[str, Any] = {
        "sample": f"{patient}_000", "patient": patient, "split": split, "tube_voltage_kv": 120.0,
        "scanner": "generic", "bowtie": "body", "collimation_mm": 20.0,
        "spacing_zyx_mm": [5.0, 5.0, 5.0],
    }  # fmt: skip
    (root / "samples").mkdir(parents=True, exist_ok=True)
    path = root / "samples" / f"{patient}_000.h5"
    made = {
        key: SampleArray(
            values=value if value.dtype == np.uint8 else value.astype(np.float32), unit="",
            description="",
        )
        for key, value in arrays.items()
    }  # fmt: skip
    write_sample(Sample(arrays=made, attributes=attributes, statistics={}), path)
    return path


@pytest.fixture(scope="module")
def set_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("set")
    for number in range(4):
        split = ("train", "train", "validation", "test")[number]
        write_positions(root, f"p{number}", split, seed=number, n=5)
    return root


def small(**values: Any) -> DilatedResnet:
    return DilatedResnet(DilatedResnetConfig(in_channels=3, channels=(4, 4, 8), **values))


def test_the_network_has_twenty_layers_and_reaches_43_voxels() -> None:
    torch.manual_seed(1)
    net = small()
    assert net.config.layers == 20 == sum(isinstance(m, torch.nn.Conv3d) for m in net.modules())
    assert net.config.reach == 43
    torch.nn.init.normal_(net.last.weight)
    net.eval()
    n = 2 * net.config.reach + 3
    x = torch.zeros(1, 3, 1, 1, n, requires_grad=True)
    net(x)[0, 0, 0, 0, n // 2].backward()
    assert x.grad is not None
    hit = np.flatnonzero(x.grad.abs().sum(dim=(0, 1, 2, 3)).numpy() > 0)
    assert hit[0] >= n // 2 - net.config.reach
    assert hit[-1] <= n // 2 + net.config.reach
    assert hit[-1] - hit[0] > 1.5 * net.config.reach


def test_an_untrained_network_gives_the_first_guess() -> None:
    net = small().eval()
    with torch.no_grad():
        assert float(net(torch.randn(1, 3, 5, 6, 7)).abs().max()) == 0.0


def test_a_folded_network_parts_the_voxels_again() -> None:
    """With the identity in its place, every voxel comes back where it was."""
    net = FoldedResnet(DilatedResnetConfig(in_channels=3, out_channels=3, channels=(4, 4, 4)))
    net.network = torch.nn.Identity()  # type: ignore[assignment]
    values = torch.randn(2, 3, 4, 6, 8)
    assert torch.equal(net(values), values)


def test_a_folded_network_reaches_neighbors_within_and_beyond_its_cubes() -> None:
    torch.manual_seed(2)
    net = FoldedResnet(DilatedResnetConfig(in_channels=1, out_channels=2, channels=(4, 4, 4)))
    torch.nn.init.normal_(net.network.last.weight)
    net.eval()
    x = torch.zeros(1, 1, 2, 2, 200, requires_grad=True)
    net(x)[0, 1, 1, 0, 100].backward()
    assert x.grad is not None
    hit = np.flatnonzero(x.grad.abs().sum(dim=(0, 1, 2, 3)).numpy() > 0)
    assert hit[-1] - hit[0] > 2.5 * net.config.reach
    assert hit[-1] - hit[0] <= 4 * net.config.reach + 3


def test_positions_are_cut_to_the_body_and_scaled(set_folder: Path) -> None:
    positions = read_positions(set_folder / "samples" / "p0_000.h5", cylinder_view)
    assert len(positions) == 5
    one = positions[0]
    assert one.dose.shape == one.body.shape == one.terms.shape[1:] == one.channels.shape[1:]
    assert one.dose.shape[1] < SHAPE[1]
    ratio = one.dose[one.body] / one.terms[1][one.body]
    assert not one.terms[0].any()
    assert not one.terms[2].any()
    assert np.median(ratio) == pytest.approx(TRUE_RATIO, rel=0.02)
    # log channels and guess say the same
    assert np.allclose(np.exp(2 * (one.channels[1] + one.channels[2])), one.terms[1], rtol=1e-3)


def test_mirrored_positions_are_mirrored_in_all_arrays(set_folder: Path) -> None:
    one = read_positions(set_folder / "samples" / "p0_000.h5", cylinder_view)[:1]
    plain = PositionSet(one)[0]
    seen = set()
    torch.manual_seed(3)
    mirrored = PositionSet(one, is_mirrored=True)
    for _ in range(16):
        found = mirrored[0]
        for axes in ((), (-3,), (-1,), (-3, -1)):
            same = [torch.equal(found[k], torch.flip(plain[k], axes)) for k in plain]
            if all(same):
                seen.add(axes)
                break
        else:
            pytest.fail("no mirror image of the position")
    assert len(seen) == 4


def test_noise_neither_biases_the_target_nor_its_weights() -> None:
    rng = np.random.default_rng(1)
    noise = 1.0 + 0.1 * rng.standard_normal((14, 24, 24))
    body = np.ones(noise.shape, dtype=bool)
    target, sigma, mask = loss_target(noise, 0.1 / noise, body)
    assert mask.all()
    assert np.corrcoef(sigma.ravel(), noise.ravel())[0, 1] < 0.2
    mean = float((target / sigma**2).sum() / (1.0 / sigma**2).sum())
    assert mean == pytest.approx(0.0, abs=0.004)


def test_voxels_that_no_photon_hit_teach_nothing() -> None:
    dose = np.ones((4, 6, 6))
    dose[0, 0, 0] = 0.0
    uncertainty = np.full(dose.shape, 0.1)
    uncertainty[1, 1, 1] = 0.9
    body = np.ones(dose.shape, dtype=bool)
    body[2] = False
    target, sigma, mask = loss_target(dose, uncertainty, body)
    assert mask.sum() == dose.size - 36 - 2
    assert np.isfinite(target).all()
    assert np.all(sigma >= 0.03)


def test_test_patients_are_never_read(set_folder: Path) -> None:
    found = load_positions([set_folder], {"inputs": "cylinder"})
    assert {p.patient for p in found["train"]} == {"p0", "p1"}
    assert {p.patient for p in found["validation"]} == {"p2"}


@pytest.fixture(scope="module")
def trained(set_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    settings = FitSettings(
        folder=out / "fit", epochs=6, patience=0, learning_rate=5e-3, batch_size=2, device="cpu"
    )
    options = {
        "channels": "4,4,4", "crop": "12,14", "repeats": "2", "name": "tiny", "inputs": "cylinder",
        "folded": "no",
    }  # fmt: skip
    return train_deep_dose((set_folder,), out, settings, options)


def test_training_finds_the_ratio_and_ships_the_same_network(
    trained: Path, set_folder: Path
) -> None:
    network = open_network(trained)
    card = network.card
    assert card.system == "deep-dose"
    assert card.normalization["slab_shape"] == [20, 22, 7]
    assert card.validity.allowed["tube_voltage_kv"] == (120.0,)
    assert card.data["patients"] == {"train": ["p0", "p1"], "validation": ["p2"]}
    assert card.training["onnx_difference"] < 1e-4
    one = read_positions(set_folder / "samples" / "p3_000.h5", cylinder_view)[0]
    ask = AskedPositions(network)
    dose = corrected_dose(one, ask(one.channels))
    off = np.abs(dose[one.body] / one.dose[one.body] - 1.0).mean()
    guessed = np.abs(one.terms[1][one.body] / one.dose[one.body] - 1.0).mean()
    assert off < 0.3 * guessed
    names, values = position_features(one.channels, CHANNELS)
    assert len(names) == values.size == 7
    assert np.array_equal(ask.features[0], values)


def test_fine_tuning_begins_with_the_weights_of_another(
    trained: Path, set_folder: Path, tmp_path: Path
) -> None:
    settings = FitSettings(
        folder=tmp_path / "fit", epochs=1, patience=0, learning_rate=1e-8, batch_size=2,
        device="cpu",
    )  # fmt: skip
    options = {
        "channels": "4,4,4", "crop": "12,14", "repeats": "1", "name": "tuned",
        "inputs": "cylinder", "folded": "no", "init": str(trained.parent),
    }  # fmt: skip
    tuned = train_deep_dose((set_folder,), tmp_path, settings, options)
    one = read_positions(set_folder / "samples" / "p3_000.h5", cylinder_view)[0]
    first, second = (AskedPositions(open_network(f))(one.channels) for f in (trained, tuned))
    assert np.allclose(first, second, atol=1e-3)


def test_the_study_compares_with_what_needs_no_network(
    trained: Path, set_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {
        f"p{n}_000": {"status": "done", "split": split}
        for n, split in enumerate(("train", "train", "validation", "test"))
    }
    made = TrainingSet(root=set_folder, manifest={"kind": "source-positions", "samples": entries})
    monkeypatch.setattr(study_deep_dose, "open_set", lambda _: made)
    monkeypatch.setattr("milligray.train.deep_dose.measures.GAMMA_SUBSET", 20)
    study_deep_dose.run((set_folder,), tmp_path / "out", {"network": str(trained)})
    with (tmp_path / "out" / "positions.csv").open() as file:
        rows = {row["system"]: row for row in csv.DictReader(file) if "system" in row}
    assert set(rows) == {"network", "cylinder x CF x constant", "cylinder x constant"}
    # noise-free, the dose is a constant times the first guess: the constant is the best there is
    assert float(rows["cylinder x CF x constant"]["rae"]) == pytest.approx(0.024, abs=0.004)
    assert float(rows["cylinder x CF x constant"]["noise"]) == pytest.approx(0.024, abs=0.001)
    assert float(rows["network"]["rae"]) < float(rows["cylinder x constant"]["rae"])
    assert (tmp_path / "out" / "position.png").stat().st_size > 1000


def test_measures_of_a_perfect_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milligray.train.deep_dose.measures.GAMMA_SUBSET", 50)
    grid = Grid.from_spacing((8, 9, 10), (5.0, 5.0, 5.0))
    truth = 1.0 + np.linspace(0, 1, 720).reshape(grid.shape)
    body = np.ones(grid.shape, dtype=bool)
    row = voxel_row(truth, truth, np.full(grid.shape, 0.02), body, grid)
    assert row["rae"] == 0
    assert row["ssim"] == pytest.approx(1.0)
    assert row["gamma"] == 1.0
    assert row["noise"] == pytest.approx(0.016, abs=0.001)
    worse = voxel_row(1.1 * truth, truth, np.full(grid.shape, 0.02), body, grid)
    assert worse["rae"] == pytest.approx(0.1)
    assert isocenter_dose(truth.astype(np.float32)) > 0

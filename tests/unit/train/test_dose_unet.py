"""The dose U-Net from samples to a calibrated ensemble, on small made-up scans."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from milligray.dataset.folder import SetFolder
from milligray.dataset.kinds import Sample, per_value
from milligray.dataset.storage import write_sample
from milligray.errors import InputError
from milligray.learn.dose_unet import member_maps, predict_maps
from milligray.learn.ensemble import EnsembleDose
from milligray.learn.inputs.dose_unet_inputs import CHANNELS, DoseUnetInputs, GuessOptions
from milligray.learn.network import Network, open_network
from milligray.train.dose_unet.diameter_rule import DiameterRow, fit_diameter_rule
from milligray.train.dose_unet.organs import OrganResult, organ_results, temperature_of
from milligray.train.dose_unet.patches import DoseCase, PatchSet, read_case
from milligray.train.dose_unet.recipe import train_dose_unet
from milligray.train.dose_unet.samples import SampleFile, choose_samples
from milligray.train.dose_unet.study import run
from milligray.train.dose_unet.unet_fit import DoseUnetTraining
from milligray.train.modules.unet import DoseUnet, UnetConfig
from milligray.train.settings import FitSettings

SHAPE = (20, 24, 28)
OPTIONS = {
    "members": "2", "channels": "4,6,8", "coarsening": "2", "head": "4", "patches": "8",
    "patch": "16", "tile": "0", "precision": "float32",
}  # fmt: skip


def write_scan(root: Path, patient: str, split: str, *, kind: str = "real", seed: int = 0) -> Path:
    """A sample whose dose is a known function of its inputs, with noise of 2 %."""
    random = np.random.default_rng(seed)
    folder = SetFolder(root)
    folder.samples.mkdir(parents=True, exist_ok=True)
    y, x = np.meshgrid(np.arange(SHAPE[1]) - 11.5, np.arange(SHAPE[2]) - 13.5, indexing="ij")
    inside = (x / (10.0 + random.random() * 3)) ** 2 + (y / 9.0) ** 2 <= 1.0
    body = np.broadcast_to(inside, SHAPE).copy()
    density = np.where(body, 1.0, 0.0).astype(np.float32)
    density[:, 8:12, 8:12] = 1.4
    kerma = np.where(body, 4.0 + np.hypot(x, y) / 5.0, 0.0).astype(np.float32)
    kerma[:4] = 0.0
    dose = np.where(body, 3.0 * kerma * np.where(density > 1.2, 2.5, 1.0) + 2.0, 0.0)
    noisy = (dose * (1.0 + 0.02 * random.standard_normal(SHAPE))).astype(np.float32)
    labels = np.zeros(SHAPE, dtype=np.uint16)
    labels[6:16, 8:12, 8:12], labels[6:16, 10:14, 14:18] = 1, 2
    arrays = {
        "electron_density": per_value(density, "1", ""),
        "attenuation_map": per_value(kerma, "mGy", ""),
        "fitted_attenuation_map": per_value(kerma, "mGy", ""),
        "dose": per_value(noisy, "mGy", ""),
        "relative_uncertainty": per_value(np.full(SHAPE, 0.02), "1", ""),
        "body": per_value(body, "", "", np.uint8),
        "labels": per_value(labels, "", "", np.uint16),
        "organ_names": per_value(["mandible", "esophagus"], "", "", "S64"),
        "current_position": per_value([0.0, 4.0], "mm", "", np.float64),
        "relative_current": per_value([1.0, 1.0], "1", "", np.float64),
    }
    sample = Sample(
        arrays=arrays,
        attributes={
            "sample": f"{patient}_000", "patient": patient, "split": split, "seed": 1,
            "kind_of_anatomy": kind, "first_voxel_lps_mm": [0.0, 0.0, 0.0],
            "spacing_zyx_mm": [4.0, 4.0, 4.0], "scan_low_mm": 16.0, "scan_high_mm": 80.0,
            "half_value_layer_mm_al": 7.0 + random.random(), "tube_voltage_kv": 120.0,
            "reference_dose_mgy": 15.0, "ctdi_vol_mgy": 10.0, "phantom_diameter_mm": 320,
            "photons": 1e12,
        },
        statistics={},
    )  # fmt: skip
    path = folder.sample_file(f"{patient}_000")
    write_sample(sample, path)
    return path


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("set")
    for number in range(10):
        write_scan(root, f"p{number}", "train", seed=number)
    write_scan(root, "v", "validation", seed=90)
    write_scan(root, "t", "test", seed=91)
    return root


@pytest.fixture(scope="module")
def trained(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    settings = FitSettings(
        folder=out / "fit", epochs=3, patience=0, learning_rate=5e-3, batch_size=4, device="cpu"
    )
    return train_dose_unet((scans,), out, settings, OPTIONS)


def case_of(scans: Path, name: str = "v") -> DoseCase:
    return read_case(scans / "samples" / f"{name}_000.h5", "fitted", GuessOptions())


def test_the_network_begins_at_the_guess() -> None:
    for config in (UnetConfig(channels=(2, 3)), UnetConfig(channels=(2, 3), coarsening=2, head=3)):
        network = DoseUnet(config).eval()
        guess = torch.rand(1, 8, 8, 8) + 0.1
        with torch.no_grad():
            dose, log_variance = network(torch.randn(1, len(CHANNELS), 8, 8, 8), guess)
        bias = network.last.bias.detach()
        torch.testing.assert_close(dose, guess * torch.exp(bias[0]))
        torch.testing.assert_close(log_variance, bias[1] + 2.0 * torch.log(guess))
    assert float(bias[0]) == 0.0
    assert UnetConfig(channels=(2, 3, 4), coarsening=2).multiple == 8
    with pytest.raises(InputError, match="dropout"):
        UnetConfig(dropout=1.0)


def test_no_loss_is_below_that_of_the_truths_own_noise(scans: Path) -> None:
    """With the exact dose and no variance of its own, the floor is what is left."""
    batch = {k: v[None] for k, v in PatchSet([case_of(scans)], 1, edge=16, seed=0)[0].items()}
    module = DoseUnetTraining(UnetConfig(channels=(2, 3)), learning_rate=1e-3, steps=10)
    batch["dose"] = torch.ones_like(batch["dose"])
    found = {}
    for log_variance in (-30.0, -8.0, -4.0):
        module.forward = lambda _, guess, v=log_variance: (
            torch.ones_like(guess), torch.full_like(guess, v)
        )  # fmt: skip
        found[log_variance] = float(module._loss(batch))
    floor = batch["floor"][batch["body"] > 0]
    assert found[-30.0] == pytest.approx(float(torch.log(floor**2).mean()), rel=1e-3)
    assert found[-30.0] < found[-8.0] < found[-4.0]


def test_patches_are_cut_where_they_say_and_zero_outside(scans: Path) -> None:
    case = case_of(scans)
    patches = PatchSet([case], 4, edge=32, seed=3)
    one, again = patches[1], patches[1]
    assert one["channels"].shape == (len(CHANNELS), 32, 32, 32)
    assert torch.equal(one["dose"], again["dose"])
    assert int(one["body"].sum()) == int(case.body.sum())  # the whole small body is in it
    assert not one["dose"][one["body"] == 0].any()
    assert (one["guess"] > 0).all()
    turned = PatchSet([case], 8, edge=32, mirror="x")
    sides = [turned[i]["channels"][0] for i in range(8)]
    assert len({float((side * torch.arange(32)).sum()) for side in sides}) == 2


def test_a_case_is_normalized(scans: Path) -> None:
    case = case_of(scans)
    np.testing.assert_allclose(case.dose.mean() * case.scale_mgy, 13.5, rtol=0.2)
    assert case.organs == ("mandible", "esophagus")
    assert (case.floor >= 0.02 * case.dose - 1e-6).all()


def test_recipe_gives_an_ensemble_that_predicts(trained: Path, scans: Path) -> None:
    network = open_network(trained)
    card = network.card
    assert network.members == 2
    assert card.system == "dose-unet"
    assert card.data["patients"]["validation"] == ["v"]
    assert "t" not in card.data["patients"]["train"]
    assert card.normalization["temperature"] > 0
    assert sum(path.stat().st_size for path in trained.iterdir()) < 2e6
    case = case_of_card(scans, network, "t")
    found = predict_maps(network, inputs_of(case), case.body)
    assert not found.dose[~case.body].any()
    truth = case.dose * case.scale_mgy
    error = np.abs(found.dose[case.body] / truth[case.body] - 1.0)
    assert np.median(error) < 0.15
    np.testing.assert_allclose(found.total, np.hypot(found.aleatoric, found.epistemic), rtol=1e-5)


def case_of_card(scans: Path, network: Network, name: str) -> DoseCase:
    normalization = network.card.normalization
    guess = GuessOptions(
        weights=normalization["guess_weights"], log_tissue=normalization["log_tissue"]
    )
    return read_case(scans / "samples" / f"{name}_000.h5", "fitted", guess)


def inputs_of(case: DoseCase) -> DoseUnetInputs:
    return DoseUnetInputs(channels=case.channels, guess=case.guess, scale_mgy=case.scale_mgy)


def test_twice_the_scale_is_exactly_twice_the_dose(trained: Path, scans: Path) -> None:
    network = open_network(trained)
    case = case_of_card(scans, network, "t")
    one = predict_maps(network, inputs_of(case), case.body)
    two = predict_maps(network, replace(inputs_of(case), scale_mgy=2.0 * case.scale_mgy), case.body)
    np.testing.assert_array_equal(two.dose, 2.0 * one.dose)
    np.testing.assert_allclose(two.total, 2.0 * one.total, rtol=1e-6)


def test_tiles_agree_roughly_with_the_whole(trained: Path, scans: Path) -> None:
    network = open_network(trained)
    case = case_of_card(scans, network, "t")
    whole, _ = member_maps(network, inputs_of(case), case.body, 0)
    tiles, _ = member_maps(network, inputs_of(case), case.body, 0, tile=32)
    assert np.median(np.abs(tiles[case.body] / whole[case.body] - 1.0)) < 0.05


def test_an_interrupted_training_goes_on_to_the_same_weights(
    trained: Path, scans: Path, tmp_path: Path
) -> None:
    def settings(epochs: float, *, resume: bool = False) -> FitSettings:
        return FitSettings(
            folder=tmp_path / "fit", epochs=3, patience=0, learning_rate=5e-3, batch_size=4,
            device="cpu", resume=resume, max_minutes=epochs,
        )  # fmt: skip

    train_dose_unet((scans,), tmp_path, settings(1e-6), OPTIONS)
    again = train_dose_unet((scans,), tmp_path, settings(100.0, resume=True), OPTIONS)
    assert open_network(again).hash == open_network(trained).hash


def test_study_writes_its_tables(trained: Path, scans: Path, tmp_path: Path) -> None:
    run((scans,), tmp_path, {"networks": str(trained)})
    written = {path.name for path in tmp_path.iterdir()}
    assert written >= {"dose_unet.csv", "dose_unet_organs.csv", "dose_unet_tables.md"}
    assert "mandible" in (tmp_path / "dose_unet_tables.md").read_text()
    with pytest.raises(InputError, match="networks"):
        run((scans,), tmp_path, {})


def test_organs_are_means_by_mass_in_full_correlation(scans: Path) -> None:
    case = case_of(scans)
    truth = case.dose * case.scale_mgy
    sigma = 0.1 * truth
    found = EnsembleDose(dose=1.1 * truth, aleatoric=sigma, epistemic=0 * sigma, total=sigma)
    rows = {row.organ: row for row in organ_results(case, found)}
    place = case.labels == 1
    wanted = np.average(truth[place], weights=case.weight[place])
    assert rows["mandible"].truth == pytest.approx(wanted, rel=1e-5)
    assert rows["mandible"].total == pytest.approx(0.1 * wanted, rel=1e-5)
    assert rows["mandible"].score == pytest.approx(1.0, rel=1e-4)
    both = rows["mandible"].truth + rows["esophagus"].truth
    assert rows["summed organ dose"].total == pytest.approx(0.1 * both, rel=1e-5)
    assert rows["partial effective dose"].truth == pytest.approx(0.04 * rows["esophagus"].truth)


def result(score: float) -> OrganResult:
    return OrganResult(
        sample="s", patient="p", organ="larynx", truth=10.0, dose=10.0 + score, aleatoric=1.0,
        epistemic=0.0, total=1.0, share_scanned=1.0,
    )  # fmt: skip


def test_temperature_makes_two_deviations_cover() -> None:
    scores = np.linspace(-3.0, 3.0, 99)
    factor = temperature_of([result(float(score)) for score in scores])
    covered = np.abs(scores) <= 2.0 * factor
    assert covered.mean() == pytest.approx(0.9545, abs=0.02)
    with pytest.raises(InputError, match="calibrate"):
        temperature_of([])


def test_shares_of_real_samples_keep_patients_together() -> None:
    def files(n: int, *, is_synthetic: bool) -> list[SampleFile]:
        return [
            SampleFile(path=Path(f"{is_synthetic}{i}"), patient=f"{is_synthetic}{i // 2}",
                       split="train", is_synthetic=is_synthetic) for i in range(n)
        ]  # fmt: skip

    samples = [*files(40, is_synthetic=False), *files(36, is_synthetic=True)]
    assert all(not one.is_synthetic for one in choose_samples(samples, 1.0))
    assert all(one.is_synthetic for one in choose_samples(samples, 0.0))
    for share, n_real in ((0.1, 4), (0.2, 9)):
        real = [one for one in choose_samples(samples, share) if not one.is_synthetic]
        assert abs(len(real) - n_real) <= 1
        assert all(sum(o.patient == one.patient for o in real) == 2 for one in real)
    with pytest.raises(InputError, match="real_share"):
        choose_samples(samples, 1.5)


def test_the_rule_of_the_diameter_finds_its_law_again() -> None:
    rows = [
        DiameterRow(
            sample=f"s{i}", patient=f"p{i}", diameter_cm=12.0 + i, is_head_phantom=bool(i % 2),
            ctdi_vol_mgy=5.0 + i, share_scanned={"larynx": 0.5 + 0.05 * (i % 5)},
            dose_mgy={
                "larynx": (5.0 + i)
                * np.exp(1.0 - 0.04 * (12.0 + i) - 0.7 * (i % 2) + 0.5 + 0.05 * (i % 5))
            },
        )
        for i in range(12)
    ]  # fmt: skip
    rule = fit_diameter_rule(rows)
    np.testing.assert_allclose(rule.coefficients["larynx"], [1.0, 0.04, -0.7, 1.0], atol=1e-6)
    found = rule.predict(rows[:1])
    assert [row.organ for row in found] == ["larynx", "summed organ dose"]
    assert found[0].dose == pytest.approx(rows[0].dose_mgy["larynx"], rel=1e-6)

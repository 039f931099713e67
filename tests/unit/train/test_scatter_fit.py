"""The scatter network learns a known law, and its loss is least at the truth."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from milligray.learn.inputs.scatter_channels import CHANNELS
from milligray.train.fit import fit, seed_all
from milligray.train.modules.scatter_mlp import START, ScatterMlpConfig
from milligray.train.scatter_net.scatter_fit import (
    BLOCK,
    OF_TISSUE,
    ScatterBlocks,
    ScatterFit,
    as_batch,
)
from milligray.train.scatter_net.scatter_samples import ScatterSample, within_reach
from milligray.train.settings import FitSettings

SHAPE = (9, 12, 14)


def sample(seed: int, *, noise: float = 0.0, bone_ratio: float = 4.0) -> ScatterSample:
    """Scatter that is the guess times exp(0.3 of one channel), bone ratio as the primary's."""
    draw = np.random.default_rng(seed)
    channels = draw.normal(size=(len(CHANNELS), *SHAPE)).astype(np.float32)
    guess = draw.uniform(0.5, 2.0, SHAPE).astype(np.float32)
    soft = np.stack([draw.uniform(0.5, 1.0, SHAPE), draw.uniform(0.0, 0.1, SHAPE)])
    bone = np.stack([draw.uniform(0.0, 0.3, SHAPE), draw.uniform(0.1, 0.5, SHAPE)])
    absorbing = np.stack([soft, bone]).astype(np.float32)
    scatter = guess * np.exp(0.3 * np.clip(channels[0], -2, 2))
    primary = draw.uniform(0.2, 1.0, (2, *SHAPE)).astype(np.float32)
    of_scatter = scatter * absorbing[:, 0] + bone_ratio * scatter * absorbing[:, 1]
    energy = primary + of_scatter
    weight = np.ones((2, *SHAPE), dtype=np.float32)
    weight[:, :, :2] = 0.0
    return ScatterSample(
        channels=channels, guess=guess, absorbing=absorbing, primary_energy=primary,
        energy=(energy * (1 + noise * draw.normal(size=energy.shape))).astype(np.float32),
        sigma=np.maximum(noise * energy, 1e-4).astype(np.float32), weight=weight,
        bone_ratio=4.0, features=np.zeros(1), facts={},
    )  # fmt: skip


def config(blocks: ScatterBlocks) -> ScatterMlpConfig:
    center, scale = blocks.standardization()
    return ScatterMlpConfig(center=center, scale=scale, width=16)


def test_blocks_hold_the_cubes_of_the_scan_once() -> None:
    one = sample(1)
    blocks = ScatterBlocks([one])
    box = tuple(slice(0, n // BLOCK * BLOCK) for n in SHAPE)
    assert blocks.of_tissue.shape[1:] == (6, 2, BLOCK**3)
    energy = blocks.of_tissue[:, OF_TISSUE.index("energy")].sum(dim=(0, 2))
    wanted = one.energy[(slice(None), *box)].reshape(2, -1).sum(axis=1)
    np.testing.assert_allclose(energy.numpy(), wanted, rtol=1e-4)
    # a block's channels and doses are those of the same cubes
    flat = blocks.fields[..., 0].ravel()
    expected = {(round(float(c), 5), round(float(g), 5)) for c, g in zip(
        one.channels[0][box].ravel(), one.guess[box].ravel(), strict=True)}  # fmt: skip
    found = {(round(float(c), 5), round(float(g), 5)) for c, g in zip(
        flat, blocks.shared[:, 0].ravel(), strict=True)}  # fmt: skip
    assert found == expected


def test_blocks_without_a_known_dose_are_left_out() -> None:
    one = sample(1)
    one.weight[:, :, :, :8] = 0.0
    assert len(ScatterBlocks([one])) == 2 * 3 * 1


def test_it_learns_a_law_of_its_channels(tmp_path: Path) -> None:
    train, judge = ScatterBlocks([sample(i) for i in range(40)]), ScatterBlocks([sample(99)])
    seed_all(1)
    loader = DataLoader(train, batch_size=16, shuffle=True, collate_fn=as_batch)
    module = ScatterFit(config(train), 1e-2, 8 * len(loader))
    before = module.losses(judge[:])
    fitted = fit(
        module, loader, DataLoader(judge, batch_size=64, collate_fn=as_batch),
        FitSettings(folder=tmp_path, epochs=8, patience=0, learning_rate=1e-2, batch_size=16,
                    device="cpu"),
    )  # fmt: skip
    with torch.no_grad():
        after = module.losses(judge[:])
    assert fitted.epochs == 8
    assert float(after["voxel_error"]) < 0.25 * float(before["voxel_error"])
    assert float(after["block_error"]) < 0.5 * float(before["block_error"])


def test_soft_tissue_and_bone_of_a_cube_tell_the_bone_ratio(tmp_path: Path) -> None:
    train = ScatterBlocks([sample(i, bone_ratio=5.0) for i in range(30)])
    seed_all(1)
    loader = DataLoader(train, batch_size=16, shuffle=True, collate_fn=as_batch)
    module = ScatterFit(config(train), 1e-2, 8 * len(loader))
    settings = FitSettings(folder=tmp_path, epochs=8, patience=0, learning_rate=1e-2,
                           batch_size=16, device="cpu")  # fmt: skip
    fit(module, loader, DataLoader(train, batch_size=64, collate_fn=as_batch), settings)
    with torch.no_grad():
        log_bone = module.network(train.fields)[..., 1]
    # the sum of the two alone would not: more scatter and less bone give the same
    assert float(log_bone.mean()) == pytest.approx(np.log(5.0 / 4.0), abs=0.02)


def test_the_variance_does_not_move_the_dose() -> None:
    blocks = ScatterBlocks([sample(1, noise=0.05)])
    module = ScatterFit(config(blocks), 1e-3, 10)
    module.losses(blocks[:])["loss"].backward()
    last = module.network.layers[-1]
    with_variance = last.bias.grad[:2].clone()
    module.zero_grad()
    with torch.no_grad():
        last.bias[2] += 4.0
    module.losses(blocks[:])["loss"].backward()
    torch.testing.assert_close(last.bias.grad[:2], with_variance)


def test_an_untrained_network_is_nearly_the_guess() -> None:
    blocks = ScatterBlocks([sample(1)])
    module = ScatterFit(config(blocks), 1e-3, 10)
    with torch.no_grad():
        found = module.network(blocks.fields)
    assert torch.abs(found - torch.tensor(START)).max() < 0.3


def test_cubes_far_from_the_beam_can_be_left_out() -> None:
    one = sample(1)
    one.primary_energy[:, 4:] = 0.0  # slices 0 to 3 are lit
    near = within_reach(one, 16.0)
    kept = near.weight.sum(axis=(0, 2, 3)) > 0
    assert kept.tolist() == [True] * 6 + [False] * 3
    np.testing.assert_array_equal(near.weight[:, :6], one.weight[:, :6])

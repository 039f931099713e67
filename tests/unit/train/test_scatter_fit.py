"""The scatter network learns a known law, and its loss is least at the truth."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from milligray.learn.inputs.scatter_channels import CHANNELS
from milligray.train.fit import fit, seed_all
from milligray.train.modules.scatter_mlp import START, ScatterMlpConfig
from milligray.train.scatter_net.scatter_fit import BLOCK, ScatterBlocks, ScatterFit, as_batch
from milligray.train.scatter_net.scatter_samples import ScatterSample
from milligray.train.settings import FitSettings

SHAPE = (9, 12, 14)


def sample(seed: int, *, noise: float = 0.0) -> ScatterSample:
    """Scatter that is the guess times exp(0.3 of one channel), bone ratio as the primary's."""
    draw = np.random.default_rng(seed)
    channels = draw.normal(size=(len(CHANNELS), *SHAPE)).astype(np.float32)
    guess = draw.uniform(0.5, 2.0, SHAPE).astype(np.float32)
    primary = draw.uniform(0.2, 1.0, (2, *SHAPE)).astype(np.float32)
    absorbing = np.stack([draw.uniform(0.5, 1.0, SHAPE), draw.uniform(0.0, 0.3, SHAPE)])
    scatter = guess * np.exp(0.3 * np.clip(channels[0], -2, 2))
    energy = (absorbing * (primary + np.stack([scatter, 4.0 * scatter]))).sum(axis=0)
    weight = np.ones(SHAPE, dtype=np.float32)
    weight[:, :2] = 0.0
    return ScatterSample(
        channels=channels, primary=primary, guess=guess, absorbing=absorbing.astype(np.float32),
        energy=(energy * (1 + noise * draw.normal(size=SHAPE))).astype(np.float32),
        sigma=np.maximum(noise * energy, 1e-4).astype(np.float32),
        mass=np.ones(SHAPE, dtype=np.float32), weight=weight, bone_ratio=4.0, facts={},
    )  # fmt: skip


def config(blocks: ScatterBlocks) -> ScatterMlpConfig:
    center, scale = blocks.standardization()
    return ScatterMlpConfig(center=center, scale=scale, width=16)


def test_blocks_hold_the_cubes_of_the_scan_once() -> None:
    one = sample(1)
    blocks = ScatterBlocks([one])
    box = tuple(slice(0, n // BLOCK * BLOCK) for n in SHAPE)
    assert blocks.auxiliary.shape[1:] == (9, BLOCK**3)
    assert float(blocks.auxiliary[:, 5].sum()) == pytest.approx(float(one.energy[box].sum()))
    # a block's channels and doses are those of the same cubes
    flat = blocks.fields[..., 0].ravel()
    expected = {(round(float(c), 5), round(float(g), 5)) for c, g in zip(
        one.channels[0][box].ravel(), one.guess[box].ravel(), strict=True)}  # fmt: skip
    found = {(round(float(c), 5), round(float(g), 5)) for c, g in zip(
        flat, blocks.auxiliary[:, 2].ravel(), strict=True)}  # fmt: skip
    assert found == expected


def test_blocks_without_a_known_dose_are_left_out() -> None:
    one = sample(1)
    one.weight[:, :, :8] = 0.0
    assert len(ScatterBlocks([one])) == 2 * 3 * 1


def test_it_learns_a_law_of_its_channels(tmp_path: Path) -> None:
    train, judge = ScatterBlocks([sample(i) for i in range(40)]), ScatterBlocks([sample(99)])
    seed_all(1)
    loader = DataLoader(train, batch_size=16, shuffle=True, collate_fn=as_batch)
    module = ScatterFit(config(train), 1e-2, 8 * len(loader))
    before = module._losses(judge[:])
    fitted = fit(
        module, loader, DataLoader(judge, batch_size=64, collate_fn=as_batch),
        FitSettings(folder=tmp_path, epochs=8, patience=0, learning_rate=1e-2, batch_size=16,
                    device="cpu"),
    )  # fmt: skip
    with torch.no_grad():
        after = module._losses(judge[:])
    assert fitted.epochs == 8
    assert float(after["voxel_error"]) < 0.25 * float(before["voxel_error"])
    assert float(after["block_error"]) < 0.5 * float(before["block_error"])


def test_the_variance_does_not_move_the_dose() -> None:
    blocks = ScatterBlocks([sample(1, noise=0.05)])
    module = ScatterFit(config(blocks), 1e-3, 10)
    module._losses(blocks[:])["loss"].backward()
    last = module.network.layers[-1]
    with_variance = last.bias.grad[:2].clone()
    module.zero_grad()
    with torch.no_grad():
        last.bias[2] += 4.0
    module._losses(blocks[:])["loss"].backward()
    torch.testing.assert_close(last.bias.grad[:2], with_variance)


def test_an_untrained_network_is_nearly_the_guess() -> None:
    blocks = ScatterBlocks([sample(1)])
    module = ScatterFit(config(blocks), 1e-3, 10)
    with torch.no_grad():
        found = module.network(blocks.fields)
    assert torch.abs(found - torch.tensor(START)).max() < 0.3

"""What the channels of scatter-net are worth: short fits, all alike, each without some of them.

python tools/ablate_scatter_net.py --cache DIR --out FOLDER [--epochs 15] SET...

Every fit is one member with the same seed, on the training patients of the sets; the table holds
its mean absolute errors in cubes and in blocks of the validation patients, best epoch. Prepared
samples are kept in the cache, as `milligray train scatter-net` does.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from milligray.evaluate.table import Column, Table, write_tables
from milligray.learn.inputs.scatter_channels import CHANNELS
from milligray.train.fit import seed_all
from milligray.train.modules.scatter_mlp import ScatterMlpConfig
from milligray.train.scatter_net.recipe import DEFAULTS, fit_member, hiding
from milligray.train.scatter_net.scatter_fit import ScatterBlocks, ScatterFit, as_batch
from milligray.train.scatter_net.scatter_samples import prepare_samples
from milligray.train.settings import FitSettings

SMEARED_MATTER = tuple(
    name for name in CHANNELS if name.endswith("_mm") and not name.startswith(("first", "light"))
)
VARIANTS: dict[str, tuple[str, ...]] = {
    "all channels": (),
    "without second and third scatter": ("second", "third"),
    "without smeared tissues and body": SMEARED_MATTER,
    "without the smeared primary (first, light)": ("first", "light", "log_first"),
    "without beam (mean energy, bone ratio, hardness)": ("mean_energy", "bone_ratio", "hardness"),
}


def main() -> None:
    """Fit all variants and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, judge = (
        ScatterBlocks(prepare_samples(tuple(options.sets), options.cache, (split,)))
        for split in ("train", "validation")
    )
    center, scale = train.standardization()
    config = ScatterMlpConfig(center=center, scale=scale)
    rows = [{"variant": "guess, no network"} | of_guess(judge, config)]
    for number, (variant, words) in enumerate(VARIANTS.items()):
        settings = FitSettings(
            folder=options.out / f"fit_{number}", epochs=options.epochs, patience=0,
            learning_rate=float(DEFAULTS["learning_rate"]),
            batch_size=int(DEFAULTS["batch_size"]), device="cpu",
        )  # fmt: skip
        _, fitted = fit_member(train, judge, settings, replace(config, scale=hiding(scale, words)))
        best = fitted.history[fitted.best_epoch - 1]
        rows.append({
            "variant": variant, "cubes": best["val_voxel_error"],
            "blocks": best["val_block_error"], "loss": best["val_loss"],
        })  # fmt: skip
        print(rows[-1], flush=True)
    table = Table(
        name="ablation", title=f"Validation patients, one member of {options.epochs} epochs",
        columns=(
            Column(key="variant", title="channels", kind="text"),
            Column(key="cubes", title="error of cubes [%]", kind="percent"),
            Column(key="blocks", title="error of blocks [%]", kind="percent"),
            Column(key="loss", title="loss", digits=3),
        ),
        rows=tuple(rows),
    )  # fmt: skip
    write_tables((table,), options.out)


def of_guess(blocks: ScatterBlocks, config: ScatterMlpConfig) -> dict[str, float]:
    """Errors of a network that was not fitted: the guess times a constant."""
    seed_all(1)
    module = ScatterFit(config, 1e-3, 1)
    torch.nn.init.zeros_(module.network.layers[-1].weight)  # type: ignore[union-attr, index]
    total = {"cubes": 0.0, "blocks": 0.0, "loss": 0.0}
    with torch.no_grad():
        for batch in DataLoader(blocks, batch_size=512, collate_fn=as_batch):
            found = module.losses(batch)
            for key, name in (("cubes", "voxel_error"), ("blocks", "block_error"),
                              ("loss", "loss")):  # fmt: skip
                total[key] += float(found[name]) * len(batch[0]) / len(blocks)
    return total


if __name__ == "__main__":
    main()

"""Recipe of scatter-net: ensemble of small networks that correct the guess of the scatter."""

import csv
import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from milligray.dataset.reader import open_set
from milligray.errors import InputError
from milligray.learn.card import ArraySpec, ModelCard, Validity, write_card
from milligray.learn.domain import fit_domain
from milligray.learn.inputs.scatter_channels import CHANNELS, GUESS_WEIGHTS
from milligray.learn.network import file_sha256, open_network
from milligray.learn.predictors.scatter_net import feature_names
from milligray.train.export import export_onnx
from milligray.train.fit import Fitted, fit, seed_all
from milligray.train.modules.scatter_mlp import ScatterMlpConfig
from milligray.train.recipes import recipe
from milligray.train.scatter_net.calibration import calibrated
from milligray.train.scatter_net.scatter_fit import ScatterBlocks, ScatterFit, as_batch
from milligray.train.scatter_net.scatter_samples import (
    ScatterSample,
    prepare_samples,
    within_reach,
)
from milligray.train.settings import FitSettings

SYSTEM = "scatter-net"
OPTIONS = {
    "name": "name of the network (scatter-net-head-neck)",
    "region": "body region of the patients: head_neck or torso (head_neck)",
    "members": "members of the ensemble (5)",
    "width": "units of the hidden layers (64)",
    "without": "first words of channels that are hidden from the network, for ablations",
    "reach_mm": "cubes count up to so far beyond the beam along z (all that the sets hold)",
    "also": "a further set, of whose patients only those of training serve, and only the fit",
    "cache": "folder of prepared samples (OUT/cache)",
}
DEFAULTS = {"epochs": 30, "patience": 0, "learning_rate": 3e-3, "batch_size": 128}
REGIONS = {
    "head_neck": ("head_neck",),
    "torso": ("chest", "abdomen", "pelvis", "chest+abdomen", "abdomen+pelvis", "chest+pelvis",
              "chest+abdomen+pelvis"),
}  # fmt: skip
"""Regions of labelled organs (`milligray.segment.regions.region_of_organs`) of an option."""
_VANISHING = 1e30


@recipe(
    SYSTEM,
    title="primary beam by ray tracing + small network for the scattered photons",
    network="scatter-net-head-neck",
    options=OPTIONS,
    defaults=DEFAULTS,
)
def train_scatter_net(
    sets: tuple[Path, ...], out: Path, settings: FitSettings, options: Mapping[str, str]
) -> Path:
    """Fit, export and describe the network.

    Parameters
    ----------
    sets : tuple of Path
        Of kind dose-maps.
    out : Path
    settings : FitSettings
    options : mapping
        `OPTIONS`.

    Returns
    -------
    Path
        Folder of the network, ``out / name``.
    """
    if options.get("region", "head_neck") not in REGIONS:
        raise InputError(f"region must be {' or '.join(REGIONS)}, got {options['region']!r}")
    name = options.get("name", "scatter-net-head-neck")
    target = out / name
    target.mkdir(parents=True, exist_ok=True)
    cache = Path(options.get("cache", out / "cache"))
    train = prepare_samples(sets, cache, ("train",))
    validation = prepare_samples(sets, cache, ("validation",))
    if not train or not validation:
        raise InputError("the sets need finished samples of training and of validation patients")
    train += prepare_samples(_further(options), cache, ("train",))
    if "reach_mm" in options:
        reach_mm = float(options["reach_mm"])
        train = [within_reach(sample, reach_mm) for sample in train]
        validation = [within_reach(sample, reach_mm) for sample in validation]
    blocks = ScatterBlocks(train), ScatterBlocks(validation)
    center, scale = blocks[0].standardization()
    hidden = tuple(word for word in options.get("without", "").split(",") if word)
    config = ScatterMlpConfig(
        center=center, scale=hiding(scale, hidden), width=int(options.get("width", "64"))
    )
    fits: list[Fitted] = []
    for member in range(int(options.get("members", "5"))):
        one = replace(
            settings, seed=settings.seed + member, folder=settings.folder / f"member_{member}"
        )
        module, fitted = fit_member(*blocks, one, config)
        fits.append(fitted)
        _export(module, blocks[0], target / f"member_{member}.onnx")
        _write_history(fitted, target / f"history_{member}.csv")
    card = _card(name, target, sets, options, settings, fits, (train, validation))
    write_card(card, target)
    write_card(calibrated(card, open_network(target), sets), target)
    return target


def hiding(scale: tuple[float, ...], words: tuple[str, ...]) -> tuple[float, ...]:
    """Scales that make the channels of these first words vanish."""
    for word in words:
        if not any(name.startswith(word) for name in CHANNELS):
            raise InputError(f"no channel begins with {word!r}; there are {', '.join(CHANNELS)}")
    return tuple(
        _VANISHING if name.startswith(words) and words else value
        for name, value in zip(CHANNELS, scale, strict=True)
    )


def fit_member(
    train: ScatterBlocks,
    validation: ScatterBlocks,
    settings: FitSettings,
    config: ScatterMlpConfig,
) -> tuple[ScatterFit, Fitted]:
    """Fit one member of the ensemble."""
    torch.set_num_threads(settings.threads)
    seed_all(settings.seed)
    loader = DataLoader(
        train, batch_size=settings.batch_size, shuffle=True, collate_fn=as_batch, drop_last=True
    )
    judge = DataLoader(validation, batch_size=512, collate_fn=as_batch)
    module = ScatterFit(config, settings.learning_rate, settings.epochs * len(loader))
    return module, fit(module, loader, judge, settings)


def _export(module: ScatterFit, blocks: ScatterBlocks, path: Path) -> None:
    axes = {0: "cubes"}
    export_onnx(
        module.network, {"fields": blocks.fields[0]}, path, output_names=["correction"],
        dynamic_axes={"fields": axes, "correction": axes},
    )  # fmt: skip


def _card(
    name: str,
    target: Path,
    sets: tuple[Path, ...],
    options: Mapping[str, str],
    settings: FitSettings,
    fits: list[Fitted],
    samples: tuple[list[ScatterSample], list[ScatterSample]],
) -> ModelCard:
    files = {path.name: file_sha256(path) for path in sorted(target.glob("member_*.onnx"))}
    train, validation = samples
    kv = sorted({float(s.facts["tube_voltage_kv"]) for s in train})
    both = [*train, *validation]
    return ModelCard(
        name=name, version=importlib.metadata.version("milligray"), system=SYSTEM,
        title="CT dose: primary beam by ray tracing, scatter by a small network",
        license="Apache-2.0", files=files, members=tuple(files),
        inputs=(ArraySpec(
            name="fields", shape=("cubes", len(CHANNELS)), unit="",
            description=f"cubes of 8 mm: {', '.join(CHANNELS)}",
        ),),
        outputs=(ArraySpec(
            name="correction", shape=("cubes", 3), unit="",
            description="log of scatter over guess, of bone ratio over the primary's, of variance",
        ),),
        normalization={
            "guess_weights": GUESS_WEIGHTS, "voxel_size_mm": 4.0, "regrid": True,
            "taught_mm": min(
                float(options.get("reach_mm", "inf")),
                *(float(open_set(p).manifest["settings"]["margin_mm"]) for p in sets),
            ),
        },
        validity=Validity(
            ranges={"tube_voltage_kv": (kv[0], kv[-1]), "pixel_size_mm": (0.3, 6.0)},
            allowed={"body_region": REGIONS[options.get("region", "head_neck")]},
            limits=("the start angle of a helix is averaged over",),
        ),
        domain=fit_domain(
            np.stack([s.features for s in both]), feature_names(),
            groups=[str(s.facts["patient"]) for s in both],
        ),
        data={
            "sets": [_about(path) for path in (*sets, *_further(options))],
            "patients": {
                "train": sorted({str(s.facts["patient"]) for s in train}),
                "validation": sorted({str(s.facts["patient"]) for s in validation}),
            },
            "samples": {"train": len(train), "validation": len(validation)},
        },
        training={
            "command": "milligray train scatter-net --data SET... --out DIR"
            f" --epochs {settings.epochs}"
            + "".join(
                f" --option {k}={'SET' if k == 'also' else v}"
                for k, v in options.items() if k != "cache"
            ),
            "settings": settings.document(), "members": [f.document() for f in fits],
            "versions": {p: importlib.metadata.version(p) for p in ("torch", "pytorch-lightning")}
            | {"python": sys.version.split()[0]},
            "hardware": f"{platform.machine()}, {settings.threads} thread(s)",
        },
        notes=("not for clinical decisions",),
    )  # fmt: skip


def _further(options: Mapping[str, str]) -> tuple[Path, ...]:
    return (Path(options["also"]),) if "also" in options else ()


def _about(path: Path) -> dict[str, Any]:
    manifest = open_set(path).manifest
    return {
        "name": path.name, "kind": manifest["kind"], "settings": manifest["settings"],
        "sha256": manifest.get("set_sha256"),
    }  # fmt: skip


def _write_history(fitted: Fitted, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(fitted.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(fitted.history)

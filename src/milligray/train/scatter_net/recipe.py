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

from milligray.dataset.reader import TrainingSet, open_set
from milligray.errors import InputError
from milligray.learn.card import ArraySpec, ModelCard, Validity, write_card
from milligray.learn.domain import fit_domain
from milligray.learn.inputs.scatter_channels import CHANNELS, GUESS_WEIGHTS
from milligray.learn.inputs.scatter_inputs import scatter_inputs
from milligray.learn.network import Network, file_sha256, open_network
from milligray.learn.predictors.scatter_net import (
    domain_features,
    predict_scatter,
    share_beyond,
)
from milligray.train.export import export_onnx
from milligray.train.fit import Fitted, fit, seed_all
from milligray.train.modules.scatter_mlp import ScatterMlpConfig
from milligray.train.recipes import recipe
from milligray.train.scatter_net.scatter_fit import ScatterBlocks, ScatterFit, as_batch
from milligray.train.scatter_net.scatter_samples import ScatterSample, open_sample, prepare_samples
from milligray.train.settings import FitSettings

SYSTEM = "scatter-net"
OPTIONS = {
    "name": "name of the network (scatter-net-head-neck)",
    "region": "body region of the patients (head_neck)",
    "members": "members of the ensemble (5)",
    "width": "units of the hidden layers (64)",
    "without": "first words of channels that are hidden from the network, for ablations",
    "cache": "folder of prepared samples (OUT/cache)",
}
DEFAULTS = {"epochs": 30, "patience": 0, "learning_rate": 3e-3, "batch_size": 128}
TEMPERATURE_LEVEL = 0.95
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
    name = options.get("name", "scatter-net-head-neck")
    target = out / name
    target.mkdir(parents=True, exist_ok=True)
    cache = Path(options.get("cache", out / "cache"))
    train = prepare_samples(sets, cache, ("train",))
    validation = prepare_samples(sets, cache, ("validation",))
    if not train or not validation:
        raise InputError("the sets need finished samples of training and of validation patients")
    blocks = ScatterBlocks(train), ScatterBlocks(validation)
    center, scale = blocks[0].standardization()
    hidden = tuple(word for word in options.get("without", "").split(",") if word)
    config = ScatterMlpConfig(
        center=center, scale=_hiding(scale, hidden), width=int(options.get("width", "64"))
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


def _hiding(scale: tuple[float, ...], words: tuple[str, ...]) -> tuple[float, ...]:
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
    rows = [_features(path, split) for path in sets for split in ("train", "validation")]
    values = np.concatenate([row[1] for row in rows if len(row[1])])
    groups = np.concatenate([row[2] for row in rows if len(row[1])])
    names = rows[0][0]
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
        normalization={"guess_weights": GUESS_WEIGHTS, "voxel_size_mm": 4.0, "regrid": True},
        validity=Validity(
            ranges={"tube_voltage_kv": (kv[0], kv[-1]), "pixel_size_mm": (0.3, 6.0)},
            allowed={"body_region": (options.get("region", "head_neck"),)},
            limits=("the start angle of a helix is averaged over",),
        ),
        domain=fit_domain(values, names, groups=list(groups)),
        data={
            "sets": [_about(path) for path in sets],
            "patients": {
                "train": sorted({str(s.facts["patient"]) for s in train}),
                "validation": sorted({str(s.facts["patient"]) for s in validation}),
            },
            "samples": {"train": len(train), "validation": len(validation)},
        },
        training={
            "command": "milligray train scatter-net --data SET... --out DIR"
            + "".join(f" --option {k}={v}" for k, v in options.items() if k != "cache"),
            "settings": settings.document(), "members": [f.document() for f in fits],
            "versions": {p: importlib.metadata.version(p) for p in ("torch", "pytorch-lightning")}
            | {"python": sys.version.split()[0]},
            "hardware": f"{platform.machine()}, {settings.threads} thread(s)",
        },
        notes=("not for clinical decisions",),
    )  # fmt: skip


def _features(path: Path, split: str) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Domain features of a split's scans, with their patients."""
    training = open_set(path)
    names: tuple[str, ...] = ()
    values, groups = [], []
    for sample in training.samples(split):
        scan, stored = open_sample(training, sample)
        names, one = domain_features(scatter_inputs(scan))
        values.append(one)
        groups.append(str(stored.attributes["patient"]))
    return names, np.array(values).reshape(len(values), -1), np.array(groups)


def calibrated(card: ModelCard, network: Network, sets: tuple[Path, ...]) -> ModelCard:
    """Card with what was seen on organs whose doses took no part in the fit.

    Notes
    -----
    ``organ_temperature`` makes k = 2 cover 95 % of the organs of validation patients within reach
    of the training (`share_beyond` 0); ``relative_error_beyond`` is the root mean square
    error of organs wholly beyond it, of all patients, since no cube there was ever in a loss.
    """
    rows = []
    for path in sets:
        training = open_set(path)
        for split in ("train", "validation"):
            for sample in training.samples(split):
                rows += [row | {"split": split} for row in judged_sample(training, sample, network)]
    beyond = np.array([row["relative_error"] for row in rows if row["beyond"] > 0.9])
    near = [row for row in rows if row["split"] == "validation" and row["beyond"] == 0.0]
    scores = np.abs([row["score"] for row in near])
    temperature = float(np.quantile(scores, TEMPERATURE_LEVEL) / 2.0)
    errors = np.array([row["relative_error"] for row in near])
    metrics = {
        "validation organs": [{
            "organs": len(near), "mean_absolute_relative_error": float(np.abs(errors).mean()),
            "bias": float(errors.mean()), "beyond_organs": int(beyond.size),
        }]
    }  # fmt: skip
    outside = float(np.sqrt(np.mean(beyond**2))) if beyond.size else 1.0
    return replace(
        card, metrics=metrics,
        normalization=dict(card.normalization)
        | {"organ_temperature": temperature, "relative_error_beyond": outside},
    )  # fmt: skip


def judged_sample(training: TrainingSet, name: str, network: Network) -> list[dict[str, Any]]:
    """Predicted and true doses of a sample's organs, one row an organ.

    Returns
    -------
    list of dict
        ``sample, patient, organ, volume_ml, dose_mgy, truth_mgy, truth_sigma, relative_error,
        total, aleatoric, epistemic, score, beyond``; score is the error over the combined
        deviation, beyond the `share_beyond` of the organ.
    """
    scan, sample = open_sample(training, name)
    found = predict_scatter(scan, network)
    names = [n.decode() for n in sample.arrays["organ_names"].values]
    truth = dict(zip(names, sample.arrays["organ_dose"].values, strict=True))
    noise = dict(zip(names, sample.arrays["organ_relative_uncertainty"].values, strict=True))
    volume = dict(zip(names, sample.arrays["organ_volume"].values, strict=True))
    beyond = share_beyond(scan)
    rows = []
    for i, organ in enumerate(found.names):
        dose, true = float(found.mean_dose_mgy[i]), float(truth[organ])
        sigma = float(np.hypot(found.total[i] * dose, noise[organ] * true))
        rows.append({
            "sample": name, "patient": str(sample.attributes["patient"]), "organ": organ,
            "volume_ml": float(volume[organ]), "dose_mgy": dose, "truth_mgy": true,
            "truth_sigma": float(noise[organ]), "relative_error": dose / true - 1.0,
            "total": float(found.total[i]), "aleatoric": float(found.aleatoric[i]),
            "epistemic": float(found.epistemic[i]), "score": (dose - true) / sigma,
            "beyond": float(beyond[i]),
        })  # fmt: skip
    return rows


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

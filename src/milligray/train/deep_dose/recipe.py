"""Recipe of deep-dose: a dilated residual network for the dose of positions of the tube."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from milligray.dataset.folder import SetFolder
from milligray.dataset.storage import read_document
from milligray.errors import InputError
from milligray.exam.manifest import package_version
from milligray.learn.card import ArraySpec, ModelCard, Validity, write_card
from milligray.learn.domain import InputDomain, fit_domain
from milligray.learn.position_superposition import SuperpositionSettings
from milligray.learn.predictors.deep_dose import SYSTEM, even_sized, position_features
from milligray.train.deep_dose.position_data import (
    Position,
    PositionSet,
    position_files,
)
from milligray.train.deep_dose.position_fit import DeepDoseTraining
from milligray.train.deep_dose.position_store import stored_positions
from milligray.train.deep_dose.position_view import view_of
from milligray.train.export import export_onnx
from milligray.train.fit import Fitted, fit, seed_all
from milligray.train.loop import BEST, write_history
from milligray.train.modules.dilated_resnet import DilatedResnetConfig
from milligray.train.output import file_hashes, training_document
from milligray.train.recipes import recipe
from milligray.train.settings import FitSettings

NETWORK = "deep-dose.onnx"
REFERENCES = (
    "Salimi et al., Eur Radiol 33 (2023) 9411",
    "SINFONIA deliverable D2.2 (2023)",
)
OPTIONS = {
    "name": "name of the network (deep-dose-head-neck)",
    "region": "body region of the patients (head_neck)",
    "inputs": "traced (primary beam and smeared scatter) or cylinder (as published) (traced)",
    "folded": "yes: eight voxels to a cube, an eighth of the time; no: as published (yes)",
    "channels": "channels at dilation 1, 2 and 4 (16,16,16)",
    "crop": "depth and lateral voxels of a training crop, or none: whole, one a batch (none)",
    "repeats": "of each position in an epoch (1)",
    "cache": "folder of prepared positions (OUT/cache)",
    "init": "folder of a fit (with best.ckpt) whose weights are the first ones: fine-tuning",
    "organ_relative_rms": "organ uncertainty (k = 1) from a study of validation patients (0.1)",
}
DEFAULTS = {"epochs": 30, "patience": 0, "learning_rate": 2e-3, "batch_size": 1}


@recipe(
    SYSTEM,
    title="density, water-cylinder dose and correction factor -> dose of a position of the tube",
    options=OPTIONS,
    defaults=DEFAULTS,
)
def train_deep_dose(
    sets: tuple[Path, ...], out: Path, settings: FitSettings, options: Mapping[str, str]
) -> Path:
    """Fit, export and describe the network.

    Parameters
    ----------
    sets : tuple of Path
        Of kind source-positions, of one beam quality.
    out : Path
    settings : FitSettings
    options : mapping
        `OPTIONS`.

    Returns
    -------
    Path
        Folder of the network, ``out / name``.
    """
    name = options.get("name", "deep-dose-head-neck")
    target = out / name
    inputs, _, channels = view_of(options)
    check_options(options, settings)
    positions = load_positions(sets, options, cache=Path(options.get("cache", out / "cache")))
    target.mkdir(parents=True, exist_ok=True)
    module, fitted = fit_positions(positions["train"], positions["validation"], settings, options)
    example = torch.from_numpy(even_sized(positions["validation"][0].channels)[None])
    axes = {0: "batch", 2: "z", 3: "depth", 4: "lateral"}
    difference = export_onnx(
        module.network, {"position": example}, target / NETWORK, output_names=["correction"],
        dynamic_axes={"position": axes, "correction": axes},
    )  # fmt: skip
    write_history([dict(row) for row in fitted.history], target / "history.csv")
    about = _about(sets)
    write_card(
        ModelCard(
            name=name, version=package_version("milligray"), system=SYSTEM,
            title="CT dose from positions of the tube: dilated residual network of 20 layers",
            license="Apache-2.0", files=file_hashes(target), members=(NETWORK,),
            inputs=(ArraySpec(
                name="position", shape=("batch", len(channels), "z", "depth", "lateral"), unit="",
                description=f"cubes of 5 mm, tube before row 0: {', '.join(channels)}",
            ),),
            outputs=(ArraySpec(
                name="correction", shape=("batch", 2, "z", "depth", "lateral"), unit="",
                description="ln of the guess's correction, and of that of its share of bone",
            ),),
            normalization={
                "inputs": inputs,
                "slab_shape": about["slab_shape"], "voxel_size_mm": about["voxel_size_mm"],
                "superposition": asdict(SuperpositionSettings()),
                "organ_relative_rms": float(options.get("organ_relative_rms", "0.1")),
            },
            validity=Validity(
                allowed={
                    "tube_voltage_kv": tuple(about["tube_voltage_kv"]),
                    "scanner": tuple(about["scanner"]), "bowtie": tuple(about["bowtie"]),
                    "collimation_mm": tuple(about["collimation_mm"]),
                    "body_region": (options.get("region", "head_neck"),),
                },
                limits=("the start angle of a helix is averaged over",),
            ),
            domain=_domain([*positions["train"], *positions["validation"]], channels),
            data={
                "sets": [path.name for path in sets],
                "patients": {
                    split: sorted({one.patient for one in positions[split]})
                    for split in ("train", "validation")
                },
                "positions": {split: len(positions[split]) for split in ("train", "validation")},
                "relative_uncertainty_of_truth": float(
                    np.mean([one.uncertainty[one.body].mean() for one in positions["train"]])
                ),
            },
            training=training_document(
                settings, {"network": fitted.document()},
                options={
                    key: Path(value).name if key == "init" else value
                    for key, value in options.items() if key != "cache"
                },
                network=asdict(config_of(options)), onnx_difference=difference,
            ),
            metrics={"validation positions": [_best(fitted)]},
            references=REFERENCES, notes=("not for clinical decisions",),
        ),
        target,
    )  # fmt: skip
    return target


def _best(fitted: Fitted) -> dict[str, float]:
    """What the shipped epoch reached on positions of validation patients."""
    row = min(fitted.history, key=lambda one: float(one["val_loss"]))
    return {
        "loss": float(row["val_loss"]),
        "mean_absolute_error_over_mean_dose": float(row["val_error"]),
    }


def load_positions(
    sets: Sequence[Path], options: Mapping[str, str], *, cache: Path | None = None
) -> dict[str, list[Position]]:
    """Positions of training and validation patients; those of test patients are never read."""
    name, view, _ = view_of(options)
    found: dict[str, list[Position]] = {"train": [], "validation": []}
    for path in position_files(sets):
        split = read_document(path)["attributes"]["split"]
        if split in found:
            found[split] += stored_positions(path, name, view, cache)
    for split, positions in found.items():
        if not positions:
            raise InputError(f"the sets hold no position of a {split} patient")
    return found


def fit_positions(
    train: Sequence[Position],
    validation: Sequence[Position],
    settings: FitSettings,
    options: Mapping[str, str],
) -> tuple[DeepDoseTraining, Fitted]:
    """Fit a network to positions, from the beginning or from the weights of another."""
    crop = check_options(options, settings)
    torch.set_num_threads(settings.threads)
    seed_all(settings.seed)
    loader = DataLoader(
        PositionSet(
            train, crop=None if crop is None else (crop[0], crop[1]),
            repeats=int(options.get("repeats", "1")), is_mirrored=True,
        ),
        batch_size=settings.batch_size, shuffle=True, drop_last=True,
    )  # fmt: skip
    module = DeepDoseTraining(
        config_of(options), is_folded=is_folded(options), learning_rate=settings.learning_rate,
        steps=settings.epochs * len(loader),
        frozen_share=1.0 if "init" in options else 0.4,
    )  # fmt: skip
    if "init" in options:
        module.load_state_dict(_weights(Path(options["init"])))
    fitted = fit(module, loader, DataLoader(PositionSet(validation), batch_size=1), settings)
    return module, fitted


def check_options(options: Mapping[str, str], settings: FitSettings) -> list[int] | None:
    """Refuse options before anything is read; gives the crop, None for whole positions."""
    config_of(options)
    is_folded(options)
    if "init" in options:
        _weights(Path(options["init"]))
    given = options.get("crop", "none")
    crop = None if given == "none" else _numbers(given, 2, "crop")
    if crop is None and settings.batch_size > 1:
        raise InputError("whole positions differ in size: batch size 1, or give option crop")
    return crop


def config_of(options: Mapping[str, str]) -> DilatedResnetConfig:
    """Network by the options."""
    channels = _numbers(options.get("channels", "16,16,16"), 3, "channels")
    return DilatedResnetConfig(
        in_channels=len(view_of(options)[2]), out_channels=2, channels=tuple(channels)
    )


def is_folded(options: Mapping[str, str]) -> bool:
    """Whether the network works on cubes of eight voxels."""
    given = options.get("folded", "yes")
    if given not in ("yes", "no"):
        raise InputError(f"option folded must be yes or no, got {given!r}")
    return given == "yes"


def _weights(folder: Path) -> dict[str, Any]:
    for path in (folder, folder / BEST, folder / "fit" / BEST):
        if path.is_file():
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            return dict(state["state_dict"])
    raise InputError(f"{folder} holds no {BEST}; give the folder of a fit as init")


def _numbers(text: str, n: int, what: str) -> list[int]:
    try:
        found = [int(word) for word in text.split(",")]
    except ValueError:
        found = []
    if len(found) != n or min(found) < 1:
        raise InputError(f"option {what} needs {n} whole numbers >= 1 with commas, got {text!r}")
    return found


def _domain(positions: Sequence[Position], channels: tuple[str, ...]) -> InputDomain | None:
    rows = [position_features(one.channels, channels) for one in positions]
    if len(rows) < 10:
        return None
    return fit_domain(
        np.array([values for _, values in rows]), rows[0][0],
        groups=[one.patient for one in positions],
    )  # fmt: skip


def _about(sets: Sequence[Path]) -> dict[str, Any]:
    """Beams of the sets, and the slab that all have in common."""
    found: dict[str, set[Any]] = {}
    for path in position_files(sets):
        document = read_document(path)
        values = document["attributes"]
        for key in ("tube_voltage_kv", "scanner", "bowtie", "collimation_mm"):
            found.setdefault(key, set()).add(values[key])
        n_z, depth, lateral = document["arrays"]["cylinder_dose"]["shape"]
        found.setdefault("slab_shape", set()).add((depth, lateral, n_z))
        found.setdefault("voxel_size_mm", set()).add(float(values["spacing_zyx_mm"][0]))
    for key in ("slab_shape", "voxel_size_mm"):
        if len(found[key]) > 1:
            raise InputError(f"the sets differ in {key}: {sorted(found[key])}")
    names = ", ".join(str(SetFolder(path).root.name) for path in sets)
    if len(found["tube_voltage_kv"]) > 1:
        raise InputError(f"the sets {names} have several tube voltages; one network, one beam")
    slab, size = next(iter(found["slab_shape"])), next(iter(found["voxel_size_mm"]))
    return {key: sorted(values) for key, values in found.items()} | {
        "slab_shape": list(slab), "voxel_size_mm": size,
    }  # fmt: skip

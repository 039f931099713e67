"""Recipe of dose-unet: a deep ensemble of U-Nets with the Monte Carlo's own uncertainty."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader, RandomSampler

from milligray.errors import InputError
from milligray.learn.card import write_card
from milligray.learn.inputs.dose_unet_inputs import CHANNELS, MAPS
from milligray.train.dose_unet.ensemble_card import NAME, SYSTEM, calibrated, make_card
from milligray.train.dose_unet.patches import PatchSet
from milligray.train.dose_unet.samples import Prepared, prepare
from milligray.train.dose_unet.unet_fit import DoseUnetTraining
from milligray.train.export import export_onnx
from milligray.train.fit import Fitted, fit, seed_all
from milligray.train.loop import HISTORY
from milligray.train.modules.unet import UnetConfig
from milligray.train.recipes import recipe
from milligray.train.settings import FitSettings

VALIDATION_PATCHES = 48
OPTIONS = {
    "name": f"name of the network ({NAME})",
    "members": "networks of the ensemble (5)",
    "map": f"air-kerma map: {', '.join(MAPS)} (fitted)",
    "real_share": "share of real samples in the training, the others synthetic (1)",
    "channels": "channels of the levels, finest first (16,32,64,128)",
    "coarsening": "2: the U-Net sees means over 2 x 2 x 2 voxels (1)",
    "head": "channels of a layer on single voxels before the outputs (0)",
    "patches": "patches in an epoch (400)",
    "patch": "edge of a patch in voxels (32)",
    "mirror": "axes along which patches are turned round: x, xy (x)",
    "tile": "prediction in overlapping cubes of this edge, 0: whole (32)",
    "precision": "of convolutions: bfloat16, or float32 for the same bits every time (bfloat16)",
    "cache": "folder for maps that the sets do not store (OUT/maps)",
    "region": "body region of the patients (head_neck)",
}
DEFAULTS = {"epochs": 40, "patience": 0, "learning_rate": 5e-3, "batch_size": 4}


@recipe(
    SYSTEM, title="electron density + air-kerma map -> dose map with uncertainty, deep ensemble",
    network=NAME, options=OPTIONS, defaults=DEFAULTS,
)  # fmt: skip
def train_dose_unet(
    sets: tuple[Path, ...], out: Path, settings: FitSettings, options: Mapping[str, str]
) -> Path:
    """Fit, export, calibrate and describe the ensemble.

    Parameters
    ----------
    sets : tuple of Path
        Of kind dose-maps; real and synthetic patients may stand in different ones.
    out : Path
    settings : FitSettings
        Member m has the seed ``seed + m``.
    options : mapping
        `OPTIONS`.

    Returns
    -------
    Path
        Folder of the network, ``out / name``.
    """
    target = out / options.get("name", NAME)
    target.mkdir(parents=True, exist_ok=True)
    prepared = prepare(sets, options, Path(options.get("cache", out / "maps")))
    fits: dict[str, Fitted] = {}
    for member in range(int(options.get("members", "5"))):
        own = replace(
            settings, seed=settings.seed + member, folder=settings.folder / f"member_{member}"
        )
        module, fits[f"member_{member}"] = fit_member(prepared, own, options)
        export_member(module, target / f"member_{member}.onnx")
        _keep_history(own.folder / HISTORY, target / f"history_{member}.csv")
    card = make_card(prepared, target, sets, settings, options, fits)
    write_card(card, target)
    write_card(calibrated(card, target, prepared.validation), target)
    return target


def fit_member(
    prepared: Prepared, settings: FitSettings, options: Mapping[str, str]
) -> tuple[DoseUnetTraining, Fitted]:
    """Fit one network of the ensemble."""
    torch.set_num_threads(settings.threads)
    config = config_of(options)
    edge = int(options.get("patch", "32"))
    if edge % config.multiple:
        raise InputError(f"patch must be a multiple of {config.multiple}, got {edge}")
    precision = options.get("precision", "bfloat16")
    if precision not in ("bfloat16", "float32"):
        raise InputError(f"precision must be bfloat16 or float32, got {precision!r}")
    patches = int(options.get("patches", "400"))
    train = PatchSet(prepared.train, edge=edge, mirror=options.get("mirror", "x"))
    validation = PatchSet(prepared.validation, VALIDATION_PATCHES, edge=edge, seed=1)
    sampler = RandomSampler(train, replacement=True, num_samples=patches)
    loaders = [
        DataLoader(train, batch_size=settings.batch_size, sampler=sampler),
        DataLoader(validation, batch_size=settings.batch_size),
    ]
    seed_all(settings.seed)
    module = DoseUnetTraining(
        config, learning_rate=settings.learning_rate, steps=settings.epochs * len(loaders[0]),
        is_half=precision == "bfloat16",
    )  # fmt: skip
    return module, fit(module, loaders[0], loaders[1], settings)


def config_of(options: Mapping[str, str]) -> UnetConfig:
    """Shape of the network that options ask for."""
    try:
        channels = tuple(int(word) for word in options.get("channels", "16,32,64,128").split(","))
        coarsening, head = int(options.get("coarsening", "1")), int(options.get("head", "0"))
    except ValueError as error:
        raise InputError(f"channels, coarsening and head are whole numbers: {error}") from error
    if coarsening not in (1, 2):
        raise InputError(f"coarsening must be 1 or 2, got {coarsening}")
    return UnetConfig(
        channels_in=len(CHANNELS), channels=channels, coarsening=2 if coarsening == 2 else 1,
        head=head,
    )  # fmt: skip


def export_member(module: DoseUnetTraining, path: Path) -> float:
    """Write a network as ONNX for images of any size; the difference to torch comes back."""
    generator = torch.Generator().manual_seed(0)
    channels = torch.rand((1, len(CHANNELS), 16, 16, 16), generator=generator)
    guess = torch.rand((1, 16, 16, 16), generator=generator) + 0.5
    image = {0: "batch", 1: "z", 2: "y", 3: "x"}
    axes = {"channels": {0: "batch", 2: "z", 3: "y", 4: "x"}, "guess": image}
    return export_onnx(
        module.network,
        {"channels": channels, "guess": guess}, path, output_names=["dose", "log_variance"],
        dynamic_axes=axes | {"dose": image, "log_variance": image},
    )  # fmt: skip


def _keep_history(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    partial.write_bytes(source.read_bytes())
    partial.replace(target)

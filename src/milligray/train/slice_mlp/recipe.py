"""Recipe of slice-mlp: organs in slices, a rule of physics and small networks in one file."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from milligray.dataset.reader import open_set
from milligray.errors import InputError
from milligray.learn.card import ArraySpec, ModelCard, Validity, write_card
from milligray.learn.domain import fit_domain
from milligray.learn.inputs.slice_rows import ROW
from milligray.learn.network import open_network
from milligray.learn.predictors.slice_mlp import (
    DOMAIN,
    INPUTS,
    OUTPUT,
    SYSTEM,
    slice_doses,
)
from milligray.train.card_of_fit import about_set, common_fields, write_member_losses
from milligray.train.export import export_onnx
from milligray.train.output import training_document
from milligray.train.recipes import recipe
from milligray.train.settings import FitSettings
from milligray.train.slice_mlp.slice_network import (
    SliceNetwork,
    SliceNetworkConfig,
    fit_slice_network,
    predict_slice_network,
)
from milligray.train.slice_mlp.slice_sets import SliceSet, read_slice_sets
from milligray.typing import FloatArray

OPTIONS = {
    "name": "name of the network (slice-mlp-head-neck)",
    "region": "body region of the patients (head_neck)",
    "members": "members of the ensemble (5)",
    "folds": "folds by patient for errors and uncertainty (4)",
    "test": "yes: judge on the sets' test patients, once, at the end (no)",
}
DEFAULTS = {"epochs": 25, "patience": 0, "learning_rate": 4e-3, "batch_size": 128}
FILE = "slices.onnx"
FOLD_MEMBERS = 2
COVERED = 0.95
REFERENCES = (
    (
        "Tzanis E, Damilakis J. A machine learning-based pipeline for multi-organ/tissue"
        " patient-specific radiation dosimetry in CT. Eur Radiol (2024)."
        " doi:10.1007/s00330-024-11002-0"
    ),
)


@recipe(
    SYSTEM,
    title="organs slice by slice -> organ doses (rule of physics and fully connected ensemble)",
    options=OPTIONS,
    defaults=DEFAULTS,
)
def train_slice_mlp(
    sets: tuple[Path, ...], out: Path, settings: FitSettings, options: Mapping[str, str]
) -> Path:
    """Fit, export and describe the network.

    Parameters
    ----------
    sets : tuple of Path
        Of kind slice-features.
    out : Path
    settings : FitSettings
        A fit takes a minute: patience and resume change nothing.
    options : mapping
        `OPTIONS`.

    Returns
    -------
    Path
        Folder of the network, ``out / name``.

    Notes
    -----
    Training and validation patients take part alike. Errors and the uncertainty of the organs come
    from folds by patient, in which all is made anew; then one network is made of all of them.
    """
    started = time.perf_counter()
    torch.set_num_threads(settings.threads)
    table = read_slice_sets(sets)
    learning, unseen = (table.take(m) for m in (table.split != "test", table.split == "test"))
    config = SliceNetworkConfig(
        members=int(options.get("members", "5")), epochs=settings.epochs,
        batch_size=settings.batch_size, learning_rate=settings.learning_rate,
    )  # fmt: skip
    folds = int(options.get("folds", "4"))
    if folds < 2 or not len(learning):
        raise InputError("two folds or more and training patients are needed")
    held_out = held_out_doses(learning, config, folds, settings.seed)
    metrics = {f"organs, {folds} folds by patient": organ_rows(learning, held_out)}
    network, losses = fit_slice_network(learning, config, seed=settings.seed)
    target = out / options.get("name", "slice-mlp-head-neck")
    target.mkdir(parents=True, exist_ok=True)
    _export(network, learning, target)
    write_member_losses(losses, target / "history.csv")
    fits = {"all members and folds": {"seconds": time.perf_counter() - started}}
    card = replace(
        _card(learning, held_out, target, sets, options),
        metrics=metrics, training=training_document(settings, fits),
    )  # fmt: skip
    write_card(card, target)
    if options.get("test", "no") == "yes" and len(unseen):
        metrics["organs, test patients"] = judged(target, unseen)
        write_card(replace(card, metrics=metrics), target)
    return target


def held_out_doses(
    table: SliceSet, config: SliceNetworkConfig, folds: int, seed: int
) -> FloatArray:
    """Dose over CTDIvol of every row by networks that never saw its patient, shape (n,)."""
    patients, of = np.unique(table.patient, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(patients)) % folds)[of]
    found = np.empty(len(table))
    few = replace(config, members=min(config.members, FOLD_MEMBERS))
    for k in range(folds):
        network, _ = fit_slice_network(table.take(fold != k), few, seed=seed + 1 + k)
        found[fold == k] = ensemble_mean(
            predict_slice_network(network, table.take(fold == k))
        )  # fmt: skip
    return found


def ensemble_mean(dose: FloatArray) -> FloatArray:
    """Geometric mean over the members."""
    return np.asarray(np.exp(np.log(dose).mean(axis=0)))


def organ_rows(table: SliceSet, dose: FloatArray) -> list[dict[str, Any]]:
    """Errors of organ doses (mass-weighted over slices) and of single slices, as fractions."""
    _, organ, found = table.organ_dose(dose)
    _, _, truth = table.organ_dose(table.dose_per_ctdi)
    error, slices = found / truth - 1.0, np.abs(dose / table.dose_per_ctdi - 1.0)
    rows = []
    for j, name in enumerate((*table.organ_names, "all organs")):
        of = (organ == j) | (name == "all organs")
        mine = (table.organ == j) | (name == "all organs")
        rows.append({
            "organ": name, "scans": int(of.sum()),
            "median": float(np.median(np.abs(error[of]))), "mape": float(np.abs(error[of]).mean()),
            "bias": float(error[of].mean()), "median_of_slices": float(np.median(slices[mine])),
        })  # fmt: skip
    return rows


def judged(folder: Path, table: SliceSet) -> list[dict[str, Any]]:
    """Errors of a finished network, by its ONNX file, on rows that took no part."""
    network = open_network(folder)
    names = tuple(str(n) for n in network.card.normalization["organs"])
    known = table.take(np.isin(np.array(table.organ_names)[table.organ], names))
    organ = np.array([names.index(table.organ_names[j]) for j in known.organ])
    return organ_rows(known, ensemble_mean(slice_doses(network, known.rows, names, organ)
                                           .dose_per_ctdi))  # fmt: skip


def _export(network: SliceNetwork, table: SliceSet, target: Path) -> None:
    rows = torch.as_tensor(table.rows[:16], dtype=torch.float32)
    organ = torch.nn.functional.one_hot(
        torch.as_tensor(table.organ[:16]), num_classes=len(table.organ_names)
    ).float()  # fmt: skip
    export_onnx(
        network, dict(zip(INPUTS, (rows, organ), strict=True)), target / FILE,
        output_names=[OUTPUT],
    )  # fmt: skip


def _deviations(table: SliceSet, held_out: FloatArray) -> dict[str, float]:
    """By organ: half the error of the organ dose that 95 % of the held-out scans do not exceed."""
    _, organ, found = table.organ_dose(held_out)
    _, _, truth = table.organ_dose(table.dose_per_ctdi)
    error = np.abs(np.log(found / truth))
    return {
        name: float(np.quantile(error[organ == j], COVERED) / 2.0)
        for j, name in enumerate(table.organ_names)
    }


def _card(
    table: SliceSet, held_out: FloatArray, target: Path, sets: tuple[Path, ...],
    options: Mapping[str, str],
) -> ModelCard:  # fmt: skip
    names = table.organ_names
    patients = {s: sorted(set(table.patient[table.split == s])) for s in ("train", "validation")}
    domains = {}
    for j, name in enumerate(names):
        one = table.take(table.organ == j)
        scans, of = np.unique(one.scan, return_inverse=True)
        columns = one.rows[:, [ROW.index(n) for n in DOMAIN]].T
        means = np.stack([np.bincount(of, one.mass_g * c) for c in columns], axis=1)
        groups = [one.patient[one.scan == scan][0] for scan in scans]
        domains[name] = fit_domain(
            means / np.bincount(of, one.mass_g)[:, None], DOMAIN, groups=groups
        )
    return ModelCard(
        **common_fields(target, SYSTEM),
        title="CT organ doses slice by slice: rule of physics and small networks",
        inputs=(
            ArraySpec(name=INPUTS[0], shape=("batch", len(ROW)), unit="",
                      description="columns of learn.inputs.slice_rows, not standardized"),
            ArraySpec(name=INPUTS[1], shape=("batch", len(names)), unit="",
                      description="organ as 0 and 1"),
        ),
        outputs=(ArraySpec(name=OUTPUT, shape=("batch", int(options.get("members", "5"))), unit="",
                           description="log of dose over CTDIvol, a column a member"),),
        normalization={
            "organs": list(names), "columns": list(ROW),
            "relative_deviation": _deviations(table, held_out),
        },
        validity=Validity(
            allowed={"body_region": (options.get("region", "head_neck"),),
                     **_beams(sets)},
            ranges={"voxel_size_mm": (3.0, 6.0)},
            limits=(
                f"organs that it knows: {', '.join(names)}",
                "one beam, one scanner, one pitch; the whole image scanned",
                "the start angle of a helix is averaged over",
            ),
        ),
        domains=domains,
        data={"sets": [about_set(path) for path in sets], "patients": patients, "rows": len(table)},
        references=REFERENCES,
    )  # fmt: skip


def _beams(sets: tuple[Path, ...]) -> dict[str, tuple[float | str, ...]]:
    """Beams and scanners of the sets, from the attributes of their samples."""
    numbers = ("tube_voltage_kv", "pitch", "collimation_mm")
    found: dict[str, set[float | str]] = {fact: set() for fact in (*numbers, "scanner", "bowtie")}
    for path in sets:
        opened = open_set(path)
        for name in opened.samples():
            about = opened.read(name, ()).attributes
            for fact, values in found.items():
                values.add(float(about[fact]) if fact in numbers else str(about[fact]))
    return {fact: tuple(sorted(values, key=str)) for fact, values in found.items()}

"""Recipe of radiomics-fcn: a rule of physics and an ensemble of fully connected networks."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from milligray.errors import InputError
from milligray.evaluate.errors_of_values import (
    coefficient_of_determination,
    mean_relative_absolute_error,
    mean_relative_error,
    relative_root_mean_squared_error,
)
from milligray.learn.card import ArraySpec, ModelCard, Validity, write_card
from milligray.learn.domain import fit_domain
from milligray.learn.network import open_network
from milligray.learn.predictors.radiomics_fcn import INPUT, OUTPUTS, SYSTEM, organ_doses
from milligray.train.card_of_fit import about_set, common_fields, write_member_losses
from milligray.train.export import export_onnx
from milligray.train.modules.fully_connected import WithVariance
from milligray.train.output import training_document
from milligray.train.radiomics_fcn.organ_network import (
    OrganNetwork,
    OrganNetworkConfig,
    fit_organ_network,
)
from milligray.train.radiomics_fcn.organ_table import OrganTable, read_organ_table
from milligray.train.radiomics_fcn.table_fit import TableFit
from milligray.train.recipes import recipe
from milligray.train.settings import FitSettings
from milligray.typing import FloatArray

OPTIONS = {
    "name": "name of the network (radiomics-fcn)",
    "region": "body region of the patients (head_neck)",
    "members": "members of the ensemble (5)",
    "radiomics": "radiomics features chosen (20)",
    "folds": "folds by patient for errors and calibration (5)",
    "test": "yes: judge on the sets' test patients, once, at the end (no)",
}
DEFAULTS = {"epochs": 60, "patience": 0, "learning_rate": 3e-3, "batch_size": 64}
LEAST_DOSE_PER_CTDI = 0.05
"""Organs of less dose are far from the beam: not learned, and outside the domain."""
FOLD_MEMBERS = 3
COVERED = 0.95
REFERENCES = (
    (
        "Shao W, Lin X, Huang Y, Qu L, Zhuo W, Liu H. Rapid patient-specific organ dose estimation"
        " in computed tomography scans via integration of radiomics features and neural networks."
        " Quant Imaging Med Surg (2024)."
    ),
    (
        "van Griethuysen JJM et al. Computational radiomics system to decode the radiographic"
        " phenotype. Cancer Res 77 (2017) e104-e107."
    ),
)


@recipe(
    SYSTEM,
    title="radiomics, place and exposure of organs -> organ doses (fully connected ensemble)",
    options=OPTIONS,
    defaults=DEFAULTS,
)
def train_radiomics_fcn(
    sets: tuple[Path, ...], out: Path, settings: FitSettings, options: Mapping[str, str]
) -> Path:
    """Fit, export and describe the network.

    Parameters
    ----------
    sets : tuple of Path
        Of kind organ-features.
    out : Path
    settings : FitSettings
        A fit takes seconds: patience and resume change nothing.
    options : mapping
        `OPTIONS`.

    Returns
    -------
    Path
        Folder of the network, ``out / name``.

    Notes
    -----
    Training and validation patients take part alike. Errors and calibration come from folds by
    patient, in which rule, choice of features, scaling and members are made anew; then one network
    is made of all of them.
    """
    started = time.perf_counter()
    torch.set_num_threads(settings.threads)
    table = read_organ_table(sets, least_dose_per_ctdi=LEAST_DOSE_PER_CTDI)
    learning, unseen = (table.take(m) for m in (table.splits != "test", table.splits == "test"))
    config = OrganNetworkConfig(
        n_radiomics=int(options.get("radiomics", "20")), members=int(options.get("members", "5")),
        fit=TableFit(epochs=settings.epochs, batch_size=settings.batch_size,
                     learning_rate=settings.learning_rate),
    )  # fmt: skip
    n_folds = int(options.get("folds", "5"))
    if min(config.members, config.n_radiomics + 1, n_folds - 1) < 1 or not len(learning):
        raise InputError(
            "members >= 1, radiomics >= 0, folds >= 2 and training patients are needed"
        )
    dose, sigma = _held_out(learning, config, n_folds, settings.seed)
    temperature = _temperature(learning, dose, sigma)
    network = fit_organ_network(learning, config, seed=settings.seed)
    target = out / options.get("name", SYSTEM)
    target.mkdir(parents=True, exist_ok=True)
    _export(network, learning, target)
    write_member_losses(network.history, target / "history.csv")
    metrics = {
        f"organs, {n_folds} folds by patient": organ_rows(learning, dose, temperature * sigma)
    }
    card = _card(network, learning, target, sets, options, metrics)
    fits = {"all members and folds": {"seconds": time.perf_counter() - started}}
    card = replace(
        card, training=training_document(settings, fits),
        normalization=dict(card.normalization) | {"temperature": temperature},
    )  # fmt: skip
    write_card(card, target)
    if options.get("test", "no") == "yes" and len(unseen):
        metrics["organs, test patients"] = judged(target, unseen)
        write_card(replace(card, metrics=metrics), target)
    return target


def _held_out(
    table: OrganTable, config: OrganNetworkConfig, n_folds: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Dose over CTDIvol and its relative uncertainty of every row, by networks without it."""
    patients = np.unique(table.patients)
    order = np.random.default_rng(seed).permutation(len(patients)) % n_folds
    fold = order[np.searchsorted(patients, table.patients)]
    dose, sigma = np.empty(len(table)), np.empty(len(table))
    few = replace(config, members=min(config.members, FOLD_MEMBERS))
    for k in range(n_folds):
        network = fit_organ_network(table.take(fold != k), few, seed=seed + 1 + k)
        found, aleatoric, epistemic = network.predict(table.take(fold == k).features)
        dose[fold == k], sigma[fold == k] = found, np.hypot(aleatoric, epistemic)
    return dose, sigma


def _temperature(table: OrganTable, dose: FloatArray, sigma: FloatArray) -> float:
    """Factor by which k = 2 covers 95 % of the organs of patients that were held out."""
    error = np.abs(np.log(dose / table.dose_per_ctdi))
    score = error / np.hypot(sigma, table.relative_uncertainty)
    return float(np.quantile(score, COVERED) / 2.0)


def organ_rows(table: OrganTable, dose: FloatArray, sigma: FloatArray) -> list[dict[str, Any]]:
    """Errors by organ and set.

    Parameters
    ----------
    table : OrganTable
    dose : ndarray, shape (len(table),)
        Predicted over CTDIvol.
    sigma : ndarray, shape (len(table),)
        Its relative uncertainty, k = 1.
    """
    rows = []
    for number in np.unique(table.set_index):
        for organ in (*table.organ_names, "all organs"):
            of = (table.set_index == number) & ((table.organs == organ) | (organ == "all organs"))
            if not of.any():
                continue
            p, r = dose[of], table.dose_per_ctdi[of]
            score = np.abs(p / r - 1.0) / np.hypot(sigma[of], table.relative_uncertainty[of])
            rows.append({
                "set": int(number), "organ": organ, "scans": int(of.sum()),
                "patients": len(set(table.patients[of])),
                "mape": mean_relative_absolute_error(p, r), "bias": mean_relative_error(p, r),
                "rrmse": relative_root_mean_squared_error(p, r),
                "r2": coefficient_of_determination(p, r) if of.sum() > 1 else 0.0,
                "covered_k1": float((score <= 1).mean()), "covered_k2": float((score <= 2).mean()),
            })  # fmt: skip
    return rows


def judged(folder: Path, table: OrganTable) -> list[dict[str, Any]]:
    """Errors of a finished network on rows that took no part."""
    opened = open_network(folder)
    found = predicted(folder, table)
    temperature = float(opened.card.normalization.get("temperature", 1.0))
    return organ_rows(table, found[0], temperature * found[1])


def predicted(folder: Path, table: OrganTable) -> tuple[FloatArray, FloatArray]:
    """Dose over CTDIvol and relative uncertainty (not calibrated) by a finished network."""
    from milligray.learn.inputs.organ_network_rows import OrganNormalization  # noqa: PLC0415

    opened = open_network(folder)
    normalization = OrganNormalization.from_document(opened.card.normalization)
    found = organ_doses(table.features, opened, normalization)
    return found.dose_per_ctdi, np.hypot(found.aleatoric, found.epistemic)


def _export(network: OrganNetwork, table: OrganTable, target: Path) -> None:
    rows = torch.from_numpy(network.normalization.rows(table.features)[:16])
    for number, member in enumerate(network.members):
        export_onnx(
            WithVariance(member).eval(), {INPUT: rows}, target / f"member_{number}.onnx",
            output_names=list(OUTPUTS),
        )  # fmt: skip


def _card(
    network: OrganNetwork, table: OrganTable, target: Path, sets: tuple[Path, ...],
    options: Mapping[str, str], metrics: Mapping[str, Any],
) -> ModelCard:  # fmt: skip
    normalization = network.normalization
    values = normalization.features(table.features)
    kv = table.features.column("tube_voltage_kv")
    fields = common_fields(target, SYSTEM)
    return ModelCard(
        **fields, members=tuple(fields["files"]),
        title="CT organ doses: rule of physics and fully connected ensemble on radiomics",
        inputs=(ArraySpec(
            name=INPUT, shape=("batch", len(normalization.columns) + len(normalization.organs)),
            unit="", description="standardized physics and radiomics features, organ as 0 or 1",
        ),),
        outputs=(
            ArraySpec(name=OUTPUTS[0], shape=("batch",), unit="",
                      description="standardized logarithm of dose over CTDIvol over the rule"),
            ArraySpec(name=OUTPUTS[1], shape=("batch",), unit="",
                      description="logarithm of its variance"),
        ),
        normalization=normalization.to_document(),
        validity=Validity(
            allowed={"body_region": (options.get("region", "head_neck"),)},
            ranges={"tube_voltage_kv": (float(kv.min()), float(kv.max())),
                    "voxel_size_mm": (3.0, 6.0)},
            limits=(
                f"organs that it knows: {', '.join(normalization.organs)}",
                "the start angle of a helix is averaged over",
                "organs with less than 5 % of the CTDIvol were not learned",
            ),
        ),
        domains={
            organ: fit_domain(
                values[table.organs == organ], normalization.columns,
                groups=list(table.patients[table.organs == organ]),
            )
            for organ in table.organ_names
        },
        data={
            "sets": [about_set(path) for path in sets],
            "patients": {
                split: sorted(set(table.patients[table.splits == split]))
                for split in ("train", "validation")
            },
            "rows": len(table),
        },
        metrics=metrics, references=REFERENCES,
    )  # fmt: skip

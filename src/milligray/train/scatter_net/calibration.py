"""How sure scatter-net may be: its errors in organs of patients that it was not fitted to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from milligray.dataset.reader import TrainingSet, open_set
from milligray.errors import InputError
from milligray.learn.card import ModelCard
from milligray.learn.network import Network
from milligray.learn.organ_averages import share_beyond
from milligray.learn.predictors.scatter_net import (
    predict_scatter,
    taught_beyond_mm,
)
from milligray.train.scatter_net.scatter_samples import open_sample, stored_name

LEVEL = 0.95
"""Share of the organs that k = 2 is to cover."""
LEAST_ML = 1.0
LEAST_BEYOND, EVERY = 5, 3
"""Organs beyond the reach that are enough; of the training scans, one in so many."""


def calibrated(card: ModelCard, network: Network, sets: tuple[Path, ...]) -> ModelCard:
    """Card with what was seen on organs whose doses took no part in the fit.

    Notes
    -----
    ``organ_temperature`` makes k = 2 cover 95 % of the organs of validation patients (of at least
    1 mL, within reach of the training: `share_beyond` 0), `temperature_of`;
    ``relative_error_beyond`` is the root mean square error of organs wholly beyond it; of training
    patients too where the others have fewer than `LEAST_BEYOND`, since no cube there was in a loss.
    """
    rows: list[dict[str, Any]] = []
    for split in ("validation", "train"):
        if sum(row["beyond"] > 0.9 for row in rows) >= LEAST_BEYOND:
            break
        for path in sets:
            training = open_set(path)
            for sample in training.samples(split)[:: 1 if split == "validation" else EVERY]:
                rows += [row | {"split": split} for row in judged_sample(training, sample, network)]
    beyond = np.array([row["relative_error"] for row in rows if row["beyond"] > 0.9])
    near = [row for row in rows if row["split"] == "validation" and row["beyond"] == 0.0]
    near = [row for row in near if row["volume_ml"] >= LEAST_ML]
    if not near:
        raise InputError("no organ of a validation patient lies within reach of the beam")
    temperature = temperature_of(near)
    errors = np.array([row["relative_error"] for row in near])
    metrics = {
        "validation organs": [{
            "organs": len(near), "patients": len({row["patient"] for row in near}),
            "mean_absolute_relative_error": float(np.abs(errors).mean()),
            "bias": float(errors.mean()), "covered": covered(near, temperature),
            "beyond_organs": int(beyond.size),
        }]
    }  # fmt: skip
    outside = float(np.sqrt(np.mean(beyond**2))) if beyond.size else 1.0
    return replace(
        card, metrics=dict(card.metrics) | metrics,
        normalization=dict(card.normalization)
        | {"organ_temperature": temperature, "relative_error_beyond": outside},
    )  # fmt: skip


def covered(rows: Sequence[dict[str, Any]], temperature: float) -> float:
    """Share of organs within k = 2 of the claimed and the truth's own deviation, mean of patients.

    Parameters
    ----------
    rows : sequence of dict
        Of `judged_sample`.
    temperature : float
        Factor of the claimed deviation.
    """
    of_patient: dict[str, list[bool]] = {}
    for row in rows:
        sigma = np.hypot(
            temperature * row["total"] * row["dose_mgy"], row["truth_sigma"] * row["truth_mgy"]
        )
        inside = bool(abs(row["dose_mgy"] - row["truth_mgy"]) <= 2.0 * sigma)
        of_patient.setdefault(row["patient"], []).append(inside)
    return float(np.mean([np.mean(inside) for inside in of_patient.values()]))


def temperature_of(rows: Sequence[dict[str, Any]]) -> float:
    """Least factor by which `covered` is 95 %; patients count alike, however many organs.

    Examples
    --------
    >>> from milligray.train.scatter_net.calibration import temperature_of
    >>> rows = [{"patient": str(i), "total": 0.01, "dose_mgy": 1 + 0.001 * i, "truth_mgy": 1.0,
    ...          "truth_sigma": 0.0} for i in range(1, 101)]
    >>> round(temperature_of(rows), 2)  # 0.095 of 1, k = 2, 0.0219 for dose 1.095
    4.34
    """
    low, high = 0.0, 1.0
    while covered(rows, high) < LEVEL and high < 1e3:
        high *= 2.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if covered(rows, middle) >= LEVEL else (middle, high)
    return high


def judged_sample(training: TrainingSet, name: str, network: Network) -> list[dict[str, Any]]:
    """Predicted and true doses of a sample's organs, one row an organ.

    Returns
    -------
    list of dict
        ``sample, patient, organ, volume_ml, dose_mgy, truth_mgy, truth_sigma, relative_error,
        total, aleatoric, epistemic, beyond``; beyond is the `share_beyond` of the organ.
    """
    scan, sample = open_sample(training, name)
    found = predict_scatter(scan, network)
    names = [n.decode() for n in sample.arrays["organ_names"].values]
    truth = dict(zip(names, sample.arrays["organ_dose"].values, strict=True))
    noise = dict(zip(names, sample.arrays["organ_relative_uncertainty"].values, strict=True))
    volume = dict(zip(names, sample.arrays["organ_volume"].values, strict=True))
    beyond = share_beyond(scan, taught_beyond_mm(network.card))
    rows = []
    for i, organ in enumerate(found.names):
        stored = stored_name(organ)
        dose, true = float(found.mean_dose_mgy[i]), float(truth[stored])
        rows.append({
            "sample": name, "patient": str(sample.attributes["patient"]), "organ": organ,
            "volume_ml": float(volume[stored]), "dose_mgy": dose, "truth_mgy": true,
            "truth_sigma": float(noise[stored]), "relative_error": dose / true - 1.0,
            "total": float(found.total[i]), "aleatoric": float(found.aleatoric[i]),
            "epistemic": float(found.epistemic[i]), "beyond": float(beyond[i]),
        })  # fmt: skip
    return rows

"""The manifest of a prediction: everything that is needed to make it again."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from milligray.exam.manifest import PACKAGES, package_version, processor
from milligray.exam.predict_settings import PredictSettings
from milligray.learn.network import Network
from milligray.learn.prediction import Prediction

MORE_PACKAGES = ("onnxruntime",)


def predict_manifest(
    settings: PredictSettings,
    network: Network,
    prediction: Prediction,
    *,
    inputs: Mapping[str, str],
    seconds: Mapping[str, float],
    ctdi_basis: str,
) -> dict[str, Any]:
    """Manifest of a prediction.

    Parameters
    ----------
    settings : PredictSettings
    network : Network
    prediction : Prediction
    inputs : mapping of str to str
        SHA-256 of every input.
    seconds : mapping of str to float
        Wall time of the stages.
    ctdi_basis : str
        Where the absolute scale comes from.
    """
    card = network.card
    parts = zip(
        prediction.names, prediction.aleatoric, prediction.epistemic, prediction.total, strict=True
    )
    return {
        "milligray_version": package_version("milligray"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": None,
        "histories": None,
        "seconds": round(sum(seconds.values()), 3),
        "stage_seconds": {name: round(value, 3) for name, value in seconds.items()},
        "converged": True,
        "device": "cpu",
        "hardware": f"{processor()}, {os.cpu_count()} logical processors",
        "threads": settings.threads,
        "settings": asdict(settings),
        "inputs": dict(inputs),
        "versions": {"python": platform.python_version()}
        | {name: package_version(name) for name in (*PACKAGES, *MORE_PACKAGES)},
        "tables": {
            "cross sections": f"xraylib {package_version('xraylib')}",
            "HU calibration": settings.calibration,
            "CTDI": ctdi_basis,
        },
        "models": [
            {
                "name": card.name,
                "version": card.version,
                "system": card.system,
                "title": card.title,
                "license": card.license,
                "method": network.method,
                "sha256": network.hash,
                "files": dict(card.files),
                "members": network.members,
                "validity": {
                    "allowed": {fact: list(v) for fact, v in card.validity.allowed.items()},
                    "ranges": {fact: list(v) for fact, v in card.validity.ranges.items()},
                },
                "limits": list(card.validity.limits),
                "data": _counted(card.data),
                "training": card.training.get("command", ""),
                "references": list(card.references),
            }
        ],
        "prediction": {
            "uncertainty": "relative, k = 1",
            "organs": [
                {
                    "organ": organ,
                    "aleatoric": float(aleatoric),
                    "epistemic": float(epistemic),
                    "total": float(total),
                }
                for organ, aleatoric, epistemic, total in parts
            ],
        },
        "validation": f"errors on unseen patients: card of {card.name}, docs/validation",
    }


def _counted(data: Mapping[str, Any]) -> dict[str, Any]:
    """Data of a card with numbers of patients in place of their names."""
    patients = data.get("patients")
    if not isinstance(patients, Mapping):
        return dict(data)
    counts = {
        split: len(names) if isinstance(names, list) else names for split, names in patients.items()
    }
    return {**data, "patients": counts}

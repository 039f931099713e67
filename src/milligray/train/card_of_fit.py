"""What the cards and histories of all recipes have in common."""

import csv
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from milligray.dataset.reader import open_set
from milligray.train.output import file_hashes

NOTES = ("not for clinical decisions",)


def common_fields(target: Path, system: str) -> dict[str, Any]:
    """Fields of a `ModelCard` that do not depend on the system.

    Parameters
    ----------
    target : Path
        Folder of the network, with its ONNX files; its name is the network's.
    system : str

    Returns
    -------
    dict
        ``name``, ``version``, ``system``, ``license``, ``files``, ``notes``.
    """
    return {
        "name": target.name, "version": importlib.metadata.version("milligray"),
        "system": system, "license": "Apache-2.0", "files": file_hashes(target), "notes": NOTES,
    }  # fmt: skip


def about_set(path: Path) -> dict[str, Any]:
    """What a card tells of a training set: enough to find out whether another one is the same."""
    manifest = open_set(path).manifest
    found = {
        "name": path.name, "kind": manifest["kind"], "settings": manifest["settings"],
        "sha256": manifest.get("set_sha256"),
    }  # fmt: skip
    if "derived_from" in manifest:
        found["derived_from"] = manifest["derived_from"]
    return found


def write_member_losses(losses: Sequence[Sequence[float]], path: Path) -> None:
    """Write the training loss of every member of an ensemble, a line an epoch.

    Parameters
    ----------
    losses : sequence of sequence of float
        By member, then by epoch; equally long.
    path : Path
    """
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["epoch", *(f"member_{m}_loss" for m in range(len(losses)))])
        for epoch, one in enumerate(zip(*losses, strict=True), start=1):
            writer.writerow([epoch, *(f"{loss:.6g}" for loss in one)])

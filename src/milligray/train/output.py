"""The folder of a trained network: who may write into it, and how it comes about."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from milligray.cohort.fingerprint import code_identity
from milligray.errors import InputError
from milligray.exam.manifest import package_version, processor
from milligray.learn.card import CARD
from milligray.learn.network import file_sha256
from milligray.train.settings import FitSettings

PACKAGES = (
    "milligray", "numpy", "torch", "pytorch-lightning", "onnx", "onnxruntime", "scikit-learn",
)  # fmt: skip


@contextmanager
def output_folder(folder: Path, *, resume: bool, overwrite: bool) -> Iterator[None]:
    """Folder of a network while a recipe works: made before, and gone again if it was refused.

    Parameters
    ----------
    folder : Path
        ``OUT/NAME``.
    resume : bool
        An earlier, unfinished or finished, training may be there.
    overwrite : bool
        It is removed; other files than a network's are never.

    Raises
    ------
    InputError

    Notes
    -----
    A recipe that fails before it has written a file leaves no folder, and what ``overwrite`` was to
    replace stands there as it was. What a fit has kept stays, for ``resume``.
    """
    made = [path for path in folder.parents if not path.exists()]
    earlier = _check_output(folder, resume=resume, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        _remove_without_files(folder)
        if earlier is not None:
            if folder.exists():
                shutil.rmtree(earlier)
            else:
                earlier.replace(folder)
        for path in made:  # from the inside out
            _remove_without_files(path)


def _check_output(folder: Path, *, resume: bool, overwrite: bool) -> Path | None:
    """Refuse a folder, or put the earlier network in it aside and tell where."""
    if resume and overwrite:
        raise InputError("--resume goes on, --overwrite begins anew; give one of them")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give another --out")
    entries = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    if not entries or resume:
        return None
    if not overwrite:
        raise InputError(
            f"{folder} is not empty; --resume goes on with the training in it, --overwrite"
            " begins anew"
        )
    if CARD not in entries and "fit" not in entries:
        raise InputError(f"{folder} holds no network of this program; choose another --out")
    aside = folder.with_name(f".{folder.name}.replaced")
    if aside.exists():
        shutil.rmtree(aside)
    return folder.replace(aside)


def _remove_without_files(folder: Path) -> None:
    """Remove a folder in which there is nothing but folders."""
    if folder.is_dir() and all(path.is_dir() for path in folder.rglob("*")):
        shutil.rmtree(folder)


def file_hashes(folder: Path, names: tuple[str, ...] | None = None) -> dict[str, str]:
    """SHA-256 of the files of a network, for its card.

    Parameters
    ----------
    folder : Path
    names : tuple of str, optional
        Default: all ONNX files.
    """
    chosen = names or tuple(sorted(path.name for path in folder.glob("*.onnx")))
    return {name: file_sha256(folder / name) for name in chosen}


def training_document(
    settings: FitSettings, fits: Mapping[str, Mapping[str, Any]], **more: object
) -> dict[str, Any]:
    """``training`` of a card: what is needed to do it again.

    Parameters
    ----------
    settings : FitSettings
    fits : mapping of str to mapping
        `Fitted.document` of every fit, by name (e.g. of the member of the ensemble).
    **more
        What the recipe adds.

    Returns
    -------
    dict
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.argv[0]).name, *_without_folders(sys.argv[1:])]),
        "settings": settings.document(),
        "fits": {name: dict(one) for name, one in fits.items()},
        "seconds": round(sum(float(one["seconds"]) for one in fits.values()), 1),
        "hardware": f"{processor()}, {os.cpu_count()} logical processors",
        "versions": {"python": platform.python_version()}
        | {name: package_version(name) for name in PACKAGES},
        "code": code_identity(),
        **more,
    }


def _without_folders(words: list[str]) -> list[str]:
    """Command line with names instead of paths: a card tells nothing of the machine."""
    return ["=".join(_name(part) for part in word.split("=", 1)) for word in words]


def _name(word: str) -> str:
    return Path(word).name if word.startswith(("/", "~", ".")) else word

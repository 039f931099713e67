"""Prepared positions of a deep-dose network, kept on disk: tracing them again takes minutes."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from milligray.learn.inputs.traced_position import GUESS_WEIGHTS, TRACED_CHANNELS
from milligray.train.deep_dose.position_data import Position, read_positions
from milligray.train.deep_dose.position_view import PositionView
from milligray.train.prepared import prepared_file

_WORDS = ("name", "patient", "split")
_NUMBER = "reference_mgy"


def stored_positions(
    path: Path, name: str, view: PositionView, cache: Path | None
) -> list[Position]:
    """Positions of one sample; what was computed before is read from the cache.

    Parameters
    ----------
    path : Path
        File of the sample.
    name : str
        Of the view.
    view : PositionView
    cache : Path, optional
        Folder; made if absent.
    """
    if cache is None:
        return read_positions(path, view)
    file = prepared_file(cache, path, name, TRACED_CHANNELS, GUESS_WEIGHTS)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        _write(read_positions(path, view), file)
    return _read(file)


def _write(positions: Sequence[Position], file: Path) -> None:
    partial = file.with_name(f".{file.stem}.partial.npz")
    arrays = {
        f"{n}_{field.name}": np.asarray(getattr(one, field.name))
        for n, one in enumerate(positions) for field in fields(Position)
    }  # fmt: skip
    np.savez(partial, n=np.array(len(positions)), **arrays)  # type: ignore[arg-type]
    partial.replace(file)


def _read(file: Path) -> list[Position]:
    found = []
    with np.load(file) as stored:
        for n in range(int(stored["n"])):
            parts: dict[str, Any] = {
                field.name: stored[f"{n}_{field.name}"] for field in fields(Position)
            }
            parts |= {word: str(parts[word]) for word in _WORDS}
            found.append(Position(**parts | {_NUMBER: float(parts[_NUMBER])}))
    return found

"""Read shipped tables by name; nothing is loaded before it is asked for."""

import csv
import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from milligray.errors import InputError


def data_path(name: str) -> Traversable:
    """Path of a shipped table, e.g. ``"schneider2000/tissues.csv"``."""
    path = resources.files("milligray.data")
    for part in name.split("/"):
        path = path / part
    if not path.is_file() and not path.is_dir():
        raise InputError(f"no shipped table named {name!r}")
    return path


@lru_cache(maxsize=64)
def load_csv(name: str) -> tuple[dict[str, str], ...]:
    """Rows of a shipped CSV as dicts of text; lines that begin with ``#`` are its header notes."""
    text = data_path(name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(csv.DictReader(lines))


@lru_cache(maxsize=64)
def load_json(name: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Content of a shipped JSON file."""
    return json.loads(data_path(name).read_text(encoding="utf-8"))


@lru_cache(maxsize=64)
def load_toml(name: str) -> dict[str, Any]:
    """Content of a shipped TOML file."""
    return tomllib.loads(data_path(name).read_text(encoding="utf-8"))


@contextmanager
def sample_folder(name: str) -> Iterator[Path]:
    """Folder of a shipped sample examination, as a path that readers can open."""
    with resources.as_file(resources.files("milligray.data") / "samples" / name) as path:
        if not path.is_dir():
            raise InputError(f"no shipped sample named {name!r}")
        yield path

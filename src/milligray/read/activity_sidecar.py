"""Read the facts of an activity image from a file beside it (TOML or JSON)."""

import json
import tomllib
from dataclasses import fields
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from milligray.errors import FormatError, InputError
from milligray.read.activity_facts import ActivityFacts, DecayReference, SpectCalibration

_TEXTS = ("nuclide", "units", "decay_reference")
_TIMES = ("administration_time", "acquisition_time")
_KEYS = tuple(field.name for field in fields(ActivityFacts) if field.name != "origin")
_CALIBRATION_KEYS = tuple(field.name for field in fields(SpectCalibration))


def find_sidecar(image: Path) -> Path | None:
    """File of the same name with the ending .toml or .json, None if there is none."""
    stem = image.name
    for ending in (".nii.gz", ".nii", ".dcm"):
        if stem.lower().endswith(ending):
            stem = stem[: -len(ending)]
            break
    for ending in (".toml", ".json"):
        candidate = image.with_name(stem + ending)
        if candidate.is_file():
            return candidate
    return None


def read_sidecar(path: str | Path) -> ActivityFacts:
    """Read facts of an activity image.

    Parameters
    ----------
    path : str or Path
        TOML or JSON with the fields of `ActivityFacts` as keys; times as ISO 8601
        (``2026-02-24T10:48:30``); ``calibration`` is a table with the fields of
        `SpectCalibration`.

    Raises
    ------
    InputError
        If the file does not exist, a key is unknown (the nearest is named) or of the wrong type.
    FormatError
        If the file is neither TOML nor JSON.
    """
    path = Path(path)
    content = _content(path)
    facts: dict[str, Any] = {"origin": path.name}
    for key, value in content.items():
        if key not in _KEYS:
            raise InputError(f"{path.name}: unknown key {key!r}; {_hint(key, _KEYS)}")
        if key == "calibration":
            facts[key] = _calibration(value, path.name)
        elif key in _TEXTS:
            facts[key] = _text(value, key, path.name)
        elif key in _TIMES:
            facts[key] = _time(value, key, path.name)
        else:
            facts[key] = _number(value, key, path.name)
    allowed = get_args(DecayReference)
    if facts.get("decay_reference") not in (None, *allowed):
        raise InputError(f"{path.name}: decay_reference must be {', '.join(allowed)}")
    return ActivityFacts(**facts)


def _content(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except FileNotFoundError as error:
        raise InputError(f"sidecar file {path} does not exist") from error
    except (OSError, ValueError) as error:
        raise FormatError(f"sidecar file {path.name} is neither TOML nor JSON: {error}") from error
    if not isinstance(content, dict):
        raise FormatError(f"sidecar file {path.name} must hold keys and values")
    return content


def _calibration(value: object, name: str) -> SpectCalibration:
    if not isinstance(value, dict):
        raise InputError(f"{name}: calibration must be a table")
    for key in value:
        if key not in _CALIBRATION_KEYS:
            raise InputError(
                f"{name}: unknown key {key!r} in calibration; {_hint(key, _CALIBRATION_KEYS)}"
            )
    return SpectCalibration(**{key: _number(part, key, name) for key, part in value.items()})


def _number(value: object, key: str, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name}: {key} must be a number, got {value!r}")
    return float(value)


def _text(value: object, key: str, name: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name}: {key} must be text, got {value!r}")
    return value


def _time(value: object, key: str, name: str) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise InputError(
            f"{name}: {key} must be a date and time like 2026-02-24T10:48:30, got {value!r}"
        ) from error
    if moment.tzinfo is not None:
        raise InputError(f"{name}: {key} must be on the clock of the scanner, without an offset")
    return moment


def _hint(word: str, allowed: tuple[str, ...]) -> str:
    near = get_close_matches(word.lower(), allowed, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"allowed: {', '.join(allowed)}"

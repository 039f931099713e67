"""Names of organ labels from JSON files and from NIfTI headers."""

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

from milligray.errors import FormatError, InputError

_CARET_LABEL = re.compile(
    r"<Label\b[^>]*\bKey=[\"'](\d+)[\"'][^>]*>\s*(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))\s*</Label>",
    re.DOTALL,
)
_LABEL_SECTIONS = {"labels", "label", "organs", "seg", "segmentation", "mask"}
_BACKGROUND = {"background", "outside", "outside the body", "none", "clear label"}


def names_from_json(path: Path, stem: str) -> dict[int, str]:
    """Label names from a JSON file.

    Parameters
    ----------
    path : Path
    stem : str
        File name of the label map without ending: chooses the entry if the file describes
        several maps.

    Returns
    -------
    dict of int to str
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FormatError(
            f"label names {path.name} cannot be read as JSON ({type(error).__name__})"
        ) from error
    names = names_from_object(content, stem)
    if not names:
        raise InputError(
            f"{path.name} does not name the labels of {stem}; expected"
            ' {"1": "liver", ...}, {"liver": 1, ...} or ["background", "liver", ...]'
        )
    return names


def names_from_object(content: object, stem: str) -> dict[int, str] | None:
    """Label names from parsed JSON, None if it does not hold any for this map.

    Notes
    -----
    Forms: ``{"1": "liver"}``; ``{"liver": 1}``; a list of names (counted from 0 if the first is
    the background, else from 1); a list of ``{"label": 1, "name": "liver"}``; any of these under
    ``"labels"``; one entry a map, keyed by the beginning of its file name.

    Examples
    --------
    >>> names_from_object({"case_7": {"labels": {"1": "liver"}}}, "case_7_labels")
    {1: 'liver'}
    >>> names_from_object(["background", "liver"], "any")
    {1: 'liver'}
    """
    if isinstance(content, list):
        return _from_list(content)
    if not isinstance(content, Mapping) or not content:
        return None
    if all(_is_number(key) and isinstance(value, str) for key, value in content.items()):
        return {int(key): value.strip() for key, value in content.items() if int(key) > 0}
    if all(_is_number(value) for value in content.values()):
        return {int(value): str(key).strip() for key, value in content.items() if int(value) > 0}
    starts = [str(key) for key in content if stem == key or stem.startswith(f"{key}_")]
    if starts:
        key = max(starts, key=len)
        rest = stem[len(key) + 1 :] or "labels"
        return _from_section(content[key], rest, is_strict=rest not in _LABEL_SECTIONS)
    return _from_section(content, stem.rsplit("_", 1)[-1], is_strict=False)


def _from_section(content: object, section: str, *, is_strict: bool) -> dict[int, str] | None:
    """Names under the section of a file name's last word, else (not strict) under "labels"."""
    if not isinstance(content, Mapping):
        return names_from_object(content, "")
    for key in (section, f"{section}_labels"):
        if key in content:
            return names_from_object(content[key], "")
    if not is_strict and "labels" in content:
        return names_from_object(content["labels"], "")
    is_flat = not is_strict and not any(isinstance(v, Mapping | list) for v in content.values())
    return names_from_object(content, "") if is_flat and "" not in content else None


def names_from_header(texts: tuple[str, ...]) -> dict[int, str]:
    """Label names in the label table that segmenters put into a NIfTI header extension."""
    names: dict[int, str] = {}
    for text in texts:
        for key, quoted, plain in _CARET_LABEL.findall(text):
            name = html.unescape(quoted or plain).strip()
            if int(key) > 0 and name:
                names[int(key)] = name
    return names


def checked_names(names: Mapping[int, str]) -> dict[int, str]:
    """Check that every name is a word and used once.

    Raises
    ------
    InputError
        If a name is empty or two labels have the same.
    """
    clean = {int(label): str(name).strip() for label, name in names.items()}
    for label, name in clean.items():
        if not name:
            raise InputError(f"label {label} has an empty name")
    twice = sorted({name for name in clean.values() if list(clean.values()).count(name) > 1})
    if twice:
        raise InputError(f"several labels are named {twice[0]!r}; every organ needs its own name")
    return clean


def _from_list(content: list[object]) -> dict[int, str] | None:
    if content and all(isinstance(entry, str) for entry in content):
        first = 0 if str(content[0]).strip().lower() in _BACKGROUND else 1
        return {n: str(e).strip() for n, e in enumerate(content, first) if n > 0}
    names: dict[int, str] = {}
    for entry in content:
        if not isinstance(entry, Mapping):
            return None
        label = next((entry[k] for k in ("label", "id", "value", "index") if k in entry), None)
        name = entry.get("name")
        if not _is_number(label) or not isinstance(name, str):
            return None
        names[int(str(label))] = name.strip()
    names.pop(0, None)
    return names or None


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, str) and value.strip().isdigit())

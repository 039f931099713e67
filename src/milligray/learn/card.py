"""The card of a shipped network: what it is, what it was made of, where it may be believed."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from milligray.errors import FormatError, InputError
from milligray.learn.card_values import choices, finite_plain, nearest, of_type
from milligray.learn.domain import InputDomain

SCHEMA = "milligray-card/1"
CARD = "card.json"
SYSTEMS = ("deep-dose", "dose-unet", "radiomics-fcn", "scatter-net", "slice-mlp")
_NUMBERS = re.compile(r"\[\n([-+.,\deE\s]+?)\n\s*\]")  # lists of numbers go on one line
_HEX = set("0123456789abcdef")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """An input or an output of a network.

    Parameters
    ----------
    name : str
        As in the ONNX file.
    shape : tuple of int or str
        A name stands for an axis of any length, e.g. ``("batch", 2, "z", "y", "x")``.
    unit : str
        "" for what has none.
    description : str
    """

    name: str
    shape: tuple[int | str, ...]
    unit: str
    description: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        if not self.name:
            raise InputError("an input or output of a network needs a name")
        for length in self.shape:
            if not (isinstance(length, str) and length) and not (
                isinstance(length, int) and length > 0
            ):
                raise InputError(
                    f"shape of {self.name!r} must hold lengths > 0 or names, got {self.shape}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """Scans for which a network was made, by facts that are known before it runs.

    Parameters
    ----------
    allowed : mapping of fact to values
        E.g. ``{"tube_voltage_kv": (120.0,), "body_region": ("head_neck",)}``; numbers or texts.
    ranges : mapping of fact to (low, high)
        E.g. ``{"voxel_size_mm": (3.5, 4.5)}``, ends included.
    limits : tuple of str
        What a user must know beside, in sentences.

    Notes
    -----
    See `milligray.learn.validity.check_validity` for the facts of a scan.
    """

    allowed: Mapping[str, tuple[float | str, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    limits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        allowed = {fact: tuple(values) for fact, values in self.allowed.items()}
        ranges = {fact: (float(ends[0]), float(ends[1])) for fact, ends in self.ranges.items()}
        object.__setattr__(self, "allowed", finite_plain(allowed, "validity", keep_tuples=True))
        object.__setattr__(self, "ranges", finite_plain(ranges, "validity", keep_tuples=True))
        object.__setattr__(self, "limits", tuple(self.limits))
        for fact, values in allowed.items():
            if not values:
                raise InputError(f"validity allows no value of {fact!r}")
        for fact, (low, high) in ranges.items():
            if not low <= high:
                raise InputError(f"validity range of {fact!r} is empty: {low:g} to {high:g}")
        if twice := set(allowed) & set(ranges):
            raise InputError(f"validity has values and a range of {min(twice)!r}; give one")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """All that is known of a network beside its weights.

    Parameters
    ----------
    name : str
        Of the network; also of its folder.
    version : str
    system : str
        One of `SYSTEMS`: which code makes its inputs and reads its outputs.
    title : str
    license : str
        SPDX identifier.
    files : mapping of str to str
        File names and their SHA-256.
    inputs, outputs : tuple of ArraySpec
    members : tuple of str
        ONNX files of the ensemble, in order (default: all ONNX files by name).
    normalization : mapping
        Named numbers, lists, texts; arrays become lists.
    validity : Validity
    domain : InputDomain or None
        Of the inputs, or of what stands for them.
    domains : mapping of str to InputDomain
        By organ, where the inputs of organs differ.
    data : mapping
        Sets, patients by split, how the truth was made.
    training : mapping
        Command, seed, epochs, seconds, hardware, versions.
    metrics : mapping of str to list of rows
        Tables by name; a row is a mapping.
    references : tuple of str
        Citations.
    notes : tuple of str
    """

    name: str
    version: str
    system: str
    title: str
    license: str
    files: Mapping[str, str]
    inputs: tuple[ArraySpec, ...]
    outputs: tuple[ArraySpec, ...]
    members: tuple[str, ...] = ()
    normalization: Mapping[str, Any] = field(default_factory=dict)
    validity: Validity = field(default_factory=Validity)
    domain: InputDomain | None = None
    domains: Mapping[str, InputDomain] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("name", "version", "title", "license"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise InputError(f"a card needs a {name}")
        if self.system not in SYSTEMS:
            raise InputError(f"no system named {self.system!r}{choices(self.system, SYSTEMS)}")
        for key in ("inputs", "outputs", "members", "references", "notes"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        for key in ("normalization", "data", "training", "metrics"):
            object.__setattr__(self, key, finite_plain(getattr(self, key), key))
        object.__setattr__(self, "files", dict(self.files))
        object.__setattr__(self, "domains", dict(self.domains))
        for name, digest in self.files.items():
            if Path(name).name != name or name in (CARD, "", ".", ".."):
                raise InputError(f"files of a card lie beside it, got {name!r}")
            if len(digest) != 64 or not set(digest) <= _HEX:
                raise InputError(f"SHA-256 of {name!r} must be 64 hexadecimal digits")
        if not self.members:
            onnx = tuple(sorted(name for name in self.files if name.endswith(".onnx")))
            object.__setattr__(self, "members", onnx)
        if not self.members or not set(self.members) <= set(self.files):
            raise InputError("members of a card must be one or more of its files")
        for specs in (self.inputs, self.outputs):
            names = [spec.name for spec in specs]
            if not names or len(set(names)) != len(names):
                raise InputError("a network needs inputs and outputs with unique names")
        for table, rows in self.metrics.items():
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise InputError(f"metrics table {table!r} must be a list of rows (mappings)")


def write_card(card: ModelCard, folder: str | Path) -> Path:
    """Write ``card.json`` beside the files of a network, whole or not at all.

    Parameters
    ----------
    card : ModelCard
    folder : str or Path

    Returns
    -------
    Path
    """
    path = Path(folder) / CARD
    partial = path.with_name(f".{CARD}.partial")
    text = json.dumps(card_document(card), indent=1, allow_nan=False, ensure_ascii=False)
    text = _NUMBERS.sub(lambda found: "[" + " ".join(found[1].split()) + "]", text)
    with partial.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return path


def card_document(card: ModelCard) -> dict[str, Any]:
    """Card as JSON holds it."""
    document: dict[str, Any] = {"schema": SCHEMA}
    for one in fields(card):
        value = getattr(card, one.name)
        if one.name in ("inputs", "outputs"):
            value = [
                {"name": s.name, "shape": s.shape, "unit": s.unit, "description": s.description}
                for s in value
            ]
        elif one.name == "validity":
            value = {"allowed": value.allowed, "ranges": value.ranges, "limits": value.limits}
        elif one.name == "domain":
            value = value.to_document() if value else None
        elif one.name == "domains":
            value = {organ: domain.to_document() for organ, domain in value.items()}
        document[one.name] = finite_plain(value, one.name)
    return document


def read_card(folder: str | Path) -> ModelCard:
    """Read the card of a network.

    Parameters
    ----------
    folder : str or Path
        That holds ``card.json``.

    Returns
    -------
    ModelCard

    Raises
    ------
    InputError
        If there is none.
    FormatError
        If it is damaged, of another schema, or has a key that is not known; the message names the
        nearest. A key that a card may leave out takes its default.
    """
    path = Path(folder) / CARD
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{Path(folder)} holds no network (no {CARD})") from error
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} cannot be read: {error}") from error
    try:
        return card_from_document(document)
    except (InputError, FormatError) as error:
        raise FormatError(f"{path}: {error}") from error


def card_from_document(document: Any) -> ModelCard:  # noqa: ANN401 - whatever a file holds
    """Card from what JSON holds; raises FormatError or InputError."""
    values = of_type(document, dict, "the card")
    schema = values.pop("schema", None) if values else None
    if schema != SCHEMA:
        raise FormatError(f"is no card of this program (schema {schema!r}, not {SCHEMA!r})")
    known = [one.name for one in fields(ModelCard)]
    for key in values:
        if key not in known:
            raise FormatError(f"unknown key {key!r}{nearest(key, known)}")
    for key in ("inputs", "outputs"):
        rows = of_type(values.get(key, []), list, key)
        values[key] = tuple(_built(ArraySpec, row, key) for row in rows)
    values["validity"] = _built(Validity, values.get("validity", {}), "validity")
    domain = values.get("domain")
    values["domain"] = None if domain is None else InputDomain.from_document(domain)
    values["domains"] = {
        organ: InputDomain.from_document(one)
        for organ, one in of_type(values.get("domains", {}), dict, "domains").items()
    }
    return _built(ModelCard, values, "the card")


def _built(kind: type[T], values: object, what: str) -> T:
    try:
        return kind(**of_type(values, dict, what))
    except (TypeError, AttributeError, IndexError) as error:
        raise FormatError(f"{what}: {error}") from error

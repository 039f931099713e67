"""The library of scanners: load by name, match by header, choose the bowtie."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from milligray.data.loader import data_path, load_toml
from milligray.errors import FormatError, InputError
from milligray.source.scanner import Bowtie, Scanner

GENERIC = "generic"
UNSTATED_RELATIVE_UNCERTAINTY = 0.08
"""Taken for a scanner file that does not state its own; that of the generic scanner."""

_NUMBERS = ("focal_radius_mm", "fan_fov_mm", "anode_angle_deg")
_OPTIONAL_NUMBERS = ("over_beaming_mm", "model_relative_uncertainty")
_REQUIRED = ("name", "label", *_NUMBERS, "bowtie")
_ALLOWED = (
    *_REQUIRED,
    *_OPTIONAL_NUMBERS,
    "generic",
    "manufacturer_patterns",
    "model_patterns",
    "source",
)
_BOWTIE_REQUIRED = ("name", "material", "fan_angle_rad", "thickness_mm", "half_value_layer_mm_al")
_BOWTIE_ALLOWED = (
    *_BOWTIE_REQUIRED,
    "origin",
    "filter_patterns",
    "filtration_mm_al",
    "source",
    "half_value_layer_source",
)


@lru_cache(maxsize=1)
def list_scanners() -> tuple[str, ...]:
    """Names of the scanners in the library, in alphabetical order.

    Examples
    --------
    >>> from milligray.source.scanner_library import list_scanners
    >>> "ge-optima-ct660" in list_scanners()
    True
    """
    files = (entry.name for entry in data_path("scanners").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


@lru_cache(maxsize=32)
def load_scanner(name: str) -> Scanner:
    """One scanner of the library.

    Parameters
    ----------
    name : str
        As in `list_scanners`.

    Returns
    -------
    Scanner

    Raises
    ------
    InputError
        If there is none of that name; the message gives the nearest.
    """
    if name not in list_scanners():
        near = difflib.get_close_matches(name, list_scanners(), n=3, cutoff=0.3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InputError(f"no scanner named {name!r}{hint} Known: {', '.join(list_scanners())}")
    return _build(load_toml(f"scanners/{name}.toml"), name)


def scanner_from_toml(path: str | Path) -> Scanner:
    """Read a scanner of the user's own, in the form of the files in the library.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Scanner

    Raises
    ------
    FormatError
        If the file is no TOML, a key is missing, misspelled, or of the wrong kind.
    InputError
        If a figure is impossible.

    Notes
    -----
    Needed are ``name``, ``label``, ``focal_radius_mm``, ``fan_fov_mm``, ``anode_angle_deg`` and at
    least one ``[[bowtie]]`` with ``name``, ``material``, ``fan_angle_rad``, ``thickness_mm`` and a
    table ``half_value_layer_mm_al`` of kV to mm Al. Name bowties "head" and "body" so that they
    are found without the header's filter. Without ``model_relative_uncertainty`` that of the
    generic scanner is taken.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path.name} is no TOML: {error}") from error
    return _build(content, path.name)


def match_scanner(manufacturer: str, model: str) -> Scanner:
    """Find the class of scanners that a header's manufacturer and model belong to.

    Parameters
    ----------
    manufacturer, model : str
        DICOM Manufacturer and ManufacturerModelName; an empty manufacturer matches all.

    Returns
    -------
    Scanner
        The generic one (`is_generic` true) if none matches.

    Examples
    --------
    >>> from milligray.source.scanner_library import match_scanner
    >>> match_scanner("SIEMENS", "Biograph40_mCT 4R").name
    'siemens-definition'
    """
    for name in list_scanners():
        content = load_toml(f"scanners/{name}.toml")
        makers, models = content["manufacturer_patterns"], content["model_patterns"]
        if manufacturer.strip() and not _found(makers, manufacturer):
            continue
        if _found(models, model):
            return load_scanner(name)
    return load_scanner(GENERIC)


def bowtie_name(
    scanner: Scanner,
    filter_type: str = "",
    body_region: Literal["head", "body"] | None = None,
    phantom_diameter_mm: int | None = None,
) -> tuple[str, str]:
    """Which bowtie a scan was made with, and how that was decided.

    Parameters
    ----------
    scanner : Scanner
    filter_type : str
        DICOM FilterType (0018,1160), "" if unknown.
    body_region : {"head", "body"} or None
    phantom_diameter_mm : int or None
        CTDI phantom of the reported CTDIvol.

    Returns
    -------
    name : str
        Key in ``scanner.bowties``.
    note : str
        A sentence for the report.

    Notes
    -----
    In this order: the header's filter, the body region, the CTDI phantom (160 mm means head), and
    else the body. A 160 mm phantom is also reported for children's bodies; hence its last place.
    """
    if len(scanner.bowties) == 1:
        only = next(iter(scanner.bowties))
        return only, f"bowtie {only!r}: the only one of scanner {scanner.name!r}"
    text = filter_type.strip()
    for pattern, name in scanner.filter_patterns:
        if text and re.search(pattern, text, re.IGNORECASE):
            return name, f"bowtie {name!r}: filter {text!r} in the header"
    unknown = f"; filter {text!r} of the header is not known for this scanner" if text else ""
    if body_region is not None:
        wanted, reason = body_region, f"body region {body_region!r}"
    elif phantom_diameter_mm == 160:
        wanted, reason = "head", "CTDIvol refers to the 160 mm phantom"
    elif phantom_diameter_mm is not None:
        wanted, reason = "body", f"CTDIvol refers to the {phantom_diameter_mm} mm phantom"
    else:
        wanted, reason = "body", "assumed, as nothing tells"
    if wanted not in scanner.bowties:
        first = next(iter(scanner.bowties))
        return first, f"bowtie {first!r}: scanner {scanner.name!r} has none named {wanted!r}"
    return wanted, f"bowtie {wanted!r}: {reason}{unknown}"


def _found(patterns: list[str], text: str) -> bool:
    return any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)


def _check_keys(
    table: Mapping[str, Any], required: tuple[str, ...], allowed: tuple[str, ...], where: str
) -> None:
    missing = [key for key in required if key not in table]
    if missing:
        raise FormatError(f"{where}: {', '.join(missing)} missing")
    for key in table:
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise FormatError(f"{where}: unknown key {key!r}{hint}")


def _number(table: Mapping[str, Any], key: str, where: str) -> float:
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(f"{where}: {key} must be a number, got {value!r}")
    return float(value)


def _build(content: Mapping[str, Any], where: str) -> Scanner:
    _check_keys(content, _REQUIRED, _ALLOWED, where)
    numbers = {"model_relative_uncertainty": UNSTATED_RELATIVE_UNCERTAINTY}
    numbers |= {key: _number(content, key, where) for key in _NUMBERS}
    numbers |= {key: _number(content, key, where) for key in _OPTIONAL_NUMBERS if key in content}
    bowties: dict[str, Bowtie] = {}
    layers: dict[tuple[str, int], float] = {}
    patterns: list[tuple[str, str]] = []
    sources = [f"{key}: {value}" for key, value in content.get("source", {}).items()]
    for table in content["bowtie"]:
        _check_keys(table, _BOWTIE_REQUIRED, _BOWTIE_ALLOWED, f"{where}, bowtie")
        name = str(table["name"])
        if name in bowties:
            raise FormatError(f"{where}: bowtie {name!r} stands twice")
        inside = f"{where}, bowtie {name!r}"
        bowties[name] = _bowtie(table, inside)
        layers |= _layers(table, name, inside)
        patterns += [(pattern, name) for pattern in table.get("filter_patterns", [])]
        sources += [
            f"{name} {label}: {table[key]}"
            for key, label in (("source", "bowtie"), ("half_value_layer_source", "HVL"))
            if key in table
        ]
    return Scanner(
        name=str(content["name"]),
        label=str(content["label"]),
        half_value_layer_mm_al=layers,
        bowties=bowties,
        is_generic=bool(content.get("generic", False)),
        sources=tuple(sources),
        filter_patterns=tuple(patterns),
        **numbers,
    )


def _bowtie(table: Mapping[str, Any], where: str) -> Bowtie:
    try:
        angle = np.array(table["fan_angle_rad"], dtype=np.float64)
        thickness = np.array(table["thickness_mm"], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{where}: angles and thicknesses must be numbers") from error
    return Bowtie(
        name=str(table["name"]),
        material=str(table["material"]),
        fan_angle_rad=angle,
        thickness_mm=thickness,
    )


def _layers(table: Mapping[str, Any], name: str, where: str) -> dict[tuple[str, int], float]:
    given = table["half_value_layer_mm_al"]
    try:
        layers = {(name, int(kv)): float(hvl) for kv, hvl in given.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise FormatError(
            f"{where}: half_value_layer_mm_al must be a table of kV to mm Al"
        ) from error
    if not layers or any(not hvl > 0 for hvl in layers.values()):
        raise FormatError(f"{where}: half_value_layer_mm_al needs values > 0")
    return layers

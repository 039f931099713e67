"""Help for the scripts that print blueprint files: shapes as dictionaries, TOML, volume shares."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milligray.anatomy.blueprint import _structures
from milligray.anatomy.frame import VoxelFrame
from milligray.errors import InputError

Entry = dict[str, Any]
REGIONS = Path(__file__).parents[1] / "src/milligray/data/anatomy/regions.toml"


def to_toml(header: str, entries: Iterable[Entry]) -> str:
    """A blueprint file; the key ``note`` of a shape becomes its comment."""
    lines = header.splitlines()
    for entry in entries:
        lines += ["", "[[structure]]"]
        lines += [f"{k} = {_text(v)}" for k, v in entry.items() if k != "shape"]
        for shape in entry["shape"]:
            lines.append("[[structure.shape]]")
            note = f"  # {shape['note']}" if "note" in shape else ""
            lines.append(f"type = {_text(shape['type'])}{note}")
            lines += [f"{k} = {_text(v)}" for k, v in shape.items() if k not in ("type", "note")]
    return "\n".join(lines) + "\n"


def claimed_ml(entries: Sequence[Entry], spacing_mm: float = 1.5) -> dict[str, float]:
    """Volumes of the shapes in the reference man, each less what earlier ones hold [mL]."""
    found = [
        s for e in entries if e.get("stage") != "region" for s in _structures(e, "male", "", {})
    ]
    found.sort(key=lambda s: s.order)
    corners = [s.bounds() for s in found]
    low = np.min([c[0] for c in corners], axis=0) - 20.0
    high = np.max([c[1] for c in corners], axis=0) + 20.0
    x, y, z = (np.arange(a, b, spacing_mm) for a, b in zip(low, high, strict=True))
    one, zero = np.ones(z.size), np.zeros(z.size)
    frame = VoxelFrame(zc=z, ax=one, bx=zero, ay=one, by=zero, y=y, x=x)
    taken = np.zeros(frame.shape, dtype=np.bool_)
    out = {}
    for structure in found:
        box = frame.box_of(*structure.bounds())
        if box is None:
            raise InputError(f"{structure.name!r} lies outside of all shapes")
        inside = (structure.field(frame.part(box)) < 0.0) & ~taken[box]
        taken[box] |= inside
        out[structure.name] = float(inside.sum()) * spacing_mm**3 * 1e-3
    return out


def set_shares(entries: Sequence[Entry]) -> None:
    """Fill in ``site = [name, None]``: shares as the volumes of the shapes stand to each other."""
    volumes = claimed_ml(entries)
    sums: dict[str, float] = {}
    for entry in entries:
        if "site" in entry:
            both = 2.0 if entry.get("mirror") else 1.0
            site = entry["site"][0]
            sums[site] = sums.get(site, 0.0) + both * volumes[entry["name"]]
    for entry in entries:
        if "site" in entry:
            site = entry["site"][0]
            entry["site"] = [site, round(volumes[entry["name"]] / sums[site], 4)]


def _text(value: Any) -> str:  # noqa: ANN401 - anything a blueprint holds
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(_text(v) for v in value) + "]"
    return f"{float(value):.4f}".rstrip("0").rstrip(".") if value else "0"

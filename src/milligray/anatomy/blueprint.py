"""The blueprint: which structures a body has, of which shapes, in which order they claim space."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from milligray.anatomy.fields import FAR
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.shapes import Motion, Shape, make_shape
from milligray.data.loader import load_toml
from milligray.errors import InputError
from milligray.typing import FloatArray

FILES = (
    "regions",
    "skull",
    "spine",
    "thorax_bones",
    "pelvis",
    "limbs",
    "head",
    "thorax",
    "abdomen",
)
STAGES = ("skeleton", "organs", "lungs", "abdomen")
_KEYS = {
    *("name", "mirror", "stage", "order", "tissue", "core", "cortex_mm", "volume_ml", "mass"),
    *("blend", "reach", "inside", "outside", "ordered_by", "limb", "sex", "shape", "group", "note"),
    *("content", "limit_mm", "site"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """One organ, bone or region of the blueprint.

    Parameters
    ----------
    name : str
        Catalog name; of regions any name.
    shapes : tuple of Shape
    stage : str
        When it claims space, see `STAGES`; "region" for what only bounds others.
    order : float
        Within its stage; the earlier one keeps the voxels that both want.
    tissue : str
        Of all of it, or of its outer layer (wall, cortex).
    core : str
        Tissue below the outer layer; "" if there is none.
    cortex_mm : float [mm]
        Thickness of the outer layer where `core` is given and no content mass.
    volume_ml : tuple of float or None
        Target (male, female) of the reference adults.
    mass : str
        Row of the reference masses that gives the target instead; "" for none. Without a target
        the structure is where its field is negative.
    site : tuple of str and float or None
        Bone site of the skeleton table that gives volume and cortical share, and this bone's
        share of it.
    content : float or None
        Share of the volume that is `core`, where masses do not tell.
    inside, outside : tuple of str
        Regions or structures whose fields bound the growth.
    ordered_by : str
        Region by whose (negative) field voxels are taken, instead of the own field.
    limit_mm : float [mm]
        Largest offset of the surface that growth may make.
    limb, group : str
        What it moves with: a limb in a pose, a group of organs in random variation.
    """

    name: str
    shapes: tuple[Shape, ...]
    stage: str = "skeleton"
    order: float = 0.0
    tissue: str = "soft_tissue"
    core: str = ""
    cortex_mm: float = 1.5
    volume_ml: tuple[float, float] | None = None
    mass: str = ""
    site: tuple[str, float] | None = None
    content: float | None = None
    blend_mm: float = 0.0
    reach_mm: float = 12.0
    limit_mm: float = 1e9
    inside: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    ordered_by: str = ""
    limb: str = ""
    group: str = ""

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Canonical box that holds the structure and its growth [mm]."""
        corners = [s.bounds() for s in self.shapes if s.operation == "add"]
        if not corners:
            raise InputError(f"structure {self.name!r} has no shape that adds to it")
        low = np.min([c[0] for c in corners], axis=0) - self.reach_mm
        high = np.max([c[1] for c in corners], axis=0) + self.reach_mm
        return low, high

    def moved(self, motion: Motion) -> "Structure":
        """The same after a motion of all its shapes."""
        return replace(self, shapes=tuple(s.moved(motion) for s in self.shapes))

    def field(self, frame: VoxelFrame) -> FloatArray:
        """Distance-like field over the voxels of a frame, shape ``frame.shape``, float32 [mm]."""
        out = np.full(frame.shape, FAR, dtype=np.float32)
        for shape in self.shapes:
            shape.join(out, frame, self.reach_mm, self.blend_mm)
        return out


@lru_cache(maxsize=4)
def load_blueprint(sex: str) -> tuple[dict[str, Structure], tuple[Structure, ...]]:
    """Regions by name and structures in the order in which they claim space, of one sex."""
    found: list[Structure] = []
    for file in FILES:
        for entry in load_toml(f"anatomy/{file}.toml").get("structure", ()):
            found += _structures(entry, sex, file)
    names = [s.name for s in found]
    if len(set(names)) != len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise InputError(f"structures named twice in the blueprint: {', '.join(twice)}")
    regions = {s.name: s for s in found if s.stage == "region"}
    others = [s for s in found if s.stage != "region"]
    others.sort(key=lambda s: (STAGES.index(s.stage), s.order))
    return regions, tuple(others)


def _structures(entry: Mapping[str, Any], sex: str, file: str) -> list[Structure]:
    unknown = set(entry) - _KEYS
    if unknown:
        raise InputError(f"{file}.toml, {entry.get('name')}: unknown keys {sorted(unknown)}")
    if entry.get("sex", sex) != sex:
        return []
    shapes = tuple(make_shape(s) for s in entry["shape"] if s.get("sex", sex) == sex)
    structure = Structure(
        name=entry["name"],
        shapes=shapes,
        stage=entry.get("stage", "skeleton"),
        order=float(entry.get("order", 0.0)),
        tissue=entry.get("tissue", "soft_tissue"),
        core=entry.get("core", ""),
        cortex_mm=float(entry.get("cortex_mm", 1.5)),
        volume_ml=tuple(entry["volume_ml"]) if "volume_ml" in entry else None,
        mass=entry.get("mass", ""),
        site=(entry["site"][0], float(entry["site"][1])) if "site" in entry else None,
        content=entry.get("content"),
        blend_mm=float(entry.get("blend", 0.0)),
        reach_mm=float(entry.get("reach", 12.0)),
        limit_mm=float(entry.get("limit_mm", 1e9)),
        inside=tuple(entry.get("inside", ())),
        outside=tuple(entry.get("outside", ())),
        ordered_by=entry.get("ordered_by", ""),
        limb=entry.get("limb", ""),
        group=entry.get("group", ""),
    )
    if not entry.get("mirror", False):
        return [structure]
    return [structure, _mirrored(structure)]


def _mirrored(left: Structure) -> Structure:
    if "left" not in left.name:
        raise InputError(f"structure {left.name!r} is mirrored, so its name must hold 'left'")
    return replace(
        left,
        name=left.name.replace("left", "right"),
        mass=left.mass.replace("left", "right"),
        limb=left.limb.replace("left", "right"),
        group=left.group.replace("left", "right"),
        inside=tuple(n.replace("left", "right") for n in left.inside),
        outside=tuple(n.replace("left", "right") for n in left.outside),
        shapes=tuple(s.mirrored() for s in left.shapes),
    )

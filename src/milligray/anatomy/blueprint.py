"""The blueprint: which structures a body has, of which shapes, in which order they claim space."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from milligray.anatomy.derived import SOLID_MM, Shell, make_furrows
from milligray.anatomy.fields import FAR
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.motion import Motion
from milligray.anatomy.shape_entries import make_shape
from milligray.anatomy.shapes import Shape
from milligray.data.loader import load_toml
from milligray.errors import InputError
from milligray.typing import FloatArray

FILES = (
    "regions",
    "envelope",
    "skull",
    "spine",
    "thorax_bones",
    "pelvis",
    "limbs",
    "head",
    "thorax",
    "abdomen",
)
STAGES = ("skeleton", "organs", "lungs", "abdomen", "surface")
REACH_MM = {"skeleton": 7.0}
"""Default of how far a structure of a stage may grow; others 12 mm."""
_KEYS = {
    *("name", "mirror", "stage", "order", "tissue", "core", "cortex_mm", "volume_ml", "mass"),
    *("blend", "reach", "inside", "outside", "ordered_by", "limb", "sex", "shape", "group", "note"),
    *("content", "limit_mm", "site", "gas_ml", "shaft", "lobes", "follows"),
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
        Row of the reference masses that gives the target instead, or a sum of rows such as
        "colon - 0.45 rectosigmoid"; "" for none. Without a target the structure is where its
        field is negative.
    site : tuple of (str, float) or None
        Bone sites of the skeleton table whose sum gives volume and cortical share, each with this
        bone's share of it.
    content : float or None
        Share of the volume that is `core`, where masses do not tell.
    gas_ml : tuple of float or None [mL]
        Gas (male, female) within the core, beyond the masses; it lies in front in every part of
        the lumen.
    inside, outside : tuple of str
        Regions or structures whose fields bound the growth.
    ordered_by : str
        Region by whose (negative) field voxels are taken, instead of the own field.
    limit_mm : float [mm]
        Largest offset of the surface that growth may make.
    limb, group : str
        What it moves with: a limb in a pose, a group of organs in random variation.
    lobes : tuple of (str, str)
        Parts that the whole is cut into, each with the region that is its fissure, see `lobes`.
    follows : str
        Stage with whose organs a region moves in breathing.
    blends : tuple of float [mm]
        Of every shape, where they are not all `blend_mm`.
    shaft : tuple of Shape
        Where a long bone has a thick cortex and a core of marrow.
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
    site: tuple[tuple[str, float], ...] | None = None
    content: float | None = None
    gas_ml: tuple[float, float] | None = None
    blend_mm: float = 0.0
    blends: tuple[float, ...] = ()
    shaft: tuple[Shape, ...] = ()
    reach_mm: float = 12.0
    limit_mm: float = 1e9
    inside: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    ordered_by: str = ""
    limb: str = ""
    group: str = ""
    lobes: tuple[tuple[str, str], ...] = ()
    follows: str = ""

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
        return replace(
            self,
            shapes=tuple(s.moved(motion) for s in self.shapes),
            shaft=tuple(s.moved(motion) for s in self.shaft),
        )

    def field(self, frame: VoxelFrame) -> FloatArray:
        """Distance-like field over the voxels of a frame, shape ``frame.shape``, float32 [mm]."""
        out = np.full(frame.shape, FAR, dtype=np.float32)
        blends = self.blends or (self.blend_mm,) * len(self.shapes)
        for shape, blend in zip(self.shapes, blends, strict=True):
            shape.join(out, frame, self.reach_mm, blend)
        return out

    def shaft_field(self, frame: VoxelFrame) -> FloatArray | None:
        """Field of the shaft, negative inside it; None for what is no long bone [mm]."""
        if not self.shaft:
            return None
        return replace(self, shapes=self.shaft, blends=()).field(frame)


@lru_cache(maxsize=4)
def load_blueprint(sex: str) -> tuple[dict[str, Structure], tuple[Structure, ...]]:
    """Regions by name and structures in the order in which they claim space, of one sex."""
    found: list[Structure] = []
    for file in FILES:
        for entry in load_toml(f"anatomy/{file}.toml").get("structure", ()):
            found += _structures(entry, sex, file, {s.name: s for s in found})
    names = [s.name for s in found]
    if len(set(names)) != len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise InputError(f"structures named twice in the blueprint: {', '.join(twice)}")
    regions = {s.name: s for s in found if s.stage == "region"}
    others = [s for s in found if s.stage != "region"]
    others.sort(key=lambda s: (STAGES.index(s.stage), s.order))
    return regions, tuple(others)


def _structures(
    entry: Mapping[str, Any], sex: str, file: str, known: Mapping[str, Structure]
) -> list[Structure]:
    unknown = set(entry) - _KEYS
    if unknown:
        raise InputError(f"{file}.toml, {entry.get('name')}: unknown keys {sorted(unknown)}")
    if entry.get("sex", sex) != sex:
        return []
    shapes: list[Shape] = []
    blends: list[float] = []
    for part in (s for s in entry["shape"] if s.get("sex", sex) == sex):
        shape = _shape(part, known)
        shapes += [shape, shape.mirrored()] if part.get("both") else [shape]
        blend = float(part.get("blend", entry.get("blend", 0.0)))
        blends += [blend] * (len(shapes) - len(blends))
    stage = entry.get("stage", "skeleton")
    structure = Structure(
        name=entry["name"],
        shapes=tuple(shapes),
        blends=tuple(blends),
        shaft=tuple(make_shape(s) for s in entry.get("shaft", ())),
        stage=stage,
        order=float(entry.get("order", 0.0)),
        tissue=entry.get("tissue", "soft_tissue"),
        core=entry.get("core", ""),
        cortex_mm=float(entry.get("cortex_mm", 1.5)),
        volume_ml=tuple(entry["volume_ml"]) if "volume_ml" in entry else None,
        mass=entry.get("mass", ""),
        site=_sites(entry["site"]) if "site" in entry else None,
        content=entry.get("content"),
        gas_ml=tuple(entry["gas_ml"]) if "gas_ml" in entry else None,
        blend_mm=float(entry.get("blend", 0.0)),
        reach_mm=float(entry.get("reach", REACH_MM.get(stage, 12.0))),
        limit_mm=float(entry.get("limit_mm", 1e9)),
        inside=tuple(entry.get("inside", ())),
        outside=tuple(entry.get("outside", ())),
        ordered_by=entry.get("ordered_by", ""),
        limb=entry.get("limb", ""),
        group=entry.get("group", ""),
        lobes=tuple((lobe[0], lobe[1]) for lobe in entry.get("lobes", ())),
        follows=entry.get("follows", ""),
    )
    if not entry.get("mirror", False):
        return [structure]
    return [structure, _mirrored(structure)]


def _sites(value: Any) -> tuple[tuple[str, float], ...]:  # noqa: ANN401 - a list from TOML
    """``["hip_bones", 0.5]``, or a list of such pairs."""
    pairs = [value] if isinstance(value[0], str) else value
    return tuple((str(name), float(share)) for name, share in pairs)


def _shape(entry: Mapping[str, Any], known: Mapping[str, Structure]) -> Shape:
    """A shape; ``type = "shell"``: `inner` to `outer` mm around the structure `of`, named before.

    Without `inner` it is solid.
    """
    if entry.get("type") == "furrows":
        return make_furrows(entry)
    if entry.get("type") != "shell":
        return make_shape(entry)
    if entry.get("of") not in known:
        raise InputError(f"shell of {entry.get('of')!r}: no structure of this name before it")
    of = known[entry["of"]]
    inner, outer = float(entry.get("inner", SOLID_MM)), float(entry.get("outer", 0.0))
    return Shell(entry.get("op", "add"), of.shapes, of.blend_mm, inner, outer)


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
        lobes=tuple(
            (name.replace("left", "right"), fissure.replace("left", "right"))
            for name, fissure in left.lobes
        ),
        shapes=tuple(s.mirrored() for s in left.shapes),
        shaft=tuple(s.mirrored() for s in left.shaft),
    )

"""The envelope: surface of the lean body, and how thick the fat lies on it where."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from milligray.anatomy.canvas import CAVITY, SWOLLEN, Canvas
from milligray.anatomy.fields import FAR
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.layer_loops import distance_from, union
from milligray.anatomy.parameters import AnatomyParameters
from milligray.data.loader import load_toml
from milligray.typing import FloatArray

WALL_MM = {"trunk_cavity": 11.0, "thoracic_cavity": 14.0}
"""Least thickness of the wall around a cavity (muscle; ribs and muscle)."""
WALL_BLEND_MM = 30.0
CHEST_MM, CHEST_TAPER_MM = 1300.0, 250.0
"""Canonical height below which the wall of the chest tapers off, as its square over the second."""
COVER_MM = 4.0
"""Least cover of any bone or organ."""
COVER_BLEND_MM = 10.0
ARM_BLEND_MM = 12.0
"""Of the arms with the trunk."""
FAT_BLEND_MM = 25.0
"""Half of the way over which the thickness of the fat goes from that of the trunk to the arm's."""
MOUND_BLEND_MM = 6.0
BREAST_BLEND_MM = 14.0
BREAST_GAIN_MM = 9.0
"""How much larger a breast is all around with twice the reference fat."""
MOUND_REACH_MM = 30.0
SKIN_MM = 1.8
"""Thickness of the skin, which lies on the fat of any body."""
COARSE_MM = 4.0
HIGHEST_SCALE = 60.0
COARSE_STEPS, FINE_STEPS, WIDER = 9, 1, 4.0
"""Halvings of the interval of the scale on every second coarse voxel and on all of them, and how
many times wider than the last interval of the former the first of the latter is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Envelope:
    """Fields on a coarse grid [mm].

    Parameters
    ----------
    lean : ndarray
        Distance from the surface of the lean body.
    fat, gain : ndarray
        Thickness of the fat at the reference weight, and of what a heavier person has on it.
    give : ndarray
        How far the lean surface moves, where the level of the muscles moves by 1 mm.
    mounds : ndarray
        Field of what is added to the surface.
    breasts : ndarray or None
        Field of the breasts, which lie on the fat and grow with it.
    stride : int
        Coarse voxels over fine ones, along an edge.
    """

    lean: FloatArray
    fat: FloatArray
    gain: FloatArray
    give: FloatArray
    mounds: FloatArray
    breasts: FloatArray | None
    stride: int

    def skin_depth(self, level: float, scale: float) -> FloatArray:
        """Distance from the skin with `scale` times the reference fat, negative inside [mm]."""
        thickness = np.float32(min(scale, 1.0)) * self.fat + np.float32(SKIN_MM)
        if scale > 1.0:
            thickness += np.float32(scale - 1.0) * self.gain
        depth = np.asarray(self.lean - np.float32(level) * self.give - thickness)
        if self.breasts is None:
            return depth
        grown = self.breasts - np.float32(level + BREAST_GAIN_MM * (scale - 1.0))
        return smooth_min(depth, grown, BREAST_BLEND_MM)

    def part(self, every: int) -> "Envelope":
        """Every second or so of its voxels."""
        here = tuple(slice(None, None, every) for _ in range(3))
        lean, fat, gain, give, mounds = (
            np.ascontiguousarray(values[here])
            for values in (self.lean, self.fat, self.gain, self.give, self.mounds)
        )
        breasts = None if self.breasts is None else np.ascontiguousarray(self.breasts[here])
        return Envelope(
            lean=lean, fat=fat, gain=gain, give=give, mounds=mounds, breasts=breasts,
            stride=self.stride * every,
        )  # fmt: skip

    def muscle(self) -> FloatArray:
        """Field whose level is that of the muscles: equal to `lean` where all of it gives [mm]."""
        return np.asarray(self.lean / self.give)


def envelope_of(canvas: Canvas, parameters: AnatomyParameters) -> Envelope:
    """The envelope of a person whose cavities stand."""
    spacing = canvas.grid.spacing_mm[0]
    stride = max(1, round(COARSE_MM / spacing))
    every = slice(None, None, stride)
    frame = canvas.frame.part((every, every, every))
    body = canvas.regions["lean_body"].field(frame)
    for name, wall in WALL_MM.items():
        edge = _side_of(canvas, name, frame, stride) - np.float32(wall)
        if name == "thoracic_cavity":
            taper = np.maximum(CHEST_MM - frame.zc, 0.0) ** 2 / CHEST_TAPER_MM
            edge += taper[:, None, None].astype(np.float32)
        body = smooth_min(body, edge, WALL_BLEND_MM)
    arms, hands = (
        np.minimum(
            canvas.regions[f"{name}_left"].field(frame),
            canvas.regions[f"{name}_right"].field(frame),
        )
        for name in ("lean_arm", "hand")
    )
    is_arm = np.clip(0.5 + (body - arms) / (2.0 * FAT_BLEND_MM), 0.0, 1.0)
    is_hand = np.clip(-hands / (2.0 * FAT_BLEND_MM), 0.0, 1.0)
    table = load_toml("anatomy/fat.toml")[parameters.sex]
    layers = []
    for n, name in enumerate(("rows", "gain")):
        arm_mm, hand_mm = (float(table[key][n]) for key in ("arm_mm", "hand_mm"))
        limb = arm_mm + (hand_mm - arm_mm) * is_hand
        trunk = _trunk_fat(frame, np.array(table[name], dtype=np.float64))
        layers.append((trunk + (limb - trunk) * is_arm).astype(np.float32))
    mounds = np.full(body.shape, FAR, dtype=np.float32)
    for name, region in canvas.regions.items():
        if name.startswith("mound"):
            mounds = np.minimum(mounds, region.field(frame))
    rows = np.array(table["give"], dtype=np.float64)
    give = np.interp(frame.zc, rows[:, 0], rows[:, 1])[:, None, None]
    give = give + is_arm * (1.0 - give)
    give = (give + (float(rows[:, 1].min()) - give) * is_hand).astype(np.float32)
    sides = [r.field(frame) for name, r in canvas.regions.items() if name.startswith("breast")]
    lean = smooth_min(body, arms, ARM_BLEND_MM) + np.float32(table["lean_mm"]) * give
    return Envelope(
        lean=lean, fat=layers[0], gain=layers[1], give=give,
        mounds=mounds, stride=stride, breasts=np.minimum.reduce(sides) if sides else None,
    )  # fmt: skip


def surface_of(canvas: Canvas, envelope: Envelope, level: float, wanted: float) -> FloatArray:
    """Field whose negative side is the body without its mounds, coarse [mm].

    Parameters
    ----------
    canvas : Canvas
        With all but fat and skin.
    envelope : Envelope
    level : float [mm]
        Of the surface of the muscles.
    wanted : float
        Number of fine voxels that lie between what there is and the outside, mounds included.
    """
    n = envelope.stride
    deep = canvas.structure[::n, ::n, ::n] == 0
    far = distance_from(~deep, canvas.grid.spacing_mm[0] * n)
    cover = ndimage.gaussian_filter(far, 1.0) - np.float32(COVER_MM)
    scale = 0.5 * HIGHEST_SCALE
    width = HIGHEST_SCALE
    for every, steps in ((2, COARSE_STEPS), (1, FINE_STEPS)):
        part = envelope.part(every)
        here = tuple(slice(None, None, every) for _ in range(3))

        def voxels(
            scale: float,
            part: Envelope = part,
            here: tuple[slice, ...] = here,
            every: int = every,
        ) -> float:
            field = smooth_min(part.skin_depth(level, scale), cover[here], COVER_BLEND_MM)
            field = smooth_min(field, part.mounds, MOUND_BLEND_MM)
            return float(np.count_nonzero((field < 0.0) & deep[here])) * (n * every) ** 3

        scale, width = _solved(voxels, wanted, scale, width, steps)
        width = WIDER * width
    return smooth_min(envelope.skin_depth(level, scale), cover, COVER_BLEND_MM)


def _solved(
    voxels: Callable[[float], float], wanted: float, middle: float, width: float, steps: int
) -> tuple[float, float]:
    """Scale at which `voxels` is as wanted, within an interval, and how wide the last one was."""
    low, high = max(middle - 0.5 * width, 0.0), middle + 0.5 * width
    counts = [voxels(low), voxels(high)]
    for _ in range(steps):
        middle = 0.5 * (low + high)
        count = voxels(middle)
        if count < wanted:
            low, counts[0] = middle, count
        else:
            high, counts[1] = middle, count
    # within so small an interval the volume is linear in the scale
    share = (wanted - counts[0]) / max(counts[1] - counts[0], 1.0)
    return low + min(max(share, 0.0), 1.0) * (high - low), high - low


def join_mounds(canvas: Canvas, outer: FloatArray) -> None:
    """Add the mounds to the field of the surface, in place, at full resolution."""
    for name, region in canvas.regions.items():
        low, high = region.bounds()
        box = canvas.frame.box_of(low - MOUND_REACH_MM, high + MOUND_REACH_MM)
        if name.startswith("mound") and box is not None:
            field = region.field(canvas.frame.part(box))
            outer[box] = smooth_min(outer[box], field, MOUND_BLEND_MM)


def smooth_min(a: FloatArray, b: FloatArray, blend: float) -> FloatArray:
    """Smooth union of two fields."""
    out = np.empty(a.shape, dtype=np.float32)
    union(a, b, np.float32(blend), out)
    return out


def _side_of(canvas: Canvas, name: str, frame: VoxelFrame, stride: int) -> FloatArray:
    """Field of a cavity as it stands now, without the diaphragm that parts them [mm]."""
    if name != CAVITY:
        z, y, x = (slice(0, n, stride) for n in canvas.grid.shape)
        return canvas.edge(name, (z, y, x))
    lean = canvas.regions[CAVITY].field(frame)
    room = np.maximum(lean - canvas.regions[SWOLLEN].field(frame), 0.0)
    return np.asarray(lean - np.float32(canvas.levels.get(CAVITY, 0.0)) * room)


def _trunk_fat(frame: VoxelFrame, rows: FloatArray) -> FloatArray:
    """Thickness of the fat by height and direction (front, side, back) [mm]."""
    z = np.clip(frame.zc, rows[0, 0], rows[-1, 0])
    front, side, back = PchipInterpolator(rows[:, 0], rows[:, 1:])(z).T.astype(np.float32)
    x = (frame.x[None, None, :] / frame.ax[:, None, None] / 150.0).astype(np.float32)
    y = (frame.y[None, :, None] / frame.ay[:, None, None] / 100.0).astype(np.float32)
    around = np.hypot(x, y) + 1e-6
    lateral = (x / around) ** 2
    behind = 0.5 + 0.5 * y / around
    sagittal = front[:, None, None] + (back - front)[:, None, None] * behind
    return np.asarray(lateral * side[:, None, None] + (1.0 - lateral) * sagittal, dtype=np.float32)

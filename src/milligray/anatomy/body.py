"""The body around the organs: muscle, fat and skin until the weight is met."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.canvas import (
    CAVITY,
    CAVITY_REACH_MM,
    Canvas,
    reference_weight_kg,
    tissue_code,
)
from milligray.anatomy.fields import FAR
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.growth import grow
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.targets import reference_mass_g, target_of, tissue_density, tissue_rows
from milligray.data.loader import load_toml
from milligray.errors import InputError
from milligray.patient.voxel_loop import voxel_loop
from milligray.typing import FloatArray

LEAN_SHARE_OF_EXCESS = 0.25
"""Share of the weight beyond the reference that is muscle (Forbes 1987: 0.2 to 0.3)."""
WALL_MM = {"trunk_cavity": 14.0, "thoracic_cavity": 17.0}
"""Least thickness of the wall around a cavity (muscle; ribs and muscle)."""
WALL_BLEND_MM = 30.0
MOUND_BLEND_MM = 8.0
SKIN_MM = 3.0
"""Least depth of a gland below the surface of the body."""
COARSE_MM = 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layers:
    """Fields on the coarse grid: lean body, local fat thickness (relative), mounds on it [mm]."""

    lean: FloatArray
    thickness: FloatArray
    mounds: FloatArray
    stride: int


def clothe(
    canvas: Canvas,
    parameters: AnatomyParameters,
    targets: dict[str, float],
    glands: Sequence[Structure] = (),
) -> list[str]:
    """Fill what is free: fat in the cavities, muscle, fat under the skin, skin.

    Parameters
    ----------
    canvas : Canvas
        Changed in place.
    parameters : AnatomyParameters
    targets : dict of str to float [mL]
        Gets the volumes of muscle, of the glands and of skin.
    glands : sequence of Structure
        What lies within the fat under the skin: the breast.

    Returns
    -------
    list of str
        Notes.

    Raises
    ------
    InputError
        If the weight leaves no fat.
    """
    layers = _layers(canvas, parameters)
    _fill_cavities(canvas)
    muscle_ml = _muscle_ml(parameters)
    skin_ml = _skin_ml(parameters)
    lean = _fine(layers.lean, layers.stride, canvas.grid.shape)
    free = canvas.structure == 0
    level = _level(lean, free, muscle_ml / canvas.voxel_ml)
    canvas.levels["lean_body"] = level
    label = canvas.new_label("skeletal_muscle")
    _take(canvas.structure, canvas.tissue, lean, level, label, tissue_code("muscle"))
    targets["skeletal_muscle"] = muscle_ml
    fat_ml = _fat_ml(canvas, parameters, skin_ml)
    surface = _surface(layers, level, (fat_ml + skin_ml) / _coarse_ml(canvas, layers))
    del lean
    outer = _fine(surface, layers.stride, canvas.grid.shape)
    for gland in glands:
        _claim_below_skin(canvas, gland, outer, parameters, targets)
    label = canvas.new_label("subcutaneous_fat")
    _take(canvas.structure, canvas.tissue, outer, 0.0, label, tissue_code("fat"))
    skin = canvas.new_label("skin")
    edge = _level(-outer, canvas.structure == label, skin_ml / canvas.voxel_ml)
    _replace(canvas.structure, canvas.tissue, -outer, edge, label, skin, tissue_code("skin"))
    targets["skin"] = skin_ml
    return []


def _claim_below_skin(
    canvas: Canvas,
    gland: Structure,
    outer: FloatArray,
    parameters: AnatomyParameters,
    targets: dict[str, float],
) -> None:
    """A gland takes the lowest values of its field between muscle and skin."""
    box = canvas.box_of(gland)
    target = target_of(gland, parameters)
    if box is None or target is None:
        return
    part = canvas.frame.part(box)
    allowed = canvas.free(box, gland, part) & (outer[box] < -SKIN_MM)
    wanted = round(target.volume_ml / canvas.voxel_ml)
    taken, canvas.levels[gland.name] = grow(gland.name, gland.field(part), allowed, wanted)
    canvas.paint(box, taken, gland, None)
    targets[gland.name] = target.volume_ml


def mass_kg(canvas: Canvas) -> float:
    """Mass of all that has been painted, by nominal densities [kg]."""
    counts = np.bincount(canvas.tissue.ravel(), minlength=len(tissue_rows()))
    inside = np.bincount(canvas.tissue[canvas.structure > 0], minlength=len(tissue_rows()))
    counts[0] = inside[0]
    density = np.array([tissue_density(name) for name in tissue_rows()])
    return float(counts @ density * canvas.voxel_ml * 1e-3)


def _layers(canvas: Canvas, parameters: AnatomyParameters) -> _Layers:
    spacing = canvas.grid.spacing_mm[0]
    stride = max(1, round(COARSE_MM / spacing))
    f = canvas.frame
    frame = VoxelFrame(
        zc=f.zc[::stride], ax=f.ax[::stride], bx=f.bx[::stride], ay=f.ay[::stride],
        by=f.by[::stride], y=f.y[::stride].copy(), x=f.x[::stride].copy(),
    )  # fmt: skip
    body = canvas.regions["lean_body"].field(frame)
    for name, wall in WALL_MM.items():
        cavity = canvas.edge(name, frame) - np.float32(wall)
        body = _smooth_min(body, cavity, WALL_BLEND_MM)
    thickness = _trunk_thickness(frame, parameters)
    arms = np.minimum(
        canvas.regions["lean_arm_left"].field(frame), canvas.regions["lean_arm_right"].field(frame)
    )
    arm_mm = float(load_toml("anatomy/fat.toml")[parameters.sex]["arm_mm"])
    thickness = np.where(arms < body, np.float32(arm_mm), thickness)
    mounds = np.full(body.shape, FAR, dtype=np.float32)
    for name, region in canvas.regions.items():
        if name.startswith("mound"):
            mounds = np.minimum(mounds, region.field(frame))
    return _Layers(
        lean=_smooth_min(body, arms, 12.0), thickness=thickness, mounds=mounds, stride=stride
    )


def _trunk_thickness(frame: VoxelFrame, parameters: AnatomyParameters) -> FloatArray:
    """Relative thickness of the fat by height and direction (front, side, back)."""
    rows = np.array(load_toml("anatomy/fat.toml")[parameters.sex]["rows"], dtype=np.float64)
    front, side, back = (np.interp(frame.zc, rows[:, 0], rows[:, c]) for c in (1, 2, 3))
    x = frame.x[None, None, :] / frame.ax[:, None, None] / 150.0
    y = frame.y[None, :, None] / frame.ay[:, None, None] / 100.0
    lateral = np.clip(x**2 / (x**2 + y**2 + 1e-6), 0.0, 1.0)
    sagittal = np.where(y < 0, front[:, None, None], back[:, None, None])
    return np.asarray(lateral * side[:, None, None] + (1.0 - lateral) * sagittal, dtype=np.float32)


def _fill_cavities(canvas: Canvas) -> None:
    """Free voxels within the cavities are fat."""
    label = canvas.new_label("torso_fat")
    for name in ("thoracic_cavity", "trunk_cavity"):
        region = canvas.regions[name]
        reach = CAVITY_REACH_MM if name == CAVITY else 2.0
        low, high = region.bounds()
        box = canvas.frame.box_of(low - reach, high + reach)
        if box is None:
            continue
        values = canvas.edge(name, canvas.frame.part(box))
        zc = canvas.frame.zc[box[0]]
        taken = (canvas.structure[box] == 0) & (values < 0.0)
        taken[(zc < low[2]) | (zc > high[2])] = False
        canvas.structure[box][taken] = label
        canvas.tissue[box][taken] = tissue_code("fat_visceral")


def _muscle_ml(parameters: AnatomyParameters) -> float:
    excess_kg = parameters.weight_kg - reference_weight_kg(parameters)
    reference = reference_mass_g("muscle", "whole", parameters)
    grams = reference * parameters.height_ratio**2 + LEAN_SHARE_OF_EXCESS * 1e3 * excess_kg
    return max(grams, 0.6 * reference) * parameters.scale_of("muscle") / tissue_density("muscle")


def _skin_ml(parameters: AnatomyParameters) -> float:
    ratio = parameters.weight_kg / reference_weight_kg(parameters)
    grams = reference_mass_g("skin", "whole", parameters) * parameters.height_ratio**2 * ratio**0.4
    return grams / tissue_density("skin")


def _fat_ml(canvas: Canvas, parameters: AnatomyParameters, skin_ml: float) -> float:
    """Volume of the fat under the skin: what the weight leaves, times the scale asked for."""
    grams = 1e3 * (parameters.weight_kg - mass_kg(canvas)) - skin_ml * tissue_density("skin")
    if grams < 1000.0:
        raise InputError(
            f"{parameters.weight_kg:.1f} kg at {parameters.height_mm:.0f} mm leave"
            f" {grams:.0f} g for the fat under the skin: raise weight_kg or lower organ_scale"
        )
    return parameters.fat_scale * grams / tissue_density("fat")


def _coarse_ml(canvas: Canvas, layers: _Layers) -> float:
    return canvas.voxel_ml * layers.stride**3


def _surface(layers: _Layers, level: float, wanted: float) -> FloatArray:
    """Field whose negative side is the body, with `wanted` coarse voxels beyond the muscles."""
    depth = layers.lean - np.float32(level)
    low, high = 0.0, 60.0
    for _ in range(22):
        middle = 0.5 * (low + high)
        field = _smooth_min(
            depth - np.float32(middle) * layers.thickness, layers.mounds, MOUND_BLEND_MM
        )
        if np.count_nonzero((field < 0.0) & (depth >= 0.0)) < wanted:
            low = middle
        else:
            high = middle
    return _smooth_min(depth - np.float32(high) * layers.thickness, layers.mounds, MOUND_BLEND_MM)


def _smooth_min(a: FloatArray, b: FloatArray, blend: float) -> FloatArray:
    h = np.maximum(np.float32(blend) - np.abs(a - b), 0) / np.float32(blend)
    return np.asarray(np.minimum(a, b) - np.float32(0.25 * blend) * h * h, dtype=np.float32)


def _fine(coarse: FloatArray, stride: int, shape: tuple[int, int, int]) -> FloatArray:
    if stride == 1:
        return coarse
    out = np.empty(shape, dtype=np.float32)
    _upsample(np.ascontiguousarray(coarse), stride, out)
    return out


def _level(values: FloatArray, free: FloatArray, wanted: float) -> float:
    """Level below which `wanted` free voxels lie, by a fine histogram."""
    low, step, n = -250.0, 0.01, 60000
    counts = np.zeros(n, dtype=np.int64)
    _histogram(values, free, low, step, counts)
    return float(low + step * np.searchsorted(np.cumsum(counts), wanted))


@voxel_loop
def _upsample(coarse, stride, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    nz, ny, nx = out.shape
    cz, cy, cx = coarse.shape
    for k in range(nz):
        k0 = min(k // stride, cz - 1)
        k1 = min(k0 + 1, cz - 1)
        w = np.float32((k - k0 * stride) / stride) if k1 > k0 else np.float32(0)
        for j in range(ny):
            j0 = min(j // stride, cy - 1)
            j1 = min(j0 + 1, cy - 1)
            v = np.float32((j - j0 * stride) / stride) if j1 > j0 else np.float32(0)
            for i in range(nx):
                i0 = min(i // stride, cx - 1)
                i1 = min(i0 + 1, cx - 1)
                u = np.float32((i - i0 * stride) / stride) if i1 > i0 else np.float32(0)
                a = coarse[k0, j0, i0] + u * (coarse[k0, j0, i1] - coarse[k0, j0, i0])
                b = coarse[k0, j1, i0] + u * (coarse[k0, j1, i1] - coarse[k0, j1, i0])
                c = coarse[k1, j0, i0] + u * (coarse[k1, j0, i1] - coarse[k1, j0, i0])
                d = coarse[k1, j1, i0] + u * (coarse[k1, j1, i1] - coarse[k1, j1, i0])
                a += v * (b - a)
                c += v * (d - c)
                out[k, j, i] = a + w * (c - a)


@voxel_loop
def _histogram(values, free, low, step, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    v, f = values.ravel(), free.ravel()
    for n in range(v.size):
        if f[n]:
            at = int((v[n] - low) / step)
            if 0 <= at < counts.size:
                counts[at] += 1


@voxel_loop
def _take(structure, tissue, values, level, label, code):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    s, t, v = structure.ravel(), tissue.ravel(), values.ravel()
    for n in range(v.size):
        if s[n] == 0 and v[n] < level:
            s[n] = label
            t[n] = code


@voxel_loop
def _replace(structure, tissue, values, level, old, label, code):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    s, t, v = structure.ravel(), tissue.ravel(), values.ravel()
    for n in range(v.size):
        if s[n] == old and v[n] < level:
            s[n] = label
            t[n] = code

"""Implants: where they sit in labelled anatomies, as shares of voxels."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from milligray.anatomy.ct_options import MetalKind
from milligray.errors import InputError
from milligray.typing import BoolArray, FloatArray, LabelArray
from milligray.volume import Grid

HIP_HEAD_RADII_MM, HIP_INSET_MM = (16.0, 16.0), 24.0
HIP_STEM_MM, HIP_STEM_RADIUS_MM = 150.0, (8.0, 4.5)
PACEMAKER_MM, PACEMAKER_DEPTH_MM = (45.0, 8.0, 45.0), 12.0
LEAD_RADIUS_MM = 1.0
FILLING_RADIUS_MM = (1.4, 2.6)
N_FILLINGS = 4
_METAL_STREAM = 17
_HEART = ("ventricle_right", "heart_ventricle_right", "ventricle", "heart", "myocardium")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MetalPart:
    """One piece of metal.

    Parameters
    ----------
    name : str
    material : {"titanium", "cobalt_chromium", "amalgam"}
    window : tuple of slice
        Part of the grid (z, y, x) that holds it.
    share : ndarray, shape of the window, float32
        Share of every voxel that is metal.
    """

    name: str
    material: str
    window: tuple[slice, slice, slice]
    share: FloatArray


def place_metal(
    structure: LabelArray,
    names: Mapping[int, str],
    grid: Grid,
    kinds: Sequence[MetalKind],
    *,
    seed: int = 0,
) -> tuple[MetalPart, ...]:
    """Put implants where the organ labels say.

    Parameters
    ----------
    structure : ndarray of int, shape ``grid.shape``
        Organ labels, 0 outside the body.
    names : mapping of int to str
        Looked for: a femur of that side; teeth; the left clavicle (and heart) for the pacemaker.
    grid : Grid
        Axis-aligned.
    kinds : sequence of {"dental_fillings", "hip_left", "hip_right", "pacemaker"}
    seed : int
        Which teeth are filled.

    Returns
    -------
    tuple of MetalPart

    Raises
    ------
    InputError
        If a structure that an implant needs is not there.

    Notes
    -----
    Hip: a head of 32 mm (cobalt-chromium), neck and tapered stem of 150 mm (titanium) along the
    middle of the shaft. Pacemaker: a titanium can of 45 x 8 x 45 mm 12 mm beneath the skin below
    the left clavicle and a lead to the heart. Fillings: four balls of amalgam of 3 to 5 mm.
    """
    parts: list[MetalPart] = []
    for kind in kinds:
        if kind in ("hip_left", "hip_right"):
            parts += _hip(structure, names, grid, kind.removeprefix("hip_"))
        elif kind == "dental_fillings":
            parts += _fillings(structure, names, grid, seed)
        elif kind == "pacemaker":
            parts += _pacemaker(structure, names, grid)
        else:
            raise InputError(f"no implant named {kind!r}")
    return tuple(parts)


def _points(
    structure: LabelArray,
    names: Mapping[int, str],
    grid: Grid,
    wanted: Callable[[str], bool],
    need: str,
) -> FloatArray:
    """Centers (x, y, z) [mm] of the voxels of the structures whose name is wanted."""
    labels = [label for label, name in names.items() if wanted(name.lower())]
    index = np.argwhere(np.isin(structure, labels)) if labels else np.zeros((0, 3))
    if index.shape[0] < 8:
        raise InputError(f"metal needs the structure {need}, which is not in the anatomy")
    return grid.to_lps_mm(index)


def _hip(structure: LabelArray, names: Mapping[int, str], grid: Grid, side: str) -> list[MetalPart]:
    femur = _points(structure, names, grid, lambda n: "femur" in n and side in n, f"femur_{side}")
    lateral = 1.0 if side == "left" else -1.0
    top = femur[:, 2].max()
    upper = femur[femur[:, 2] > top - 60.0]
    medial_x = (lateral * upper[:, 0]).min()
    medial = upper[lateral * upper[:, 0] < medial_x + 2 * HIP_INSET_MM]
    head = np.array([
        lateral * (medial_x + HIP_INSET_MM),
        np.median(medial[:, 1]),
        medial[:, 2].max() - HIP_INSET_MM,
    ])  # fmt: skip

    def shaft(depth_mm: float) -> FloatArray:
        z = head[2] - depth_mm
        near = femur[np.abs(femur[:, 2] - z) < 8.0]
        if near.shape[0] < 8:
            return np.array([head[0] + 36.0 * lateral, head[1] + 5.0, z])
        return np.array([*near[:, :2].mean(axis=0), z])

    lowest = femur[:, 2].min()
    is_cut = lowest < grid.axis_centers_mm(0)[0] + 1.5 * grid.spacing_mm[0]
    bottom = HIP_STEM_MM + 40.0 if is_cut else min(HIP_STEM_MM + 40.0, head[2] - lowest - 4.0)
    if bottom < 60.0:
        raise InputError(f"femur_{side} is too short for a stem: {bottom:.0f} mm below its head")
    below = shaft(70.0)
    shoulder = np.array([below[0], below[1], head[2] - 32.0])
    tip = shaft(bottom)
    return [
        _capsule(f"hip_{side}_head", "cobalt_chromium", grid, (head, head), HIP_HEAD_RADII_MM),
        _capsule(f"hip_{side}_neck", "titanium", grid, (head, shoulder), (6.0, 8.0)),
        _capsule(f"hip_{side}_stem", "titanium", grid, (shoulder, tip), HIP_STEM_RADIUS_MM),
    ]  # fmt: skip


def _fillings(
    structure: LabelArray, names: Mapping[int, str], grid: Grid, seed: int
) -> list[MetalPart]:
    teeth = _points(structure, names, grid, lambda n: "teeth" in n or "tooth" in n, "teeth")
    rng = np.random.default_rng([seed, _METAL_STREAM])
    parts = []
    for n in range(N_FILLINGS):
        center = teeth[rng.integers(teeth.shape[0])]
        radius = float(rng.uniform(*FILLING_RADIUS_MM))
        parts.append(_capsule(f"filling_{n + 1}", "amalgam", grid, (center, center), (radius,) * 2))
    return parts


def _pacemaker(structure: LabelArray, names: Mapping[int, str], grid: Grid) -> list[MetalPart]:
    clavicle = _points(
        structure, names, grid, lambda n: "clavic" in n and "left" in n, "clavicula_left"
    )
    middle = np.median(clavicle, axis=0)
    spot = np.array([middle[0], middle[1], middle[2] - 40.0])
    k, _, i = np.rint(grid.to_index_kji(spot)).astype(int)
    k, i = int(np.clip(k, 0, grid.shape[0] - 1)), int(np.clip(i, 0, grid.shape[2] - 1))
    rows = np.flatnonzero(structure[k, :, i])
    if rows.size == 0:
        raise InputError("there is no body below the left clavicle for a pacemaker")
    skin_mm = grid.to_lps_mm(np.array([k, rows[0], i]))[1]
    can = np.array([spot[0], skin_mm + PACEMAKER_DEPTH_MM, spot[2]])
    parts = [_box("pacemaker_can", "titanium", grid, can, PACEMAKER_MM)]
    heart = next(
        (
            np.argwhere(structure == label)
            for word in _HEART
            for label, name in names.items()
            if word in name.lower()
        ),
        np.zeros((0, 3)),
    )
    if heart.shape[0] > 8:
        target = np.median(grid.to_lps_mm(heart), axis=0)
        inner = clavicle[np.argmin(clavicle[:, 0])]
        stations = [can, inner + np.array([0.0, 15.0, -10.0]), target]
        for n, ends in enumerate(itertools.pairwise(stations)):
            parts.append(
                _capsule(f"pacemaker_lead_{n + 1}", "titanium", grid, ends, (LEAD_RADIUS_MM,) * 2)
            )
    return parts


def _mesh(
    grid: Grid, low_mm: FloatArray, high_mm: FloatArray
) -> tuple[tuple[slice, slice, slice], list[FloatArray]]:
    """Window around a box given as LPS (x, y, z), and the centers [z, y, x] of its voxels."""
    window, centers = [], []
    for axis in range(3):
        row = 2 - axis
        middle = grid.axis_centers_mm(axis)
        margin = 2.0 * grid.spacing_mm[axis]
        hit = np.flatnonzero((middle > low_mm[row] - margin) & (middle < high_mm[row] + margin))
        if hit.size == 0:
            raise InputError("an implant would lie outside the image")
        window.append(slice(int(hit[0]), int(hit[-1]) + 1))
        centers.append(middle[hit])
    mesh = list(np.meshgrid(*centers, indexing="ij"))
    return (window[0], window[1], window[2]), mesh


def _capsule(
    name: str,
    material: str,
    grid: Grid,
    ends: tuple[FloatArray, FloatArray],
    radii_mm: tuple[float, float],
) -> MetalPart:
    """Tapered rod with round ends."""
    a, b = (np.asarray(end, dtype=np.float64) for end in ends)
    reach = max(radii_mm)
    window, (z, y, x) = _mesh(grid, np.minimum(a, b) - reach, np.maximum(a, b) + reach)
    axis = b - a
    length2 = max(float(axis @ axis), 1e-9)
    along = ((x - a[0]) * axis[0] + (y - a[1]) * axis[1] + (z - a[2]) * axis[2]) / length2
    along = np.clip(along, 0.0, 1.0)
    distance = np.sqrt(
        (x - a[0] - along * axis[0]) ** 2
        + (y - a[1] - along * axis[1]) ** 2
        + (z - a[2] - along * axis[2]) ** 2
    )
    radius = radii_mm[0] + along * (radii_mm[1] - radii_mm[0])
    return _part(name, material, grid, window, radius - distance)


def _box(
    name: str, material: str, grid: Grid, center: FloatArray, size_xyz_mm: tuple[float, ...]
) -> MetalPart:
    half = 0.5 * np.asarray(size_xyz_mm)
    window, (z, y, x) = _mesh(grid, center - half, center + half)
    depth = np.minimum.reduce([
        half[0] - np.abs(x - center[0]), half[1] - np.abs(y - center[1]),
        half[2] - np.abs(z - center[2]),
    ])  # fmt: skip
    return _part(name, material, grid, window, depth)


def _part(
    name: str,
    material: str,
    grid: Grid,
    window: tuple[slice, slice, slice],
    depth_mm: FloatArray,
) -> MetalPart:
    """Metal from the depth beneath its surface: share 1/2 on it, 0 and 1 half a voxel off."""
    voxel_mm = float(np.prod(grid.spacing_mm)) ** (1.0 / 3.0)
    share = np.clip(0.5 + depth_mm / voxel_mm, 0.0, 1.0).astype(np.float32)
    if float(share.max()) < 0.5:  # thinner than a voxel: keep its volume in sight
        share = np.clip(0.5 + (depth_mm + 0.3 * voxel_mm) / voxel_mm, 0.0, 1.0).astype(np.float32)
    return MetalPart(name=name, material=material, window=window, share=share)


def metal_mask(metal: Sequence[MetalPart], grid: Grid) -> BoolArray:
    """Voxels that are metal by half or more, shape ``grid.shape``."""
    mask = np.zeros(grid.shape, dtype=np.bool_)
    for part in metal:
        mask[part.window] |= part.share >= 0.5
    return mask

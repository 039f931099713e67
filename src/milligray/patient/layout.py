"""How the transport grid lies on the CT: whole blocks of CT voxels around the patient."""

from dataclasses import dataclass

import numpy as np

from milligray.typing import BoolArray
from milligray.volume import Grid

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Transport grid, and `block` and `ct_offset` as in `Patient`."""

    grid: Grid
    block: tuple[int, int, int]
    ct_offset: tuple[int, int, int]


def body_box(body: BoolArray) -> Box:
    """First voxel of the body and one past the last, along (z, y, x)."""
    ends = []
    for axis in range(3):
        hit = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
        ends.append((int(hit[0]), int(hit[-1]) + 1))
    return ends[0], ends[1], ends[2]


def lay_out(
    ct_grid: Grid,
    box: Box | None,
    voxel_size_mm: float | None,
    *,
    extension: tuple[int, int] = (0, 0),
) -> Layout:
    """Transport grid in whole CT voxels; what does not divide is padded evenly on both sides.

    Parameters
    ----------
    ct_grid : Grid
    box : Box or None
        Crop to this part of the CT and a rim of one CT voxel and one block; None: all of the CT.
    voxel_size_mm : float or None [mm]
        Wanted edge; None: the CT's own voxels.
    extension : tuple of int
        Slices put before the first and after the last one.
    """
    spacing = ct_grid.spacing_mm
    shape, block, offset = [], [], []
    for axis in range(3):
        n = ct_grid.shape[axis]
        size = spacing[axis] if voxel_size_mm is None else voxel_size_mm
        b = max(1, round(size / spacing[axis]))
        low, high = 0, n
        if box is not None:
            # one CT voxel more than the body: the partial-volume skin
            low, high = max(0, box[axis][0] - 1), min(n, box[axis][1] + 1)
        if axis == 0:
            low, high = low - extension[0], high + extension[1]
        cells = -(-(high - low) // b) + (2 if box is not None else 0)
        begin = low - (cells * b - (high - low)) // 2
        shape.append(cells)
        block.append(b)
        offset.append(-begin)
    affine = ct_grid.affine.copy()
    centers = np.array([0.5 * (b - 1) - o for b, o in zip(block, offset, strict=True)])
    affine[:3, 3] = ct_grid.to_lps_mm(centers)
    affine[:3, :3] *= np.array(block)
    return Layout(
        grid=Grid(shape=(shape[0], shape[1], shape[2]), affine=affine),
        block=(block[0], block[1], block[2]),
        ct_offset=(offset[0], offset[1], offset[2]),
    )

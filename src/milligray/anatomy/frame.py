"""The frame of one person: canonical coordinates against the voxels of a grid."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from milligray.anatomy.parameters import AnatomyParameters
from milligray.data.loader import load_toml
from milligray.typing import FloatArray
from milligray.volume import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyFrame:
    """How canonical heights and widths become those of one person.

    Canonical coordinates are those of the reference man standing upright [mm]: x to the left
    from the midline, y to posterior, z upward from the soles. Every slice is scaled and shifted
    on its own; heights follow a monotone curve through the landmarks.

    Parameters
    ----------
    canonical_z_mm, body_z_mm : ndarray, shape (n_landmark,) [mm]
        Heights of the landmarks in the canonical frame and in the person.
    width_z_mm : ndarray, shape (n_width,) [mm]
        Canonical heights of the rows of `width`, `depth`, `shift_x_mm`, `shift_y_mm`.
    width, depth : ndarray, shape (n_width,)
        Scale of x and of y.
    shift_x_mm, shift_y_mm : ndarray, shape (n_width,) [mm]
    """

    canonical_z_mm: FloatArray
    body_z_mm: FloatArray
    width_z_mm: FloatArray
    width: FloatArray
    depth: FloatArray
    shift_x_mm: FloatArray
    shift_y_mm: FloatArray

    def to_canonical_z(self, z_mm: FloatArray) -> FloatArray:
        """Canonical heights of heights in the person, linear beyond the ends [mm]."""
        return _monotone(self.body_z_mm, self.canonical_z_mm, z_mm)

    def to_body_z(self, z_mm: FloatArray) -> FloatArray:
        """Heights in the person of canonical heights, linear beyond the ends [mm]."""
        return _monotone(self.canonical_z_mm, self.body_z_mm, z_mm)

    def scale_at(self, canonical_z_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scales of x and y at canonical heights."""
        rows = (self.width, self.depth)
        width, depth = (np.interp(canonical_z_mm, self.width_z_mm, r) for r in rows)
        return np.asarray(width), np.asarray(depth)

    def shift_at(self, canonical_z_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Shifts of x and y at canonical heights [mm]."""
        rows = (self.shift_x_mm, self.shift_y_mm)
        x, y = (np.interp(canonical_z_mm, self.width_z_mm, r) for r in rows)
        return np.asarray(x), np.asarray(y)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelFrame:
    """A grid with the canonical place of its slices: what the fields are computed on.

    Parameters
    ----------
    zc : ndarray, shape (nz,) [mm]
        Canonical height of every slice.
    ax, bx, ay, by : ndarray, shape (nz,)
        ``x = ax * x_canonical + bx`` [mm], and so for y.
    y, x : ndarray, shapes (ny,), (nx,) [mm]
        Voxel centers.
    """

    zc: FloatArray
    ax: FloatArray
    bx: FloatArray
    ay: FloatArray
    by: FloatArray
    y: FloatArray
    x: FloatArray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels ``(z, y, x)``."""
        return self.zc.size, self.y.size, self.x.size

    def part(self, box: tuple[slice, slice, slice]) -> "VoxelFrame":
        """The frame of a box of voxels."""
        k, j, i = box
        rows = {n: getattr(self, n)[k] for n in ("zc", "ax", "bx", "ay", "by")}
        return VoxelFrame(**rows, y=self.y[j], x=self.x[i])

    def box_of(self, low_mm: FloatArray, high_mm: FloatArray) -> tuple[slice, slice, slice] | None:
        """Smallest box of voxels that holds a canonical box ``(x, y, z)``; None if off the grid."""
        k = np.flatnonzero((self.zc >= low_mm[2]) & (self.zc <= high_mm[2]))
        if k.size == 0:
            return None
        rows = slice(int(k[0]), int(k[-1]) + 1)
        parts = []
        for axis, (scale, shift, centers) in enumerate(
            ((self.ax, self.bx, self.x), (self.ay, self.by, self.y))
        ):
            low = float(np.min(scale[rows] * low_mm[axis] + shift[rows]))
            high = float(np.max(scale[rows] * high_mm[axis] + shift[rows]))
            inside = np.flatnonzero((centers >= low) & (centers <= high))
            if inside.size == 0:
                return None
            parts.append(slice(int(inside[0]), int(inside[-1]) + 1))
        return rows, parts[1], parts[0]


def voxel_frame(frame: BodyFrame, grid: Grid) -> VoxelFrame:
    """The canonical place of every voxel of a grid whose z = 0 lies at the soles."""
    zc = frame.to_canonical_z(grid.axis_centers_mm(0))
    ax, ay = frame.scale_at(zc)
    bx, by = frame.shift_at(zc)
    return VoxelFrame(
        zc=zc, ax=ax, bx=bx, ay=ay, by=by, y=grid.axis_centers_mm(1), x=grid.axis_centers_mm(2)
    )


def body_frame(parameters: AnatomyParameters) -> BodyFrame:
    """Frame of a person, from the landmarks of the reference man and woman.

    Notes
    -----
    Landmarks scale with height; widths and depths of the frame with
    ``(height / reference height) ** 0.6``, those of the head with its power 0.2 and the cube root
    of the factor on the volume of the brain.
    """
    table = load_toml("anatomy/frame.toml")
    sex = table[parameters.sex]
    ratio = parameters.height_mm / float(sex["height_mm"])
    canonical = np.array(table["male"]["landmark_z_mm"], dtype=np.float64)
    heights = np.array(sex["landmark_z_mm"], dtype=np.float64)
    neck = int(table["head_from_landmark"])
    brain = parameters.scale_of("brain") ** (1.0 / 3.0)
    head = np.diff(heights[neck:]) * ratio**0.2 * brain
    scaled = heights * ratio
    scaled[neck:] = scaled[-1] - np.concatenate([[0.0], np.cumsum(head[::-1])])[::-1]
    z = np.array(table["width_z_mm"], dtype=np.float64)
    is_head = z >= canonical[neck]
    size = np.where(is_head, ratio**0.2 * brain, ratio**0.6)
    zero = np.zeros_like(z)
    return BodyFrame(
        canonical_z_mm=canonical,
        body_z_mm=scaled,
        width_z_mm=z,
        width=np.array(sex["width"]) * size,
        depth=np.array(sex["depth"]) * size,
        shift_x_mm=zero,
        shift_y_mm=zero,
    )


def _monotone(from_mm: FloatArray, to_mm: FloatArray, values_mm: FloatArray) -> FloatArray:
    curve = PchipInterpolator(from_mm, to_mm)
    low, high = from_mm[0], from_mm[-1]
    inside = curve(np.clip(values_mm, low, high))
    ends = (
        (to_mm[1] - to_mm[0]) / (from_mm[1] - from_mm[0]),
        (to_mm[-1] - to_mm[-2]) / (from_mm[-1] - from_mm[-2]),
    )
    below = np.minimum(values_mm - low, 0.0) * ends[0]
    above = np.maximum(values_mm - high, 0.0) * ends[1]
    return np.asarray(inside + below + above)

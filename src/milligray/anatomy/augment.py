"""One real CT becomes many: deformed, scaled, mirrored, cropped, with other noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from milligray.anatomy.augmentation import Augmentation
from milligray.anatomy.ct_numbers import HIGHEST_HU, LOWEST_HU
from milligray.anatomy.ct_options import CtAppearance
from milligray.anatomy.deformation import (
    Deformation,
    deform_image,
    deform_labels,
    random_deformation,
)
from milligray.anatomy.scan_effects import add_scan_effects
from milligray.errors import GeometryError, InputError
from milligray.read.series import CtSeries, LabelMap
from milligray.typing import BoolArray, FloatArray, LabelArray
from milligray.volume import Grid, Volume

BONE_HU = 200.0
_BONE_WORDS = (
    "vertebra", "rib", "femur", "hip", "pelvis", "sacrum", "skull", "mandible", "humer", "scapula",
    "clavic", "sternum", "tibia", "fibula", "radius", "ulna", "patella", "bone",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AugmentedCt:
    """What came out.

    Parameters
    ----------
    ct : CtSeries
    labels : LabelMap or None
    augmentation : Augmentation
    deformation : Deformation or None
        With the displacement that was really used (reduced where it would fold).
    """

    ct: CtSeries
    labels: LabelMap | None
    augmentation: Augmentation
    deformation: Deformation | None


def augment_ct(ct: CtSeries, labels: LabelMap | None, augmentation: Augmentation) -> AugmentedCt:
    """Make the augmented CT and labels.

    Parameters
    ----------
    ct : CtSeries
    labels : LabelMap or None
        On the CT's grid.
    augmentation : Augmentation

    Returns
    -------
    AugmentedCt
        The CT in the type of the source; HU from -1024 to 3071 (more if the source has more).

    Raises
    ------
    GeometryError
        If the labels are on another grid.
    InputError
        If the slices to keep are not in the CT.

    Notes
    -----
    In this order: deformation (image linear, labels nearest), mirror at the
    middle of the grid with the names of left and right exchanged, crop, gain, scale (the voxels
    change their size, no value is interpolated), noise with the spectrum of a scanner.
    """
    grid = ct.volume.grid
    if labels is not None and not labels.volume.grid.is_same_as(grid):
        raise GeometryError("the labels are not on the CT's grid; resample them first")
    stop = augmentation.first_slice + augmentation.n_slices
    if augmentation.first_slice < 0 or augmentation.n_slices < 1 or stop > grid.shape[0]:
        raise InputError(f"slices {augmentation.first_slice} to {stop} are not in the CT")
    hu: FloatArray | LabelArray = ct.volume.values
    organs = None if labels is None else labels.volume.values
    names = {} if labels is None else dict(labels.names)
    deformation = None
    if augmentation.deformation_mm > 0:
        deformation = random_deformation(
            grid,
            augmentation.seed,
            rms_mm=augmentation.deformation_mm,
            length_mm=augmentation.deformation_length_mm,
            bone=_bone(hu, organs, names),
            bone_stiffness=augmentation.bone_stiffness,
        )
        hu = deform_image(hu, deformation)
        organs = None if organs is None else deform_labels(organs, deformation)
    if augmentation.is_mirrored:
        hu = hu[:, :, ::-1]
        if organs is not None:
            organs, names = _swapped_sides(organs[:, :, ::-1], names)
    kept = slice(augmentation.first_slice, stop)
    new_grid = _new_grid(grid, augmentation)
    values = _with_gain_and_noise(hu[kept], new_grid, augmentation, ct.volume.values.dtype)
    note = f"augmented, seed {augmentation.seed}"
    out = CtSeries(
        volume=Volume(grid=new_grid, values=values),
        slice_thickness_mm=ct.slice_thickness_mm * augmentation.scale_zyx[0],
        notes=(*ct.notes, note),
    )
    new_labels = None
    if organs is not None and labels is not None:
        part = np.ascontiguousarray(organs[kept])
        present = np.flatnonzero(np.bincount(part.ravel(), minlength=max(names, default=0) + 1))
        new_labels = LabelMap(
            volume=Volume(grid=new_grid, values=part),
            names={int(v): names[int(v)] for v in present if int(v) in names},
            notes=(*labels.notes, note),
        )
    return AugmentedCt(
        ct=out, labels=new_labels, augmentation=augmentation, deformation=deformation
    )


def other_side(name: str) -> str:
    """Name of the same structure of the other side; the name itself where there is no side.

    Examples
    --------
    >>> other_side("kidney_left"), other_side("RightParotid"), other_side("liver")
    ('kidney_right', 'LeftParotid', 'liver')
    """
    for one, other in (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT")):
        if one in name:
            return name.replace(one, other)
        if other in name:
            return name.replace(other, one)
    return name


def _bone(
    hu: FloatArray | LabelArray, organs: LabelArray | None, names: Mapping[int, str]
) -> BoolArray:
    bone = np.asarray(hu > BONE_HU)
    marked = [v for v, name in names.items() if any(w in name.lower() for w in _BONE_WORDS)]
    if organs is not None and marked:
        look_up = np.zeros(int(organs.max()) + 1, dtype=np.bool_)
        look_up[[v for v in marked if v < look_up.size]] = True
        bone |= look_up[organs]
    return bone


def _swapped_sides(
    organs: LabelArray, names: Mapping[int, str]
) -> tuple[LabelArray, dict[int, str]]:
    """Exchange the numbers of left and right; a structure without its partner gets its name."""
    number = {name: value for value, name in names.items()}
    look_up = np.arange(max(int(organs.max()), max(names, default=0)) + 1, dtype=organs.dtype)
    renamed = dict(names)
    for value, name in names.items():
        partner = other_side(name)
        if partner in number:
            look_up[value] = number[partner]
        elif partner != name:
            renamed[value] = partner
    return np.asarray(look_up[organs]), renamed


def _new_grid(grid: Grid, augmentation: Augmentation) -> Grid:
    """Cropped and scaled about the middle of the source's in-plane field."""
    _, ny, nx = grid.shape
    middle = np.array([augmentation.first_slice, 0.5 * (ny - 1), 0.5 * (nx - 1)])
    fixed_lps_mm = grid.to_lps_mm(middle)
    affine = grid.affine.copy()
    affine[:3, :3] = affine[:3, :3] * np.array(augmentation.scale_zyx)
    affine[:3, 3] = fixed_lps_mm - affine[:3, :3] @ (middle * np.array([0.0, 1.0, 1.0]))
    return Grid(shape=(augmentation.n_slices, ny, nx), affine=affine)


def _with_gain_and_noise(
    hu: FloatArray | LabelArray,
    grid: Grid,
    augmentation: Augmentation,
    dtype: np.dtype[Any],
) -> FloatArray | LabelArray:
    values = np.array(hu, dtype=np.float32, order="C")
    if augmentation.gain != 1.0:
        values += np.float32(1000.0)
        values *= np.float32(augmentation.gain)
        values -= np.float32(1000.0)
    if augmentation.noise_hu > 0:
        options = CtAppearance(noise_hu=augmentation.noise_hu)
        add_scan_effects(values, grid, options, seed=augmentation.seed)
    highest = max(HIGHEST_HU, float(hu.max()))
    np.clip(values, min(LOWEST_HU, float(hu.min())), highest, out=values)
    return values if dtype.kind == "f" else np.rint(values).astype(np.int16)

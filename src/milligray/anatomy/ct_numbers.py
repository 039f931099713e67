"""From tissues to CT numbers: the image that a scanner would make of an anatomy."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from milligray.anatomy.beam_errors import relative_slope
from milligray.anatomy.couch import add_couch
from milligray.anatomy.ct_options import CtAppearance
from milligray.anatomy.metal import MetalPart, place_metal
from milligray.anatomy.painting import mean_hu_table, paint
from milligray.anatomy.scan_effects import add_scan_effects
from milligray.anatomy.tissue_appearance import TissueAppearance, tissue_codes
from milligray.errors import GeometryError, InputError
from milligray.typing import FloatArray, LabelArray
from milligray.volume import Grid, Volume

LOWEST_HU, HIGHEST_HU = -1024, 3071
_FWHM_PER_SIGMA = 2.3548200450309493


def ct_numbers(
    tissue: LabelArray,
    tissues: Sequence[TissueAppearance],
    grid: Grid,
    *,
    options: CtAppearance | None = None,
    seed: int = 0,
    structure: LabelArray | None = None,
    names: Mapping[int, str] | None = None,
) -> Volume:
    """CT numbers of an anatomy.

    Parameters
    ----------
    tissue : ndarray of uint8, shape ``grid.shape``
        Row of `tissues`.
    tissues : sequence of TissueAppearance
        Usually ``load_tissue_appearances()``.
    grid : Grid
        Axis-aligned.
    options : CtAppearance, optional
        Default: the ideal image, one CT number a tissue.
    seed : int
        Same seed, same image.
    structure : ndarray of int, shape ``grid.shape``, optional
        Organ labels, 0 outside the body: tell veins from arteries in contrast phases, and where
        metal goes.
    names : mapping of int to str, optional
        Names of the labels.

    Returns
    -------
    Volume, int16 [HU]
        From -1024 to 3071.

    Raises
    ------
    InputError
        If a code is outside the table, an override names no tissue, metal has no place, or the
        couch no room.

    Notes
    -----
    In this order: mean of the tissue (variation, contrast medium), texture, couch, point spread,
    noise and artifacts of the projections, metal. Every step keeps the mean of a tissue but the
    physical errors (beam hardening, cupping, streaks) and the clipping at -1024.
    """
    options = options or CtAppearance()
    tissues = tuple(tissues)
    _check(tissue, tissues, grid, structure)
    metal: tuple[MetalPart, ...] = ()
    if options.metal:
        if structure is None or names is None:
            raise InputError("metal needs the organ labels: give structure and names")
        metal = place_metal(structure, names, grid, options.metal, seed=seed)
    table = mean_hu_table(tissues, options, seed=seed, names=names if structure is not None else {})
    is_plain = not (
        options.texture > 0
        or options.lung_gradient_hu_per_cm
        or options.table
        or options.resolution_mm > 0
        or options.slice_width_mm > 0
        or options.needs_projections
        or metal
    )
    if is_plain and table.shape[0] == 1:
        look_up = np.rint(table[0]).astype(np.int16)
        return Volume(grid=grid, values=look_up[tissue])
    hu = paint(tissue, tissues, grid, options, table, structure=structure, seed=seed)
    if options.table:
        air = tissue_codes(tissues).get("air", 0)
        add_couch(hu, tissue == air, grid, options.couch)
    _blur(hu, grid, options)
    if options.needs_projections or (metal and options.metal_streaks > 0):
        add_scan_effects(hu, grid, options, metal=metal, seed=seed)
    for part in metal:
        _draw_metal(hu, part, grid, options)
    return Volume(grid=grid, values=_as_int16(hu))


def _check(
    tissue: LabelArray,
    tissues: tuple[TissueAppearance, ...],
    grid: Grid,
    structure: LabelArray | None,
) -> None:
    if tissue.shape != grid.shape:
        raise GeometryError(f"tissue has shape {tissue.shape}, the grid has {grid.shape}")
    if structure is not None and structure.shape != grid.shape:
        raise GeometryError(f"structure has shape {structure.shape}, the grid has {grid.shape}")
    if tissue.dtype.kind not in "iu" or int(tissue.max()) >= len(tissues) or int(tissue.min()) < 0:
        raise InputError(f"tissue codes must be whole numbers from 0 to {len(tissues) - 1}")
    if not grid.is_axis_aligned:
        raise GeometryError("ct_numbers needs an axis-aligned grid")


def _sigmas(grid: Grid, options: CtAppearance) -> tuple[float, float, float]:
    """Widths of the point spread [voxels] (z, y, x)."""
    dz, dy, dx = grid.spacing_mm
    in_plane = options.resolution_mm / _FWHM_PER_SIGMA
    return options.slice_width_mm / _FWHM_PER_SIGMA / dz, in_plane / dy, in_plane / dx


def _blur(hu: FloatArray, grid: Grid, options: CtAppearance) -> None:
    for axis, sigma in enumerate(_sigmas(grid, options)):
        if sigma > 0.05:
            ndimage.gaussian_filter1d(hu, sigma, axis=axis, output=hu, mode="nearest", truncate=3.0)


def _draw_metal(hu: FloatArray, part: MetalPart, grid: Grid, options: CtAppearance) -> None:
    share = ndimage.gaussian_filter(part.share, _sigmas(grid, options), mode="nearest")
    metal_hu = np.float32(1000.0 * (relative_slope(part.material) - 1.0))
    place = hu[part.window]
    place += share * (metal_hu - place)


def _as_int16(hu: FloatArray) -> npt.NDArray[np.int16]:
    out = np.empty(hu.shape, dtype=np.int16)
    for k, plane in enumerate(hu):
        out[k] = np.rint(np.clip(plane, LOWEST_HU, HIGHEST_HU))
    return out

"""Mean CT number and texture of every voxel, before the scanner sees it."""

from collections.abc import Mapping

import numpy as np

from milligray.anatomy.ct_options import CtAppearance
from milligray.anatomy.texture import TILE_SHAPE, texture_tile, voxel_share
from milligray.anatomy.tissue_appearance import TissueAppearance, tissue_codes
from milligray.constants import CM_PER_MM
from milligray.errors import InputError
from milligray.patient.voxel_loop import voxel_loop
from milligray.typing import FloatArray, LabelArray
from milligray.volume import Grid

VEIN_SHARE_ARTERIAL = 0.15
"""Enhancement of veins in the arterial phase over that of arteries."""
PORTAL_SHARE_ARTERIAL = 0.40
"""The same of the portal and splenic vein (late arterial phase: 145 HU beside 300)."""
_VARIATION_STREAM, _TILE_STREAM = 3, 5
_VARIATION_LIMIT = 2.5
_VEINS = ("vena", "vein", "atrium_right", "ventricle_right")


def mean_hu_table(
    tissues: tuple[TissueAppearance, ...],
    options: CtAppearance,
    *,
    seed: int,
    names: Mapping[int, str] | None = None,
) -> FloatArray:
    """Mean CT number by organ label and tissue.

    Parameters
    ----------
    tissues : tuple of TissueAppearance
    options : CtAppearance
        Its `variation`, `hu_overrides` and `contrast`.
    seed : int
    names : mapping of int to str, optional
        Of the organ labels.

    Returns
    -------
    ndarray, shape (n_labels, n_tissues), float32 [HU]
        One row only where the labels make no difference.

    Notes
    -----
    ``hu = hu_120kv + variation variation_hu n + enhancement_hu(contrast) share``; n is normal,
    within 2.5, one number a tissue and person. In the arterial phase the share of the blood in
    veins and the right heart is 0.15, in the portal vein 0.40. An override is the mean as it is.
    """
    codes = tissue_codes(tissues)
    unknown = [name for name in options.hu_overrides if name not in codes]
    if unknown:
        raise InputError(f"hu_overrides names no tissue: {', '.join(unknown)}")
    rng = np.random.default_rng([seed, _VARIATION_STREAM])
    draws = np.clip(rng.standard_normal(len(tissues)), -_VARIATION_LIMIT, _VARIATION_LIMIT)
    mean = np.array([t.hu_120kv for t in tissues]) + options.variation * draws * np.array(
        [t.variation_hu for t in tissues]
    )
    enhancement = np.array([t.enhancement_hu(options.contrast) for t in tissues])
    for name, hu in options.hu_overrides.items():
        mean[codes[name]], enhancement[codes[name]] = hu, 0.0
    row = mean + enhancement
    if options.contrast != "arterial" or not names or "blood" not in codes:
        return np.asarray(row[np.newaxis], dtype=np.float32)
    table = np.tile(row, (max(names) + 1, 1))
    blood = codes["blood"]
    for label, name in names.items():
        share = 1.0
        if "portal" in name or "splenic_vein" in name:
            share = PORTAL_SHARE_ARTERIAL
        elif "pulmonary" not in name and any(word in name for word in _VEINS):
            share = VEIN_SHARE_ARTERIAL
        table[label, blood] = mean[blood] + share * enhancement[blood]
    return table.astype(np.float32)


def paint(
    tissue: LabelArray,
    tissues: tuple[TissueAppearance, ...],
    grid: Grid,
    options: CtAppearance,
    table: FloatArray,
    *,
    structure: LabelArray | None,
    seed: int,
) -> FloatArray:
    """CT numbers with texture, without scanner.

    Parameters
    ----------
    tissue : ndarray of uint8, shape ``grid.shape``
    tissues : tuple of TissueAppearance
    grid : Grid
    options : CtAppearance
        Its `texture` and `lung_gradient_hu_per_cm`.
    table : ndarray, shape (n_labels, n_tissues), float32 [HU]
        From `mean_hu_table`.
    structure : ndarray of int, shape ``grid.shape``, or None
        Needed if the table has more than one row.
    seed : int

    Returns
    -------
    ndarray, shape ``grid.shape``, float32 [HU]
        The mean of every tissue is that of the table: what its tile and the lung's gradient sum
        up to over the tissue is taken off.
    """
    tissue = np.ascontiguousarray(tissue, dtype=np.uint8)
    n = len(tissues)
    look = np.zeros((n, 3), dtype=np.float32)  # amplitude, gradient per row, mean of both
    tile_of = np.zeros(n, dtype=np.int64)
    tiles: dict[tuple[str, float], FloatArray] = {}
    for code, row in enumerate(tissues):
        sd = options.texture * row.texture_hu * voxel_share(row.texture_mm, grid.spacing_mm)
        if sd <= 0:
            continue
        look[code, 0] = sd
        key = (row.texture_kind, row.texture_mm)
        if key not in tiles:
            tiles[key] = texture_tile(row.texture_kind, row.texture_mm, grid.spacing_mm, 0)
        tile_of[code] = list(tiles).index(key)
    stack = np.stack(list(tiles.values()) or [np.zeros(TILE_SHAPE, dtype=np.float32)])
    rng = np.random.default_rng([seed, _TILE_STREAM])
    shift = rng.integers(0, 10_000, size=(n, 3))
    codes = tissue_codes(tissues)
    if "lung" in codes:
        per_row = options.lung_gradient_hu_per_cm * grid.spacing_mm[1] * CM_PER_MM
        look[codes["lung"], 1] = per_row
    if look.any():
        _mean_kernel(tissue, stack, tile_of, shift, look)
    labels = tissue[:1, :1, :1]
    if structure is not None and table.shape[0] > 1:
        labels, table = structure, _with_all_labels(table, structure)
    out = np.empty(grid.shape, dtype=np.float32)
    _paint_kernel(tissue, labels, table, stack, tile_of, shift, look, out)
    return out


def _with_all_labels(table: FloatArray, labels: LabelArray) -> FloatArray:
    """Rows for labels beyond the last one that has a name."""
    surplus = int(labels.max()) + 1 - table.shape[0]
    return table if surplus <= 0 else np.concatenate([table, np.tile(table[:1], (surplus, 1))])


@voxel_loop
def _mean_kernel(tissue, tiles, tile_of, shift, look):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill column 2 of `look` with the tissue's mean of what columns 0 and 1 add."""
    nz, ny, nx = tissue.shape
    _, tz, ty, tx = tiles.shape
    n = look.shape[0]
    total = np.zeros(n, dtype=np.float64)
    count = np.zeros(n, dtype=np.int64)
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                t = tissue[k, j, i]
                count[t] += 1
                if look[t, 1] != 0.0:
                    total[t] += look[t, 1] * j
                if look[t, 0] > 0.0:
                    z, y, x = k + shift[t, 0], j + shift[t, 1], i + shift[t, 2]
                    total[t] += look[t, 0] * tiles[tile_of[t], z % tz, y % ty, x % tx]
    for t in range(n):
        if count[t] > 0:
            look[t, 2] = total[t] / count[t]


@voxel_loop
def _paint_kernel(tissue, labels, table, tiles, tile_of, shift, look, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    nz, ny, nx = tissue.shape
    _, tz, ty, tx = tiles.shape
    has_labels = table.shape[0] > 1
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                t = tissue[k, j, i]
                label = labels[k, j, i] if has_labels else 0
                value = table[label, t] - look[t, 2] + look[t, 1] * np.float32(j)
                if look[t, 0] > 0.0:
                    z, y, x = k + shift[t, 0], j + shift[t, 1], i + shift[t, 2]
                    value += look[t, 0] * tiles[tile_of[t], z % tz, y % ty, x % tx]
                out[k, j, i] = value

"""Body outline on a CT: the patient without couch, pillows and air."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from milligray.patient.voxel_loop import voxel_loop
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Volume

BODY_THRESHOLD_HU = -350.0
WORKING_SPACING_MM = 3.5
OPENING_RADIUS_MM = 5.0
MIN_COMPONENT_ML = 60.0
MIN_SHARE_OF_LARGEST = 0.005
COUCH_THICKNESS_MM = 25.0
COUCH_WIDTH_MM = 200.0

_CROSS = ndimage.generate_binary_structure(2, 1)[np.newaxis]


def find_body(ct: Volume) -> BoolArray:
    """Patient outline, filled, on the CT's own grid.

    Parameters
    ----------
    ct : Volume [HU]

    Returns
    -------
    ndarray of bool, shape ``ct.grid.shape``
        True inside the skin, lungs and other cavities included. All False if nothing is denser
        than -350 HU.

    Notes
    -----
    On block means of about 3.5 mm: (1) threshold at -350 HU; (2) opening in every slice by a
    disk of 5 mm, which cuts plates, tubes and masks thinner than about 10 mm; (3) the largest
    connected piece, and every other one (arms, legs) of at least 60 mL and 0.5 % of it unless it
    has the shape of a couch (mean thickness < 25 mm and wider than 200 mm) or its mean is below
    -250 HU (foam); (4) the skin is given back: growth by the radius inside the threshold mask;
    (5) holes are filled slice by slice. On the CT's grid then, the threshold decides within one
    working voxel of the outline, specks beside it are dropped and holes are filled again.

    Cavities that open to the outside within a slice (mouth, nose) stay outside. A couch or an
    immobilization device thicker than 10 mm that touches the skin stays with the body.
    """
    spacing = ct.grid.spacing_mm
    factor = tuple(max(1, int(WORKING_SPACING_MM / s + 0.25)) for s in spacing)
    coarse = block_mean(ct.values, (factor[0], factor[1], factor[2]))
    step = tuple(f * s for f, s in zip(factor, spacing, strict=True))
    body = _coarse_body(coarse, (step[0], step[1], step[2]))
    if not body.any():
        return np.zeros(ct.grid.shape, dtype=np.bool_)
    if factor == (1, 1, 1):
        return body
    near = ndimage.binary_dilation(body, np.ones((1, 3, 3), dtype=np.bool_))
    core = ndimage.binary_erosion(body, np.ones((1, 3, 3), dtype=np.bool_), border_value=1)
    out = np.zeros(ct.grid.shape, dtype=np.bool_)
    for k in range(out.shape[0]):
        z = k // factor[0]
        seen, window = _windows(near[z], factor[1:], out.shape[1:])
        plane = out[k][window]
        outer = _enlarge(near[z][seen], factor[1:], plane.shape)
        outer &= ct.values[k][window] > BODY_THRESHOLD_HU
        inner = _enlarge(core[z][seen], factor[1:], plane.shape)
        plane[:] = fill_slice(_touching(outer | inner, inner))
    return out


def _windows(
    mask: BoolArray, factor: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Smallest rectangle with all of a coarse mask, coarse and fine; most of a slice is air."""
    coarse, fine = [], []
    for axis, (f, n) in enumerate(zip(factor, shape, strict=True)):
        hit = np.flatnonzero(mask.any(axis=1 - axis))
        first, last = (int(hit[0]), int(hit[-1]) + 1) if hit.size else (0, 0)
        coarse.append(slice(first, last))
        fine.append(slice(first * f, min(last * f, n)))
    return tuple(coarse), tuple(fine)


def block_mean(values: npt.NDArray[Any], factor: tuple[int, int, int]) -> FloatArray:
    """Mean over blocks of `factor` voxels, float32; the last block may be a partial one."""
    shape = tuple(-(-n // f) for n, f in zip(values.shape, factor, strict=True))
    out = np.empty(shape, dtype=np.float32)
    _mean_kernel(np.ascontiguousarray(values), np.array(factor, dtype=np.int64), out)
    return out


def fill_slice(mask: BoolArray) -> BoolArray:
    """Mask of one slice with its holes filled (4-connected background)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return mask
    window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    filled = mask.copy()
    outside, n = ndimage.label(np.pad(~mask[window], 1, constant_values=True))
    if n > 1:
        filled[window] = outside[1:-1, 1:-1] != outside[0, 0]
    return filled


def _touching(mask: BoolArray, seed: BoolArray) -> BoolArray:
    """Pieces of the mask that hold a seed: drops specks of blanket beside the skin."""
    labels, n = ndimage.label(mask)
    keep = np.zeros(n + 1, dtype=np.bool_)
    keep[labels[seed]] = True
    keep[0] = False
    return np.asarray(keep[labels])


def _coarse_body(hu: FloatArray, spacing_mm: tuple[float, float, float]) -> BoolArray:
    dense: BoolArray = hu > BODY_THRESHOLD_HU
    n = max(1, round(OPENING_RADIUS_MM / (0.5 * (spacing_mm[1] + spacing_mm[2]))))
    eroded = ndimage.binary_erosion(dense, _CROSS, iterations=n, border_value=1)
    pieces = ndimage.binary_dilation(eroded, _CROSS, iterations=n, mask=dense)
    labels, n_labels = ndimage.label(pieces)
    if n_labels == 0:
        return np.zeros(hu.shape, dtype=np.bool_)
    keep = np.zeros(n_labels + 1, dtype=np.bool_)
    counts = np.bincount(labels.ravel(), minlength=n_labels + 1)
    counts[0] = 0
    voxel_ml = float(np.prod(spacing_mm)) * 1e-3
    least = max(MIN_COMPONENT_ML / voxel_ml, MIN_SHARE_OF_LARGEST * counts.max())
    windows = ndimage.find_objects(labels)
    for label in np.flatnonzero(counts >= least):
        window = windows[label - 1]
        keep[label] = _is_patient(labels[window] == label, hu[window], spacing_mm)
    if not keep.any():
        keep[int(counts.argmax())] = True
    body: BoolArray = keep[labels]
    body = ndimage.binary_dilation(body, _CROSS, iterations=n, mask=dense)
    for k in range(body.shape[0]):
        body[k] = fill_slice(body[k])
    return body


def _is_patient(piece: BoolArray, hu: FloatArray, spacing_mm: tuple[float, float, float]) -> bool:
    """Tell limbs from couches (thin, wide plates) and foams."""
    if float(hu[piece].mean()) < -250.0:
        return False
    footprint = np.count_nonzero(piece.any(axis=1))
    thickness_mm = np.count_nonzero(piece) / footprint * spacing_mm[1]
    width_mm = np.count_nonzero(piece.any(axis=(0, 1))) * spacing_mm[2]
    return not (thickness_mm < COUCH_THICKNESS_MM and width_mm > COUCH_WIDTH_MM)


def _enlarge(mask: BoolArray, factor: tuple[int, ...], shape: tuple[int, ...]) -> BoolArray:
    big = np.repeat(np.repeat(mask, factor[0], axis=0), factor[1], axis=1)
    return np.ascontiguousarray(big[: shape[0], : shape[1]])


@voxel_loop
def _mean_kernel(values, factor, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    nz, ny, nx = values.shape
    row = np.empty(out.shape[2], dtype=np.float64)
    for k in range(out.shape[0]):
        z1 = min(nz, (k + 1) * factor[0])
        for j in range(out.shape[1]):
            y1 = min(ny, (j + 1) * factor[1])
            row[:] = 0.0
            n = (z1 - k * factor[0]) * (y1 - j * factor[1])
            for z in range(k * factor[0], z1):
                for y in range(j * factor[1], y1):
                    for x in range(nx):
                        row[x // factor[2]] += values[z, y, x]
            for i in range(out.shape[2]):
                width = min(nx, (i + 1) * factor[2]) - i * factor[2]
                out[k, j, i] = row[i] / (n * width)

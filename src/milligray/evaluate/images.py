"""Agreement of two dose maps voxel by voxel: errors, structural similarity, peak signal."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.errors import GeometryError, InputError
from milligray.evaluate.errors_of_values import MEASURES
from milligray.typing import BoolArray, FloatArray

SSIM_WINDOW = 7
DEFAULT_THRESHOLD = 0.1
"""Share of the largest reference dose below which a voxel is not judged by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAgreement:
    """Agreement of a predicted with a reference map inside a mask.

    Parameters
    ----------
    n_voxels : int
    values : dict of str to float
        Voxelwise measures by name of `milligray.evaluate.errors_of_values.MEASURES`.
    structural_similarity : float
        See `structural_similarity`; `data_range` states its scale. NaN for maps of fewer than 7
        voxels along an axis.
    peak_signal_to_noise_db : float
        See `peak_signal_to_noise_db`; `data_range` states its peak.
    data_range : float
        Largest reference value in the mask, unit of the maps.
    """

    n_voxels: int
    values: dict[str, float]
    structural_similarity: float
    peak_signal_to_noise_db: float
    data_range: float


def compare_images(
    predicted: npt.ArrayLike, reference: npt.ArrayLike, mask: BoolArray | None = None
) -> ImageAgreement:
    """All voxel measures of two maps on one grid.

    Parameters
    ----------
    predicted, reference : array_like, shape (z, y, x)
        In one unit, finite.
    mask : ndarray of bool, optional
        Voxels to judge; default `dose_mask`: at least 10 % of the largest reference dose. In air
        the dose is nearly 0 and relative errors say nothing; state the mask beside every figure.
    """
    p, r = _maps(predicted, reference)
    mask = _mask(r, mask)
    is_large = min(r.shape) >= SSIM_WINDOW
    return ImageAgreement(
        n_voxels=int(np.sum(mask)),
        values={name: measure.compute(p[mask], r[mask]) for name, measure in MEASURES.items()},
        structural_similarity=structural_similarity(p, r, mask) if is_large else float("nan"),
        peak_signal_to_noise_db=peak_signal_to_noise_db(p, r, mask),
        data_range=float(r[mask].max()),
    )


def dose_mask(reference: npt.ArrayLike, *, threshold: float = DEFAULT_THRESHOLD) -> BoolArray:
    """Voxels with at least `threshold` (a fraction) of the largest reference dose.

    A Monte Carlo map has outliers in air, where few photons of large weight score: give the body
    as a mask to the metrics rather than trust the largest value of a noisy map.
    """
    r = np.asarray(reference, dtype=np.float64)
    return np.asarray(r >= threshold * float(r.max())) & (r > 0)


def structural_similarity(
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    mask: BoolArray | None = None,
    *,
    data_range: float | None = None,
) -> float:
    """Structural similarity in three dimensions (Wang et al. 2004), mean over the mask.

    Parameters
    ----------
    predicted, reference : array_like, shape (z, y, x)
        At least 7 voxels along every axis.
    mask : ndarray of bool, optional
        Default `dose_mask`.
    data_range : float, optional
        Scale of the stabilizing constants ``(0.01 L)^2`` and ``(0.03 L)^2``; default the largest
        reference value in the mask. A larger one brings every result nearer to 1.

    Notes
    -----
    scikit-image's defaults: an even window of 7x7x7 voxels, sample covariance. Windows at the rim
    of the mask reach beyond it.
    """
    from skimage import metrics  # noqa: PLC0415

    p, r = _maps(predicted, reference)
    mask = _mask(r, mask)
    if min(r.shape) < SSIM_WINDOW:
        raise InputError(
            f"maps of shape {r.shape} are too small for the similarity, which needs"
            f" {SSIM_WINDOW} voxels along every axis"
        )
    scale = float(r[mask].max()) if data_range is None else data_range
    _, full = metrics.structural_similarity(  # type: ignore[no-untyped-call]
        r, p, win_size=SSIM_WINDOW, data_range=scale, full=True
    )
    return float(np.mean(full[mask]))


def peak_signal_to_noise_db(
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    mask: BoolArray | None = None,
    *,
    peak: float | None = None,
) -> float:
    """``20 log10(peak / RMSE)`` [dB] over the mask; infinite for equal maps.

    Parameters
    ----------
    predicted, reference : array_like, shape (z, y, x)
    mask : ndarray of bool, optional
        Default `dose_mask`. Including air raises the result: its error is small.
    peak : float, optional
        Default the largest reference value in the mask.
    """
    p, r = _maps(predicted, reference)
    mask = _mask(r, mask)
    highest = float(r[mask].max()) if peak is None else peak
    rmse = float(np.sqrt(np.mean((p[mask] - r[mask]) ** 2)))
    return float("inf") if rmse == 0 else float(20.0 * np.log10(highest / rmse))


def _maps(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, r = np.asarray(predicted, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if p.shape != r.shape or r.ndim != 3:
        raise GeometryError(
            f"predicted has shape {p.shape}, reference {r.shape}; voxels can be compared on one"
            " grid [z, y, x] only: resample one of the maps first"
        )
    if not (np.all(np.isfinite(p)) and np.all(np.isfinite(r))):
        raise InputError("a map holds NaN or infinite values; set them to 0 and mask them out")
    return p, r


def _mask(reference: FloatArray, mask: BoolArray | None) -> BoolArray:
    chosen = dose_mask(reference) if mask is None else np.asarray(mask, dtype=bool)
    if chosen.shape != reference.shape:
        raise GeometryError(f"mask has shape {chosen.shape}, the maps {reference.shape}")
    if not chosen.any():
        raise InputError("the mask is empty: there is no voxel to judge")
    if not float(reference[chosen].max()) > 0:
        raise InputError("the reference is nowhere above 0 in the mask")
    return chosen

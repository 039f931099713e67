"""Parallel-beam projection and filtered back-projection of one slice."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from milligray.constants import CM_PER_MM
from milligray.patient.voxel_loop import voxel_loop
from milligray.typing import FloatArray
from milligray.volume import Grid

N_VIEWS = 180
_FINER = 2
_FWHM_PER_SIGMA = 2.3548200450309493


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detector:
    """Bins and views over half a turn, centered on a grid's slices.

    Parameters
    ----------
    n_bins : int
    bin_mm : float
    cosine, sine : ndarray, shape (n_views,), float32
        Of the angle of the normal of each view's rays; ``t = x cosine + y sine``.
    """

    n_bins: int
    bin_mm: float
    cosine: FloatArray
    sine: FloatArray

    @classmethod
    def around(cls, grid: Grid, bin_mm: float, n_views: int = N_VIEWS) -> "Detector":
        """Wide enough to see all corners of a slice of the grid."""
        _, ny, nx = grid.shape
        _, dy, dx = grid.spacing_mm
        n_bins = int(np.ceil(np.hypot(ny * dy, nx * dx) / bin_mm)) + 3
        angle = (np.arange(n_views) + 0.5) * np.pi / n_views
        return cls(
            n_bins=n_bins,
            bin_mm=bin_mm,
            cosine=np.cos(angle).astype(np.float32),
            sine=np.sin(angle).astype(np.float32),
        )


def project(values: FloatArray, grid: Grid, detector: Detector) -> FloatArray:
    """Line integrals through one slice.

    Parameters
    ----------
    values : ndarray, shape (ny, nx), float32
    grid : Grid
        Only its in-plane spacing counts.
    detector : Detector
        With bins that are not smaller than the pixels, or views along the axes become combs.

    Returns
    -------
    ndarray, shape (n_views, n_bins), float32 [value x cm]
    """
    out = np.zeros((detector.cosine.size, detector.n_bins), dtype=np.float32)
    _, dy, dx = grid.spacing_mm
    scale = dy * dx / detector.bin_mm * CM_PER_MM
    rows, columns = np.nonzero(values)
    _, ny, nx = grid.shape
    _splat_kernel(
        ((rows - 0.5 * (ny - 1)) * dy).astype(np.float32),
        ((columns - 0.5 * (nx - 1)) * dx).astype(np.float32),
        (values[rows, columns] * scale).astype(np.float32),
        detector.cosine,
        detector.sine,
        np.float32(1.0 / detector.bin_mm),
        out,
    )
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filter:
    """Ramp times point-spread, for `Detector` rows padded to `n_fft`.

    Parameters
    ----------
    gain : ndarray, shape (n_fft // 2 + 1,), float32 [1/cm]
    n_fft : int
    noise_gain : float [1/cm]
        Standard deviation of the image for white noise of 1 cm in every bin and view.
    """

    gain: FloatArray
    n_fft: int
    noise_gain: float

    @classmethod
    def ramp(cls, detector: Detector, fwhm_mm: float) -> "Filter":
        """Ram-Lak ramp, Gaussian apodization of the width of the point spread.

        Notes
        -----
        ``gain(f) = |f| exp(-2 (pi sigma f)^2) / sinc(f bin / 2)``; the sinc undoes the mean blur
        of the back-projection, which takes the nearest of two samples a bin. The noise power
        spectrum of the image is ``f exp(-4 (pi sigma f)^2)``, with its peak at
        ``0.265 / fwhm_mm``.
        """
        bin_cm = detector.bin_mm * CM_PER_MM
        n_fft = int(fft.next_fast_len(2 * detector.n_bins, real=True))
        index = np.minimum(np.arange(n_fft), n_fft - np.arange(n_fft))
        kernel = np.zeros(n_fft)
        kernel[0] = 0.25
        odd = index % 2 == 1
        kernel[odd] = -1.0 / (np.pi * index[odd]) ** 2
        f = np.fft.rfftfreq(n_fft, bin_cm)
        sigma_cm = fwhm_mm / _FWHM_PER_SIGMA * CM_PER_MM
        gain = np.fft.rfft(kernel).real / bin_cm
        gain *= np.exp(-2.0 * (np.pi * sigma_cm * f) ** 2) / np.sinc(f * bin_cm / _FINER)
        power = gain**2 * np.where((f == 0) | (2 * f * bin_cm >= 1 - 1e-9), 1.0, 2.0)
        noise = np.pi * np.sqrt(float(power.sum()) / n_fft / detector.cosine.size)
        return cls(gain=gain.astype(np.float32), n_fft=n_fft, noise_gain=float(noise))

    def reconstruct(self, sinogram: FloatArray, grid: Grid, detector: Detector) -> FloatArray:
        """Filtered back-projection.

        Parameters
        ----------
        sinogram : ndarray, shape (n_views, n_bins), float32 [cm]
        grid : Grid
        detector : Detector

        Returns
        -------
        ndarray, shape (ny, nx), float32
            A slice of water whose lengths are projected comes back as 1.
        """
        spectrum = fft.rfft(sinogram, self.n_fft, axis=1)
        spectrum *= self.gain
        scale = np.float32(_FINER * np.pi / detector.cosine.size)
        filtered = fft.irfft(spectrum, _FINER * self.n_fft, axis=1)
        filtered = filtered[:, : _FINER * detector.n_bins] * scale
        _, ny, nx = grid.shape
        _, dy, dx = grid.spacing_mm
        out = np.zeros((ny, nx), dtype=np.float32)
        _back_project_kernel(
            np.ascontiguousarray(filtered, dtype=np.float32),
            detector.cosine,
            detector.sine,
            np.float32(_FINER * dy / detector.bin_mm),
            np.float32(_FINER * dx / detector.bin_mm),
            np.float32(0.5 * _FINER * (detector.n_bins - 1) + 0.5),
            out,
        )
        return out


@voxel_loop
def _splat_kernel(y_mm, x_mm, values, cosine, sine, per_bin, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n_bins = out.shape[1]
    middle = np.float32(0.5 * (n_bins - 1))
    for v in range(cosine.size):
        c, s = cosine[v] * per_bin, sine[v] * per_bin
        for p in range(values.size):
            t = x_mm[p] * c + y_mm[p] * s + middle
            n = int(t)
            if n < 0 or n >= n_bins - 1:
                continue
            upper = (t - np.float32(n)) * values[p]
            out[v, n] += values[p] - upper
            out[v, n + 1] += upper


@voxel_loop
def _back_project_kernel(filtered, cosine, sine, dy, dx, middle, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    ny, nx = out.shape
    x0 = np.float32(-0.5 * (nx - 1)) * dx
    for j in range(ny):
        y = np.float32(j - 0.5 * (ny - 1)) * dy
        row = out[j]
        for v in range(cosine.size):
            start = y * sine[v] + x0 * cosine[v] + middle
            step = dx * cosine[v]
            view = filtered[v]
            for i in range(nx):
                row[i] += view[np.int32(start + np.float32(i) * step)]

"""Noise, beam hardening, cupping and metal streaks, made in projections, slice by slice."""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from milligray.anatomy.beam_errors import (
    REFERENCE_DIAMETER_MM,
    bone_error_cm,
    cupping_coefficients,
    metal_error_cm,
    relative_slope,
    split_bone,
)
from milligray.anatomy.ct_options import CtAppearance
from milligray.anatomy.metal import MetalPart
from milligray.anatomy.parallel_beam import Detector, Filter, project
from milligray.constants import CM_PER_MM
from milligray.patient.body import block_mean
from milligray.typing import FloatArray
from milligray.volume import Grid

WATER_MU_PER_CM = 0.19
"""Of water at the mean energy of a filtered 120 kV beam."""
ELECTRONIC_NOISE = 3e-4
"""Its variance over that of the photons, without an object."""
_MAX_ATTENUATION, _MAX_BY_METAL = 8.5, np.float32(2.0)
"""Where the smoothing that scanners apply to starved projections holds the noise."""
_SCATTER_FLOOR = 1e-4
"""Signal behind metal that is never undercut, over that without an object."""
_METAL_VIEW_FACTOR, _METAL_SPLIT, _METAL_FWHM_MM = 4, 3, 2.5
_WORK_MM, _SLAB_MM, _PATH_BIN_MM = 2.0, 4.0, 4.0
_FINE_BIN = 0.67
_FWHM_PER_SIGMA = 2.3548200450309493
_NOISE_STREAM = 11


def add_scan_effects(
    hu: FloatArray,
    grid: Grid,
    options: CtAppearance,
    *,
    metal: Sequence[MetalPart] = (),
    seed: int = 0,
) -> None:
    """Add what a scanner adds, in place.

    Parameters
    ----------
    hu : ndarray, shape ``grid.shape``, float32 [HU]
        Changed.
    grid : Grid
        Axis-aligned.
    options : CtAppearance
        Its `noise_hu`, `current_modulation`, `beam_hardening`, `cupping_hu`, `metal_streaks`,
        `resolution_mm` and `slice_width_mm`.
    metal : sequence of MetalPart
        Not contained in `hu`.
    seed : int

    Notes
    -----
    For every slice, parallel projections over half a turn are made of the lengths of water ``L``
    and bone ``B`` [cm] (slabs and bins of 4 mm) and of metal. The image gets the filtered
    back-projection of

    ``error_cm = beam_hardening bone_error(L, B) - cupping k L (L - straight) + metal_streaks
    (seen - slope M) + noise / mu``

    ``seen = (ln(exp(-p) + s) - ln(exp(-p - mu (slope M + metal_error(M))) + s)) / mu``, s = 1e-4
    for scatter; slices with metal get 720 views, others 180, and at least 2.5 mm of blur.

    ``var(noise) = A exp(p) (1 + e exp(p))``, ``p = mu (L + slope B) + metal``, limited to 8.5,
    of which 2 by metal; A is such that `noise_hu` appears in the middle of 300 mm of water, times
    ``exp(-current_modulation mu (D - 300 mm))`` with the slice's water-equivalent diameter D.
    """
    fwhm_mm = max(options.resolution_mm, *grid.spacing_mm[1:])
    bin_mm = _FINE_BIN * min(grid.spacing_mm[1:])
    fine = Detector.around(grid, bin_mm)
    ramp = Filter.ramp(fine, fwhm_mm)
    finest = Detector.around(grid, bin_mm, n_views=_METAL_VIEW_FACTOR * fine.cosine.size)
    metal_ramp = Filter.ramp(finest, max(fwhm_mm, _METAL_FWHM_MM))
    paths = _Paths(hu, grid, fine)
    noise = _white_noise(grid, fine, options, seed)
    for k in range(grid.shape[0]):
        error, attenuation, diameter_cm = paths.of_slice(k, options)
        white = next(noise) if options.noise_hu > 0 else None
        shares = _metal_shares(metal, k, grid)
        if not shares:
            if white is not None:
                error += _noise_cm(attenuation, diameter_cm, options, ramp.noise_gain) * white
            hu[k] += np.float32(1000.0) * ramp.reconstruct(error, grid, fine)
            continue
        # more views here than noise needs, or starved rays and edges of metal make a star
        error, attenuation = (
            np.repeat(sinogram, _METAL_VIEW_FACTOR, axis=0) for sinogram in (error, attenuation)
        )
        error += np.float32(options.metal_streaks) * _through_metal(
            shares, attenuation, grid, finest
        )
        if white is not None:
            rng = np.random.default_rng([seed, _NOISE_STREAM, k])
            white = rng.standard_normal(error.shape, dtype=np.float32)
            error += _noise_cm(attenuation, diameter_cm, options, metal_ramp.noise_gain) * white
        hu[k] += np.float32(1000.0) * metal_ramp.reconstruct(error, grid, finest)


def _through_metal(
    shares: dict[str, FloatArray], attenuation: FloatArray, grid: Grid, detector: Detector
) -> FloatArray:
    """Error of the projections by metal [cm]; adds the metal to the attenuation, limited."""
    added_cm = np.zeros_like(attenuation)
    ideal_cm = np.zeros_like(attenuation)
    _, ny, nx = grid.shape
    _, dy, dx = grid.spacing_mm
    split = _METAL_SPLIT
    split_grid = Grid.from_spacing((1, ny * split, nx * split), (1.0, dy / split, dx / split))
    for material, share in shares.items():
        metal_cm = project(np.kron(share, np.ones((split, split))), split_grid, detector)
        ideal_cm += np.float32(relative_slope(material)) * metal_cm
        added_cm += relative_slope(material) * metal_cm + metal_error_cm(material, metal_cm)
    added = np.float32(WATER_MU_PER_CM) * added_cm
    floor = np.float32(_SCATTER_FLOOR)
    seen = np.log(np.exp(-attenuation) + floor) - np.log(np.exp(-attenuation - added) + floor)
    attenuation += np.minimum(added, _MAX_BY_METAL)
    return np.asarray(seen / np.float32(WATER_MU_PER_CM) - ideal_cm, dtype=np.float32)


def _noise_cm(
    attenuation: FloatArray, diameter_cm: float, options: CtAppearance, noise_gain: float
) -> FloatArray:
    """Standard deviation of the projections [cm of water]."""
    reference_cm = REFERENCE_DIAMETER_MM * CM_PER_MM
    at_reference = np.exp(WATER_MU_PER_CM * reference_cm)
    scale = (1e-3 * options.noise_hu / noise_gain) ** 2
    scale /= at_reference * (1.0 + ELECTRONIC_NOISE * at_reference)
    scale *= np.exp(-options.current_modulation * WATER_MU_PER_CM * (diameter_cm - reference_cm))
    weaker = np.exp(np.minimum(attenuation, np.float32(_MAX_ATTENUATION)))
    return np.asarray(
        np.sqrt(np.float32(scale) * weaker * (1.0 + np.float32(ELECTRONIC_NOISE) * weaker)),
        dtype=np.float32,
    )


class _Paths:
    """Lengths of water and bone of the slab that is being worked on, on the fine bins."""

    def __init__(self, hu: FloatArray, grid: Grid, fine: Detector) -> None:
        dz, dy, dx = grid.spacing_mm
        factors = (
            max(1, round(_SLAB_MM / dz)), max(1, round(_WORK_MM / dy)), max(1, round(_WORK_MM / dx))
        )  # fmt: skip
        self._slab = factors[0]
        self._coarse = block_mean(hu, factors)
        self._grid = Grid.from_spacing(
            self._coarse.shape, (dz * factors[0], dy * factors[1], dx * factors[2])
        )
        shift_mm = [
            0.5 * (n * f - m) * s
            for n, f, m, s in zip(
                self._coarse.shape[1:], factors[1:], grid.shape[1:], (dy, dx), strict=True
            )
        ]
        bin_mm = max(_PATH_BIN_MM, *self._grid.spacing_mm[1:])
        self._detector = Detector.around(self._grid, bin_mm)
        # a last block that is a partial one moves the middle of the coarse slice
        t_mm = (np.arange(fine.n_bins) - 0.5 * (fine.n_bins - 1)) * fine.bin_mm
        t = t_mm - shift_mm[1] * fine.cosine[:, None] - shift_mm[0] * fine.sine[:, None]
        t = np.clip(
            t / bin_mm + 0.5 * (self._detector.n_bins - 1), 0, self._detector.n_bins - 1.001
        )
        self._lower = t.astype(np.intp)
        self._share = (t - self._lower).astype(np.float32)
        self._last = -1
        self._shown: tuple[FloatArray, FloatArray, float] = (np.zeros(0), np.zeros(0), 0.0)

    def of_slice(self, k: int, options: CtAppearance) -> tuple[FloatArray, FloatArray, float]:
        """Error without noise [cm], attenuation, water-equivalent diameter [cm] of a slice."""
        slab = k // self._slab
        if slab != self._last:
            self._last = slab
            self._shown = self._of_slab(slab, options)
        error, attenuation, diameter_cm = self._shown
        return error.copy(), attenuation.copy(), diameter_cm

    def _of_slab(self, slab: int, options: CtAppearance) -> tuple[FloatArray, FloatArray, float]:
        water, bone = split_bone(self._coarse[slab])
        water_cm = project(water, self._grid, self._detector)
        bone_cm = project(bone, self._grid, self._detector)
        total_cm = water_cm + np.float32(relative_slope("cortical_bone")) * bone_cm
        error = np.zeros_like(total_cm)
        if options.beam_hardening > 0:
            error += np.float32(options.beam_hardening) * bone_error_cm(water_cm, bone_cm)
        if options.cupping_hu > 0:
            k, straight = cupping_coefficients()
            error -= np.float32(options.cupping_hu * k) * total_cm * (total_cm - straight)
        area_cm2 = float(total_cm.mean(axis=0).sum()) * self._detector.bin_mm * CM_PER_MM
        return (
            self._on_fine(error),
            np.float32(WATER_MU_PER_CM) * self._on_fine(total_cm),
            2.0 * float(np.sqrt(area_cm2 / np.pi)),
        )

    def _on_fine(self, sinogram: FloatArray) -> FloatArray:
        low = np.take_along_axis(sinogram, self._lower, axis=1)
        high = np.take_along_axis(sinogram, self._lower + 1, axis=1)
        return np.asarray(low + self._share * (high - low), dtype=np.float32)


def _white_noise(
    grid: Grid, detector: Detector, options: CtAppearance, seed: int
) -> Iterator[FloatArray]:
    """Unit normal numbers for the projections of each slice, correlated along z as the slices."""
    sigma = options.slice_width_mm / _FWHM_PER_SIGMA / grid.spacing_mm[0]
    reach = int(np.ceil(3.0 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    weights /= np.sqrt((weights**2).sum())
    rng = np.random.default_rng([seed, _NOISE_STREAM])
    shape = (detector.cosine.size, detector.n_bins)
    window: deque[FloatArray] = deque(maxlen=weights.size)
    while True:
        while len(window) < weights.size - 1:
            window.append(rng.standard_normal(shape, dtype=np.float32))
        window.append(rng.standard_normal(shape, dtype=np.float32))
        mixed = np.zeros(shape, dtype=np.float32)
        for weight, white in zip(weights, window, strict=True):
            mixed += np.float32(weight) * white
        yield mixed


def _metal_shares(metal: Sequence[MetalPart], k: int, grid: Grid) -> dict[str, FloatArray]:
    """Share of the pixels of one slice that is metal, by material."""
    shares: dict[str, FloatArray] = {}
    for part in metal:
        window = part.window
        if not window[0].start <= k < window[0].stop:
            continue
        plane = shares.setdefault(part.material, np.zeros(grid.shape[1:], dtype=np.float32))
        inside = part.share[k - window[0].start]
        plane[window[1:]] = np.maximum(plane[window[1:]], inside)
    return {name: plane for name, plane in shares.items() if plane.any()}

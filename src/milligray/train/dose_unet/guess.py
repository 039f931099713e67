"""Fit the first guess of the dose U-Net to some training samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from milligray.dataset.kinds import Sample
from milligray.dataset.storage import read_sample
from milligray.dataset.stored_scan import stored_grid
from milligray.draws import fraction
from milligray.learn.inputs.dose_unet_inputs import (
    TISSUE_KNOTS,
    GuessOptions,
    MapName,
    blurred_maps,
)
from milligray.train.dose_unet.patches import kerma_map_of
from milligray.typing import FloatArray

SAMPLES, VOXELS = 16, 6000
SOFT = (0.85, 1.09)
_LEAST_IN_BIN = 20


def fit_guess(files: Sequence[Path], which: MapName, cache: Path | None) -> GuessOptions:
    """Fit weights and tissue factors.

    Parameters
    ----------
    files : sequence of Path
        Samples for training; at most `SAMPLES` of them are read, evenly over the list.
    which : str
        Map.
    cache : Path, optional

    Notes
    -----
    Weights by non-negative least squares of ``sum w_i part_i / dose = 1`` over voxels of soft
    tissue in the range; then the tissue factor at every knot as the mean of
    ``ln(dose / guess)`` of the voxels nearest to it.
    """
    every = max(1, len(files) // SAMPLES)
    rows = [guess_voxels(read_sample(path), which, cache) for path in files[::every][:SAMPLES]]
    density, dose = (np.concatenate([row[i] for row in rows]) for i in (0, 1))
    parts = np.concatenate([row[2] for row in rows], axis=1)
    soft = (density > SOFT[0]) & (density < SOFT[1]) & (dose > 0)
    weights, _ = nnls((parts[:, soft] / dose[soft]).T, np.ones(int(soft.sum())))
    plain = np.maximum(weights @ parts, 1e-6)
    log_ratio = np.log(np.maximum(dose, 1e-6) / plain)
    knots = np.array(TISSUE_KNOTS)
    nearest = np.abs(density[:, None] - knots).argmin(axis=1)
    known = [k for k in range(knots.size) if (nearest == k).sum() >= _LEAST_IN_BIN]
    means = [float(log_ratio[nearest == k].mean()) for k in known]
    return GuessOptions(
        weights=tuple(weights), log_tissue=tuple(np.interp(knots, knots[known], means))
    )


def guess_voxels(
    sample: Sample, which: MapName, cache: Path | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Electron density, dose and blurred maps, both over the scale, of voxels in the range."""
    body = sample.arrays["body"].values > 0
    grid = stored_grid(sample)
    z = grid.axis_centers_mm(0)
    about = sample.attributes
    scanned = (z >= about["scan_low_mm"]) & (z <= about["scan_high_mm"])
    kerma = kerma_map_of(sample, which, cache)
    region = body & scanned[:, None, None]
    scale = float(kerma[region].mean(dtype=np.float64))
    density = sample.arrays["electron_density"].values
    parts = blurred_maps(density, kerma / np.float32(scale), body, grid.spacing_mm[0])
    inside = np.flatnonzero(region.ravel())
    random = np.random.default_rng(int(fraction("guess", about["sample"]) * 2**32))
    chosen = random.choice(inside, min(VOXELS, inside.size), replace=False)
    dose = sample.arrays["dose"].values.ravel()[chosen] / scale
    return density.ravel()[chosen], dose, parts.reshape(len(parts), -1)[:, chosen]

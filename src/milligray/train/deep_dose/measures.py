"""Measures of dose maps in the form of the tables that were published for deep-dose."""

from dataclasses import replace

import numpy as np

from milligray.evaluate.gamma import GammaSettings, gamma_index
from milligray.evaluate.images import compare_images
from milligray.evaluate.noise import noise_floor_relative_absolute_error
from milligray.evaluate.table import Cell, Column
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

LEAST_SHARE = 0.1
"""Voxels of the body with at least this share of the largest dose are judged."""
GAMMA_SUBSET = 2000
MEASURES = {
    "rae": ("RAE", "percent"), "re": ("RE", "percent"), "me": ("ME [mGy]", "number"),
    "mae": ("MAE [mGy]", "number"), "rmse": ("RMSE [mGy]", "number"), "ssim": ("SSIM", "number"),
    "psnr": ("PSNR [dB]", "number"), "gamma": ("γ (1 %/1 mm)", "percent"),
    "noise": ("RAE of noise", "percent"),
}  # fmt: skip
_NAMES = {
    "rae": "mean_relative_absolute_error", "re": "mean_relative_error", "me": "mean_error",
    "mae": "mean_absolute_error", "rmse": "root_mean_squared_error",
}  # fmt: skip


def measure_columns() -> tuple[Column, ...]:
    """Columns of the voxel measures."""
    digits = {"ssim": 4, "psnr": 1, "me": 4, "mae": 4, "rmse": 4}
    return tuple(
        Column(
            key=key, title=title, digits=digits.get(key, 2),
            kind="percent" if kind == "percent" else "number",
        )
        for key, (title, kind) in MEASURES.items()
    )  # fmt: skip


def judged_voxels(truth: FloatArray, body: BoolArray) -> BoolArray:
    """Voxels of the body with at least 10 % of its largest dose.

    The largest dose is the 99.9th percentile: that of a single voxel is noise.
    """
    return np.asarray(body & (truth >= LEAST_SHARE * np.quantile(truth[body], 0.999)))


def voxel_row(
    predicted: FloatArray,
    truth: FloatArray,
    relative: FloatArray,
    body: BoolArray,
    grid: Grid,
    *,
    with_gamma: bool = True,
) -> dict[str, Cell]:
    """Measures of one map over the body's voxels with at least 10 % of the largest dose.

    Parameters
    ----------
    predicted, truth : ndarray, shape ``grid.shape``
    relative : ndarray, same shape
        Standard deviation of `truth` over it.
    body : ndarray of bool, same shape
    grid : Grid
    with_gamma : bool
    """
    mask = judged_voxels(truth, body)
    found = compare_images(np.where(body, predicted, 0.0), np.where(body, truth, 0.0), mask)
    row: dict[str, Cell] = {key: found.values[name] for key, name in _NAMES.items()}
    row |= {"ssim": found.structural_similarity, "psnr": found.peak_signal_to_noise_db}
    row["noise"] = noise_floor_relative_absolute_error(truth[mask], (relative * truth)[mask])
    if with_gamma:
        settings = replace(GammaSettings(), subset=GAMMA_SUBSET)
        row["gamma"] = gamma_index(predicted, truth, grid, mask=mask, settings=settings).pass_rate
    return row

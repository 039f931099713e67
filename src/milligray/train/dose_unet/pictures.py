"""Pictures of the dose U-Net: maps of a scan, and errors beside what the ensemble expects."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from milligray.evaluate.plot_style import PALETTE, plain, save_figure, words
from milligray.learn.ensemble import EnsembleDose
from milligray.train.dose_unet.organs import OrganResult, single_organs
from milligray.train.dose_unet.patches import DoseCase
from milligray.typing import FloatArray


def draw_maps(case: DoseCase, found: EnsembleDose, path: Path) -> Path:
    """Monte Carlo, network, error and uncertainty of a sample, in its middle planes."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    truth = case.dose * case.scale_mgy
    relative = np.divide(
        found.total, found.dose, out=np.zeros_like(found.dose), where=found.dose > 0
    )
    error = np.where(case.body, found.dose / np.maximum(truth, 1e-6) - 1.0, np.nan)
    top = float(np.percentile(truth[case.body], 99))
    columns = (
        ("Monte Carlo [mGy]", truth, "magma", (0.0, top), 1.0),
        ("network [mGy]", found.dose, "magma", (0.0, top), 1.0),
        ("error [%]", error, "RdBu_r", (-25.0, 25.0), 100.0),
        ("total uncertainty, k = 1 [%]", relative, "viridis", (0.0, 25.0), 100.0),
    )  # fmt: skip
    figure = Figure(figsize=(11.0, 5.6), layout="constrained")
    axes = figure.subplots(2, len(columns))
    for column, (title, values, colors, (low, high), factor) in enumerate(columns):
        shown = np.where(case.body, values * factor, np.nan)
        images = [
            axes[row, column].imshow(
                plane, origin="lower", cmap=colors, vmin=low, vmax=high, interpolation="nearest"
            )
            for row, plane in enumerate((_coronal(shown), _sagittal(shown)))
        ]
        for ax in axes[:, column]:
            ax.set_axis_off()
        axes[0, column].set_title(title, fontsize=9)
        figure.colorbar(images[0], ax=list(axes[:, column]), shrink=0.7, location="bottom")
    return save_figure(figure, path)


def _coronal(values: FloatArray) -> FloatArray:
    return values[:, values.shape[1] // 2]


def _sagittal(values: FloatArray) -> FloatArray:
    return values[:, :, values.shape[2] // 2]


def draw_uncertainties(results: Sequence[OrganResult], temperature: float, path: Path) -> Path:
    """Errors of the organs with the calibrated band of k = 2."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    organs = single_organs(list(results))
    names = sorted({row.organ for row in organs})
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    ax = figure.subplots()
    place = 0
    for number, name in enumerate(names):
        rows = sorted((r for r in organs if r.organ == name), key=lambda row: row.relative_error)
        x = place + np.arange(len(rows))
        band = np.array([200.0 * temperature * row.total / row.dose for row in rows])
        color = PALETTE[number % len(PALETTE)]
        ax.vlines(x, -band, band, color=color, alpha=0.3, lw=2.5)
        ax.plot(x, [100.0 * row.relative_error for row in rows], ".", color=color, ms=4)
        ax.text(
            x.mean(), -0.02, words(name).replace("Body (remaining tissue)", "rest"), rotation=30,
            fontsize=7, ha="right", va="top", color=color, transform=ax.get_xaxis_transform(),
        )  # fmt: skip
        place += len(rows) + 2
    ax.axhline(0.0, color="black", lw=0.6)
    ax.set_xticks([])
    ax.set_ylabel("error of the organ dose (dots), U(k = 2) (bars) [%]")
    plain(ax, grid="y")
    return save_figure(figure, path)

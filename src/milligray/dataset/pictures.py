"""Pictures of samples, by kind."""

# ruff: noqa: PLC0415 - matplotlib is loaded only when something is drawn

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milligray.dataset.kinds import Sample
from milligray.dataset.storage import read_sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_ORGANS = 30
_SMALL = 7
_SPLIT_COLORS = {"train": "#3b6ea5", "validation": "#d19a2a", "test": "#c8553d"}
_PICTURES: dict[str, Callable[[Sample], "Figure"]] = {}


def draw_sample(file: Path, kind: str, path: Path) -> None:
    """Draw a sample as its kind asks for.

    Parameters
    ----------
    file : Path
        HDF5 file of the sample.
    kind : str
    path : Path
        PNG to write.
    """
    figure = _PICTURES[kind](read_sample(file))
    figure.savefig(path, dpi=110)


def draw_set(manifest: Mapping[str, Any], path: Path) -> None:
    """Draw dose over CTDIvol against diameter and the statistics of all samples."""
    from matplotlib.figure import Figure

    done = [e for e in manifest["samples"].values() if e["status"] == "done"]
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    if "source_voxels" in done[0]["attributes"]:
        _draw_strata(left, done)
    else:
        _draw_doses(left, done)
    key = next((k for k in done[0]["statistics"] if k.endswith("relative_uncertainty")), None)
    if key is not None:
        middle.hist([100 * e["statistics"][key] for e in done], bins=20, color="#588157")
        middle.set(xlabel=key.replace("_", " ") + " [%]", ylabel="samples")
    right.hist([e["run"].get("seconds", np.nan) for e in done], bins=20, color="#7b8794")
    right.set(xlabel="seconds a sample", ylabel="samples")
    figure.savefig(path, dpi=110)


def _draw_doses(left: "Axes", done: Sequence[Mapping[str, Any]]) -> None:
    for split, color in _SPLIT_COLORS.items():
        some = [e["attributes"] for e in done if e["split"] == split]
        x = [a.get("mean_diameter_mm", np.nan) for a in some]
        dose = [
            a.get("reference_dose_mgy", np.nan) / a["ctdi_vol_mgy"]
            if a.get("reference_dose_mgy") is not None else np.nan
            for a in some
        ]  # fmt: skip
        left.scatter(x, dose, s=14, color=color, label=split)
    left.set(xlabel="water-equivalent diameter [mm]", ylabel="reference dose / CTDIvol")
    left.legend(fontsize=_SMALL)


def _draw_strata(ax: "Axes", done: Sequence[Mapping[str, Any]]) -> None:
    names = list(done[0]["attributes"]["source_voxels"])
    left = np.zeros(len(names))
    for split, color in _SPLIT_COLORS.items():
        some = [e["attributes"]["source_voxels"] for e in done if e["split"] == split]
        count = np.array([sum(s[name] for s in some) for name in names], dtype=float)
        ax.barh(names, count, left=left, color=color, label=split)
        left += count
    ax.set(xlabel="source voxels")
    ax.legend(fontsize=_SMALL)


def _picture(kind: str) -> Callable[[Callable[[Sample], "Figure"]], Callable[[Sample], "Figure"]]:
    def put(draw: Callable[[Sample], "Figure"]) -> Callable[[Sample], "Figure"]:
        _PICTURES[kind] = draw
        return draw

    return put


@_picture("dose-maps")
def _dose_maps(sample: Sample) -> "Figure":
    from matplotlib.figure import Figure

    shown = (
        ("electron_density", "electron density", "gray", (0.0, 1.8)),
        ("attenuation_map", "air-kerma attenuation map [mGy]", "magma", None),
        ("dose", "dose [mGy]", "magma", None),
        ("relative_uncertainty", "relative uncertainty", "viridis", (0.0, 0.1)),
        ("labels", "organs", "tab20", None),
    )
    values = {name: sample.arrays[name].values for name, *_ in shown}
    nz, ny, nx = values["dose"].shape
    spacing = sample.attributes["spacing_zyx_mm"]
    figure = Figure(figsize=(15, 6.5), layout="constrained")
    rows = figure.subplots(3, len(shown))
    planes = (
        (np.s_[nz // 2], spacing[1] / spacing[2], "upper"),
        (np.s_[:, ny // 2], spacing[0] / spacing[2], "lower"),
        (np.s_[:, :, nx // 2], spacing[0] / spacing[1], "lower"),
    )
    for column, (name, title, colors, limits) in enumerate(shown):
        top = float(np.percentile(values[name], 99.8)) or 1.0
        low, high = limits or (0.0, top)
        image: Any = None
        for row, (plane, aspect, origin) in enumerate(planes):
            ax = rows[row, column]
            image = _image(ax, values[name][plane], colors, low, high, aspect, origin)
            if row == 0:
                ax.set_title(title, fontsize=9)
        figure.colorbar(image, ax=rows[:, column], shrink=0.5)
    return figure


@_picture("source-positions")
def _source_positions(sample: Sample) -> "Figure":
    from matplotlib.figure import Figure

    arrays = {name: array.values for name, array in sample.arrays.items()}
    n = min(3, arrays["dose"].shape[0])
    k = arrays["dose"].shape[1] // 2
    top = float(np.percentile(arrays["dose"][:, k], 99.5)) or 1.0
    figure = Figure(figsize=(15, 2.2 * n + 0.4), layout="constrained")
    rows = figure.subplots(n, 5, squeeze=False)
    for row in range(n):
        scaled = arrays["cylinder_dose"][k] * arrays["correction_factor"][row, k]
        shown = (
            (arrays["electron_density"][row, k], "electron density", "gray", 1.8),
            (arrays["cylinder_dose"][k], "dose of the water cylinder", "magma", top),
            (scaled * arrays["body"][row, k], "the same x correction factor", "magma", top),
            (arrays["dose"][row, k], "dose", "magma", top),
            (arrays["relative_uncertainty"][row, k], "relative uncertainty", "viridis", 0.2),
        )
        for column, (values, title, colors, high) in enumerate(shown):
            ax = rows[row, column]
            image = _image(ax, values, colors, 0.0, high, 1.0, "upper")
            if row == 0:
                ax.set_title(title, fontsize=9)
            figure.colorbar(image, ax=ax, shrink=0.6)
        degrees = np.degrees(arrays["position_angle"][row])
        rows[row, 0].set_ylabel(
            f"{degrees:.0f} deg, z = {arrays['position_z'][row]:.0f} mm", fontsize=8
        )
    return figure


@_picture("source-kernels")
def _source_kernels(sample: Sample) -> "Figure":
    from matplotlib.figure import Figure

    arrays = {name: array.values for name, array in sample.arrays.items()}
    about = sample.attributes
    nuclides = list(about["nuclides"])
    n = min(3, arrays["density"].shape[0])
    middle = int(about["source_index_in_patch"][0])
    spacing = float(about["spacing_zyx_mm"][0])
    axes = [spacing * (np.arange(size) - middle) for size in arrays["density"].shape[1:]]
    r = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2)
    figure = Figure(figsize=(15, 3.0 * n + 0.4), layout="constrained")
    rows = figure.subplots(n, 2 + 2 * len(nuclides), squeeze=False)
    for row in range(n):
        shown: list[tuple[Any, str, str, float, float]] = [
            (arrays["density"][row, middle], "density [g/cm3]", "gray", 0.0, 1.8)
        ]
        profile = rows[row, -1]
        for name in nuclides:
            kernel = arrays[f"kernel_{name}"][row]
            decades = np.log10(np.maximum(kernel, 1e-30))
            top = float(decades.max())
            title = f"{name}: log10 of keV per decay"
            shown.append((decades[middle], title, "magma", top - 7.0, top))
            relative = arrays[f"relative_uncertainty_{name}"][row]
            shown.append((relative[middle], "relative uncertainty", "viridis", 0.0, 0.1))
            inside = arrays["body"][row] > 0
            thin = np.flatnonzero(inside.ravel())[::20]
            profile.semilogy(r.ravel()[thin], kernel.ravel()[thin], ".", ms=1, label=name)
        profile.set(xlabel="distance [mm]", ylabel="keV per decay, body")
        profile.legend(fontsize=_SMALL)
        for column, (values, title, colors, low, high) in enumerate(shown):
            ax = rows[row, column]
            image = _image(ax, values, colors, low, high, 1.0, "upper")
            if row == 0:
                ax.set_title(title, fontsize=9)
            figure.colorbar(image, ax=ax, shrink=0.6)
        stratum = about["strata"][int(arrays["stratum"][row])].replace("_", " ")
        rows[row, 0].set_ylabel(stratum, fontsize=8)
    return figure


@_picture("slice-features")
def _slice_features(sample: Sample) -> "Figure":
    from matplotlib.figure import Figure

    arrays = {name: array.values for name, array in sample.arrays.items()}
    names = [name.decode() for name in arrays["organ_names"]]
    columns = [name.decode() for name in arrays["feature_names"]]
    features = arrays["features"]
    figure = Figure(figsize=(13, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for organ, name in enumerate(names[:_MOST_ORGANS]):
        rows = arrays["organ_index"] == organ
        dose = arrays["slice_dose"][rows]
        error = dose * arrays["slice_relative_uncertainty"][rows]
        left.errorbar(
            features[rows, columns.index("z_mm")], dose, yerr=error, fmt=".", ms=3, lw=0.5,
            label=name,
        )  # fmt: skip
        diameter = features[rows, columns.index("water_equivalent_diameter_mm")]
        right.plot(diameter, dose, ".", ms=3, label=name)
    left.set(xlabel="z [mm]", ylabel="dose of the organ in the slice [mGy]")
    right.set(xlabel="water-equivalent diameter [mm]", ylabel="dose [mGy]")
    left.legend(fontsize=6)
    return figure


@_picture("organ-features")
def _organ_features(sample: Sample) -> "Figure":
    from matplotlib.figure import Figure

    arrays = {name: array.values for name, array in sample.arrays.items()}
    names = [name.decode() for name in arrays["organ_names"]][:_MOST_ORGANS]
    columns = [name.decode() for name in arrays["feature_names"]]
    figure = Figure(figsize=(13, 1.2 + 0.28 * max(len(names), 10)), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = np.arange(len(names))
    dose = arrays["organ_dose"][: len(names)]
    error = 2.0 * dose * arrays["organ_relative_uncertainty"][: len(names)]
    left.barh(rows, dose, xerr=error, color="#3b6ea5")
    left.set_yticks(rows, names, fontsize=_SMALL)
    left.invert_yaxis()
    left.set(xlabel="organ dose [mGy], k = 2")
    diameter = arrays["features"][:, columns.index("water_equivalent_diameter_mm")]
    per_ctdi = arrays["organ_dose_per_ctdi"]
    right.plot(diameter, per_ctdi, "o", color="#c8553d")
    for name, x, y in zip(names, diameter, per_ctdi, strict=False):
        right.annotate(name, (x, y), fontsize=6)
    right.set(xlabel="water-equivalent diameter at the organ [mm]", ylabel="dose / CTDIvol")
    return figure


def _image(
    ax: "Axes",
    values: npt.NDArray[Any],
    colors: str,
    low: float,
    high: float,
    aspect: float,
    origin: Any,  # noqa: ANN401 - a literal of matplotlib's
) -> Any:  # noqa: ANN401 - untyped package
    ax.set_xticks([])
    ax.set_yticks([])
    return ax.imshow(
        values, cmap=colors, vmin=low, vmax=high, aspect=aspect, origin=origin,
        interpolation="nearest",
    )  # fmt: skip

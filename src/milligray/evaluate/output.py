"""Write an evaluation: metrics, tables, figures and one page that holds them all."""

# ruff: noqa: PLC0415 - jinja2 is loaded only when a page is written

import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any

from milligray.evaluate.comparison import MASK, Comparison, compare_results, voxel_histogram
from milligray.evaluate.coverage import (
    calibration_curve,
    calibration_error,
    coverage,
    expected_normalized_calibration_error,
    summarize_scores,
    z_scores,
)
from milligray.evaluate.gamma import GammaSettings
from milligray.evaluate.map_plots import dose_map_plot
from milligray.evaluate.plot_style import save_figure
from milligray.evaluate.plots import (
    bland_altman_plot,
    calibration_plot,
    joint_histogram_plot,
    organ_bar_chart,
    scatter_plot,
)
from milligray.evaluate.results import read_manifest
from milligray.evaluate.table import shown, write_tables
from milligray.report.output import check_output
from milligray.report.plain import to_plain
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

SCHEMA = "milligray-evaluation/1"
_MOST_DRAWN = 12
_FIXED = (
    "metrics.json", "organs.csv", "voxels.csv", "voxels_by_organ.csv", "tables.md", "tables.json",
    "report.html",
)  # fmt: skip


def write_evaluation(
    predicted: Path,
    reference: Path,
    out: Path,
    *,
    gammas: tuple[GammaSettings, ...] = (),
    labels: Path | None = None,
    overwrite: bool = False,
    version: str = "",
) -> dict[str, Any]:
    """Compare results and write everything into a folder, all of it or nothing.

    Parameters
    ----------
    predicted, reference : Path
    out : Path
        Gets ``metrics.json``, ``organs.csv``, ``voxels.csv`` (and ``voxels_by_organ.csv``),
        ``tables.md``, ``tables.json``, ``figures/*.png`` and ``report.html``.
    gammas : tuple of GammaSettings
    labels : Path, optional
    overwrite : bool
        Replace the files of an earlier evaluation.
    version : str
        Of the program, for the record.

    Returns
    -------
    dict
        Content of ``metrics.json``.
    """
    check_output(out, overwrite=overwrite)
    work = out.parent / f".{out.name}.partial-{os.getpid()}"
    figures = work / "figures"
    try:
        figures.mkdir(parents=True)
        captions: dict[str, str] = {}

        def draw(exam: str, p: FloatArray, r: FloatArray, grid: Grid, mask: BoolArray, /) -> None:
            if sum(name.startswith("maps_") for name in captions) >= _MOST_DRAWN:
                return
            name = f"maps_{exam}.png"
            save_figure(dose_map_plot(p, r, grid, mask=mask), figures / name)
            captions[name] = f"{exam}: dose maps and their relative difference."
            name = f"voxels_{exam}.png"
            save_figure(joint_histogram_plot(*voxel_histogram(p, r, mask)), figures / name)
            captions[name] = f"{exam}: voxels, up to the 99.9th percentile of the reference."

        found = compare_results(predicted, reference, gammas=gammas, labels=labels, draw=draw)
        captions = {**_value_figures(found, figures), **captions}
        metrics = _metrics(found, predicted, reference, version)
        header = (
            f"# Evaluation\n\nPredicted: `{predicted.name}`, reference: `{reference.name}`,"
            f" {len(found.pairs)} exam{'s' if len(found.pairs) > 1 else ''}."
        )
        write_tables(found.tables, work, header=header)
        (work / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        _write_page(found, metrics, captions, work)
        _move_in(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return metrics


def _value_figures(found: Comparison, figures: Path) -> dict[str, str]:
    values, unit = found.values, found.unit
    captions: dict[str, str] = {}
    for pair in found.pairs[:_MOST_DRAWN]:
        own = values.take(values.patients == pair.name)
        name = f"organs_{pair.name}.png"
        chart = organ_bar_chart(
            own.organs.tolist(), own.predicted, own.reference, unit=unit,
            predicted_sigma=own.predicted_sigma, reference_sigma=own.reference_sigma,
        )  # fmt: skip
        save_figure(chart, figures / name)
        captions[name] = f"{pair.name}: organ doses with their expanded uncertainties (k = 2)."
    save_figure(scatter_plot(values, unit=unit), figures / "scatter.png")
    captions["scatter.png"] = "Organ doses of all exams."
    if found.relative is not None:
        chart = bland_altman_plot(found.relative, unit=unit)
        save_figure(chart, figures / "bland_altman.png")
        captions["bland_altman.png"] = (
            "Relative differences of organ doses: bias and limits of agreement (1.96 standard"
            " deviations), shaded: their 95 % intervals."
        )
    if found.can_check_claims:
        chart = calibration_plot({"organ doses": calibration_curve(values)})
        save_figure(chart, figures / "calibration.png")
        captions["calibration.png"] = (
            "Share of organ doses whose reference lies in the central interval of the claimed"
            " uncertainty (statistics of the reference added); shaded: Wilson intervals (95 %)."
        )
    return captions


def _metrics(found: Comparison, predicted: Path, reference: Path, version: str) -> dict[str, Any]:
    claims: dict[str, Any] | None = None
    if found.can_check_claims:
        z = z_scores(found.values)
        claims = {
            "coverage": [coverage(found.values, k) for k in (1.0, 2.0)],
            "calibration_error": calibration_error(found.values),
            "expected_normalized_calibration_error": expected_normalized_calibration_error(
                found.values
            ),
            "scores": summarize_scores(z) if z.size > 1 else None,
        }
    agreement = {
        name: None if one is None else {
            key: value for key, value in to_plain(one).items()
            if key not in {"location", "difference"}
        }
        for name, one in (("absolute", found.absolute), ("relative", found.relative))
    }  # fmt: skip
    first = found.pairs[0]
    document = {
        "schema": SCHEMA,
        "milligray_version": version,
        "predicted": predicted.name,
        "reference": reference.name,
        "methods": {
            "predicted": first.predicted.method,
            "reference": first.reference.method,
        },
        "versions": {
            side: read_manifest(result.folder).get("milligray_version")
            for side, result in (("predicted", first.predicted), ("reference", first.reference))
        },
        "unit": found.unit,
        "exams": [pair.name for pair in found.pairs],
        "unpaired": found.unpaired,
        "organ_doses": found.summary,
        "bland_altman": agreement,
        "tests": found.tests,
        "claimed_uncertainty": claims,
        "voxel_mask": MASK,
        "voxels": {
            exam: {
                **to_plain(one.agreement),
                "gamma": [
                    {**to_plain(gamma.settings), "pass_rate": gamma.pass_rate,
                     "mean": gamma.mean, "median": gamma.median,
                     "percentile_95": gamma.percentile_95, "n_judged": int(gamma.gamma.size),
                     "n_eligible": gamma.n_eligible}
                    for gamma in one.gammas
                ],
            }
            for exam, one in found.maps.items()
        },
        "tables": {table.name: [dict(row) for row in table.rows] for table in found.tables},
    }  # fmt: skip
    plain: dict[str, Any] = to_plain(document)
    return plain


def _write_page(
    found: Comparison, metrics: dict[str, Any], captions: dict[str, str], work: Path
) -> None:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("milligray.evaluate", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = [
        {
            "title": table.title,
            "heads": [(column.title, column.kind == "text") for column in table.columns],
            "rows": [
                [(shown(row.get(c.key), c), c.kind == "text") for c in table.columns]
                for row in table.rows
            ],
            "notes": table.notes,
        }
        for table in found.tables
    ]
    pictures = [
        (base64.b64encode((work / "figures" / name).read_bytes()).decode("ascii"), caption)
        for name, caption in captions.items()
    ]
    page = environment.get_template("evaluation.html.j2").render(
        metrics=metrics, tables=tables, pictures=pictures
    )
    (work / "report.html").write_text(page, encoding="utf-8")


def _move_in(work: Path, out: Path) -> None:
    """Put a finished evaluation in place; of an older one, only its own files are replaced."""
    if not out.exists():
        work.rename(out)
        return
    for name in _FIXED:
        (out / name).unlink(missing_ok=True)
    (out / "figures").mkdir(exist_ok=True)
    for pattern in ("organs_*.png", "maps_*.png", "voxels_*.png"):
        for path in (out / "figures").glob(pattern):
            path.unlink()
    for path in sorted((work / "figures").iterdir()):
        path.replace(out / "figures" / path.name)
    for path in sorted(work.iterdir()):
        if path.is_file():
            path.replace(out / path.name)

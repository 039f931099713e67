"""`milligray evaluate`: predicted against reference results, and the studies of the networks."""

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from milligray.cli.options import Json, Overwrite

if TYPE_CHECKING:
    from milligray.evaluate.gamma import GammaSettings

_COMPARE = "compare"


class _CompareByDefault(TyperGroup):
    """`milligray evaluate PREDICTED REFERENCE` is short for `... evaluate compare ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = [_COMPARE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_CompareByDefault,
    no_args_is_help=True,
    help="Errors, agreement, coverage and gamma of predicted doses: tables, figures, one page.",
)


@app.command(_COMPARE)
def compare(
    predicted: Annotated[
        Path, typer.Argument(help="A result, or a folder of results (or a cohort).")
    ],
    reference: Annotated[Path, typer.Argument(help="The same for the reference.")],
    out: Annotated[Path, typer.Option("--out", help="Directory for the evaluation.")],
    gamma: Annotated[
        list[str] | None,
        typer.Option(
            "--gamma",
            metavar="PERCENT/MM",
            help="Gamma index of the dose maps, e.g. 1/1 or 3/3-local; repeat for more.",
        ),
    ] = None,
    gamma_subset: Annotated[
        int, typer.Option("--gamma-subset", help="Voxels judged, drawn at random; 0: all.")
    ] = 5000,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            help="Organ labels on the grid of the maps; of many exams a folder with EXAM.nii.gz.",
        ),
    ] = None,
    json_output: Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Compare predicted with reference results, paired by folder name."""
    from milligray.evaluate.output import write_evaluation
    from milligray.exam.manifest import package_version

    metrics = write_evaluation(
        predicted,
        reference,
        out,
        gammas=tuple(_criterion(text, gamma_subset) for text in gamma or ()),
        labels=labels,
        overwrite=overwrite,
        version=package_version("milligray"),
    )
    if json_output:
        json.dump(metrics, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        _tell(metrics, out)


@app.command("study")
def study(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A study, or `list` to see what there is.")
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="DIR", help="Training set or data; repeat for more."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Directory for the tables.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="Of the study; repeat for more."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make the tables and figures of the documentation anew."""
    from milligray.errors import InputError
    from milligray.report.output import check_output
    from milligray.train.studies import STUDIES, find_study, parse_study_options

    if name == "list":
        for entry in STUDIES.values():
            sys.stdout.write(f"{entry.name:18s} {entry.title}\n")
        return
    run = find_study(name)
    if not data or out is None:
        raise InputError(f"milligray evaluate study {name} needs --data DIR and --out DIR")
    options = parse_study_options(tuple(option or ()))
    check_output(out, overwrite=overwrite)
    run(tuple(data), out, options)
    sys.stderr.write(f"tables: {out}\n")


def _criterion(text: str, subset: int) -> "GammaSettings":
    from milligray.errors import InputError
    from milligray.evaluate.gamma import GammaSettings

    match = re.fullmatch(r"([0-9.]+)/([0-9.]+)(?:-(global|local))?", text)
    try:
        percent, distance_mm = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    except ValueError:
        percent = distance_mm = 0.0
    if match is None or not (percent > 0 and distance_mm > 0):
        raise InputError(f"--gamma is PERCENT/MM, e.g. 1/1 or 3/3-local, got {text!r}")
    return GammaSettings(
        dose_difference=percent / 100.0,
        distance_mm=distance_mm,
        kind="local" if match[3] == "local" else "global",
        subset=subset or None,
    )


def _tell(metrics: dict[str, Any], out: Path) -> None:
    doses = metrics["organ_doses"]
    values, spans = doses["values"], doses["intervals"]
    write = sys.stdout.write
    n_exams = len(metrics["exams"])
    write(f"{n_exams} exam{'s' if n_exams > 1 else ''}, {doses['n']} organ doses\n")
    for key, label in (
        ("mean_relative_error", "mean relative error"),
        ("mean_relative_absolute_error", "mean relative absolute error"),
        ("median_relative_absolute_error", "median relative absolute error"),
    ):
        low, high = spans[key]
        span = "" if low is None else f"   95 %: {100 * low:.2f} to {100 * high:.2f} %"
        if values[key] is not None:
            write(f"  {label:32s} {100 * values[key]:7.2f} %{span}\n")
    floor = doses["noise"].get("noise_floor_relative_absolute_error")
    if floor is not None:
        write(f"  {'  of it noise of the reference':32s} {100 * floor:7.2f} %\n")
    claims = metrics["claimed_uncertainty"]
    if claims is not None:
        k2 = claims["coverage"][1]
        write(
            f"  {'references within k = 2':32s} {100 * k2['share']:7.1f} %"
            f"   95 %: {100 * k2['low']:.1f} to {100 * k2['high']:.1f} %, nominal 95.4 %\n"
        )
    for exam, one in metrics["voxels"].items():
        error = one["values"]["mean_relative_absolute_error"]
        text = "" if error is None else f"voxel RAE {100 * error:.2f} %"
        for gamma in one["gamma"]:
            text += (
                f", gamma {100 * gamma['dose_difference']:g} %/{gamma['distance_mm']:g} mm"
                f" {gamma['kind']} {100 * gamma['pass_rate']:.1f} %"
            )
        write(f"  {exam}: {text}\n")
    for name in metrics["unpaired"]:
        sys.stderr.write(f"note: {name} is on one side only\n")
    write(f"report: {out / 'report.html'}\n")

"""`milligray phantom`: synthetic anatomies, one or a population."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from milligray.cli.augment import augment
from milligray.cli.options import Json, Out, Overwrite, Quiet

if TYPE_CHECKING:
    from milligray.anatomy.ct_options import CtAppearance

phantom_app = typer.Typer(
    name="phantom",
    help="Synthetic anatomies: one person, a population, random copies of a real CT.",
    no_args_is_help=True,
)
Spacing = Annotated[float, typer.Option("--spacing-mm", help="Edge of the voxels, 1 to 6.")]
FieldOfView = Annotated[
    str,
    typer.Option("--field", help="whole, torso, chest, abdomen-pelvis or head-neck."),
]
Appearance = Annotated[
    str,
    typer.Option(
        "--appearance",
        help="ideal (one CT number a tissue), or typical (texture, noise, couch).",
    ),
]


@phantom_app.command("make")
def make(
    out: Out,
    sex: Annotated[str, typer.Option("--sex", help="male or female.")],
    height_cm: Annotated[
        float | None, typer.Option("--height-cm", help="150 to 210 (default: ICRP 89).")
    ] = None,
    weight_kg: Annotated[
        float | None, typer.Option("--weight-kg", help="Default: the BMI of ICRP 89.")
    ] = None,
    fat_scale: Annotated[
        float, typer.Option("--fat-scale", help="Times the fat under the skin.")
    ] = 1.0,
    organ_scale: Annotated[
        list[str] | None,
        typer.Option("--organ-scale", help="NAME=FACTOR of a volume; may be repeated."),
    ] = None,
    lung_density: Annotated[
        float, typer.Option("--lung-density", help="Inflation [g/cm3], 0.18 to 0.50.")
    ] = 0.385,
    masses: Annotated[str, typer.Option("--masses", help="icrp89 or icrp145 (with blood).")] = (
        "icrp89"
    ),
    arms: Annotated[str, typer.Option("--arms", help="down or up.")] = "down",
    variation: Annotated[
        float, typer.Option("--variation", help="Random differences, 0 to 1.5.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of those, of texture and noise.")] = 0,
    spacing_mm: Spacing = 2.0,
    field: FieldOfView = "whole",
    appearance: Appearance = "ideal",
    overwrite: Overwrite = False,
    json_output: Json = False,
) -> None:
    """Make one person: ct.nii.gz, labels.nii.gz, labels.json, phantom.json."""
    from milligray.anatomy.parameters import AnatomyParameters
    from milligray.errors import InputError
    from milligray.population.work import make_person

    for option, value in (("--height-cm", height_cm), ("--weight-kg", weight_kg)):
        if value is not None and not value > 0:
            raise InputError(f"{option} must be > 0, got {value:g}")
    parameters = AnatomyParameters(
        sex=sex,  # type: ignore[arg-type]  # checked on construction
        height_mm=0.0 if height_cm is None else 10.0 * height_cm,
        weight_kg=weight_kg or 0.0,
        fat_scale=fat_scale,
        organ_scale=_factors(organ_scale or []),
        lung_density_g_cm3=lung_density,
        masses=masses,  # type: ignore[arg-type]  # checked on construction
        arms=arms,  # type: ignore[arg-type]  # checked on construction
        variation=variation,
        seed=seed,
    )
    document = make_person(
        parameters, out, spacing_mm=spacing_mm, field_of_view=field,
        appearance=_appearance(appearance), overwrite=overwrite,
    )  # fmt: skip
    if json_output:
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    sys.stdout.write(f"{document['description']}\n")
    for name, wanted in document["target_ml"].items():
        volume = document["volume_ml"][name]
        sys.stdout.write(f"{name:32s} {volume:9.2f} mL {100 * (volume / wanted - 1):+6.1f} %\n")
    sys.stdout.write(f"{document['mass_kg']:.1f} kg, in {out}\n")


@phantom_app.command("population")
def population(
    out: Out,
    n: Annotated[int, typer.Option("--n", help="Number of persons.")],
    seed: Annotated[int, typer.Option("--seed", help="All that is random follows from it.")] = 1,
    distributions: Annotated[
        str, typer.Option("--distributions", help="uniform, realistic, or a TOML file.")
    ] = "uniform",
    spacing_mm: Spacing = 2.0,
    field: FieldOfView = "whole",
    appearance: Appearance = "ideal",
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes (default: by processors, memory).")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Dask scheduler: ADDRESS, or its JSON file.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew; the population there is lost.")
    ] = False,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make many persons, a list of them and plots. Run it again to go on after an interruption."""
    from milligray.anatomy.population import read_population
    from milligray.cli.cohort import executor_for, terminable
    from milligray.cli.cohort_progress import CohortLine
    from milligray.population.plots import draw_population
    from milligray.population.run import PopulationOptions, make_population

    options = PopulationOptions(
        spacing_mm=spacing_mm, field_of_view=field, appearance=_appearance(appearance)
    )
    line = CohortLine(quiet=quiet, name="population")
    try:
        with terminable(), executor_for(scheduler, workers, 1, 2.5, 1, None) as executor:
            summary = make_population(
                read_population(distributions), n, seed, out, executor,
                options=options, overwrite=overwrite, progress=line,
            )  # fmt: skip
    finally:
        line.close()
    if summary.done:
        draw_population(out)
    if json_output:
        told = {"done": summary.done, "made": summary.made, "seconds": round(summary.seconds, 1),
                "failures": [list(f) for f in summary.failures]}  # fmt: skip
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        sys.stdout.write(
            f"{summary.done} of {n} persons in {out}, {summary.made} made now in"
            f" {summary.seconds:.0f} s; list: {out / 'patients.csv'}\n"
        )
        for name, kind, reason in summary.failures[:20]:
            sys.stdout.write(f"failed: {name} ({kind}): {reason}\n")
    if summary.failures:
        from milligray.cli.main import BAD_INPUT, BUG

        raise typer.Exit(BUG if any(k == "bug" for _, k, _ in summary.failures) else BAD_INPUT)


def _appearance(name: str) -> "CtAppearance":
    from milligray.anatomy.ct_options import CtAppearance, typical_appearance
    from milligray.errors import InputError

    if name == "ideal":
        return CtAppearance()
    if name == "typical":
        return typical_appearance()
    raise InputError(f"--appearance must be ideal or typical, got {name!r}")


def _factors(texts: list[str]) -> dict[str, float]:
    from milligray.errors import InputError

    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise InputError(f"--organ-scale must be NAME=FACTOR, got {text!r}") from error
    return found


phantom_app.command("augment")(augment)

"""`milligray train`: networks from training sets."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from milligray.cli.options import Json, Quiet


def train(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A recipe, or `list` to see what there is.")
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="SET", help="Directory of a training set; repeat for more."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory; the network's folder goes into it.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="At most (default: the recipe's).")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option("--patience", help="Epochs without a better validation loss; 0: run all."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Default: the recipe's.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Default: the recipe's.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same weights (CPU).")] = 1,
    threads: Annotated[int, typer.Option("--threads", help="Threads of the CPU.")] = 1,
    device: Annotated[
        str, typer.Option("--device", help="auto (a GPU where one works), cpu or cuda.")
    ] = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="32; on a GPU also 16-mixed or bf16-mixed.")
    ] = "32",
    max_minutes: Annotated[
        float | None,
        typer.Option(
            "--max-minutes", help="Of each fit (ensembles have several); --resume goes on."
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="Of the recipe; repeat for more."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an earlier run stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew; an earlier network in --out is lost.")
    ] = False,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network: a folder of OUT with its ONNX files, its card and its history."""
    if name == "list":
        _list(json_output=json_output)
        return
    from milligray.cli.train_progress import TrainingLine
    from milligray.errors import InputError
    from milligray.train.extras import require_torch
    from milligray.train.output import output_folder
    from milligray.train.recipes import (
        find_recipe,
        network_name,
        parse_options,
        settings_of,
    )

    require_torch()
    recipe = find_recipe(name)
    if not data or out is None:
        raise InputError(f"milligray train {name} needs --data SET and --out DIR")
    options = parse_options(recipe, option or ())
    target = out / network_name(recipe, options)
    line = TrainingLine(quiet=quiet)
    settings = settings_of(
        recipe, folder=target / "fit", epochs=epochs, patience=patience,
        learning_rate=learning_rate, batch_size=batch_size, seed=seed, threads=threads,
        device=device, precision=precision, max_minutes=max_minutes, resume=resume,
        progress=line.show,
    )  # fmt: skip
    try:
        with output_folder(target, resume=resume, overwrite=overwrite):
            folder = recipe.train(tuple(data), out, settings, options)
    finally:
        line.close()
    _tell(folder, json_output=json_output)


def _list(*, json_output: bool) -> None:
    from milligray.train.extras import require_torch
    from milligray.train.recipes import list_recipes

    require_torch()
    recipes = list_recipes()
    if json_output:
        rows = [
            {"name": r.name, "title": r.title, "options": dict(r.options), **r.defaults}
            for r in recipes
        ]
        json.dump(rows, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    for recipe in recipes:
        sys.stdout.write(f"{recipe.name:16s} {recipe.title}\n")
        for key, meaning in recipe.options.items():
            sys.stdout.write(f"{'':16s}   --option {key}=...  {meaning}\n")
    if not recipes:
        sys.stdout.write("this version has no recipes\n")


def _tell(folder: Path, *, json_output: bool) -> None:
    from milligray.learn.card import card_document, read_card

    card = read_card(folder)
    if json_output:
        json.dump(card_document(card) | {"out": str(folder)}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    sys.stdout.write(f"{card.name} {card.version}: {card.title}\n")
    for table, rows in card.metrics.items():
        sys.stdout.write(f"  {table}: {len(rows)} rows\n")
    sys.stdout.write(f"{folder}\n")

"""`milligray predict`: organ doses of one CT scan by a network."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milligray.cli.options import (
    Bowtie,
    Calibration,
    Couch,
    DoseGrid,
    Extend,
    Json,
    OrganNames,
    Organs,
    Overwrite,
    Protocol,
    Quiet,
    ScannerName,
    SegmenterName,
    Series,
    check_choices,
)

if TYPE_CHECKING:
    from milligray.exam.predict_settings import PredictSettings
    from milligray.learn.card import ModelCard


def predict(
    input_path: Annotated[
        Path | None,
        typer.Argument(
            metavar="INPUT", help="DICOM folder or file, or a NIfTI CT.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory for the result.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Network: a name of --list, or a folder (default: made for the scan)."
        ),
    ] = None,
    protocol: Protocol = None,
    series: Series = None,
    organs: Organs = None,
    organ_names: OrganNames = None,
    segmenter: SegmenterName = None,
    scanner: ScannerName = None,
    bowtie: Bowtie = None,
    body_region: Annotated[
        str | None,
        typer.Option("--body-region", help="E.g. head_neck (default: by the labelled organs)."),
    ] = None,
    voxel_size_mm: Annotated[
        float | None,
        typer.Option("--voxel-size-mm", help="Voxel of the dose map (default: the network's)."),
    ] = None,
    calibration: Calibration = "schneider2000",
    couch: Couch = "remove",
    extend_mm: Extend = 0.0,
    dose_grid: DoseGrid = "ct",
    tables_only: Annotated[
        bool, typer.Option("--tables-only", help="No dose maps and no report, only the tables.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also where the network, or the labels, do not fit the CT."),
    ] = False,
    threads: Annotated[int, typer.Option("--threads", help="Threads of the network.")] = 1,
    list_models: Annotated[
        bool, typer.Option("--list", help="Only show the networks that there are.")
    ] = False,
    json_output: Json = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Organ doses of a CT scan by a trained network, with uncertainties, without Monte Carlo."""
    if list_models:
        _show_models(json_output=json_output)
        return
    if input_path is None:
        raise typer.BadParameter("give a CT", param_hint="INPUT")
    if out is None:
        raise typer.BadParameter("give a directory for the result", param_hint="--out")
    from milligray.exam.predict_settings import PredictSettings

    check_choices(couch=couch, dose_grid=dose_grid, segmenter=segmenter)
    settings = PredictSettings(
        voxel_size_mm=voxel_size_mm, calibration=calibration, couch=couch,  # type: ignore[arg-type]
        extend_mm=extend_mm, scanner=scanner, bowtie=bowtie, segmenter=segmenter,  # type: ignore[arg-type]
        body_region=body_region, beyond_validity=force, accept_labels=force, threads=threads,
    )  # fmt: skip
    _run(
        input_path, out, settings, model=model, protocol=protocol, series=series, organs=organs,
        organ_names=organ_names, dose_grid=dose_grid, tables_only=tables_only,
        json_output=json_output, overwrite=overwrite, quiet=quiet,
    )  # fmt: skip


def _run(
    input_path: Path,
    out: Path,
    settings: "PredictSettings",
    *,
    model: str | None,
    protocol: Path | None,
    series: str | None,
    organs: Path | None,
    organ_names: Path | None,
    dose_grid: str,
    tables_only: bool,
    json_output: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    from milligray.cli.progress import ProgressLine
    from milligray.cli.summary import print_summary
    from milligray.exam.network_choice import choose_network
    from milligray.exam.predict_memory import check_prediction_beforehand
    from milligray.exam.predicted_exam import compute_predicted_exam
    from milligray.learn.network import open_network
    from milligray.learn.shelf import find_network
    from milligray.read import find_ct, read_labels
    from milligray.report import check_output, result_document, write_result

    check_output(out, overwrite=overwrite)
    line = ProgressLine(quiet=quiet)
    try:
        folder = find_network(model) if model is not None else None  # refuses before any work
        line.stage("read")
        found = find_ct(input_path, protocol, series)
        labels = read_labels(organs, names=organ_names) if organs is not None else None
        if folder is None:
            folder = choose_network(
                found.protocol, labels.names.values() if labels is not None else (),
                scanner=settings.scanner, bowtie=settings.bowtie,
                body_region=settings.body_region, beyond_validity=settings.beyond_validity,
            )  # fmt: skip
        network = open_network(folder, threads=settings.threads)
        check_prediction_beforehand(found, settings, network.card, organs)
        ct, scan = found.read()
        handed_over = [ct]
        del ct, found  # the exam lets go of the CT once it has made its own: hold it nowhere else
        result = compute_predicted_exam(
            handed_over.pop(), scan, labels, settings, network, histograms=not tables_only,
            stage=line.stage,
        )  # fmt: skip
        line.stage("report")
        write_result(
            result, out, overwrite=overwrite, dose_grid=dose_grid, tables_only=tables_only  # type: ignore[arg-type]
        )  # fmt: skip
    finally:
        line.close()
    if json_output:
        json.dump(result_document(result), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print_summary(result, out)


def _show_models(*, json_output: bool) -> None:
    from milligray.learn.card import card_document, read_card
    from milligray.learn.shelf import find_network, list_networks

    cards = [read_card(find_network(name)) for name in list_networks()]
    if json_output:
        json.dump([card_document(card) for card in cards], sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    if not cards:
        sys.stdout.write("no network ships with this version; train one (milligray train)\n")
    for card in cards:
        sys.stdout.write("\n".join(_card_lines(card)) + "\n")


def _card_lines(card: "ModelCard") -> list[str]:
    """A card in a few lines."""
    made_for = [
        f"{fact} {', '.join(f'{v:g}' if isinstance(v, float) else str(v) for v in values)}"
        for fact, values in card.validity.allowed.items()
    ]
    made_for += [
        f"{fact} {low:g} to {high:g}" for fact, (low, high) in card.validity.ranges.items()
    ]
    lines = [f"{card.name}  {card.version}", f"  {card.title}"]
    if made_for:
        lines.append(f"  made for: {'; '.join(made_for)}")
    return [*lines, *(f"  limit: {limit}" for limit in card.validity.limits)]

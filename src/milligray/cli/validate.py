"""`milligray validate`: published cases, ours beside the reference."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milligray.cli.options import Json, Quiet, Threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milligray.validate.rows import ValidationRow

CASE5_NAME = "case5_labels.nii.gz"
CASE5_USUAL_PLACES = ("../shared/reference/tg195", "shared/reference/tg195", ".")


class Suite(StrEnum):
    """What can be validated."""

    TG195 = "tg195"
    NIST = "nist"
    EGSNRC = "egsnrc"
    SVALUES = "svalues"
    ALL = "all"


def validate(
    suite: Annotated[Suite, typer.Argument(help="Which published cases.")] = Suite.ALL,
    quick: Annotated[
        bool, typer.Option("--quick", help="Reduced statistics and cases, about two minutes.")
    ] = False,
    case5_phantom: Annotated[
        Path | None,
        typer.Option("--case5-phantom", help="Voxel torso of TG-195 case 5 (NIfTI)."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Folder for the tables (Markdown, CSV).")
    ] = None,
    threads: Threads = None,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Published cases beside ours with both uncertainties; exit code 0 only if all hold."""
    from milligray.exam.manifest import package_version, processor
    from milligray.validate import (
        egsnrc_rows,
        nist_rows,
        read_case5_phantom,
        s_value_rows,
        tg195_rows,
    )

    def tell(text: str) -> None:
        if not quiet:
            sys.stderr.write(text + " ...\n")
            sys.stderr.flush()

    rows: list[ValidationRow] = []
    if suite in (Suite.NIST, Suite.ALL):
        tell("NIST coefficients")
        rows += nist_rows()
    if suite in (Suite.EGSNRC, Suite.ALL):
        rows += egsnrc_rows(quick=quick, threads=threads, progress=tell)
    if suite in (Suite.SVALUES, Suite.ALL):
        rows += s_value_rows(quick=quick, threads=threads, progress=tell)
    if suite in (Suite.TG195, Suite.ALL):
        path = case5_phantom or _find_case5()
        if path is None:
            sys.stderr.write(
                "TG-195 case 5 is left out: its voxel phantom was not found; give it with"
                " --case5-phantom FILE\n"
            )
        phantom = read_case5_phantom(path) if path is not None else None
        rows += tg195_rows(phantom=phantom, quick=quick, threads=threads, progress=tell)
    if write is not None:
        from milligray.validate.tables import write_tables

        how = "quick (reduced statistics)" if quick else "full statistics"
        header = (
            f"`milligray validate {suite.value}`, {how}, milligray {package_version('milligray')},"
            f" {processor()}. k=1 % are standard uncertainties; those of TG-195 are the spread of"
            " the published codes."
        )
        write_tables(rows, write, header=header)
    if json_output:
        json.dump([row.as_dict() for row in rows], sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        _print(rows)
    if not all(row.holds for row in rows):
        raise typer.Exit(1)


def _find_case5() -> Path | None:
    for place in CASE5_USUAL_PLACES:
        path = Path(place) / CASE5_NAME
        if path.is_file():
            return path
    return None


def _print(rows: "Sequence[ValidationRow]") -> None:
    from milligray.validate.rows import summarize

    out = sys.stdout
    out.write(
        f"{'case':18s} {'entry':44s} {'ours':>11s} {'k=1 %':>6s} {'reference':>11s} {'k=1 %':>6s}"
        f" {'dev %':>7s}\n"
    )
    for row in rows:
        ours = 100 * row.ours_sigma / row.ours if row.ours else 0.0
        reference = 100 * row.reference_sigma / row.reference
        out.write(
            f"{row.case:18s} {row.entry:44s} {row.ours:11.5g} {ours:6.2f} {row.reference:11.5g}"
            f" {reference:6.2f} {row.deviation_percent:+7.2f}{'' if row.holds else '  FAILS'}\n"
        )
    out.write("\n")
    for case, s in summarize(rows).items():
        out.write(
            f"{case:18s} {s['hold']:.0f} of {s['rows']:.0f} hold, mean {s['mean_percent']:+.2f} %,"
            f" RMS {s['rms_percent']:.2f} %, largest {s['max_percent']:.2f} %\n"
        )

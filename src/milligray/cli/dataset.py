"""`milligray dataset`: training sets for the networks."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milligray.cli import dataset_options as options
from milligray.cli.options import (
    Calibration,
    Couch,
    Extend,
    Histories,
    Json,
    Out,
    Quiet,
    check_choices,
)

if TYPE_CHECKING:
    from milligray.dataset.run import SetSummary

app = typer.Typer(
    name="dataset",
    help="Training sets: inputs and Monte Carlo targets with their uncertainty.",
    no_args_is_help=True,
)
Set = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of a set.")]
SHOWN_FAILURES = 20
NOT_THE_SAME = 4


@app.command("make")
def make(
    patients: options.Patients,
    kind: options.KindName,
    out: Out,
    protocols: options.Protocols = None,
    samples_per_patient: options.SamplesPerPatient = 1,
    seed: options.Seed = 1,
    voxel_precision: options.VoxelPrecision = None,
    precision: options.Precision = None,
    histories: Histories = None,
    voxel_size_mm: options.VoxelSize = None,
    margin_mm: options.Margin = 40.0,
    positions: options.Positions = 8,
    slab: options.Slab = "96x144x17",
    split: options.Split = "0.7,0.15,0.15",
    nuclide: options.Nuclides = "F-18",
    electrons: options.Electrons = "primaries",
    annihilation_copies: options.Copies = 16,
    patch: options.PatchVoxels = 64,
    surroundings_mm: options.Surroundings = 30.0,
    precision_at_mm: options.PrecisionAt = 100.0,
    source_weights: options.SourceWeights = None,
    calibration: Calibration = "schneider2000",
    couch: Couch = "remove",
    extend_mm: Extend = 0.0,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or auto.")] = "cpu",
    workers: options.Workers = None,
    threads: options.Threads = None,
    scheduler: options.Scheduler = None,
    memory_per_sample_gb: options.SampleMemory = 2.0,
    retries: options.Retries = 1,
    timeout_s: options.Timeout = None,
    force: options.Force = False,
    overwrite: options.Overwrite = False,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a set. Run the same command again to go on after an interruption."""
    from milligray.cli.cohort import executor_for, exit_code, terminable
    from milligray.cli.cohort_progress import CohortLine
    from milligray.dataset.kinds import find_kind
    from milligray.dataset.patients import read_patient_list
    from milligray.dataset.run import make_set
    from milligray.dataset.settings import SetSettings
    from milligray.dataset.source_voxels import DEFAULT_WEIGHTS, parse_weights
    from milligray.errors import InputError
    from milligray.exam.settings import CtSettings

    chosen = find_kind(kind)
    chosen.require()
    way, text = options.protocols_of(protocols, needs_scan=chosen.needs_scan, kind=kind)
    check_choices(couch=couch)
    if voxel_size_mm is not None and not voxel_size_mm > 0:
        raise InputError(f"--voxel-size-mm must be > 0, got {voxel_size_mm:g}")
    settings = chosen.check(SetSettings(
        kind=kind, seed=seed, samples_per_patient=samples_per_patient,
        protocols=way, protocols_text=text,  # type: ignore[arg-type]
        split_fractions=options.three_numbers("--split", split, ",", float),
        voxel_precision=chosen.voxel_precision if voxel_precision is None else voxel_precision,
        margin_mm=margin_mm, positions=positions,
        slab_shape=options.three_numbers("--slab", slab, "x", int),
        nuclides=tuple(filter(None, (name.strip() for name in nuclide.split(",")))),
        electrons=electrons,  # type: ignore[arg-type]
        annihilation_copies=annihilation_copies, patch_voxels=patch,
        surroundings_mm=surroundings_mm, precision_at_mm=precision_at_mm,
        source_weights=DEFAULT_WEIGHTS if source_weights is None else parse_weights(source_weights),
    ))  # fmt: skip
    defaults = CtSettings(
        precision=0.01 if precision is None and histories is None else precision,
        histories=histories, device=device,  # type: ignore[arg-type]
        voxel_size_mm=voxel_size_mm or chosen.voxel_size_mm,
        calibration=calibration, couch=couch, extend_mm=extend_mm, seed=seed,  # type: ignore[arg-type]
        accept_labels=force,
    )  # fmt: skip
    specs = read_patient_list(patients, settings, defaults)
    line = CohortLine(quiet=quiet, name="dataset")
    try:
        with (
            terminable(),
            executor_for(
                scheduler, workers, threads, memory_per_sample_gb, retries, timeout_s
            ) as executor,
        ):
            summary = make_set(
                specs, settings, out, executor, list_file=patients, overwrite=overwrite,
                progress=line,
            )  # fmt: skip
    finally:
        line.close()
    code = exit_code(summary)
    _tell_summary(summary, code, json_output=json_output)
    if code:
        raise typer.Exit(code)


@app.command("kinds")
def kinds() -> None:
    """List the kinds of sets."""
    from milligray.dataset.kinds import list_kinds

    for kind in list_kinds():
        sys.stdout.write(f"{kind.name:18s} {kind.title}; {kind.voxel_size_mm:g} mm\n")


@app.command("show")
def show(
    folder: Set,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Write DIR/page/index.html.")
    ] = True,
    samples: Annotated[int, typer.Option("--samples", help="Number of samples with pictures.")] = 4,
    verify: Annotated[bool, typer.Option("--verify", help="Check all checksums too.")] = False,
    json_output: Json = False,
) -> None:
    """Tell what a set holds, and draw some of its samples."""
    from milligray.dataset.folder import SetFolder
    from milligray.dataset.show import set_table, text_of, write_page

    manifest = SetFolder(folder).need_manifest()
    table = set_table(manifest)
    if json_output:
        json.dump(table, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(text_of(table))
    if pictures:
        page = write_page(folder, manifest, table, samples=samples)
        sys.stderr.write(f"page: {page}\n")
    if verify:
        verify_set_of(folder)


@app.command("verify")
def verify_set_of(folder: Set) -> None:
    """Check every array of a set against the checksums of its manifest."""
    from milligray.dataset.recompute import verify_set

    wrong = verify_set(folder)
    for name, arrays in wrong.items():
        sys.stderr.write(f"damaged: {name}: {', '.join(arrays)}\n")
    if wrong:
        raise typer.Exit(3)
    sys.stdout.write("all arrays are what the manifest says\n")


@app.command("recompute")
def recompute(
    folder: Set,
    sample: Annotated[str, typer.Argument(help="Name of a sample.")],
    base: Annotated[
        Path | None, typer.Option("--base", help="Folder of the list, if it has moved.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads")] = None,
) -> None:
    """Make one sample again from the manifest and compare it bit for bit."""
    from milligray.dataset.recompute import recompute_sample
    from milligray.transport.monte_carlo.batches import available_threads

    _, difference = recompute_sample(
        folder, sample, base=base, threads=threads or available_threads()
    )
    if difference.is_same:
        sys.stdout.write(f"{sample}: the same bits\n")
        return
    sys.stderr.write(
        f"{sample}: not the same: {', '.join((*difference.arrays, *difference.values))}"
        + ("" if difference.same_code else " (the set was made by another version)")
        + "\n"
    )
    raise typer.Exit(NOT_THE_SAME)


def _tell_summary(summary: "SetSummary", code: int, *, json_output: bool) -> None:
    from dataclasses import asdict

    from milligray.cli.cohort_progress import duration

    if json_output:
        document = asdict(summary) | {"out": str(summary.out), "exit_code": code}
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    for name, kind, reason in summary.failures[:SHOWN_FAILURES]:
        sys.stderr.write(f"failed: {name} ({kind}): {reason}\n")
    sys.stdout.write(
        f"{summary.done} samples done ({summary.computed} in this run), {summary.failed} failed;"
        f" {duration(summary.seconds)}\n"
    )
    for name, values in summary.statistics.items():
        sys.stdout.write(f"  {name}: median {values['median']:.4g}, most {values['most']:.4g}\n")

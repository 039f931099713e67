"""`milligray cohort`: many exams, on one machine or a cluster."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from milligray.cli.options import (
    Bowtie,
    Calibration,
    Couch,
    DoseGrid,
    Extend,
    Histories,
    Json,
    Out,
    Precision,
    Quiet,
    ScannerName,
    SegmenterName,
    TransportVoxel,
    check_choices,
)

if TYPE_CHECKING:
    from milligray.cohort.executors import Executor
    from milligray.cohort.run import CohortSummary
    from milligray.dataset.run import SetSummary

BUG, BAD_INPUT, GOAL_NOT_MET = 1, 3, 4


def cohort(
    exam_list: Annotated[
        Path, typer.Argument(metavar="LIST", help="CSV (or .jsonl), one exam a row.")
    ],
    out: Out,
    protocol: Annotated[
        Path | None, typer.Option("--protocol", help="Protocol file where the list names none.")
    ] = None,
    organ_names: Annotated[
        Path | None,
        typer.Option("--organ-names", help="Names of the labels where the list names none."),
    ] = None,
    precision: Precision = None,
    histories: Histories = None,
    scanner: ScannerName = None,
    bowtie: Bowtie = None,
    voxel_size_mm: TransportVoxel = 3.0,
    calibration: Calibration = "schneider2000",
    couch: Couch = "remove",
    extend_mm: Extend = 0.0,
    segmenter: SegmenterName = None,
    per_100_mas: Annotated[
        bool, typer.Option("--per-100-mas", help="Without CTDIvol: mGy per 100 mAs.")
    ] = False,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", help="Limit of one exam's transport.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Each exam's own seed comes from this and its name.")
    ] = 1,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Processes (default: by processors and memory)."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", help="Threads an exam (default: processors / workers)."),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="Where each exam is computed: cpu, cuda or auto.")
    ] = "cpu",
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", help="Dask scheduler instead: ADDRESS, or its JSON file."),
    ] = None,
    memory_per_exam_gb: Annotated[
        float, typer.Option("--memory-per-exam-gb", help="For the default of --workers.")
    ] = 2.0,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout-s", help="Stop an exam that takes longer.")
    ] = None,
    retries: Annotated[
        int, typer.Option("--retries", help="Further tries of an exam whose worker died.")
    ] = 1,
    tables_only: Annotated[
        bool, typer.Option("--tables-only", help="No dose maps and no report of each exam.")
    ] = False,
    dose_grid: DoseGrid = "ct",
    parquet: Annotated[
        bool, typer.Option("--parquet/--no-parquet", help="Write cohort.parquet too.")
    ] = True,
    update: Annotated[
        bool,
        typer.Option("--update", help="The list has changed: keep exams that are the same."),
    ] = False,
    keep_failed: Annotated[
        bool, typer.Option("--keep-failed", help="Do not try again what failed in earlier runs.")
    ] = False,
    skip_absent: Annotated[
        bool,
        typer.Option("--skip-absent", help="Absent files fail their exam only, not the list."),
    ] = False,
    network: Annotated[
        str | None,
        typer.Option("--predict", metavar="MODEL", help="Predict by this network, no Monte Carlo."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also labels, and with --predict networks, that do not fit."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the list and say what would be computed.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew; an interrupted cohort is lost.")
    ] = False,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Organ doses of many exams: a list in, a folder per exam and one table out.

    Run the same command again to go on after an interruption; finished exams are kept.
    """
    from milligray.cli.cohort_progress import CohortLine
    from milligray.cli.cohort_summary import tell_plan, tell_summary
    from milligray.cohort.exam_list import ExamDefaults, read_exam_list
    from milligray.cohort.folder import CohortFolder
    from milligray.cohort.plan import CohortOptions, NetworkChoice, plan_cohort
    from milligray.cohort.run import run_cohort
    from milligray.errors import InputError
    from milligray.exam.settings import CtSettings

    if precision is not None and histories is not None:
        raise InputError("give either --precision or --histories")
    check_choices(couch=couch, dose_grid=dose_grid, segmenter=segmenter)
    settings = CtSettings(
        precision=0.01 if precision is None and histories is None else precision,
        histories=histories, voxel_size_mm=voxel_size_mm or None, calibration=calibration,
        couch=couch, extend_mm=extend_mm, scanner=scanner, bowtie=bowtie,  # type: ignore[arg-type]
        segmenter=segmenter, per_100_mas=per_100_mas, max_seconds=max_seconds, seed=seed,  # type: ignore[arg-type]
        device=device, accept_labels=force,  # type: ignore[arg-type]
    )  # fmt: skip
    defaults = ExamDefaults(
        settings=settings,
        protocol=protocol.absolute() if protocol else None,
        organ_names=organ_names.absolute() if organ_names else None,
    )
    options = CohortOptions(
        tables_only=tables_only, dose_grid=dose_grid,  # type: ignore[arg-type]
        parquet=parquet, overwrite=overwrite, update=update, keep_failed=keep_failed,
        network=NetworkChoice.of(network, beyond_validity=force) if network else None,
    )  # fmt: skip
    exams = read_exam_list(exam_list, defaults, check_files=not skip_absent)
    if dry_run:
        tell_plan(plan_cohort(exams, CohortFolder(out), options), json_output=json_output)
        return
    line = CohortLine(quiet=quiet)
    try:
        with (
            terminable(),
            executor_for(
                scheduler, workers, threads, memory_per_exam_gb, retries, timeout_s
            ) as executor,
        ):
            summary = run_cohort(
                exams, out, executor, options=options, list_file=exam_list, defaults=defaults,
                progress=line,
            )  # fmt: skip
    finally:
        line.close()
    code = exit_code(summary)
    tell_summary(summary, code, json_output=json_output)
    if code:
        raise typer.Exit(code)


def exit_code(summary: "CohortSummary | SetSummary") -> int:
    """Exit code of a cohort: what most needs a person comes first.

    1 if an exam met a bug; 3 if one was refused for its input; 4 if a worker was lost, or memory,
    disk, device or the statistics of one did not suffice; 0 if all is well.
    """
    kinds = summary.kinds
    if kinds.get("bug"):
        return BUG
    if kinds.get("input"):
        return BAD_INPUT
    if any(kinds.get(kind) for kind in ("lost", "resources", "statistics")):
        return GOAL_NOT_MET
    return 0


@contextmanager
def executor_for(
    scheduler: str | None,
    workers: int | None,
    threads: int | None,
    memory_per_exam_gb: float,
    retries: int,
    timeout_s: float | None,
) -> "Iterator[Executor]":
    """Workers of this machine, or of the cluster of a Dask scheduler."""
    from milligray.cohort.memory import default_workers
    from milligray.cohort.processes import LocalProcesses
    from milligray.errors import InputError
    from milligray.transport.monte_carlo.batches import available_threads

    for name, value in (("--workers", workers), ("--threads", threads)):
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
    if memory_per_exam_gb <= 0:
        raise InputError(f"--memory-per-exam-gb must be > 0, got {memory_per_exam_gb:g}")
    if scheduler is not None:
        if workers is not None or timeout_s is not None:
            raise InputError(
                "--workers and --timeout-s are for this machine; the cluster of --scheduler has its"
                " own workers"
            )
        from milligray.cohort.cluster import DaskWorkers, connect

        # a scheduler that goes away is told in one line, below
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        with connect(scheduler) as client:
            yield DaskWorkers(client, threads=threads or 1)
        return
    processors = available_threads()
    workers = workers or default_workers(processors, memory_per_exam_gb)
    yield LocalProcesses(
        workers, threads=threads or max(1, processors // workers), retries=retries,
        timeout_s=timeout_s,
    )  # fmt: skip


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does: workers stopped, tables written."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

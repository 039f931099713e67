"""`milligray ct-dose` and `milligray demo`: organ doses of one CT scan."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milligray.cli.options import (
    Bowtie,
    Calibration,
    Couch,
    Device,
    Dicom,
    DoseGrid,
    Extend,
    Histories,
    Json,
    OrganNames,
    Organs,
    Overwrite,
    Precision,
    Protocol,
    Quiet,
    ScannerName,
    Seed,
    SegmenterName,
    Series,
    Threads,
    TransportVoxel,
    check_choices,
)

if TYPE_CHECKING:
    from milligray.exam.settings import CtSettings

BAD_INPUT = 3


def ct_dose(
    input_path: Annotated[
        Path, typer.Argument(metavar="INPUT", help="DICOM folder or file, or a NIfTI CT.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory for the result.", show_default=False)
    ] = None,
    protocol: Protocol = None,
    series: Series = None,
    organs: Organs = None,
    organ_names: OrganNames = None,
    segmenter: SegmenterName = None,
    precision: Precision = None,
    histories: Histories = None,
    scanner: ScannerName = None,
    bowtie: Bowtie = None,
    voxel_size_mm: TransportVoxel = 3.0,
    calibration: Calibration = "schneider2000",
    couch: Couch = "remove",
    extend_mm: Extend = 0.0,
    per_100_mas: Annotated[
        bool,
        typer.Option("--per-100-mas", help="Without CTDIvol: mGy per 100 mAs, not absolute."),
    ] = False,
    max_seconds: Annotated[
        float | None,
        typer.Option("--max-seconds", help="Give up the precision after this time (exit code 4)."),
    ] = None,
    dose_grid: DoseGrid = "ct",
    dicom: Dicom = True,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would be done and what memory it needs."),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", help="Batches on a Dask cluster: ADDRESS or its JSON file."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on with labels that contradict the CT.")
    ] = False,
    device: Device = "auto",
    seed: Seed = 1,
    threads: Threads = None,
    json_output: Json = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Organ doses of a CT scan, with uncertainties: DICOM folder in, report out."""
    from milligray.errors import InputError
    from milligray.exam.settings import CtSettings
    from milligray.transport.monte_carlo.devices import choose_device

    if out is None and not dry_run:
        raise typer.BadParameter("give a directory for the result", param_hint="--out")
    choose_device(device)  # refuses before any work if it is not there
    check_choices(couch=couch, dose_grid=dose_grid, segmenter=segmenter)
    if precision is not None and histories is not None:
        raise InputError("give either --precision or --histories")
    settings = CtSettings(
        precision=0.01 if precision is None and histories is None else precision,
        histories=histories, voxel_size_mm=voxel_size_mm or None, calibration=calibration,
        couch=couch, extend_mm=extend_mm, scanner=scanner, bowtie=bowtie,  # type: ignore[arg-type]
        segmenter=segmenter, per_100_mas=per_100_mas, max_seconds=max_seconds,  # type: ignore[arg-type]
        seed=seed, threads=threads, device=device,  # type: ignore[arg-type]
        accept_labels=force,
    )  # fmt: skip
    if dry_run or out is None:
        _plan(input_path, settings, protocol, series, organs, out, dose_grid, json_output)
        return
    _run(
        input_path, out, settings, protocol=protocol, series=series, organs=organs,
        organ_names=organ_names, dose_grid=dose_grid, json_output=json_output,
        overwrite=overwrite, quiet=quiet, scheduler=scheduler, dicom=dicom,
    )  # fmt: skip


def demo(
    out: Annotated[Path, typer.Option("--out", help="Directory for the result.")] = Path(
        "demo_out"
    ),
    precision: Annotated[
        float, typer.Option("--precision", help="Stop when every organ >= 10 mL is this certain.")
    ] = 0.01,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """The main job on the small real CT series that ships with the package."""
    from milligray.data import sample_folder
    from milligray.exam.settings import CtSettings
    from milligray.transport.monte_carlo.devices import choose_device

    choose_device(device)
    settings = CtSettings(precision=precision, threads=threads, device=device)  # type: ignore[arg-type]
    with sample_folder("siemens_upper_abdomen") as folder:
        _run(
            folder / "ct", out, settings,
            protocol=None, series=None, organs=folder / "labels.nii.gz",
            organ_names=None, dose_grid="ct", json_output=False, overwrite=True, quiet=quiet,
        )  # fmt: skip


def _plan(
    input_path: Path,
    settings: "CtSettings",
    protocol: Path | None,
    series: str | None,
    organs: Path | None,
    out: Path | None,
    dose_grid: str,
    json_output: bool,
) -> None:
    from milligray.cli.dry_run import print_plan
    from milligray.exam.plan import plan_ct_exam
    from milligray.read import find_ct

    found = find_ct(input_path, protocol, series)
    plan = plan_ct_exam(found, settings, organs=organs, out=out, dose_grid=dose_grid)  # type: ignore[arg-type]
    print_plan(plan, json_output=json_output)
    if plan.obstacles:
        raise typer.Exit(BAD_INPUT)


def _run(
    input_path: Path,
    out: Path,
    settings: "CtSettings",
    *,
    protocol: Path | None,
    series: str | None,
    organs: Path | None,
    organ_names: Path | None,
    dose_grid: str,
    json_output: bool,
    overwrite: bool,
    quiet: bool,
    scheduler: str | None = None,
    dicom: bool = False,
) -> None:
    from contextlib import ExitStack
    from dataclasses import replace

    from milligray.cli.dicom_out import refer_to, rtdose_extra
    from milligray.cli.progress import ProgressLine
    from milligray.cli.summary import print_summary
    from milligray.errors import StatisticsError
    from milligray.exam.ct_exam import compute_ct_exam
    from milligray.exam.plan import check_beforehand
    from milligray.read import find_ct, read_labels
    from milligray.read.dicom_reference import dicom_reference_of
    from milligray.report import check_output, result_document, write_result

    check_output(out, overwrite=overwrite)
    line = ProgressLine(quiet=quiet)
    cluster = ExitStack()
    try:
        pool = None
        if scheduler is not None:
            from milligray.cohort.batch_pool import DaskBatches
            from milligray.cohort.cluster import connect

            pool = DaskBatches(cluster.enter_context(connect(scheduler)))
        line.stage("read")
        found = find_ct(input_path, protocol, series)
        check_beforehand(found, settings, organs)
        choice = found.choice
        reference, remarks = refer_to(
            lambda: None if choice is None else dicom_reference_of(choice), wanted=dicom
        )
        ct, scan = found.read()
        labels = read_labels(organs, names=organ_names) if organs is not None else None
        handed_over = [ct]
        del ct, found  # the exam lets go of the CT once the couch is off: hold it nowhere else
        result = compute_ct_exam(
            handed_over.pop(), scan, labels, settings, stage=line.stage, progress=line.transport,
            pool=pool,
        )  # fmt: skip
        line.stage("report")
        result = replace(result, notes=(*result.notes, *remarks))
        extra = rtdose_extra(
            result.dose, result.patient, reference, description="milligray: dose of a CT",
            created=result.manifest.get("created"),
        )  # fmt: skip
        write_result(result, out, overwrite=overwrite, dose_grid=dose_grid, extra=extra)  # type: ignore[arg-type]
    finally:
        line.close()
        cluster.close()
    if json_output:
        json.dump(result_document(result), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print_summary(result, out)
    if not result.manifest["converged"]:
        raise StatisticsError(
            "the precision was not reached within --max-seconds; the result was written with the"
            " uncertainties it has"
        )

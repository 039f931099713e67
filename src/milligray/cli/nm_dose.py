"""`milligray nm-dose`: organ doses of an administered nuclide from PET or SPECT and CT."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from milligray.cli.options import (
    Calibration,
    Couch,
    Dicom,
    DoseGrid,
    Histories,
    Json,
    OrganNames,
    Organs,
    Out,
    Overwrite,
    Precision,
    Protocol,
    Quiet,
    Seed,
    SegmenterName,
    Threads,
    TransportVoxel,
    check_choices,
)

if TYPE_CHECKING:
    from milligray.exam.nm_exam import NmInput
    from milligray.exam.nm_settings import NmSettings
    from milligray.read import ActivityFacts, ActivityImage, CtSeries
    from milligray.read.dicom_reference import DicomReference
    from milligray.report.result import ExamResult
    from milligray.source.registration import Registration

SECONDS_PER_HOUR = 3600.0


def nm_dose(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE...",
            help="PET or SPECT images in the order of their times: DICOM folders, files or NIfTI.",
        ),
    ],
    out: Out,
    kinetics: Annotated[
        str,
        typer.Option(
            "--kinetics",
            help="One image: physical, haenscheid, prior. Several: fit, mono, trapezoid.",
        ),
    ],
    ct: Annotated[
        Path | None,
        typer.Option("--ct", help="CT: DICOM folder or NIfTI (default: the first IMAGE folder)."),
    ] = None,
    nuclide: Annotated[
        str | None, typer.Option("--nuclide", help="F-18, Lu-177, ... (default: as the images say)")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="monte-carlo, msv, ssv, local or mird.")
    ] = "monte-carlo",
    compare: Annotated[
        str | None,
        typer.Option("--compare", help="Further methods, e.g. msv,ssv,local,mird; or all."),
    ] = None,
    s_values: Annotated[
        str,
        typer.Option("--s-values", help="For mird: patient, reference-male or reference-female."),
    ] = "patient",
    activity_mbq: Annotated[
        float | None,
        typer.Option("--activity-mbq", help="Administered activity; over what the header says."),
    ] = None,
    hours: Annotated[
        str | None,
        typer.Option("--hours", help="NIfTI: hours after administration, e.g. 4,24,96,168."),
    ] = None,
    units: Annotated[
        str | None, typer.Option("--units", help="NIfTI: Bq/mL, kBq/mL, MBq/mL, MBq, SUV, ...")
    ] = None,
    facts: Annotated[
        list[Path] | None,
        typer.Option(
            "--facts", help="TOML or JSON over the header, one for each IMAGE or for all."
        ),
    ] = None,
    rrdsr: Annotated[
        Path | None,
        typer.Option("--dose-report", help="Radiopharmaceutical dose report (DICOM SR)."),
    ] = None,
    registration: Annotated[
        str,
        typer.Option("--registration", help="none; rigid (images onto the first); transform file."),
    ] = "none",
    recovery: Annotated[
        Path | None,
        typer.Option("--recovery", help="Recovery coefficients by volume (TOML) to correct with."),
    ] = None,
    resolution_mm: Annotated[
        float | None, typer.Option("--resolution-mm", help="FWHM of the activity images.")
    ] = None,
    calibration_uncertainty: Annotated[
        float | None,
        typer.Option("--calibration-uncertainty", help="Relative, of the activity scale, k=1."),
    ] = None,
    effective_half_life_h: Annotated[
        float | None, typer.Option("--effective-half-life-h", help="For --kinetics prior.")
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            "--start", help="Before the first image: linear-from-zero, physical-decay, constant."
        ),
    ] = "linear-from-zero",
    outside_body: Annotated[
        str,
        typer.Option("--outside-body", help="Activity outside the body: keep, drop or nearest."),
    ] = "keep",
    electrons: Annotated[
        str, typer.Option("--electrons", help="Charged particles: primaries, all or local.")
    ] = "primaries",
    alpha_beta: Annotated[
        list[str] | None,
        typer.Option("--alpha-beta", help="REGION=GY: BED and EQD2 of that region (repeatable)."),
    ] = None,
    repair_half_life_h: Annotated[
        float, typer.Option("--repair-half-life-h", help="Of sublethal damage.")
    ] = 1.5,
    alpha_per_gy: Annotated[
        float | None, typer.Option("--alpha-per-gy", help="Gives the EUD too.")
    ] = None,
    excretion: Annotated[
        list[str] | None,
        typer.Option(
            "--excretion",
            help="FRACTION=HOURS by urine (repeatable): bladder by a voiding model.",
        ),
    ] = None,
    voiding_interval_h: Annotated[
        float, typer.Option("--voiding-interval-h", help="With --excretion.")
    ] = 3.5,
    first_voiding_h: Annotated[
        float | None, typer.Option("--first-voiding-h", help="Default: one interval.")
    ] = None,
    with_ct_dose: Annotated[
        bool, typer.Option("--with-ct-dose", help="Compute the dose of the CT as well.")
    ] = False,
    protocol: Protocol = None,
    ct_series: Annotated[
        str | None, typer.Option("--ct-series", help="Which CT series of the folder.")
    ] = None,
    organs: Organs = None,
    organ_names: OrganNames = None,
    segmenter: SegmenterName = None,
    precision: Precision = None,
    histories: Histories = None,
    voxel_size_mm: TransportVoxel = 3.0,
    calibration: Calibration = "schneider2000",
    couch: Couch = "remove",
    dose_grid: DoseGrid = "ct",
    max_seconds: Annotated[
        float | None,
        typer.Option("--max-seconds", help="Give up the precision after this time (exit code 4)."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on with labels that contradict the CT.")
    ] = False,
    seed: Seed = 1,
    threads: Threads = None,
    json_output: Json = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    dicom: Dicom = True,
) -> None:
    """Organ and lesion doses of an administered nuclide, with uncertainties."""
    from milligray.errors import InputError
    from milligray.exam.nm_settings import METHODS, NmSettings

    check_choices(couch=couch, dose_grid=dose_grid, segmenter=segmenter)
    if precision is not None and histories is not None:
        raise InputError("give either --precision or --histories")
    others = [] if compare is None else [word.strip() for word in compare.split(",")]
    if others == ["all"]:
        others = [name for name in METHODS if name != method]
    settings = NmSettings(
        kinetics=kinetics, nuclide=nuclide, method=method, compare=tuple(others),  # type: ignore[arg-type]
        s_values=s_values, electrons=electrons, start=start,  # type: ignore[arg-type]
        effective_half_life_h=effective_half_life_h,
        outside_body=outside_body, resolution_mm=resolution_mm,  # type: ignore[arg-type]
        calibration_uncertainty=calibration_uncertainty,
        alpha_beta_gy=_pairs(alpha_beta, "--alpha-beta is REGION=GY, e.g. kidney_left=2.5"),
        bladder_excretion=tuple(
            (_number(key), value)
            for key, value in _pairs(excretion, "--excretion is FRACTION=HOURS, e.g. 0.25=1.5")
        ),
        voiding_interval_h=voiding_interval_h, first_voiding_h=first_voiding_h,
        repair_half_life_h=repair_half_life_h, alpha_per_gy=alpha_per_gy,
        precision=0.01 if precision is None and histories is None else precision,
        histories=histories, voxel_size_mm=voxel_size_mm or None, calibration=calibration,
        couch=couch, segmenter=segmenter, accept_labels=force, max_seconds=max_seconds,  # type: ignore[arg-type]
        seed=seed, threads=threads,
    )  # fmt: skip
    given_facts = _facts(len(images), facts, activity_mbq, hours, units, nuclide)
    _run(
        images, given_facts, ct, settings, rrdsr=rrdsr, registration=registration,
        recovery=recovery, with_ct_dose=with_ct_dose, protocol=protocol, ct_series=ct_series,
        organs=organs, organ_names=organ_names, out=out, overwrite=overwrite,
        dose_grid=dose_grid, json_output=json_output, quiet=quiet, dicom=dicom,
    )  # fmt: skip


def _facts(
    n: int,
    files: Sequence[Path] | None,
    activity_mbq: float | None,
    hours: str | None,
    units: str | None,
    nuclide: str | None,
) -> list["ActivityFacts"]:
    """What the user says of each image."""
    from milligray.errors import InputError
    from milligray.read import ActivityFacts, read_sidecar
    from milligray.source.nuclide import load_nuclide

    if files and len(files) not in (1, n):
        raise InputError(f"{len(files)} files of facts for {n} images: give one for all, or {n}")
    try:
        times = None if hours is None else [float(word) for word in hours.split(",")]
    except ValueError as error:
        raise InputError(f"--hours must be numbers, e.g. 4,24,96; got {hours!r}") from error
    if times is not None and len(times) != n:
        raise InputError(f"--hours names {len(times)} times for {n} images")
    result = []
    for i in range(n):
        told = ActivityFacts(
            nuclide=None if nuclide is None else load_nuclide(nuclide).name, units=units,
            administered_activity_mbq=activity_mbq,
            reference_s_after_administration=None if times is None else times[i] * SECONDS_PER_HOUR,
        )  # fmt: skip
        if files:
            told = told.over(read_sidecar(files[i if len(files) > 1 else 0]))
        result.append(told)
    return result


def _pairs(words: Sequence[str] | None, how: str) -> tuple[tuple[str, float], ...]:
    """Pairs of a name and a number out of words NAME=NUMBER."""
    from milligray.errors import InputError

    pairs = []
    for word in words or ():
        key, _, value = word.partition("=")
        try:
            pairs.append((key.strip(), float(value)))
        except ValueError as error:
            raise InputError(f"{how}: {word!r}") from error
    return tuple(pairs)


def _number(text: str) -> float:
    from milligray.errors import InputError

    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"--excretion is FRACTION=HOURS, e.g. 0.25=1.5: {text!r}") from error


def _run(
    images: Sequence[Path],
    facts: Sequence["ActivityFacts"],
    ct_path: Path | None,
    settings: "NmSettings",
    *,
    rrdsr: Path | None,
    registration: str,
    recovery: Path | None,
    with_ct_dose: bool,
    protocol: Path | None,
    ct_series: str | None,
    organs: Path | None,
    organ_names: Path | None,
    out: Path,
    overwrite: bool,
    dose_grid: str,
    json_output: bool,
    quiet: bool,
    dicom: bool,
) -> None:
    from milligray.cli.dicom_out import refer_to, rtdose_extra
    from milligray.cli.progress import ProgressLine
    from milligray.errors import InputError, StatisticsError
    from milligray.exam.nm_exam import NmInput, compute_nm_exam
    from milligray.read import check_report, read_activity_frames, read_labels, read_rrdsr
    from milligray.report import check_output
    from milligray.report.nm_output import write_nm_result
    from milligray.source.nuclide import load_nuclide
    from milligray.source.partial_volume import read_recovery_curve

    check_output(out, overwrite=overwrite)
    line = ProgressLine(quiet=quiet)
    try:
        line.stage("read")
        report = None if rrdsr is None else read_rrdsr(rrdsr)
        told = [f if report is None else f.over(report.facts) for f in facts]
        read = tuple(
            frame
            for path, f in zip(images, told, strict=True)
            for frame in read_activity_frames(
                path, facts=f, half_life_of=lambda name: load_nuclide(name).half_life_s
            )
        )
        if report is not None:
            notes = tuple(note for image in read for note in check_report(image, report))
            read = (replace(read[0], notes=(*read[0].notes, *notes)), *read[1:])
        if ct_path is None:
            if not images[0].is_dir():
                raise InputError("give the CT with --ct: the first image is no folder to look in")
            ct_path = images[0]
        reference, remarks = refer_to(lambda: _reference(ct_path, ct_series), wanted=dicom)
        given = NmInput(
            ct=_read_ct(ct_path, ct_series), images=read,
            labels=read_labels(organs, names=organ_names) if organs is not None else None,
            ct_keys=_keys(ct_path, ct_series),
            registrations=_registrations(registration, read, line),
            report=report,
            recovery=None if recovery is None else read_recovery_curve(recovery),
        )  # fmt: skip
        if with_ct_dose:
            ct_part = _ct_part(ct_path, protocol, ct_series, given, settings, line)
            given = replace(given, ct_dose=ct_part)
        result = compute_nm_exam(given, settings, stage=line.stage, progress=line.transport)
        line.stage("report")
        result = replace(result, notes=(*result.notes, *remarks))
        extra = rtdose_extra(
            result.dose, result.patient, reference,
            description=f"milligray: dose of {result.nuclide.name}",
            created=result.manifest.get("created"),
        )  # fmt: skip
        write_nm_result(result, out, overwrite=overwrite, dose_grid=dose_grid, extra=extra)  # type: ignore[arg-type]
    finally:
        line.close()
    if json_output:
        from milligray.report.nm_tables import nm_result_document

        json.dump(nm_result_document(result), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        from milligray.report.nm_console import print_nm_summary

        print_nm_summary(result, out)
    if not result.manifest["converged"]:
        raise StatisticsError(
            "the precision was not reached within --max-seconds; the result was written with the"
            " uncertainties it has"
        )


def _read_ct(path: Path, series: str | None) -> "CtSeries":
    from milligray.read import read_ct_nifti, read_ct_series

    if path.name.lower().endswith((".nii", ".nii.gz")):
        return read_ct_nifti(path)
    return read_ct_series(path, series=series)


def _reference(path: Path, series: str | None) -> "DicomReference | None":
    from milligray.read.dicom_reference import read_dicom_reference

    if path.name.lower().endswith((".nii", ".nii.gz")):
        return None
    return read_dicom_reference(path, series=series)


def _keys(path: Path, series: str | None) -> Any:  # noqa: ANN401 - PatientKeys
    from milligray.read import read_patient_keys

    if path.name.lower().endswith((".nii", ".nii.gz")):
        return None
    return read_patient_keys(path, series=series)


def _registrations(
    wanted: str,
    images: Sequence["ActivityImage"],
    line: Any,  # noqa: ANN401 - ProgressLine
) -> tuple["Registration | None", ...]:
    """None of an image that lies as the CT does; the first image is always that."""
    from milligray.source.registration import read_transform
    from milligray.source.rigid_registration import register_rigid
    from milligray.volume import Volume

    if wanted == "none":
        return ()
    if wanted != "rigid":
        return tuple(read_transform(wanted) for _ in images)
    line.stage("registration")
    first = Volume(grid=images[0].grid, values=images[0].activity_mbq_ml)
    later = (Volume(grid=image.grid, values=image.activity_mbq_ml) for image in images[1:])
    return (None, *(register_rigid(first, volume) for volume in later))


def _ct_part(
    path: Path,
    protocol: Path | None,
    series: str | None,
    given: "NmInput",
    settings: "NmSettings",
    line: Any,  # noqa: ANN401 - ProgressLine
) -> "ExamResult":
    """Dose of the CT, with the same organs and the same transport grid."""
    from milligray.exam.ct_exam import compute_ct_exam
    from milligray.exam.settings import CtSettings
    from milligray.read import open_ct

    ct, scan = open_ct(path, protocol, series)
    ct_settings = CtSettings(
        precision=settings.precision, histories=settings.histories,
        voxel_size_mm=settings.voxel_size_mm, calibration=settings.calibration,
        couch=settings.couch, segmenter=settings.segmenter, seed=settings.seed,
        threads=settings.threads, accept_labels=settings.accept_labels,
    )  # fmt: skip
    return compute_ct_exam(
        ct, scan, given.labels, ct_settings, stage=lambda name: line.stage(f"CT: {name}"),
        progress=line.transport,
    )  # fmt: skip

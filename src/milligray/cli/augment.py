"""`milligray phantom augment`: random copies of a real CT and its labels."""

import csv
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milligray.cli.options import Json, Out, Overwrite, Quiet, Seed

if TYPE_CHECKING:
    from milligray.anatomy.augment import AugmentedCt
    from milligray.anatomy.augmentation import AugmentRanges
    from milligray.read.series import CtSeries, LabelMap

LIST_FILE, RECORD_FILE = "exams.csv", "augmentations.json"
COLUMNS = ("exam", "input", "protocol", "organs", "organ_names")
_MAX_COPIES = 10_000


def augment(
    ct: Annotated[
        Path, typer.Argument(metavar="INPUT", help="DICOM folder or NIfTI CT.", show_default=False)
    ],
    out: Out,
    labels: Annotated[
        Path, typer.Option("--labels", help="Organ labels (NIfTI).", show_default=False)
    ],
    names: Annotated[
        Path | None, typer.Option("--names", help="JSON file with the names of the labels.")
    ] = None,
    n: Annotated[int, typer.Option("--n", help="How many copies.")] = 1,
    seed: Seed = 1,
    deformation_mm: Annotated[
        float, typer.Option("--deformation-mm", help="Greatest root mean square displacement.")
    ] = 6.0,
    deformation_length_mm: Annotated[
        float, typer.Option("--deformation-length-mm", help="Over which displacements are alike.")
    ] = 60.0,
    scale: Annotated[
        float, typer.Option("--scale", help="Size along x, y and z within 1 -+ this.")
    ] = 0.08,
    mirror: Annotated[
        float, typer.Option("--mirror", help="Probability that left and right are exchanged.")
    ] = 0.0,
    crop: Annotated[
        float, typer.Option("--crop", help="Least share of the slices that is kept; 1: all.")
    ] = 1.0,
    noise_hu: Annotated[
        float, typer.Option("--noise-hu", help="Greatest added noise in 300 mm of water.")
    ] = 15.0,
    protocol: Annotated[
        Path | None, typer.Option("--protocol", help="Protocol file to name in the exam list.")
    ] = None,
    overwrite: Overwrite = False,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Deformed, scaled, mirrored, cropped, noisier copies of a CT with its labels."""
    from milligray.anatomy.augment import augment_ct
    from milligray.anatomy.augmentation import AugmentRanges, draw_augmentation
    from milligray.errors import InputError
    from milligray.report.nifti_image import write_ct_pair

    if not 1 <= n <= _MAX_COPIES:
        raise InputError(f"--n must be from 1 to {_MAX_COPIES}, got {n}")
    if seed < 0:
        raise InputError(f"--seed must be >= 0, got {seed}")
    if protocol is not None and not protocol.is_file():
        raise InputError(f"no protocol file {protocol}")
    ranges = AugmentRanges(
        deformation_mm=deformation_mm,
        deformation_length_mm=deformation_length_mm,
        scale_in_plane=scale,
        scale_z=scale,
        mirror_probability=mirror,
        crop_share=crop,
        noise_hu=noise_hu,
    )
    _check_out(out, overwrite=overwrite)
    source, organs = _read(ct, labels, names)
    work = out.parent / f".{out.name}.partial-{os.getpid()}"
    records = []
    try:
        work.mkdir(parents=True)
        for number in range(n):
            drawn = draw_augmentation(ranges, source.volume.grid.shape[0], seed=seed, number=number)
            made = augment_ct(source, organs, drawn)
            exam = _exam_name(number)
            (work / exam).mkdir()
            assert made.labels is not None  # noqa: S101 - labels in, labels out
            write_ct_pair(made.ct, made.labels, work / exam, description="augmented")
            records.append(_record(exam, made))
            if not quiet:
                sys.stderr.write(f"{exam}: {number + 1} of {n}\n")
        _write_list(work, out, [record["exam"] for record in records], protocol)
        document = _document(records, ranges, seed, source, organs)
        text = json.dumps(document, indent=1)
        (work / RECORD_FILE).write_text(text + "\n", encoding="utf-8")
        _move_in(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if json_output:
        sys.stdout.write(text + "\n")
    elif not quiet:
        sys.stderr.write(f"{n} copies in {out}, listed in {out / LIST_FILE}\n")


def _read(ct: Path, labels: Path, names: Path | None) -> "tuple[CtSeries, LabelMap]":
    from dataclasses import replace

    from milligray.errors import InputError
    from milligray.read import read_ct_nifti, read_ct_series, read_labels
    from milligray.segment.given_labels import resample_labels
    from milligray.volume import Volume

    if not ct.exists():
        raise InputError(f"{ct} does not exist; give a DICOM folder or a NIfTI CT")
    is_nifti = ct.name.lower().endswith((".nii", ".nii.gz"))
    source = read_ct_nifti(ct) if is_nifti else read_ct_series(ct)
    organs = read_labels(labels, names=names)
    grid = source.volume.grid
    if not organs.volume.grid.is_same_as(grid):
        values = resample_labels(organs.volume, grid)
        organs = replace(organs, volume=Volume(grid=grid, values=values))
    return source, organs


def _exam_name(number: int) -> str:
    return f"augmented_{number + 1:04d}"


def _is_ours(path: Path) -> bool:
    return path.name in (LIST_FILE, RECORD_FILE) or (
        path.is_dir() and path.name.startswith("augmented_")
    )


def _check_out(out: Path, *, overwrite: bool) -> None:
    from milligray.errors import InputError

    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give a directory")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise InputError(
            f"{out} is not empty, nothing was written; choose another directory or allow"
            " overwriting (--overwrite), which replaces only earlier copies"
        )


def _move_in(work: Path, out: Path) -> None:
    """Put the finished files in place of earlier ones; foreign files stay."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(out.iterdir()):
        if _is_ours(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in sorted(work.iterdir()):
        path.rename(out / path.name)


def _record(exam: str, made: "AugmentedCt") -> dict[str, object]:
    deformation = made.deformation
    jacobian = None
    if deformation is not None:
        jacobian = [deformation.least_jacobian, deformation.greatest_jacobian]
    return {
        "exam": exam,
        **made.augmentation.as_dict(),
        "used_deformation_mm": 0.0 if deformation is None else deformation.rms_mm,
        "jacobian": jacobian,
    }


def _document(
    records: list[dict[str, object]],
    ranges: "AugmentRanges",
    seed: int,
    source: "CtSeries",
    organs: "LabelMap",
) -> dict[str, object]:
    from dataclasses import asdict

    from milligray.exam.manifest import package_version

    return {
        "milligray": package_version("milligray"),
        "seed": seed,
        "ranges": asdict(ranges),
        "ct_sha256": source.input_sha256,
        "labels_sha256": organs.input_sha256,
        "copies": records,
    }


def _write_list(work: Path, out: Path, exams: list[object], protocol: Path | None) -> None:
    """Exam list for `milligray cohort`, with paths relative to it."""
    from milligray.report.nifti_image import CT_FILE, LABELS_FILE, NAMES_FILE

    where = "" if protocol is None else os.path.relpath(protocol.absolute(), out.absolute())
    with (work / LIST_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for exam in exams:
            files = (f"{exam}/{name}" for name in (CT_FILE, LABELS_FILE, NAMES_FILE))
            ct, labels, names = files
            writer.writerow((exam, ct, where, labels, names))

"""Put the files of a result in place: all of them or none."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from milligray.errors import InputError
from milligray.report.html import write_html
from milligray.report.nifti import DoseGrid, write_nifti
from milligray.report.result import ExamResult
from milligray.report.tables import result_document, write_json, write_organ_csv
from milligray.score.dose import DoseMap
from milligray.typing import FloatArray

RESULT_FILES = (
    "dose.nii.gz",
    "dose_uncertainty.nii.gz",
    "organ_doses.csv",
    "report.html",
    "dose.dcm",
    "p_rdsr.dcm",
    "organs_seg.dcm",
    "result.json",
)
"""Names that belong to a result; no other file in the directory is ever touched."""


def check_output(out: Path, *, overwrite: bool) -> None:
    """Make sure, before the long computation, that a result can be written.

    Parameters
    ----------
    out : Path
        Directory of the result; may not exist yet.
    overwrite : bool

    Raises
    ------
    InputError
        If `out` is a file, holds something and `overwrite` is False, or cannot be written.
    """
    out = Path(os.path.abspath(out))  # noqa: PTH100 - resolve() would follow a link given by the user
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give a directory for the result")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise InputError(
            f"{out} is not empty, nothing was written; choose another directory or allow"
            " overwriting (--overwrite), which replaces only the files of a result"
        )
    existing = next(path for path in (out, *out.parents) if path.exists())
    places = {existing} if not out.is_dir() else {out, out.parent}
    for place in sorted(places):
        try:
            probe = tempfile.mkdtemp(prefix=".milligray-", dir=place)
            Path(probe).rmdir()
        except OSError as error:
            raise InputError(
                f"cannot write in {place}: {error.strerror}; choose another directory for the"
                " result"
            ) from error


def write_result(
    result: ExamResult,
    out: Path,
    *,
    overwrite: bool,
    dose_grid: DoseGrid = "ct",
    tables_only: bool = False,
    extra: Mapping[str, Callable[[Path], None]] | None = None,
) -> list[Path]:
    """Write all files of a result.

    Parameters
    ----------
    result : ExamResult
    out : Path
        Directory; made if needed.
    overwrite : bool
        Replace the files of an older result in `out`. Foreign files are kept in any case.
    dose_grid : {"ct", "transport"}
        Grid of the two NIfTI files.
    tables_only : bool
        No maps and no report: ``organ_doses.csv`` and ``result.json``.
    extra : mapping of str to callable, optional
        Further files of the result (one of `RESULT_FILES`) and the function that writes each to a
        path.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If `out` cannot be used (see `check_output`) or a name in `extra` is not a result's.

    Notes
    -----
    The files are made in a hidden directory beside `out`, which is renamed when all are complete.
    If anything fails, or on Ctrl-C, that directory is removed and `out` is as it was.
    """
    check_output(out, overwrite=overwrite)
    out = Path(os.path.abspath(out))  # noqa: PTH100 - as in check_output
    writers: dict[str, Callable[[Path], None]] = {
        **({} if tables_only or result.dose is None else _maps(result, result.dose, dose_grid)),
        "organ_doses.csv": lambda path: write_organ_csv(result.organ_doses, path),
        **({} if tables_only else {"report.html": lambda path: write_html(result, path)}),
        **(extra or {}),
        "result.json": lambda path: write_json(result_document(result), path),
    }
    foreign = set(writers) - set(RESULT_FILES)
    if foreign:
        raise InputError(f"not files of a result: {sorted(foreign)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.parent / f".{out.name}.partial-{os.getpid()}"
    try:
        new = work / "new"
        new.mkdir(parents=True)
        for name, write in writers.items():
            write(new / name)
        _move_in(new, work / "old", out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return [out / name for name in writers]


def _maps(
    result: ExamResult, dose: DoseMap, dose_grid: DoseGrid
) -> dict[str, Callable[[Path], None]]:
    """Writers of the dose map and, where it is known, of its uncertainty."""
    texts = {
        "dose.nii.gz": (dose.dose_mgy, f"absorbed dose [{dose.unit}] {dose.method}"),
        "dose_uncertainty.nii.gz": (
            dose.relative_uncertainty, "relative standard deviation of the voxel dose, k = 1",
        ),
    }  # fmt: skip

    def writer(values: FloatArray, description: str) -> Callable[[Path], None]:
        return lambda path: write_nifti(
            values, result.patient, path, dose_grid=dose_grid, description=description
        )

    return {
        name: writer(values, description)
        for name, (values, description) in texts.items()
        if not np.isnan(values).all()
    }


def _move_in(new: Path, old: Path, out: Path) -> None:
    """Rename `new` to `out`, or swap its files with those of an older result, or undo it."""
    if not out.exists():
        new.rename(out)
        return
    old.mkdir()
    arrived: list[str] = []
    try:
        for name in RESULT_FILES:
            if (out / name).is_symlink() or (out / name).exists():
                (out / name).rename(old / name)
        for path in sorted(new.iterdir()):
            path.rename(out / path.name)
            arrived.append(path.name)
    except BaseException:
        for name in arrived:
            (out / name).unlink(missing_ok=True)
        for path in old.iterdir():
            path.rename(out / path.name)
        raise

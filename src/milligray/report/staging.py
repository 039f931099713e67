"""Put the files of a result in place: all of them or none."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from milligray.errors import InputError

Writer = Callable[[Path], None]

RESULT_FILES = (
    "dose.nii.gz",
    "dose_uncertainty.nii.gz",
    "dose_per_activity.nii.gz",
    "organ_doses.csv",
    "kinetics.csv",
    "time_activity.csv",
    "dose_rates.csv",
    "methods.csv",
    "effects.csv",
    "dvh.csv",
    "report.html",
    "dose.dcm",
    "p_rdsr.dcm",
    "organs_seg.dcm",
    "result.json",
)
"""Names that belong to a result; no other file in the directory is ever touched."""

_DOSE_RATE = re.compile(r"dose_rate_[0-9.]+h\.nii\.gz")


def is_result_file(name: str) -> bool:
    """Tell if a file of this name belongs to a result."""
    return name in RESULT_FILES or _DOSE_RATE.fullmatch(name) is not None


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


def write_together(writers: Mapping[str, Writer], out: Path, *, overwrite: bool) -> list[Path]:
    """Write the files of one result, all of them or none.

    Parameters
    ----------
    writers : mapping of str to callable
        Name of each file and the function that writes it to a path, in order.
    out : Path
        Directory; made if needed.
    overwrite : bool
        Replace the files of an older result in `out`. Foreign files are kept in any case.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If `out` cannot be used (see `check_output`) or a name is not a result's.

    Notes
    -----
    The files are made in a hidden directory beside `out`, which is renamed when all are complete.
    If anything fails, or on Ctrl-C, that directory is removed and `out` is as it was.
    """
    check_output(out, overwrite=overwrite)
    out = Path(os.path.abspath(out))  # noqa: PTH100 - as in check_output
    foreign = sorted(name for name in writers if not is_result_file(name))
    if foreign:
        raise InputError(f"not files of a result: {foreign}")
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


def _move_in(new: Path, old: Path, out: Path) -> None:
    """Rename `new` to `out`, or swap its files with those of an older result, or undo it."""
    if not out.exists():
        new.rename(out)
        return
    old.mkdir()
    arrived: list[str] = []
    try:
        for path in sorted(out.iterdir()):
            if is_result_file(path.name):
                path.rename(old / path.name)
        for path in sorted(new.iterdir()):
            path.rename(out / path.name)
            arrived.append(path.name)
    except BaseException:
        for name in arrived:
            (out / name).unlink(missing_ok=True)
        for path in old.iterdir():
            path.rename(out / path.name)
        raise

"""What of a cohort is finished and what is to do; whether a directory may go on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from milligray.cohort.exam_list import CohortExam
from milligray.cohort.fingerprint import code_identity, hash_of
from milligray.cohort.folder import CohortFolder
from milligray.cohort.record import read_record
from milligray.errors import InputError
from milligray.report.nifti import DoseGrid

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChoice:
    """The network that predicts the exams of a cohort.

    Parameters
    ----------
    folder : Path
        As client and workers see it.
    name : str
    sha256 : str
        Over its files: results of two networks do not mix.
    beyond_validity : bool
        Go on where it would refuse.
    """

    folder: Path
    name: str
    sha256: str
    beyond_validity: bool = False

    @classmethod
    def of(cls, name_or_folder: str, *, beyond_validity: bool = False) -> "NetworkChoice":
        """Network by name or folder; its files are checked when a worker opens it."""
        from milligray.learn.card import read_card  # noqa: PLC0415 - only for predictions
        from milligray.learn.network import files_hash  # noqa: PLC0415
        from milligray.learn.shelf import find_network  # noqa: PLC0415

        folder = find_network(name_or_folder).absolute()
        card = read_card(folder)
        return cls(
            folder=folder, name=card.name, sha256=files_hash(card.files),
            beyond_validity=beyond_validity,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortOptions:
    """How a cohort is run.

    Parameters
    ----------
    tables_only : bool
        No maps and no report: ``organ_doses.csv`` and ``result.json`` only.
    dose_grid : {"ct", "transport"}
        Grid of the maps.
    parquet : bool
        Write ``cohort.parquet`` beside ``cohort.csv``.
    overwrite : bool
        Begin anew in the directory of an older cohort.
    update : bool
        Go on although the list, settings or files of finished exams have changed: exams that are
        the same are kept, the others computed anew.
    keep_failed : bool
        Do not try again what failed in an earlier run.
    network : NetworkChoice or None
        Predict with this network instead of computing by Monte Carlo.
    """

    tables_only: bool = False
    dose_grid: DoseGrid = "ct"
    parquet: bool = True
    overwrite: bool = False
    update: bool = False
    keep_failed: bool = False
    network: NetworkChoice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortPlan:
    """What there is to do.

    Parameters
    ----------
    exams : tuple of CohortExam
        All, with the fingerprint of this cohort's output, sorted by name.
    todo : tuple of CohortExam
    done, failed : tuple of str
        Finished in an earlier run; failed there and left so.
    is_new : bool
        The directory holds no cohort yet, or is begun anew.
    cohort_sha256 : str
        Of list, settings and code.
    """

    exams: tuple[CohortExam, ...]
    todo: tuple[CohortExam, ...]
    done: tuple[str, ...]
    failed: tuple[str, ...]
    is_new: bool
    cohort_sha256: str


def plan_cohort(
    exams: Sequence[CohortExam], folder: CohortFolder, options: CohortOptions
) -> CohortPlan:
    """Compare a list with what stands in the directory; nothing is written.

    Raises
    ------
    InputError
        If the directory is not this cohort's.
    """
    check_folder(folder)
    exams = _of_this_output(exams, options)
    sha256 = cohort_sha256(exams)
    manifest = None if options.overwrite else folder.manifest()
    if manifest is None:
        return CohortPlan(
            exams=exams, todo=exams, done=(), failed=(), is_new=True, cohort_sha256=sha256
        )
    if manifest.get("cohort_sha256") != sha256 and not options.update:
        raise InputError(_difference(manifest, len(exams), folder, options))
    done: list[str] = []
    failed: list[str] = []
    changed: list[str] = []
    for exam in exams:
        record = read_record(folder.of(exam.exam))
        if record is None:
            continue
        is_same = record.fingerprint == exam.fingerprint
        if record.status == "done":
            (done if is_same else changed).append(exam.exam)
        elif is_same and options.keep_failed:
            failed.append(exam.exam)
    ended = {*done, *failed}
    todo = tuple(exam for exam in exams if exam.exam not in ended)
    if changed and not options.update:
        shown = ", ".join(changed[:_SHOWN]) + (", ..." if len(changed) > _SHOWN else "")
        raise InputError(
            f"{folder.root}: files of {len(changed)} finished exams are others now ({shown});"
            " compute these anew (--update), or choose another --out"
        )
    return CohortPlan(
        exams=exams, todo=todo, done=tuple(done), failed=tuple(failed), is_new=False,
        cohort_sha256=sha256,
    )  # fmt: skip


def cohort_sha256(exams: Iterable[CohortExam]) -> str:
    """Hash of a cohort, whatever the order of its exams."""
    return hash_of(sorted((exam.exam, exam.definition) for exam in exams))


def output_options(options: CohortOptions) -> dict[str, Any]:
    """Options that change the files of an exam."""
    grid = None if options.tables_only else options.dose_grid
    output: dict[str, Any] = {"tables_only": options.tables_only, "dose_grid": grid}
    if options.network is not None:
        output["network"] = {
            "name": options.network.name, "sha256": options.network.sha256,
            "beyond_validity": options.network.beyond_validity,
        }  # fmt: skip
    return output


def _of_this_output(exams: Sequence[CohortExam], options: CohortOptions) -> tuple[CohortExam, ...]:
    output = output_options(options)
    return tuple(
        replace(
            exam,
            definition=hash_of([exam.definition, output]),
            fingerprint=hash_of([exam.fingerprint, output]),
        )
        for exam in sorted(exams, key=lambda exam: exam.exam)
    )


def check_folder(folder: CohortFolder) -> None:
    """Refuse a directory that holds anything but a cohort; raises InputError."""
    root = folder.root
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file; give a directory for the cohort")
    if folder.manifest() is not None:
        return
    if root.is_dir() and any(not p.name.startswith(".") for p in root.iterdir()):
        raise InputError(
            f"{root} is not empty and holds no cohort; nothing was written; choose another --out"
        )


def _difference(
    manifest: Mapping[str, Any],
    n_exams: int,
    folder: CohortFolder,
    options: CohortOptions,
) -> str:
    """Say why the cohort in the directory is not the one that is asked for."""
    reasons = []
    if manifest.get("code") != code_identity():
        reasons.append(f"begun with {manifest.get('code')}, this is {code_identity()}")
    if manifest.get("output") != output_options(options):
        reasons.append(f"begun with {manifest.get('output')}, asked for {output_options(options)}")
    before = manifest.get("list", {}).get("exams")
    if before != n_exams:
        reasons.append(f"{before} exams then, {n_exams} now")
    if not reasons:
        reasons.append("other exams, files or settings in the list, or other options")
    return (
        f"{folder.root} holds another cohort: {'; '.join(reasons)}. Choose another --out; or keep"
        " what is unchanged and compute the rest (--update); or begin anew (--overwrite)"
    )

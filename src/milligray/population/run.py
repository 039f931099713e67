"""Make a population: what is missing of it through the workers, then list, table and manifest."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from milligray.anatomy.build import check_spacing
from milligray.anatomy.ct_options import CtAppearance
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.population import Population
from milligray.cohort.executors import Executor
from milligray.cohort.fingerprint import code_identity
from milligray.cohort.folder import held
from milligray.cohort.record import ExamRecord
from milligray.cohort.run import CohortProgress
from milligray.errors import InputError
from milligray.population.fields_of_view import check_field
from milligray.population.tables import write_list, write_table
from milligray.population.work import PHANTOM_FILE, PhantomTask, phantom_fingerprint

MANIFEST, PHANTOMS, WORK, LOCK = "population.json", "phantoms", ".work", ".population.lock"
SCHEMA = "milligray-population/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationOptions:
    """What is made of every person.

    Parameters
    ----------
    spacing_mm : float [mm]
    field_of_view : str
        One of `milligray.population.fields_of_view.FIELDS`.
    appearance : CtAppearance
    """

    spacing_mm: float = 2.0
    field_of_view: str = "whole"
    appearance: CtAppearance = field(default_factory=CtAppearance)

    def __post_init__(self) -> None:
        check_spacing(self.spacing_mm)
        check_field(self.field_of_view)


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationSummary:
    """The end of a run.

    Parameters
    ----------
    out : Path
    done, made : int
        Persons on disk, and those of this run.
    failures : tuple of (name, kind, reason)
    seconds : float
    """

    out: Path
    done: int
    made: int
    failures: tuple[tuple[str, str, str], ...]
    seconds: float


def make_population(
    population: Population,
    n: int,
    seed: int,
    out: Path,
    executor: Executor,
    *,
    options: PopulationOptions | None = None,
    overwrite: bool = False,
    progress: Callable[[CohortProgress], None] | None = None,
) -> PopulationSummary:
    """Make the persons that are not there yet.

    Parameters
    ----------
    population : Population
    n : int
        Persons 1 to n; more of them later keep those that are there.
    seed : int
    out : Path
        ``phantoms/P0001/`` and so on, ``patients.csv`` (a list for other commands),
        ``population.csv`` (parameters and measures), ``population.json``.
    executor : Executor
    options : PopulationOptions, optional
    overwrite : bool
        Begin anew where another population stands.
    progress : callable, optional

    Raises
    ------
    InputError
        If another population, or something else, stands in `out`.
    """
    options = options or PopulationOptions()
    if n < 1:
        raise InputError(f"--n must be at least 1, got {n}")
    started = time.perf_counter()
    persons = {f"P{k:04d}": population.person(k, seed) for k in range(1, n + 1)}
    wanted = {
        name: phantom_fingerprint(p, options.spacing_mm, options.field_of_view, options.appearance)
        for name, p in persons.items()
    }
    _check(out, overwrite=overwrite)
    with held(out, LOCK):
        if overwrite:
            for name in (PHANTOMS, WORK):
                shutil.rmtree(out / name, ignore_errors=True)
        folder, work = out / PHANTOMS, out / WORK
        documents = _finished(folder, wanted)
        shutil.rmtree(work, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        work.mkdir()
        tasks = [
            PhantomTask(
                name=name, parameters=p, spacing_mm=options.spacing_mm,
                field_of_view=options.field_of_view,
                appearance=options.appearance, out=folder, work_folder=work,
                fingerprint=wanted[name], code=tuple(code_identity().items()),
            )
            for name, p in persons.items() if name not in documents
        ]  # fmt: skip
        failures: list[tuple[str, str, str]] = []
        n_before = len(documents)
        try:
            for record in _records(executor, tasks, n_before, progress):
                if record.status == "done":
                    documents[record.exam] = dict(record.values)
                else:
                    failures.append((record.exam, record.kind, record.reason))
        finally:
            shutil.rmtree(work, ignore_errors=True)
            ordered = [documents[name] for name in persons if name in documents]
            write_list(ordered, out)
            write_table(ordered, out)
            _write_manifest(out, population, seed, n, options, failures, started)
    return PopulationSummary(
        out=out,
        done=len(documents),
        made=len(documents) - n_before,
        failures=tuple(sorted(failures)),
        seconds=time.perf_counter() - started,
    )


def _records(
    executor: Executor,
    tasks: Sequence[PhantomTask],
    n_before: int,
    progress: Callable[[CohortProgress], None] | None,
) -> "Any":  # noqa: ANN401 - generator
    started, ended, failed = time.perf_counter(), 0, 0

    def tell(last: ExamRecord | None) -> None:
        if progress is not None:
            seconds, left = time.perf_counter() - started, len(tasks) - ended
            progress(CohortProgress(
                total=n_before + len(tasks), done=n_before + ended - failed, failed=failed,
                left=left, seconds=seconds,
                seconds_left=seconds / ended * left if ended else float("nan"), last=last,
            ))  # fmt: skip

    tell(None)
    for record in executor.run(tasks):
        ended += 1
        failed += record.status == "failed"
        tell(record)
        yield record


def _check(out: Path, *, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; --out must be a directory")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        known = {PHANTOMS, WORK, LOCK}
        if any(entry.name not in known for entry in out.iterdir()):
            raise InputError(f"{out} holds something else; choose another --out")
    _ = overwrite


def _finished(folder: Path, wanted: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Documents of the persons that are there and are the ones wanted."""
    found = {}
    for name, fingerprint in wanted.items():
        file = folder / name / PHANTOM_FILE
        if not (folder / name).exists():
            continue
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            document = {}
        if document.get("fingerprint") != fingerprint:
            raise InputError(
                f"{folder / name} is another person than asked for (other seed, distributions,"
                " spacing or appearance); choose another --out, or begin anew with --overwrite"
            )
        found[name] = document
    return found


def _write_manifest(
    out: Path,
    population: Population,
    seed: int,
    n: int,
    options: PopulationOptions,
    failures: list[tuple[str, str, str]],
    started: float,
) -> None:
    document = {
        "schema": SCHEMA,
        "code": code_identity(),
        "population": _told(population),
        "seed": seed,
        "n": n,
        "spacing_mm": options.spacing_mm,
        "field_of_view": options.field_of_view,
        "appearance": asdict(options.appearance),
        "failures": [list(f) for f in sorted(failures)],
        "seconds": round(time.perf_counter() - started, 1),
    }
    partial = out / f".{MANIFEST}.partial"
    partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    partial.rename(out / MANIFEST)


def _told(population: Population) -> dict[str, Any]:
    return {
        "name": population.name,
        "sex": asdict(population.sex),
        "by_sex": {
            sex: {name: asdict(d) for name, d in table.items()}
            for sex, table in population.by_sex.items()
        },
    }


def person_parameters(document: dict[str, Any]) -> AnatomyParameters:
    """Parameters in the document of a person, to make it again."""
    return AnatomyParameters(**document["parameters"])

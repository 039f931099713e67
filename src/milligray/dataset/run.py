"""Make a training set: what is left of its samples through the workers, then the manifest."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milligray.cohort.executors import Executor
from milligray.cohort.fingerprint import code_identity
from milligray.cohort.record import ExamRecord
from milligray.cohort.run import CohortProgress
from milligray.dataset.extras import load_h5py
from milligray.dataset.folder import SetFolder
from milligray.dataset.kinds import find_kind
from milligray.dataset.manifest import (
    new_manifest,
    new_run,
    now,
    sample_entry,
    set_sha256,
    summary_of,
)
from milligray.dataset.patients import SampleSpec
from milligray.dataset.settings import SetSettings
from milligray.dataset.work import SampleTask
from milligray.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlan:
    """What of a set is finished and what is to do."""

    specs: tuple[SampleSpec, ...]
    todo: tuple[SampleSpec, ...]
    done: int
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSummary:
    """The end of a run.

    Parameters
    ----------
    out : Path
    done, failed, open : int
        Samples, all runs together.
    computed : int
        In this run.
    kinds : dict of str to int
        Why samples failed; see `milligray.cohort.record.Kind`.
    failures : tuple of (str, str, str)
        Sample, kind, reason.
    statistics : dict
        Of the set, by stated definitions.
    seconds : float
    """

    out: Path
    done: int
    failed: int
    open: int
    computed: int
    kinds: dict[str, int]
    failures: tuple[tuple[str, str, str], ...]
    statistics: dict[str, Any]
    seconds: float


def plan_set(
    specs: Sequence[SampleSpec], settings: SetSettings, folder: SetFolder, *, overwrite: bool
) -> SetPlan:
    """Compare a list with what stands in the directory; nothing is written.

    Raises
    ------
    InputError
        If the directory is not this set's.
    """
    folder.check()
    manifest = None if overwrite else folder.manifest()
    specs = tuple(specs)
    if manifest is None:
        return SetPlan(specs=specs, todo=specs, done=0, is_new=True)
    if manifest.get("set_sha256") != set_sha256(specs, settings):
        raise InputError(_difference(manifest, specs, settings, folder))
    changed, todo = [], []
    for spec in specs:
        record = folder.record(spec.name)
        is_same = record is not None and record.fingerprint == spec.fingerprint
        if record is None or record.status != "done":
            todo.append(spec)
        elif not is_same:
            changed.append(spec.name)
    if changed:
        raise InputError(
            f"{folder.root}: files of {len(changed)} finished samples are others now"
            f" ({', '.join(changed[:3])}); begin anew (--overwrite), or choose another --out"
        )
    return SetPlan(specs=specs, todo=tuple(todo), done=len(specs) - len(todo), is_new=False)


def make_set(
    specs: Sequence[SampleSpec],
    settings: SetSettings,
    out: str | Path,
    executor: Executor,
    *,
    list_file: Path,
    overwrite: bool = False,
    progress: Callable[[CohortProgress], None] | None = None,
) -> SetSummary:
    """Make all samples that are not finished yet.

    Parameters
    ----------
    specs : sequence of SampleSpec
        From `read_patient_list`.
    settings : SetSettings
    out : str or Path
        An interrupted run of the same set there is continued.
    executor : Executor
        Local processes or the workers of a cluster.
    list_file : Path
    overwrite : bool
        Begin anew.
    progress : callable, optional
        Told the state whenever a sample ends.

    Returns
    -------
    SetSummary

    Raises
    ------
    InputError, MissingExtraError
    """
    load_h5py()
    kind = find_kind(settings.kind)
    kind.require()
    if kind.check(settings) != settings:
        raise InputError(f"write the settings of {settings.kind} as {kind.check(settings)}")
    folder = SetFolder(Path(out))
    started = time.perf_counter()
    folder.check()
    with folder.locked():
        plan = plan_set(specs, settings, folder, overwrite=overwrite)
        earlier = None if plan.is_new else folder.manifest()
        if overwrite:
            folder.clear()
        work_folder = folder.prepare()
        manifest = new_manifest(
            plan.specs, settings, list_file=list_file, out=folder.root, earlier=earlier
        )
        run = new_run(executor.description(), len(plan.todo))
        manifest["runs"].append(run)
        manifest["samples"] = _entries(plan, folder, manifest, {})
        folder.write_manifest(manifest)
        state = "interrupted"
        ended: dict[str, ExamRecord] = {}
        try:
            _work(plan, folder, work_folder, executor, ended, progress)
            state = "finished"
        finally:
            summary = _close(plan, folder, manifest, run, ended, state, started)
    return summary


def _work(
    plan: SetPlan,
    folder: SetFolder,
    work_folder: Path,
    executor: Executor,
    ended: dict[str, ExamRecord],
    progress: Callable[[CohortProgress], None] | None,
) -> None:
    code = tuple(code_identity().items())
    tasks = [
        SampleTask(
            spec=spec, out=folder.root, work_folder=work_folder, threads=executor.threads, code=code
        )
        for spec in plan.todo
    ]
    started = time.perf_counter()

    def tell(last: ExamRecord | None) -> None:
        if progress is None:
            return
        seconds, left = time.perf_counter() - started, len(tasks) - len(ended)
        failed = sum(record.status == "failed" for record in ended.values())
        progress(CohortProgress(
            total=len(plan.specs), done=plan.done + len(ended) - failed, failed=failed, left=left,
            seconds=seconds, seconds_left=seconds / len(ended) * left if ended else float("nan"),
            last=last,
        ))  # fmt: skip

    tell(None)
    records = executor.run(tasks)
    try:
        for record in records:
            ended[record.exam] = record
            tell(record)
    finally:
        records.close()


def _close(
    plan: SetPlan,
    folder: SetFolder,
    manifest: dict[str, Any],
    run: dict[str, Any],
    ended: dict[str, ExamRecord],
    state: str,
    started: float,
) -> SetSummary:
    """Write the manifest of what there is, also after an interruption."""
    shutil.rmtree(folder.work, ignore_errors=True)
    samples = _entries(plan, folder, manifest, ended)
    seconds = time.perf_counter() - started
    found = summary_of(samples)
    computed = sum(record.status == "done" for record in ended.values())
    run |= {"ended": now(), "seconds": round(seconds, 2), "computed": computed}
    manifest |= {"state": state, "summary": found, "samples": samples}
    folder.write_manifest(manifest)
    failures = tuple(
        (name, entry["why"], entry["reason"])
        for name, entry in samples.items()
        if entry["status"] == "failed"
    )
    kinds = [entry["why"] for entry in samples.values() if entry.get("why")]
    return SetSummary(
        out=folder.root, **found["by_status"], computed=computed,
        kinds={kind: kinds.count(kind) for kind in sorted(set(kinds))}, failures=failures,
        statistics=found["statistics"], seconds=seconds,
    )  # fmt: skip


def _entries(
    plan: SetPlan, folder: SetFolder, manifest: dict[str, Any], ended: dict[str, ExamRecord]
) -> dict[str, Any]:
    """Entry of every sample, as far as it is known."""
    base = (folder.root / manifest["list"]["folder"]).resolve()
    samples: dict[str, Any] = {}
    for spec in plan.specs:
        record = folder.record(spec.name) or ended.get(spec.name)
        if record is not None and record.fingerprint != spec.fingerprint:
            record = None
        samples[spec.name] = sample_entry(spec, record, base)
    return samples


def _difference(
    manifest: dict[str, Any],
    specs: Sequence[SampleSpec],
    settings: SetSettings,
    folder: SetFolder,
) -> str:
    """Say why the set in the directory is not the one that is asked for."""
    reasons = []
    if manifest.get("code") != code_identity():
        reasons.append(f"begun with {manifest.get('code')}, this is {code_identity()}")
    before = SetSettings.from_document(manifest.get("settings", {}))
    for name in SetSettings.__slots__:
        was, is_now = getattr(before, name), getattr(settings, name)
        if was != is_now:
            shown = name.removesuffix("_text")
            reasons.append(shown if name.endswith("_text") else f"{shown} {was}, now {is_now}")
    if len(manifest.get("samples", specs)) != len(specs):
        reasons.append(f"{len(manifest['samples'])} samples then, {len(specs)} now")
    if not reasons:
        reasons.append("other exams, files or settings in the list, or other options")
    return (
        f"{folder.root} holds another set: {'; '.join(reasons)}. Choose another --out, or begin"
        " anew (--overwrite)"
    )

"""Workers of a Dask cluster. They write into the cohort's directory: a file system is shared."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from milligray.cohort.executors import Task
from milligray.cohort.extras import load_distributed
from milligray.cohort.fingerprint import code_identity
from milligray.cohort.record import ExamRecord
from milligray.errors import DeviceError

CONNECT_SECONDS = 30.0
_LEFT_BY_SCHEDULER = ("cancelled", "lost")


def connect(scheduler: str, *, timeout_s: float = CONNECT_SECONDS) -> Any:  # noqa: ANN401 - untyped
    """Client of a running scheduler.

    Parameters
    ----------
    scheduler : str
        Address (``tcp://HOST:8786``, ``tls://...``) or the JSON file that ``dask scheduler
        --scheduler-file`` writes.

    Returns
    -------
    distributed.Client

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    DeviceError
        If nobody answers.
    """
    distributed = load_distributed()
    place = {"scheduler_file": scheduler} if scheduler.endswith(".json") else {"address": scheduler}
    if scheduler.endswith(".json") and not Path(scheduler).is_file():
        raise DeviceError(f"the scheduler file {scheduler} does not exist (yet)")
    try:
        return distributed.Client(**place, timeout=timeout_s, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise DeviceError(
            f"no Dask scheduler answers at {scheduler} ({type(error).__name__}: {error}); start one"
            " with `dask scheduler`, or leave --scheduler out to compute on this machine"
        ) from error


class DaskWorkers:
    """Compute exams on the workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    threads : int
        Threads of one exam. A Dask worker computes as many exams at once as it has threads, so
        its processors should be their product.

    Notes
    -----
    An exam whose worker died is given to another one, as often as the scheduler's
    ``distributed.scheduler.allowed-failures`` (3) says; then it counts as lost. Workers may join
    and leave at any time.
    """

    def __init__(self, client: Any, *, threads: int = 1) -> None:  # noqa: ANN401 - untyped package
        self.client = client
        self._threads = threads

    @property
    def threads(self) -> int:
        """Threads that one exam computes with."""
        return self._threads

    def description(self) -> Mapping[str, Any]:
        """Describe it for the manifest."""
        workers = _workers(self.client)
        return {
            "kind": "dask",
            "workers": len(workers),
            "hosts": len({worker["host"] for worker in workers.values()}),
            "exams_at_once": sum(worker["nthreads"] for worker in workers.values()),
            "threads": self._threads,
        }

    def run(self, tasks: Sequence[Task]) -> Generator[ExamRecord, None, None]:
        """Compute all tasks; see `Executor`."""
        if not tasks:
            return
        distributed = load_distributed()
        check_workers(self.client, seen=tasks[0].work_folder)
        futures = self.client.map(_run, tasks, key="milligray-exam", pure=False)
        task_of = {future.key: task for future, task in zip(futures, tasks, strict=True)}
        # only these are kept: a finished exam is forgotten by the cluster at once
        ended = distributed.as_completed(futures, loop=self.client.loop)
        del futures
        try:
            for future in ended:
                yield self._record(future, task_of.pop(future.key))
                future.release()
        finally:
            if task_of and self.client.status == "running":
                left = [distributed.Future(key, self.client) for key in task_of]
                self.client.cancel(left, force=True)

    def _record(self, future: Any, task: Task) -> ExamRecord:  # noqa: ANN401 - untyped package
        distributed = load_distributed()
        if future.status == "finished":
            try:
                record: ExamRecord = future.result()
            except Exception as error:  # noqa: BLE001 - the worker left before it handed it over
                return _failure(task, error)
            return record
        if future.status in _LEFT_BY_SCHEDULER:
            raise DeviceError(
                "the Dask scheduler is gone, or cancelled the exams; finished exams are kept: run"
                " the same command again"
            )
        cause = future.exception()
        if isinstance(cause, distributed.scheduler.KilledWorker):
            times = cause.allowed_failures + 1
            reason = (
                f"its worker died {times} times, last {cause.last_worker.address}; often a lack of"
                " memory: see the worker's log"
            )
            return task.failed("lost", reason, {"deaths": times})
        return _failure(task, cause)


def check_workers(client: Any, *, seen: Path | None = None) -> None:  # noqa: ANN401 - untyped
    """Refuse workers of another version, or that do not see a folder of the client's.

    Those that join later are not seen here: an exam checks its worker again.

    Parameters
    ----------
    client : distributed.Client
    seen : Path, optional

    Raises
    ------
    DeviceError
    """
    if not _workers(client):
        return
    answers = client.run(_identity, str(seen or ""), on_error="return")
    for address, answer in answers.items():
        if isinstance(answer, BaseException):
            raise DeviceError(
                f"the worker {address} cannot compute: {type(answer).__name__}: {answer};"
                " milligray must be installed there"
            )
        code, is_seen = answer
        if code != code_identity():
            raise DeviceError(
                f"the worker {address} runs {code}, this client {code_identity()}; results of two"
                " versions do not mix: install the same one"
            )
        if seen is not None and not is_seen:
            raise DeviceError(
                f"the worker {address} does not see {seen}; client and workers need a shared file"
                " system with the same paths"
            )


def _workers(client: Any) -> Mapping[str, Any]:  # noqa: ANN401 - untyped package
    if client.status != "running":
        return {}
    # n_workers=-1: all of them; the default of newer versions is the first five
    workers: Mapping[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return workers


def _run(task: Task) -> ExamRecord:
    return task.run()


def _failure(task: Task, error: BaseException) -> ExamRecord:
    return task.failed("resources", f"{type(error).__name__}: {error}", {})


def _identity(folder: str) -> tuple[dict[str, str], bool]:
    """Code of a worker, and whether it sees a folder of the client's."""
    return code_identity(), Path(folder).is_dir()

"""`milligray cohort --scheduler` on a real cluster: two worker processes that talk over TCP."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import distributed
import numpy as np
import pytest

from milligray.cohort import CohortOptions, ExamDefaults, read_exam_list, run_cohort
from milligray.cohort.batch_pool import DaskBatches
from milligray.cohort.cluster import DaskWorkers, connect
from milligray.cohort.processes import LocalProcesses
from milligray.errors import DeviceError
from milligray.exam import CtSettings
from milligray.patient.phantoms import water_box
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo.engine import transport_photons

SETTINGS = CtSettings(precision=None, histories=20_000, per_100_mas=True, voxel_size_mm=8.0)
OPTIONS = ("--histories", 20_000, "--per-100-mas", "--voxel-size-mm", 8, "--tables-only")
TABLES = ("cohort.csv", "cohort.parquet")
SMALL = CohortOptions(tables_only=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, protocol="tcp", dashboard_address=None
    ) as two:
        yield two


@pytest.fixture(scope="module")
def listed(case, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("listed")
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0\nphantom_diameter_mm = 160", "")
    with (folder / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["exam", "input", "protocol", "organs"])
        for n in range(6):
            writer.writerow([f"p{n}", case.ct, protocol, case.labels])
    return folder / "list.csv"


@pytest.fixture(scope="module")
def exams(listed):
    return read_exam_list(listed, ExamDefaults(settings=SETTINGS))


@pytest.fixture(scope="module")
def reference(exams, tmp_path_factory) -> dict[str, bytes]:
    """Tables of the same cohort in a process of this machine."""
    out = tmp_path_factory.mktemp("reference") / "out"
    run_cohort(exams, out, LocalProcesses(1, threads=2), options=SMALL)
    return tables_of(out)


def tables_of(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in TABLES}


def test_two_workers_one_of_them_killed_give_the_tables_of_one_process(
    cluster, exams, reference, tmp_path
):
    pids: list[int] = []
    with connect(cluster.scheduler_address) as client:

        def kill_one(state) -> None:
            if state.last is not None and not pids:
                pids.extend(client.run(os.getpid).values())
                os.kill(pids[0], signal.SIGKILL)

        executor = DaskWorkers(client)
        summary = run_cohort(exams, tmp_path / "out", executor, options=SMALL, progress=kill_one)
    assert len(pids) == 2
    assert (summary.done, summary.failed) == (6, 0)
    assert tables_of(tmp_path / "out") == reference
    manifest = json.loads((tmp_path / "out" / "cohort.json").read_text())
    assert manifest["runs"][0]["executor"]["kind"] == "dask"


def test_a_killed_client_is_continued_by_the_same_command(cluster, listed, reference, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "milligray.cli.main", "cohort", listed, "--out", out,
               "--scheduler", cluster.scheduler_address, *OPTIONS]  # fmt: skip
    process = subprocess.Popen([*map(str, command)], stderr=subprocess.DEVNULL)  # noqa: S603
    until = time.monotonic() + 30
    while not list(out.glob("exams/*/exam.json")) and time.monotonic() < until:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 0 < len(list(out.glob("exams/*/exam.json"))) < 6
    again = subprocess.run(  # noqa: S603
        [*map(str, command), "--json"], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["done"] == 6
    assert json.loads(again.stdout)["computed"] < 6
    assert tables_of(out) == reference


def test_one_exam_over_two_workers_is_bitwise_that_of_one_process(
    cluster, milligray, case, tmp_path
):
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0\nphantom_diameter_mm = 160", "")
    arguments = (
        "ct-dose", case.ct, "--protocol", protocol, "--organs", case.labels, "--precision", 0.02,
        "--per-100-mas", "--voxel-size-mm", 8,
    )  # fmt: skip
    alone = milligray(*arguments, "--out", tmp_path / "alone")
    shared = milligray(
        *arguments, "--out", tmp_path / "shared", "--scheduler", cluster.scheduler_address
    )
    assert (alone.code, shared.code) == (0, 0), shared.err
    for name in ("dose.nii.gz", "dose_uncertainty.nii.gz", "organ_doses.csv"):
        same = (tmp_path / "alone" / name).read_bytes()
        assert (tmp_path / "shared" / name).read_bytes() == same


def test_a_killed_worker_leaves_no_trace_in_a_shared_exam(cluster):
    box = water_box((200.0, 200.0, 200.0), voxel_size_mm=10.0)
    beam = FieldBeam(
        focal_spot_lps_mm=(0.0, -300.0, 0.0),
        field_center_lps_mm=(0.0, 0.0, 0.0),
        field_axes=((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        field_size_mm=(100.0, 100.0),
        spectrum=Spectrum.monoenergetic(60.0),
    )
    alone = transport_photons(box, beam, histories=400_000, seed=5, threads=1)
    with connect(cluster.scheduler_address) as client:
        client.wait_for_workers(2, timeout=20)
        states: list[int] = []

        def kill_one(_) -> None:
            if not states:
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            states.append(1)

        shared = transport_photons(
            box, beam, histories=400_000, seed=5, pool=DaskBatches(client), progress=kill_one
        )
    assert states
    assert np.array_equal(alone.energy_kev, shared.energy_kev)
    assert np.array_equal(alone.relative_uncertainty, shared.relative_uncertainty)


def test_workers_of_another_version_are_refused(cluster, exams, tmp_path, monkeypatch):
    monkeypatch.setattr("milligray.cohort.cluster.code_identity", lambda: {"milligray": "0.0.0"})
    with (
        connect(cluster.scheduler_address) as client,
        pytest.raises(DeviceError, match="install the same one"),
    ):
        run_cohort(exams, tmp_path / "out", DaskWorkers(client), options=SMALL)


def test_a_scheduler_that_does_not_answer_is_told(tmp_path):
    with pytest.raises(DeviceError, match="no Dask scheduler answers"):
        connect("tcp://127.0.0.1:9", timeout_s=0.5)
    with pytest.raises(DeviceError, match="does not exist"):
        connect(str(tmp_path / "scheduler.json"))


def test_an_absent_dask_is_named_with_its_extra(monkeypatch):
    from milligray.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"milligray\[cluster\]"):
        connect("tcp://127.0.0.1:9")

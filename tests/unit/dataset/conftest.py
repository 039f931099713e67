"""A small patient of water, bone and air in NIfTI files, and one cheap beam for all tests."""

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from milligray.cohort.executors import Task
from milligray.cohort.record import ExamRecord
from milligray.score.ctdi import CtdiSimulation

PROTOCOLS = """
tube_voltage_kv = 120
scan_mode = "helical"
start_angle = "averaged"
pitch = { uniform = [0.8, 1.2] }
region = "part"
part_of_image = { uniform = [0.4, 0.8] }
region_margin_mm = 0
head_below_diameter_mm = 50
scanner = "generic"
[modulation]
share = 1.0
strength = 0.5
limits = [0.5, 2.0]
[ctdi_vol_mgy]
head = 40
body = { lognormal = [10, 1.5], limits = [2, 30] }
[collimation_mm]
generic = 20.0
"""


def write_patient(folder: Path, name: str, *, shift: int = 0) -> None:
    """Ellipse of water with a rod of bone at the patient's right and a cavity of air."""
    nz, ny, nx = 16, 26, 36
    y, x = np.meshgrid(np.arange(ny) - 12.5, np.arange(nx) - 17.5, indexing="ij")
    hu = np.full((nz, ny, nx), -1000, dtype=np.int16)
    labels = np.zeros((nz, ny, nx), dtype=np.uint8)
    body = (x / 15.0) ** 2 + (y / 10.0) ** 2 <= 1.0
    rod = (x + 9 + shift) ** 2 + y**2 <= 9.0
    cavity = (x - 7) ** 2 + y**2 <= 8.0
    for k in range(nz):
        hu[k][body] = 0
        hu[k][rod] = 900
        labels[k][body] = 1
        labels[k][rod] = 2
        if 4 <= k < 12:
            hu[k][cavity] = -800
            labels[k][cavity] = 3
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    for values, what in ((hu, "ct"), (labels, "labels")):
        # arrays here are LPS [z, y, x]; the files are RAS [x, y, z]
        ras = np.ascontiguousarray(values[:, ::-1, ::-1].transpose(2, 1, 0))
        nibabel.save(nibabel.Nifti1Image(ras, affine), folder / f"{name}_{what}.nii.gz")
    (folder / "names.json").write_text('{"1": "Body", "2": "Humerus_left", "3": "Lung_left"}')


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients, distributions of one beam, and a list."""
    folder = tmp_path_factory.mktemp("patients")
    write_patient(folder, "p1")
    write_patient(folder, "p2", shift=2)
    (folder / "protocols.toml").write_text(PROTOCOLS)
    write_list(folder / "list.csv", [("p1", ""), ("p2", "")])
    return folder


def write_list(path: Path, rows: Sequence[tuple[str, str]], more: str = "") -> Path:
    """List with one more column."""
    lines = [f"exam,input,organs,organ_names{',' + more if more else ''}"]
    lines += [
        f"{name},{name}_ct.nii.gz,{name}_labels.nii.gz,names.json{',' + cell if more else ''}"
        for name, cell in rows
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


class Here:
    """Executor that computes in this process."""

    threads = 2

    def run(self, tasks: Sequence[Task]) -> Generator[ExamRecord, None, None]:
        for task in tasks:
            yield task.run()

    def description(self) -> Mapping[str, Any]:
        return {"kind": "here"}


@pytest.fixture(autouse=True)
def _short_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milligray.dataset.voxel_precision.PILOT_HISTORIES", 60_000)
    monkeypatch.setattr("milligray.learn.inputs.cylinder_dose.HISTORIES", 200_000)


@pytest.fixture(autouse=True)
def _known_ctdi(monkeypatch: pytest.MonkeyPatch) -> None:
    """No CTDI is simulated: that takes seconds, and has its own tests."""
    known = CtdiSimulation(
        phantom_diameter_mm=320, center_mgy=5e-12, periphery_mgy=1e-11, weighted_mgy=8e-12,
        relative_uncertainty=0.004, histories=1,
    )  # fmt: skip
    monkeypatch.setattr("milligray.dataset.scan_case.simulate_ctdi", lambda *_, **__: known)


@pytest.fixture
def specs_of(cohort_folder: Path) -> Callable[..., Any]:
    """Samples of the list for a kind."""
    from milligray.dataset.patients import read_patient_list
    from milligray.dataset.settings import SetSettings
    from milligray.exam.settings import CtSettings

    def make(kind: str, *, precision: float = 0.02, **values: Any) -> Any:
        voxel_size_mm = values.pop("voxel_size_mm", 8.0)
        settings = SetSettings(
            kind=kind, protocols_text=PROTOCOLS, **{"voxel_precision": 0.1} | values
        )
        defaults = CtSettings(voxel_size_mm=voxel_size_mm, precision=precision)
        return settings, read_patient_list(cohort_folder / "list.csv", settings, defaults)

    return make

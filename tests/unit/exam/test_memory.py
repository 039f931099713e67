"""The memory estimate follows the arrays, and refuses what does not fit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milligray.errors import InputError
from milligray.exam import memory
from milligray.exam.memory import ExamSize, check_memory, estimate_disk_bytes, estimate_memory
from milligray.exam.settings import CtSettings
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.patient import build_patient
from milligray.read.series import CtSeries
from milligray.volume import Grid, Volume

SMALL = ExamSize(ct_voxels=512 * 512 * 100, ct_bytes_per_voxel=2, transport_voxels=10**6, threads=2)


@given(
    st.sampled_from(["ct_voxels", "ct_bytes_per_voxel", "transport_voxels", "threads",
                     "stored_bytes_per_voxel", "label_voxels"]),
    st.integers(2, 20),
)  # fmt: skip
def test_more_of_anything_never_takes_less(name, factor):
    size = replace(SMALL, label_voxels=10**6, label_bytes_per_voxel=1)
    more = replace(size, **{name: max(1, getattr(size, name)) * factor})
    before, after = estimate_memory(size).stage_bytes, estimate_memory(more).stage_bytes
    assert all(after[stage] >= before[stage] for stage in before)


def test_second_ct_and_other_grids_cost_what_they_are():
    ct, voxels = SMALL.ct_voxels * 2, SMALL.ct_voxels
    here = estimate_memory(SMALL).stage_bytes
    kept = estimate_memory(replace(SMALL, is_copied=False)).stage_bytes
    assert here["patient"] - kept["patient"] == ct
    tilted = estimate_memory(replace(SMALL, is_resampled=True)).stage_bytes
    assert tilted["read"] - here["read"] == ct
    with_labels = replace(SMALL, label_voxels=voxels, label_bytes_per_voxel=1)
    elsewhere = replace(with_labels, labels_on_ct_grid=False)
    difference = (
        estimate_memory(elsewhere).stage_bytes["transport"]
        - estimate_memory(with_labels).stage_bytes["transport"]
    )
    assert difference == 2 * voxels


def test_estimate_counts_the_arrays_of_a_patient():
    """What a patient, its CT and its tallies really take is in the estimate."""
    grid = Grid.from_spacing((40, 64, 64), (3.0, 3.0, 3.0))
    hu = np.full(grid.shape, -1000, dtype=np.int16)
    hu[:, 12:52, 8:56] = 40
    ct = CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=3.0)
    patient = build_patient(ct, calibration=load_hu_calibration("schneider2000"))
    assert patient.ct is not None
    arrays = [patient.density_g_cm3, patient.material_index, patient.body, patient.ct.values]
    tallies = [np.zeros(patient.body.size) for _ in range(3)]
    size = ExamSize(
        ct_voxels=hu.size, ct_bytes_per_voxel=2, transport_voxels=patient.body.size, threads=3
    )
    estimate = estimate_memory(size)
    program = memory._PROGRAM_BYTES["transport"]
    held = sum(array.nbytes for array in arrays + tallies)
    assert estimate.tally_bytes_per_thread == tallies[0].nbytes
    assert held < estimate.stage_bytes["transport"] - program < 4 * held


def test_what_does_not_fit_is_refused_with_what_would():
    def size_of(voxel_size_mm, threads):
        return replace(SMALL, transport_voxels=int(4e8 / voxel_size_mm**3), threads=threads)

    check_memory(size_of, 2.0, 64, available=None)
    check_memory(size_of, 2.0, 64, available=10**12)
    need = estimate_memory(size_of(2.0, 64)).peak_bytes
    with pytest.raises(InputError, match=r"--voxel-size-mm 3 needs about .*--threads 60 about"):
        check_memory(size_of, 2.0, 64, available=need)
    with pytest.raises(InputError, match="the CT itself is too large"):
        check_memory(size_of, 2.0, 64, available=10**8)


def test_available_memory_is_the_least_of_machine_and_container(monkeypatch, tmp_path):
    machine = memory.available_memory_bytes()
    if machine is None:
        pytest.skip("this system does not tell its memory")
    for name, text in (("max", "3000"), ("current", "2500"), ("stat", "anon 1\ninactive_file 400")):
        (tmp_path / name).write_text(text)
    files = tuple(str(tmp_path / name) for name in ("max", "current", "stat"))
    monkeypatch.setattr(memory, "_CGROUP_FILES", (files,))
    assert memory.available_memory_bytes() == 3000 - 2500 + 400
    (tmp_path / "max").write_text("max")
    assert memory.available_memory_bytes() > 3000


def test_a_patient_too_large_is_refused_before_the_transport(monkeypatch):
    grid = Grid.from_spacing((20, 40, 40), (5.0, 5.0, 5.0))
    hu = np.full(grid.shape, 40, dtype=np.int16)
    ct = CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=5.0)
    patient = build_patient(ct, calibration="schneider2000")
    memory.check_rest_of_exam(patient, None, CtSettings())
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: 0)
    monkeypatch.setattr(memory, "resident_bytes", lambda: 10**7)
    with pytest.raises(InputError, match="this run would need about"):
        memory.check_rest_of_exam(patient, None, CtSettings())


def test_dose_files_on_the_transport_grid_are_smaller():
    assert estimate_disk_bytes(10**6, on_ct_grid=False) < estimate_disk_bytes(
        10**6, on_ct_grid=True
    )

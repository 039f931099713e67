"""How many workers fit."""

import sys

import numpy as np
import pytest

from milligray.cohort import memory


@pytest.mark.parametrize(
    ("free_gb", "processors", "workers"), [(1000.0, 64, 64), (9.0, 64, 4), (0.5, 8, 1)]
)
def test_workers_fit_processors_and_memory(monkeypatch, free_gb, processors, workers):
    monkeypatch.setattr(memory, "available_memory_gb", lambda: free_gb)
    assert memory.default_workers(processors, 2.0) == workers


def test_the_limit_of_a_container_counts(monkeypatch, tmp_path):
    (tmp_path / "max").write_text(f"{3 * 2**20}\n")
    (tmp_path / "current").write_text(f"{2**20}\n")
    monkeypatch.setattr(memory, "_CGROUP_LIMITS", (str(tmp_path / "max"),))
    monkeypatch.setattr(memory, "_CGROUP_USED", (str(tmp_path / "current"),))
    assert memory.available_memory_gb() == pytest.approx(2 / 1024)
    (tmp_path / "max").write_text("max\n")
    assert memory.available_memory_gb() > 2 / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the peak")
def test_the_peak_is_that_of_one_exam():
    np.ones(40_000_000).sum()
    high = memory.peak_memory_mb()
    memory.reset_peak_memory()
    assert memory.peak_memory_mb() < high - 200

"""How many workers fit."""

import sys

import numpy as np
import pytest

from milligray.cohort import memory


@pytest.mark.parametrize(
    ("free_gb", "processors", "workers"), [(1000.0, 64, 64), (9.0, 64, 4), (0.5, 8, 1)]
)
def test_workers_fit_processors_and_memory(monkeypatch, free_gb, processors, workers):
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: int(free_gb * 1e9))
    assert memory.default_workers(processors, 2.0) == workers


def test_processors_decide_where_memory_is_unknown(monkeypatch):
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: None)
    assert memory.default_workers(12, 2.0) == 12


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the peak")
def test_the_peak_is_that_of_one_exam():
    np.ones(40_000_000).sum()
    high = memory.peak_memory_mb()
    memory.reset_peak_memory()
    assert memory.peak_memory_mb() < high - 200

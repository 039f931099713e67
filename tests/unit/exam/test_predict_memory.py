"""The memory of a prediction: near what was measured, and refused where it does not fit."""

import pytest

from milligray.exam import predict_memory
from milligray.exam.memory import ExamSize
from milligray.exam.predict_memory import PredictionMemory, regrid_factor
from milligray.volume import Grid

VOXELS = 512 * 512
# slices, network, voxels of the transport grid; measured peaks [MB] of patient and network
MEASURED = [
    (200, "dose-unet", 102 * 62 * 90, 628, 1468), (600, "dose-unet", 302 * 62 * 90, 1371, 3379),
    (200, "scatter-net", 102 * 60 * 88, 915, 1082),
    (600, "scatter-net", 302 * 60 * 88, 2124, 2320),
]  # fmt: skip


def size_of(slices: int, transport: int) -> ExamSize:
    n = slices * VOXELS
    return ExamSize(
        ct_voxels=n, ct_bytes_per_voxel=2, transport_voxels=transport, threads=1, label_voxels=n,
        label_bytes_per_voxel=1,
    )  # fmt: skip


@pytest.mark.parametrize(("slices", "system", "transport", "patient", "network"), MEASURED)
def test_estimate_is_near_what_was_measured(slices, system, transport, patient, network):
    """Measured on trunks of 512 x 512 pixels with labels, with the CT held twice (no more)."""
    factor = (0.78125 / 0.8) ** 2 if system == "scatter-net" else None
    stages = PredictionMemory(system, factor)(size_of(slices, transport)).stage_bytes
    assert 0.8 * patient < stages["patient"] / 1e6 < 1.35 * patient
    assert 0.8 * network < stages["network"] / 1e6 < 1.35 * network


def test_an_interpolated_ct_costs_more_and_an_unknown_network_most():
    size = size_of(600, 10**6)
    plain, finer = (PredictionMemory("scatter-net", f)(size) for f in (None, 2.0))
    assert finer.peak_bytes > plain.peak_bytes + 2 * 4 * size.ct_voxels
    other = PredictionMemory("none", None)(size).stage_bytes["network"]
    assert other > plain.stage_bytes["network"]


def test_factor_of_interpolation():
    grid = Grid.from_spacing((10, 10, 10), (3.0, 0.9, 0.9))
    assert regrid_factor(grid, 4.0) == pytest.approx(0.75 * (0.9 / 1.0) ** 2)


def test_what_does_not_fit_is_refused_before_pixels_are_read(monkeypatch):
    from types import SimpleNamespace

    import numpy as np

    from milligray.errors import InputError
    from milligray.exam.predict_settings import PredictSettings

    def no_pixels():
        raise AssertionError("pixels were read")

    found = SimpleNamespace(
        grid=Grid.from_spacing((600, 512, 512), (1.0, 0.9, 0.9)), dtype=np.dtype(np.int16),
        stored_bytes_per_voxel=2, choice=None, is_resampled=False, sample=lambda _: None,
        read=no_pixels,
    )  # fmt: skip
    card = SimpleNamespace(
        system="scatter-net", normalization={"voxel_size_mm": 2.0, "regrid": True}
    )
    monkeypatch.setattr(predict_memory, "available_memory_bytes", lambda: 4_500_000_000)
    with pytest.raises(InputError, match=r"would need about .* GB of memory.*--voxel-size-mm"):
        predict_memory.check_prediction_beforehand(found, PredictSettings(), card, None)
    monkeypatch.setattr(predict_memory, "available_memory_bytes", lambda: 64_000_000_000)
    predict_memory.check_prediction_beforehand(found, PredictSettings(), card, None)

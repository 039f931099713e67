"""How much memory a prediction will take, from the sizes of its grids and the kind of network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milligray.exam.memory import (
    ExamSize,
    MemoryEstimate,
    available_memory_bytes,
    check_memory,
    estimate_memory,
)
from milligray.exam.plan import SizeOfExam
from milligray.exam.predict_settings import PredictSettings
from milligray.exam.predicted_exam import patient_grid
from milligray.learn.card import ModelCard
from milligray.read import CtInput
from milligray.volume import Grid

_NETWORK_BYTES = {"scatter-net": 560, "dose-unet": 1550}
"""Of a network and its inputs at the fullest moment, a voxel of the transport grid; measured on
trunks of 200 and 600 slices (``python -m benchmarks.large REPORT.json predict ...``)."""
_ANY_NETWORK_BYTES = 1550
_PROGRAM_BYTES = 330e6
"""Program and libraries, onnxruntime too."""
_MORE_PROGRAM_BYTES = 90e6
"""Of these, what the organs have not needed yet."""
_FLOAT = 4  # an interpolated CT is float32


@dataclass(frozen=True, slots=True)
class PredictionMemory:
    """Memory of a prediction as a function of its sizes.

    Parameters
    ----------
    system : str
        Of the network's card.
    regrid_factor : float or None
        Voxels of the interpolated CT over those of the CT; None: it is not interpolated.
    """

    system: str
    regrid_factor: float | None

    def __call__(self, size: ExamSize) -> MemoryEstimate:
        """Estimate; the stages before the network are those of any exam."""
        before = estimate_memory(size).stage_bytes
        stages = {name: before[name] for name in ("read", "patient", "organs")}
        own, labels = size.ct_voxels * size.ct_bytes_per_voxel, 2 * size.label_voxels
        if self.regrid_factor is not None:
            made = _FLOAT * self.regrid_factor * size.ct_voxels
            # the CT as read, and two interpolated ones: in and out, or with couch and without
            twice = max(_FLOAT * size.ct_voxels + made, (1 + size.is_copied) * made + made / _FLOAT)
            stages["patient"] = int(_PROGRAM_BYTES + own + twice + labels)
            on_grid = 2 * size.ct_voxels * (self.regrid_factor + (size.label_voxels > 0))
            stages["organs"] = int(before["organs"] - own - 2 * size.ct_voxels + made + on_grid)
        of_network = _NETWORK_BYTES.get(self.system, _ANY_NETWORK_BYTES) * size.transport_voxels
        stages["network"] = int(stages["organs"] + _MORE_PROGRAM_BYTES + of_network)
        return MemoryEstimate(stage_bytes=stages, tally_bytes_per_thread=0)


def check_prediction_beforehand(
    found: CtInput, settings: PredictSettings, card: ModelCard, organs: Path | None
) -> None:
    """Refuse a prediction that would not fit into the memory that is free, before pixels are read.

    Parameters
    ----------
    found : CtInput
    settings : PredictSettings
    card : ModelCard
    organs : Path or None
        Labels; only their header is read.

    Raises
    ------
    InputError
        With a larger voxel that fits, if there is one.
    """
    voxel_size_mm, is_regridded = patient_grid(settings, card)
    factor = regrid_factor(found.grid, voxel_size_mm) if is_regridded else None
    check_memory(
        SizeOfExam(found, settings, organs), voxel_size_mm, 1,
        available=available_memory_bytes(), estimate=PredictionMemory(card.system, factor),
    )  # fmt: skip


def regrid_factor(grid: Grid, voxel_size_mm: float) -> float:
    """Voxels of a CT after `milligray.patient.regrid.regrid_ct` over those that it has."""
    wanted = [voxel_size_mm / max(1, round(voxel_size_mm / s)) for s in grid.spacing_mm]
    return float(np.prod([s / w for s, w in zip(grid.spacing_mm, wanted, strict=True)]))

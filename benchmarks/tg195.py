"""AAPM TG-195 case 5 (voxel torso, 1 mm, 120 kVp, tube in front): speed and figures of merit."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.problems import REPOSITORY
from milligray.transport.monte_carlo.engine import ESTIMATORS
from milligray.transport.monte_carlo.goal import BATCHES_PER_CHECK, MIN_BATCHES
from milligray.transport.monte_carlo.regions import transport_to_regions
from milligray.typing import BoolArray, FloatArray
from milligray.validate.tg195 import read_case5_phantom
from milligray.validate.tg195_cases import Case, case_5

PHANTOM = REPOSITORY.parent / "shared" / "reference" / "tg195" / "case5_labels.nii.gz"
BEAM, ANGLE_DEG = "120 kVp", 0
ORGANS = {"heart": "heart", "lungs": "lung", "liver": "liver", "thyroid": "thyroid"}
"""Part of the phantom's name of a region, by the word in the table."""
PEER = {
    "name": "XRayMClib", "mh_s": 0.11,
    "merit": {"heart": 8100.0, "lungs": 3400.0, "liver": 2500.0, "thyroid": 4.4},
    "how": "measured on one core of a comparable machine",
}  # fmt: skip
UNREACHABLE = 1e-9


def is_there() -> bool:
    """True if the phantom lies beside the repository."""
    return PHANTOM.is_file()


def run(*, quick: bool) -> dict[str, Any]:
    """Every estimator, on one thread; time without what does not grow with the histories."""
    if not is_there():
        return {"skipped": "the voxel torso of case 5 is not beside the repository"}
    case = case_5(BEAM, ANGLE_DEG, read_case5_phantom(Path(PHANTOM)))
    batch = 10_000 if quick else 50_000
    regions = [entry[0][1].split("|")[2] for entry in case.entries]
    return {
        "case": case.name, "voxels": int(case.patient.density_g_cm3.size), "peer": PEER,
        "estimators": {name: _measured(case, name, batch, regions) for name in ESTIMATORS},
    }  # fmt: skip


def _measured(case: Case, estimator: str, batch: int, regions: list[str]) -> dict[str, Any]:
    stamps: list[float] = []

    def judged(mean: FloatArray) -> BoolArray:
        stamps.append(time.process_time())  # every `BATCHES_PER_CHECK` batches
        return np.ones(mean.size, dtype=bool)

    deposit = transport_to_regions(
        case.patient, case.beam, case.membership, precision=UNREACHABLE, seed=5, judged=judged,
        max_histories=2 * MIN_BATCHES * batch, batch_histories=batch, threads=1, ambient="air",
        estimator=estimator,  # type: ignore[arg-type]
    )  # fmt: skip
    timed_histories = (len(stamps) - 1) * BATCHES_PER_CHECK * batch
    speed = timed_histories / (stamps[-1] - stamps[0])
    merit = {}
    for word, part in ORGANS.items():
        row = next(i for i, name in enumerate(regions) if part in name.lower())
        merit[word] = speed / (deposit.histories * float(deposit.relative_uncertainty[row]) ** 2)
    return {"mh_s": speed / 1e6, "merit": merit, "histories": deposit.histories}

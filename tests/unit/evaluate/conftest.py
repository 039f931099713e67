"""Result folders of a small ellipsoid, as ct-dose writes them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from milligray.report.nifti_image import write_image
from milligray.volume import Grid

GRID = Grid.from_spacing((8, 14, 16), (4.0, 4.0, 4.0))
DOSES = {"liver": 10.0, "spleen": 12.0, "kidney_left": 8.0, "stomach": 11.0}


def body_dose() -> np.ndarray:
    z, y, x = np.meshgrid(*(GRID.axis_centers_mm(a) for a in range(3)), indexing="ij")
    inside = (y / 24) ** 2 + (x / 28) ** 2 <= 1
    return np.where(inside, 10.0 + 0.05 * y + 0.02 * z, 0.0).astype(np.float32)


def write_folder(
    folder: Path,
    *,
    factor: float = 1.0,
    sigma: float = 0.01,
    doses: dict[str, float] | None = None,
    column: str = "mean_dose_mgy",
    grid: Grid | None = GRID,
) -> Path:
    folder.mkdir(parents=True)
    with (folder / "organ_doses.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["organ", column, "relative_uncertainty", "volume_ml", "mass_g",
                       "fraction_in_image", "method"])  # fmt: skip
        for organ, dose in (DOSES if doses is None else doses).items():
            rows.writerow([organ, factor * dose, sigma, 100.0, 105.0, "", "test"])
    (folder / "result.json").write_text(json.dumps({"milligray_version": "0", "unit": "mGy"}))
    if grid is not None:
        values = body_dose() if grid is GRID else np.ones(grid.shape, dtype=np.float32)
        write_image((factor * values).astype(np.float32), grid, folder / "dose.nii.gz")
    return folder


@pytest.fixture
def make_result() -> Callable[..., Path]:
    return write_folder


@pytest.fixture
def dose_grid() -> Grid:
    return GRID

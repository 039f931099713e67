"""A table of organs whose doses follow a known law."""

import numpy as np
import pytest

from milligray.learn.inputs.organ_exposure import EXPOSURES
from milligray.learn.inputs.organ_features import OrganFeatures
from milligray.train.radiomics_fcn.organ_table import OrganTable

GEOMETRY = (
    "volume_ml", "middle_relative_z", "middle_x_mm", "middle_y_mm", "extent_z_mm",
    "share_in_range", "water_equivalent_diameter_mm", "relative_current", "scan_length_mm",
    "tube_voltage_kv", "half_value_layer_mm_al", "is_head_bowtie",
)  # fmt: skip
RADIOMICS = ("firstorder_Mean", "glcm_Contrast", "shape_MeshVolume")
RULE = np.array([1.0, 0.5, 0.0, 0.8, 2.0])


@pytest.fixture
def rule() -> np.ndarray:
    """Coefficients of the physics rule that the doses follow."""
    return RULE


@pytest.fixture
def organ_table() -> OrganTable:
    """Two organs of 40 patients; dose = rule x (1 + 0.1 x first radiomics feature)."""
    draws = np.random.default_rng(3)
    n = 80
    features = dict.fromkeys(GEOMETRY, np.ones(n))
    features |= {name: draws.normal(size=n) for name in RADIOMICS}
    features |= {name: draws.uniform(0.2, 1.0, n) for name in EXPOSURES}
    features["tissue_kerma_ratio"] = draws.uniform(1.0, 2.0, n)
    features["middle_relative_z"] = draws.uniform(0.1, 0.9, n)
    features["scan_length_mm"] = np.full(n, 300.0)
    released = np.stack([features[name] for name in EXPOSURES[:-1]], axis=1) @ RULE
    dose = features["tissue_kerma_ratio"] * released
    dose *= 1.0 + 0.1 * np.tanh(features["firstorder_Mean"])
    patients = np.repeat([f"p{i}" for i in range(40)], 2)
    return OrganTable(
        features=OrganFeatures(
            organs=("brainstem", "mandible") * 40, names=tuple(features),
            values=np.stack(list(features.values()), axis=1),
        ),
        scans=np.char.add(patients, "_000"), patients=patients, splits=np.full(n, "train"),
        set_index=np.zeros(n, dtype=np.int64), dose_mgy=8.0 * dose,
        relative_uncertainty=np.full(n, 0.003), ctdi_vol_mgy=np.full(n, 8.0),
    )  # fmt: skip

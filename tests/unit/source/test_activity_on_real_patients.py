"""Tumor activity of real PET/CT: the same on the PET's grid and on the CT's; skipped without data.

Two masks of each tumor come with the images (IBSI validation set), one on each grid: placing the
PET on the CT wrongly by half a voxel, or losing activity, would show.
"""

from pathlib import Path

import numpy as np
import pytest

from milligray.patient import build_patient
from milligray.read import ActivityFacts, read_activity, read_ct_nifti, read_labels
from milligray.source.activity_on_patient import activity_on_patient

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "petct"


@pytest.mark.parametrize("patient_id", ["STS_001", "STS_040", "STS_044"])
def test_tumor_holds_the_same_activity_on_both_grids(patient_id):
    if not FOLDER.is_dir():
        pytest.skip("real data folder ../shared/data is absent")
    facts = ActivityFacts(
        units="SUV", weight_kg=80.0, administered_activity_mbq=400.0, half_life_s=6586.2,
        reference_s_after_administration=3600.0,
    )  # fmt: skip
    image = read_activity(FOLDER / f"{patient_id}_pet_suv.nii.gz", facts=facts)
    ct = read_ct_nifti(FOLDER / f"{patient_id}_ct.nii.gz")
    patient = build_patient(ct, calibration="schneider2000")
    placed = activity_on_patient(image, patient, max_outside_ct=0.05)
    on_pet = read_labels(FOLDER / f"{patient_id}_pet_tumour.nii.gz").volume
    on_ct = read_labels(FOLDER / f"{patient_id}_ct_tumour.nii.gz").volume
    voxel_ml = image.grid.voxel_volume_cm3
    wanted_mbq = float(image.activity_mbq_ml[on_pet.values > 0].sum()) * voxel_ml
    points = on_ct.grid.to_lps_mm(np.argwhere(on_ct.values > 0))
    at = tuple(np.rint(patient.grid.to_index_kji(points)).astype(int).T)
    found_mbq = float(placed.activity_mbq[at].sum())
    assert found_mbq == pytest.approx(wanted_mbq, rel=0.01)
    assert placed.activity_mbq.sum() == pytest.approx(image.total_activity_mbq, rel=0.01)

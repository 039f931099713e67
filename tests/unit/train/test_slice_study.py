"""Pages and pictures of the slice studies; what arrays tell of their own truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.train.slice_mlp.slice_arrays import SliceRows
from milligray.train.slice_mlp.slice_sets import SliceSet
from milligray.train.slice_mlp.study import judge, page
from milligray.train.slice_mlp.study_page import Judged, patient_errors, write_page
from milligray.train.slice_mlp.study_plots import draw
from milligray.train.slice_mlp.study_truth import skin_of_patients, slice_noise, twin_difference
from milligray.train.slice_mlp.study_tzanis import STEPS, run


def scans(patients: int = 8, gap_mm: float = 0.0, noise: float = 0.0) -> SliceRows:
    """Skin and liver; nothing irradiated within `gap_mm` of the upper end."""
    draws = np.random.default_rng(0)
    z = 2.5 * np.arange(120)
    columns: list[list[np.ndarray]] = []
    for p in range(patients):
        current = draws.uniform(200, 500) * np.ones(120)
        lit = np.where(z < z[-1] - gap_mm, 1.0, 0.1) if gap_mm else np.ones(120)
        for organ in (0, 1):
            dose = 0.05 * current * np.exp(-0.0045 * 280) * lit
            dose = dose * np.exp(noise * draws.normal(size=120))
            columns.append([
                np.full(120, organ), np.full(120, p), np.full(120, 30.0), np.full(120, 10.0),
                current, np.full(120, 280.0), z, dose,
            ])  # fmt: skip
    c = [np.concatenate(one) for one in zip(*columns, strict=True)]
    return SliceRows(
        organ_names=("skin", "liver"), organ=c[0].astype(np.int64), patient=c[1].astype(np.int64),
        person=c[1].astype(np.int64), mean_hu=c[2], sd_hu=c[3], current_ma=c[4], diameter_mm=c[5],
        z_mm=c[6], dose_mgy=c[7],
    )  # fmt: skip


def test_the_end_of_the_irradiated_range_is_found():
    assert skin_of_patients(scans(gap_mm=40.0))[0] == pytest.approx(40.0, abs=2.6)
    assert skin_of_patients(scans())[0] == pytest.approx(0.0, abs=1e-9)


def test_noise_of_slices_is_found():
    assert slice_noise(scans(noise=0.02)) == pytest.approx(2.0, rel=0.15)


def test_a_ct_that_is_there_twice_tells_the_noise_of_organ_doses():
    rows = scans()
    assert twin_difference(rows)[0] == 0
    dose = np.where(rows.patient == 3, 1.01 * rows.dose_mgy[rows.patient == 2][0], rows.dose_mgy)
    person = np.where(rows.patient == 3, 2, rows.person)
    count, rms = twin_difference(replace(rows, dose_mgy=dose, person=person))
    assert count == 1
    assert rms == pytest.approx(1.0, abs=0.01)


def test_models_of_some_folds_only_are_compared_on_their_patients(tmp_path: Path):
    rows = scans()
    part = np.where(rows.patient < 3, 1.2 * rows.dose_mgy, np.nan)
    doses = {"rule": 1.1 * rows.dose_mgy, "part": part, "best": 1.05 * rows.dose_mgy}
    judged = [Judged(region="chest", rows=rows, doses=doses, choices=("a",))] * 2
    assert len(patient_errors(judged, "part")) == 3
    write_page(judged, tmp_path, names=("rule", "part", "best"), steps=("rule",), folds=4)
    text = (tmp_path / "slice_mlp_tzanis_tables.md").read_text()
    assert "| the 6 patients of part only |" in text
    assert "| part | 3 of 3 | -15.0 |" in text
    assert "| chest | skin | 8 |" in text
    draw(judged, ("rule", "part", "best"), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    assert (tmp_path / "slice_mlp_tzanis.csv").read_text().count("\n") == 5


def test_organ_doses_of_the_own_study_weigh_slices_by_mass():
    ones = np.ones(4)
    text = np.array(["a", "a", "b", "b"])
    table = SliceSet(
        organ_names=("larynx",), organ=np.zeros(4, dtype=np.int64), scan=text, patient=text,
        split=text, rows=np.zeros((4, 1)), published=np.zeros((4, 5)), dose_per_ctdi=ones,
        relative_uncertainty=ones, mass_g=np.array([3.0, 1.0, 1.0, 1.0]),
    )  # fmt: skip
    rows = judge("m", table, np.array([1.0, 2.0, 1.0, 1.0]))
    assert rows[0]["mape"] == pytest.approx(12.5)
    assert rows[0]["slices"] == pytest.approx(0.0)
    assert "| larynx | 2 | 12.5 |" in page(rows, 3, 2)


def test_unknown_models_and_several_folders_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="one folder"):
        run((tmp_path, tmp_path), tmp_path, {})
    with pytest.raises(InputError, match="no models"):
        run((tmp_path,), tmp_path, {"models": "oracle"})
    assert len({step.title for step in STEPS}) == len(STEPS)

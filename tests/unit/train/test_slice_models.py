"""Published slice arrays: reading, folds, features, ridge, the published network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.learn.inputs.slice_context import (
    CONTEXT,
    ScanProfile,
    landmark_features,
    slice_context,
)
from milligray.train.slice_mlp.organ_ridge import RidgeSettings, even_rows, fit_organ_ridge
from milligray.train.slice_mlp.slice_arrays import SliceRows, grouped_folds, read_slice_arrays
from milligray.train.slice_mlp.slice_models import (
    CHOICES,
    build_slice_table,
    combine,
    organ_errors,
    physics_doses,
    rule_doses,
)

SHARED = Path(__file__).parents[4] / "shared" / "data" / "tzanis"


def made_up_rows(patients: int = 12, seed: int = 0) -> SliceRows:
    """Scans whose doses follow a physical law: local current, size, mean current."""
    draws = np.random.default_rng(seed)
    columns: list[list[np.ndarray]] = []
    for p in range(patients):
        z = 2.5 * np.arange(80) + draws.uniform(-50, 50)
        size = draws.uniform(220, 330) + 20 * np.sin(z / 60)
        current = np.round(draws.uniform(150, 600) * np.exp((size - size.mean()) / 100))
        for organ, (lower, upper) in enumerate([(0, 80), (20, 60)]):
            part = slice(lower, upper)
            n = upper - lower
            dose = (0.1 + 0.05 * organ) * current[part] * np.exp(-0.005 * size[part])
            columns.append([
                np.full(n, organ), np.full(n, p), draws.normal(20, 3, n), np.full(n, 12.0),
                current[part], size[part], z[part], dose,
            ])  # fmt: skip
    c = [np.concatenate(one) for one in zip(*columns, strict=True)]
    return SliceRows(
        organ_names=("skin", "liver"), organ=c[0].astype(np.int64), patient=c[1].astype(np.int64),
        person=c[1].astype(np.int64), mean_hu=c[2], sd_hu=c[3], current_ma=c[4], diameter_mm=c[5],
        z_mm=c[6], dose_mgy=c[7],
    )  # fmt: skip


def profile(current: np.ndarray | None = None) -> ScanProfile:
    z = 2.5 * np.arange(100)
    return ScanProfile(
        z_mm=z, current=np.full(100, 300.0) if current is None else current,
        diameter_mm=np.full(100, 280.0), range_mm=(-1.25, 248.75),
    )  # fmt: skip


def context(of: ScanProfile, z: np.ndarray) -> dict[str, np.ndarray]:
    found = slice_context(of, np.zeros(len(z), int), z, np.full(len(z), 40.0), np.full(len(z), 9.0))
    return dict(zip(CONTEXT, found.T, strict=True))


def test_all_rows_of_a_person_are_in_one_fold():
    person = np.random.default_rng(0).integers(0, 23, 500)
    fold = grouped_folds(person, 5)
    assert all(len(np.unique(fold[person == p])) == 1 for p in range(23))
    assert set(np.unique(fold)) == set(range(5))


def test_more_folds_than_patients_are_refused():
    with pytest.raises(InputError, match="folds"):
        grouped_folds(np.array([1, 1, 2]), 3)


def test_features_do_not_depend_on_doses():
    rows = made_up_rows()
    shuffled = np.random.default_rng(1).permutation(rows.dose_mgy)
    one, other = build_slice_table(rows), build_slice_table(replace(rows, dose_mgy=shuffled))
    for end in one.context:
        np.testing.assert_array_equal(one.context[end], other.context[end])
    np.testing.assert_array_equal(one.landmarks, other.landmarks)
    np.testing.assert_array_equal(one.published, other.published)


def test_test_patients_do_not_change_the_fit():
    rows = made_up_rows()
    train = rows.patient < 8
    doses = np.where(train, rows.dose_mgy, 99.0)
    found = [
        physics_doses(build_slice_table(r), train, CHOICES[0])
        for r in (rows, replace(rows, dose_mgy=doses))
    ]
    np.testing.assert_array_equal(found[0], found[1])


def test_context_sees_only_the_shape_of_the_current():
    current = 200 + 100 * np.sin(np.arange(100) / 15.0)
    z = np.array([20.0, 100.0, 230.0])
    one, double = context(profile(current), z), context(profile(2 * current), z)
    for name in CONTEXT:
        np.testing.assert_allclose(one[name], double[name], atol=1e-12)


def test_doses_double_with_the_current():
    rows = made_up_rows()
    double = replace(rows, current_ma=2 * rows.current_ma, dose_mgy=2 * rows.dose_mgy)
    train = rows.patient < 8
    a = physics_doses(build_slice_table(rows), train, CHOICES[0])
    both = replace(
        rows, current_ma=np.where(train, 1, 2) * rows.current_ma,
        dose_mgy=np.where(train, 1, 2) * rows.dose_mgy,
    )  # fmt: skip
    b = physics_doses(build_slice_table(both), train, CHOICES[0])
    assert np.median(b[~train] / a[~train]) == pytest.approx(2.0, rel=0.05)
    c = rule_doses(build_slice_table(double), train)
    np.testing.assert_allclose(c, 2 * rule_doses(build_slice_table(rows), train), rtol=1e-6)


def test_physics_finds_a_law_of_current_and_size():
    rows = made_up_rows(24)
    train = rows.patient < 18
    found = physics_doses(build_slice_table(rows), train, CHOICES[0])
    _, _, error = organ_errors(rows, found, ~train)
    assert np.median(np.abs(error)) < 0.03


def test_scatter_builds_up_from_the_ends():
    found = context(profile(), np.array([0.0, 125.0, 247.5]))["log_current_around"]
    assert np.exp(found[1]) == pytest.approx(0.5 + 0.5 * (1 - np.exp(-125 / 120)) + 0.01, abs=0.01)
    assert found[0] < found[1] - 0.3
    assert found[0] == pytest.approx(found[2], abs=0.03)


def test_where_the_range_ends_the_dose_falls():
    short = replace(profile(), range_mm=(-1.25, 208.75))
    z = np.array([125.0, 245.0])
    whole, cut = (context(p, z)["log_current_around"] for p in (profile(), short))
    assert cut[1] < whole[1] - 0.8
    assert cut[0] == pytest.approx(whole[0], abs=0.1)


def test_gas_is_less_than_tissue():
    z, hu = np.array([50.0, 52.5]), np.array([-960.0, 40.0])
    found = slice_context(profile(), np.array([0, 1]), z, hu, np.array([30.0, 30.0]))
    air = found[:, CONTEXT.index("log_air_880")]
    assert air[0] < np.log(0.05)
    assert air[1] == pytest.approx(0.0, abs=0.03)


def test_landmarks_say_where_a_slice_lies():
    liver = (np.linspace(100, 200, 41), np.linspace(50, 60, 41))
    found = landmark_features({"liver": liver, "none": (np.empty(0), np.empty(0))},
                              np.array([150.0, 300.0]))  # fmt: skip
    assert found[0, :3] == pytest.approx([0.48, 0.48, 0.275], abs=0.01)
    assert np.isnan(found[1, 2])
    assert np.isnan(found[:, 3:]).all()


def test_an_odd_patient_does_not_move_the_ridge():
    draws = np.random.default_rng(3)
    patient, organ = np.repeat(np.arange(30), 10), np.tile(np.arange(2), 150)
    x = draws.normal(size=(300, 2))
    dose = 10 * np.exp(0.5 * x[:, 0] + 0.01 * draws.normal(size=300))
    odd = np.where(patient == 4, 2.0 * dose, dose)
    settings = RidgeSettings(shared_penalty=0.1, organ_penalty=10.0)
    found = [
        fit_organ_ridge(x, organ, patient, d, np.zeros(2), settings, n_organs=2)
        for d in (dose, odd)
    ]
    assert found[0].slope[:, 0] == pytest.approx([0.5, 0.5], abs=0.02)
    assert found[1].intercept == pytest.approx(found[0].intercept, abs=0.02)


def test_even_rows_keep_the_first_and_the_last():
    found = even_rows(np.repeat([5, 2], [20, 3]), 4)
    assert found.sum() == 7
    assert found[[0, 19, 20, 21, 22]].all()


def test_combined_doses_lie_between():
    a, b = np.array([1.0, 4.0]), np.array([4.0, 4.0])
    assert combine(a, b, 0.5) == pytest.approx([2.0, 4.0])
    assert combine(a, b, 0.0) == pytest.approx(a)


def test_published_network_learns_and_repeats():
    pytest.importorskip("torch")
    from milligray.train.modules.slice_mlp import (
        SliceMlpConfig,
        fit_slice_mlp,
        predict_slice_mlp,
    )

    x = np.random.default_rng(0).normal(size=(400, 5))
    y = 10 + 2 * x[:, 2]
    config = SliceMlpConfig(widths=(32, 16), steps=600, learning_rate=3e-3)
    found = [predict_slice_mlp(fit_slice_mlp(config, x, y), x) for _ in range(2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - y).mean() < 0.8
    layers = str(fit_slice_mlp(SliceMlpConfig(steps=1), x, y).layers)
    assert layers.count("Dropout(p=0.1") == 3
    assert "in_features=5, out_features=512" in layers


def test_a_folder_without_arrays_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"chest\.npz"):
        read_slice_arrays(tmp_path, "chest")
    with pytest.raises(InputError, match="regions"):
        read_slice_arrays(tmp_path, "head")


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
def test_published_arrays_are_as_described():
    rows = read_slice_arrays(SHARED, "chest")
    assert len(rows.organ_names) == 17
    assert len(np.unique(rows.patient)) == 63
    twins = np.unique(rows.patient[rows.patient != rows.person])
    assert twins.tolist() == [41]
    assert len(np.unique(grouped_folds(rows.person, 5)[np.isin(rows.patient, [17, 41])])) == 1
    assert len(read_slice_arrays(SHARED, "abdomen").organ_names) == 13

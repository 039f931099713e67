"""Activity on a patient's grid: none is gained or lost, none is of somebody else."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from milligray.errors import GeometryError, InputError
from milligray.patient import water_cylinder
from milligray.read import ActivityImage, PatientKeys
from milligray.source.activity_on_patient import activity_on_patient
from milligray.source.activity_resampling import resample_activity, share_inside
from milligray.source.registration import Registration
from milligray.source.time_points import check_time_points, compare_half_life
from milligray.volume import Grid

IDENTITY = np.eye(4)


def activity_image(grid, values, **changes):
    facts = {
        "reference_s_after_administration": 3600.0,
        "nuclide": "F-18",
        "half_life_s": 6586.2,
        "administered_activity_mbq": 300.0,
        "patient": PatientKeys(id_digest="a", frame_of_reference_uid="1.2"),
    }
    return ActivityImage(grid=grid, activity_mbq_ml=values, **{**facts, **changes})


def turned(rotation_deg, shift=(0.0, 0.0, 0.0)):
    c, s = np.cos(np.deg2rad(rotation_deg)), np.sin(np.deg2rad(rotation_deg))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, c, -s], [0, s, c]]
    )
    matrix[:3, 3] = shift
    return matrix


@pytest.fixture
def patient():
    return water_cylinder(160.0, 120.0, 4.0, margin_voxels=2)


@pytest.fixture
def blob():
    """Gaussian activity on a grid that does not fit the patient's."""
    grid = Grid.from_spacing((26, 30, 30), (5.1, 5.7, 6.3), origin_lps_mm=(-91, -83, -64))
    points = grid.to_lps_mm(np.stack(np.indices(grid.shape), axis=-1))
    values = np.exp(-0.5 * (((points - np.array([10.0, -5.0, 4.0])) / 18.0) ** 2).sum(axis=-1))
    return grid, (values * 0.02).astype(np.float32)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (5.1, 5.7, 6.3), (11.0, 9.0, 13.0)])
def test_overlap_conserves_activity_exactly(spacing):
    source = Grid.from_spacing((9, 8, 7), (5.1, 5.7, 6.3))
    shape = tuple(int(np.ceil(60.0 / s)) + 4 for s in spacing)
    target = Grid.from_spacing(shape, spacing, origin_lps_mm=None)
    activity = np.random.default_rng(1).uniform(0, 1, source.shape)
    placed, correction = resample_activity(activity, source, target, IDENTITY)
    assert correction == 1.0
    assert placed.sum() == pytest.approx(activity.sum(), rel=1e-12)
    # the center of gravity stays as well
    centers = []
    for grid, values in ((source, activity), (target, placed)):
        points = grid.to_lps_mm(np.stack(np.indices(grid.shape), axis=-1))
        centers.append((points * values[..., None]).sum(axis=(0, 1, 2)) / values.sum())
    np.testing.assert_allclose(centers[0], centers[1], atol=1.0)


def test_same_grid_is_the_identity():
    grid = Grid.from_spacing((4, 5, 6), (3.0, 2.0, 2.5))
    activity = np.random.default_rng(2).uniform(0, 1, grid.shape)
    placed, _ = resample_activity(activity, grid, grid, IDENTITY)
    np.testing.assert_allclose(placed, activity, rtol=1e-12)


def test_overlap_agrees_with_a_fine_count():
    """Every source voxel cut into 24^3 pieces, each put where its middle lies."""
    source = Grid.from_spacing((4, 4, 4), (5.0, 6.0, 4.0), origin_lps_mm=(-8.3, -7.1, -6.0))
    target = Grid.from_spacing((6, 6, 6), (4.0, 3.7, 5.0))
    activity = np.random.default_rng(3).uniform(0, 1, source.shape)
    counted = np.zeros(target.shape)
    n = 24
    for at in np.ndindex(source.shape):
        parts = (np.stack(np.indices((n, n, n)), -1).reshape(-1, 3) + 0.5) / n - 0.5
        index = np.rint(target.to_index_kji(source.to_lps_mm(parts + np.array(at)))).astype(int)
        inside = np.all((index >= 0) & (index < np.array(target.shape)), axis=1)
        np.add.at(counted, tuple(index[inside].T), activity[at] / n**3)
    placed, _ = resample_activity(activity, source, target, IDENTITY)
    np.testing.assert_allclose(placed, counted, atol=0.06 * counted.max())
    assert placed.sum() == pytest.approx(counted.sum(), rel=0.01)
    assert share_inside(activity, source, target, IDENTITY) == pytest.approx(
        placed.sum() / activity.sum(), rel=1e-9
    )


def test_rotated_activity_is_conserved_and_lands_in_place(patient, blob):
    grid, values = blob
    matrix = turned(12.0, (6.0, -3.0, 5.0))
    image = activity_image(grid, values)
    registration = Registration(method="file", matrix=matrix, file="a.tfm")
    placed = activity_on_patient(image, patient, registration=registration)
    assert placed.activity_mbq.sum() == pytest.approx(image.total_activity_mbq, rel=0.002)
    assert abs(placed.correction - 1.0) < 0.005
    points = placed.grid.to_lps_mm(np.stack(np.indices(placed.grid.shape), axis=-1))
    center = (points * placed.activity_mbq[..., None]).sum(axis=(0, 1, 2))
    center /= placed.activity_mbq.sum()
    moved = matrix[:3, :3] @ center + matrix[:3, 3]
    np.testing.assert_allclose(moved, [10.0, -5.0, 4.0], atol=0.3)
    assert any("registration (file): rotation" in note for note in placed.notes)


def test_oblique_image_needs_no_registration(patient, blob):
    """A turned grid with the same activity: the concentration is found where it is."""
    grid, _ = blob
    affine = turned(15.0) @ grid.affine
    oblique = Grid(shape=grid.shape, affine=affine)
    points = oblique.to_lps_mm(np.stack(np.indices(grid.shape), axis=-1))
    values = np.exp(-0.5 * ((points / 18.0) ** 2).sum(axis=-1)) * 0.02
    placed = activity_on_patient(activity_image(oblique, values), patient)
    points = placed.grid.to_lps_mm(np.stack(np.indices(placed.grid.shape), axis=-1))
    expected = np.exp(-0.5 * ((points / 18.0) ** 2).sum(axis=-1)) * 0.02
    density = placed.activity_mbq / placed.grid.voxel_volume_cm3
    # linear interpolation between voxels of 6 mm lowers a peak of 18 mm by up to 1.4 % an axis
    np.testing.assert_allclose(density, expected, atol=0.045 * 0.02)
    assert density.sum() == pytest.approx(expected.sum(), rel=0.003)
    assert placed.correction != 1.0


def test_fractions_outside_are_reported(patient, blob):
    grid, values = blob
    spread = values + np.float32(1e-5)
    placed = activity_on_patient(activity_image(grid, spread), patient, max_outside_ct=0.9)
    total = float(spread.sum(dtype=np.float64)) * grid.voxel_volume_cm3
    in_body = placed.activity_mbq[patient.body].sum() / total
    parts = in_body + placed.outside_ct_fraction + placed.outside_body_fraction
    assert parts == pytest.approx(1.0, abs=1e-9)
    assert placed.outside_body_fraction > 0.001
    assert any("outside the body outline" in note for note in placed.notes)


def test_activity_outside_the_body_is_kept_dropped_or_brought_back(patient, blob):
    """Kept: in the air; dropped: gone; nearest: what is near the skin is back in the body."""
    grid, values = blob
    image = activity_image(grid, values + np.float32(1e-5))
    kept, dropped, near = (
        activity_on_patient(image, patient, max_outside_ct=0.9, outside_body=way)
        for way in ("keep", "drop", "nearest")
    )
    body = patient.body
    assert kept.activity_mbq[~body].sum() > 0
    for other in (dropped, near):
        assert other.activity_mbq[~body].sum() == 0
        assert other.outside_body_fraction == kept.outside_body_fraction
    np.testing.assert_array_equal(dropped.activity_mbq[body], kept.activity_mbq[body])
    assert dropped.activity_mbq.sum() < near.activity_mbq.sum() < kept.activity_mbq.sum()
    core = np.zeros_like(body)
    core[6:-6, 12:-12, 12:-12] = True
    np.testing.assert_array_equal(near.activity_mbq[core], kept.activity_mbq[core])


def test_activity_beyond_the_ct_is_refused(patient):
    long = Grid.from_spacing((60, 30, 30), (5.1, 5.7, 6.3), origin_lps_mm=(-91, -83, -150))
    values = np.full(long.shape, 0.001, dtype=np.float32)
    with pytest.raises(GeometryError, match="lies beyond the CT"):
        activity_on_patient(activity_image(long, values), patient)


def test_misaligned_activity_is_refused(patient, blob):
    """In air within the CT's box: the corner of the box around a cylinder."""
    grid, values = blob
    corner = np.zeros_like(values)
    corner[10:14, 2:4, 3:5] = 0.01
    with pytest.raises(GeometryError, match="outside the body outline"):
        activity_on_patient(activity_image(grid, corner), patient, max_outside_ct=1.0)


def test_frames_of_reference_and_patients_must_agree(patient, blob):
    image = activity_image(*blob)
    same = PatientKeys(id_digest="a", frame_of_reference_uid="1.2")
    assert activity_on_patient(image, patient, patient_keys=same).activity_mbq.sum() > 0
    elsewhere = replace(same, frame_of_reference_uid="1.3")
    with pytest.raises(GeometryError, match="different frames of reference"):
        activity_on_patient(image, patient, patient_keys=elsewhere)
    identity = Registration(matrix=np.eye(4), method="file", file="x.tfm")
    activity_on_patient(image, patient, patient_keys=elsewhere, registration=identity)
    with pytest.raises(InputError, match="different patients: PatientID"):
        activity_on_patient(image, patient, patient_keys=replace(same, id_digest="b"))
    with pytest.raises(InputError, match="PatientSex"):
        activity_on_patient(
            replace(image, patient=replace(image.patient, sex="M")),
            patient,
            patient_keys=replace(same, sex="F"),
        )


def test_time_points_ascend_and_belong_together(blob):
    grid, values = blob
    first = activity_image(grid, values, input_sha256="1", half_life_s=574200.0, nuclide="Lu-177")
    second = replace(first, reference_s_after_administration=86400.0, input_sha256="2")
    assert check_time_points([first, second]) == ()
    for wrong, words in (
        ([], "no activity image"),
        ([second, first], "out of order"),
        ([first, replace(second, reference_s_after_administration=3600.4)], "one time"),
        ([first, replace(second, input_sha256="1")], "given twice"),
        ([first, replace(second, reference_s_after_administration=np.nan)], "image 2 is not known"),
        ([first, replace(second, nuclide="Y-90")], "of one nuclide"),
        ([first, replace(second, half_life_s=6586.2)], "half-lives"),
        ([first, replace(second, administered_activity_mbq=200.0)], "administered activities"),
        ([first, replace(second, patient=PatientKeys(id_digest="z"))], "different patients"),
    ):
        with pytest.raises(InputError, match=words):
            check_time_points(wrong)


def test_half_life_of_the_header_is_checked(blob):
    image = activity_image(*blob, acquisition_time=datetime(2026, 1, 1))
    assert compare_half_life(image, 6586.2) == ()
    assert "6584" in compare_half_life(replace(image, half_life_s=6620.0), 6584.0)[0]
    with pytest.raises(InputError, match="wrong nuclide"):
        compare_half_life(replace(image, half_life_s=109.77), 6586.2)


def test_image_itself_refuses_what_is_no_activity(blob):
    grid, values = blob
    for wrong in (-values, values * 0, values * np.nan):
        with pytest.raises(InputError):
            activity_image(grid, wrong)
    with pytest.raises(GeometryError):
        activity_image(grid, values[1:])
